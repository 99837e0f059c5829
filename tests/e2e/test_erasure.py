"""Somebody is erased while their application goes on using its SDK, and while mail is on its way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx
import pytest
from pycronofy import Client
from pycronofy.exceptions import PyCronofyRequestError

from local import emulator as aws
from tests.e2e.days import at
from tests.waiting import until

pytestmark = pytest.mark.stack


def left_of(stack: dict[str, Any], *names: str) -> list[Any]:
    """What of the whole table mentions any of these."""
    dynamodb = aws.client("dynamodb", stack["aws"])
    (table,) = dynamodb.list_tables()["TableNames"]
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"] if any(name in str(item) for name in names)]


@contextmanager
def busy_application(client: Client, calendar_id: str) -> Iterator[None]:
    """Refreshes, writes and reads without pause, and goes on when it is not let in any more."""
    over = Event()

    def write(number: int) -> None:
        while not over.is_set():
            event = {"event_id": f"canary-{number}", "summary": "Canary", "start": at(11), "end": at(12)}
            for call in (
                lambda event=event: client.upsert_event(calendar_id, {**event, "description": str(time.monotonic())}),
                lambda: list(client.read_events(include_managed=True)),
                client.refresh_authorization,
            ):
                try:
                    call()
                except PyCronofyRequestError:
                    time.sleep(0.01)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        try:
            yield
        finally:
            over.set()
    for writer in writers:
        writer.result()


def test_nothing_comes_back_of_somebody_who_is_erased_while_everything_goes_on(stack, connect, freebusy):
    email = f"canary-{time.monotonic_ns()}@google.example"
    client = connect("google", email, [(9, 10)])
    sub, calendar_id = client.account()["account_id"], client.list_calendars()[1]["calendar_id"]
    client.create_notification_channel("http://127.0.0.1:1/canary")  # where nobody is, so that it keeps being tried
    once = {"Authorization": f"Bearer {client.auth.access_token}", "Idempotency-Key": "canary"}
    httpx.post(f"{stack['url']}/v1/batch", json={"batch": []}, headers=once, timeout=30)
    with busy_application(client, calendar_id):
        mailed = until(lambda: httpx.get(f"{stack['mailbox']}/messages", params={"to": email}).json())
        erased = freebusy("accounts", "erase", sub, "--yes")
    kinds = {each["kind"] for each in erased["erased"]}
    assert kinds >= {"account", "channel", "event", "identity", "once", "person", "token"}
    httpx.post(f"{stack['mailbox']}/messages/{mailed[0]['id']}/reply", json={"partstat": "ACCEPTED"}).raise_for_status()
    # What was in flight when the account went is removed by a second pass, which here needs nobody's patience.
    if left_of(stack, sub, email):
        freebusy("accounts", "erase", sub, "--yes")
    assert left_of(stack, sub, email, "canary") == []
    again = connect("google", email, [])
    assert again.account()["account_id"] != sub
    freebusy("accounts", "erase", again.account()["account_id"], "--yes")


def test_an_application_that_revokes_can_ask_for_it(stack, connect, freebusy):
    client = connect("google", f"leaver-{time.monotonic_ns()}@google.example", [])
    sub = client.account()["account_id"]
    body = {"client_id": stack["client_id"], "client_secret": stack["client_secret"], "sub": sub}
    answer = httpx.post(f"{stack['url']}/oauth/token/revoke", json={**body, "request_pii_erasure": True})
    assert (answer.status_code, answer.text) == (200, "")
    with pytest.raises(PyCronofyRequestError):
        client.account()
    freebusy("accounts", "erase", sub, "--yes")
    assert left_of(stack, sub) == []
    told = freebusy.verified(sub)
    assert told == "" or "the last look is still to come" in told
