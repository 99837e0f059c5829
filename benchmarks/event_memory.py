"""What functions that stay warm keep of 10,000 events: nothing, or they would run full.

Each event goes the whole way through the deployed handlers: it is written, its record of the stream is queued, and
the message of the queue is mailed. The stores are in memory and hold the same few events all the time, so that
whatever grows has been kept by the functions.
"""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from os import devnull
from pathlib import Path
from typing import Any

from benchmarks.deployment import call, deployed, in_memory, person, sub_of
from benchmarks.measuring import verdict
from freebusy.bootstrap import Dependencies
from freebusy.domain.application import Application
from freebusy.domain.event import ManagedEvent
from freebusy.domain.identifiers import hashed
from freebusy.domain.invitation import InvitationDue
from freebusy.domain.token import TokenKind, TokenRecord
from tests.api import Context, handler
from tests.fakes.applications import FakeApplications
from tests.fakes.events import FakeEvents, FakeInvitationLog
from tests.people import CLIENT_ID

EVENTS, BATCH = 10_000, 10
LOOKS = (1_000, 2_500, 5_000, 7_500, 10_000)
GOAL = 64
"""KiB that may have been added from the first look to the last: caches that were not full, and nothing by event."""

ACCESS_TOKEN = "fbc_at_of-the-benchmark"  # noqa: S105 - guards made-up people


class Queue:
    """Keeps what was put until it is taken, and nothing of it afterwards."""

    def __init__(self) -> None:
        self._due: list[InvitationDue] = []

    def put(self, due: Sequence[InvitationDue]) -> None:
        self._due += due

    def take(self) -> list[InvitationDue]:
        taken, self._due = self._due, []
        return taken


class Mailer:
    """Counts."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, *_: bytes, **__: object) -> None:
        self.sent += 1


def main() -> None:
    out = sys.stdout
    with Path(devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), deployed() as wired:
        mailer = _wire(wired)
        print(f"Memory of warm functions, traced, over {EVENTS:,} events that are written, queued and mailed", file=out)
        kept: list[float] = []
        tracemalloc.start()
        for number in range(0, EVENTS, BATCH):
            _ten_events(wired, number)
            if (done := number + BATCH) in LOOKS:
                gc.collect()
                kept.append(tracemalloc.get_traced_memory()[0] / 1024)
                print(f"  after {done:>6,} events{kept[-1]:>10.0f} KiB", file=out, flush=True)
        tracemalloc.stop()
    if mailer.sent != EVENTS:
        raise RuntimeError(f"not a measurement: {mailer.sent} mailed")
    grown = kept[-1] - kept[0]
    print(f"  grown by          {grown:>10.0f} KiB  goal ≤ {GOAL} KiB  {verdict(grown, GOAL)}", file=out)


def _wire(wired: Dependencies) -> Mailer:
    wired.settings.mail_domain = "invites.example.com"
    accounts, tokens = in_memory([person(0, wired)])
    tokens.save(
        hashed(ACCESS_TOKEN),
        TokenRecord(TokenKind.ACCESS, CLIENT_ID, None, sub_of(0), grant_id="g1", scope="free_busy_write"),
    )
    stores: dict[str, Any] = {
        "accounts": accounts,
        "tokens": tokens,
        "applications": FakeApplications(Application(CLIENT_ID, "Acme", ("https://app.example.com/callback",))),
        "events": FakeEvents(),
        "invitation_log": FakeInvitationLog(),
        "invitation_queue": Queue(),
        "unread_changes": None,
        "mailer": (mailer := Mailer()),
    }
    for name, store in stores.items():
        setattr(wired, name, store)
    return mailer


def _ten_events(wired: Dependencies, number: int) -> None:
    """Written one by one, then queued and mailed as batches, as the stream and the queue have them."""
    path = f"/v1/calendars/{person_calendar(wired)}/events"
    records = []
    for place in range(BATCH):
        before = wired.events.find(sub_of(0), f"booking-{place}")
        body = {
            "event_id": f"booking-{place}",
            "summary": f"Interview {number + place}",
            "start": "2030-01-07T13:00:00Z",
            "end": "2030-01-07T13:30:00Z",
        }
        if (answer := call("events", "POST", path, body=body, bearer=ACCESS_TOKEN)).status != 202:  # noqa: PLR2004 - ACCEPTED
            raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")
        after = wired.events.find(sub_of(0), f"booking-{place}")
        records.append(_stream_record(number + place, before, after))
    _invoke("on_event_changed", records)
    queue: Any = wired.invitation_queue
    _invoke("on_invitation_due", [_message(number, due) for number, due in enumerate(queue.take())])


def person_calendar(wired: Dependencies) -> str:
    account = wired.accounts.find(sub_of(0))
    if account is None:
        raise RuntimeError("nobody is connected")
    return account.managed_profile.calendar_id


def _invoke(function: str, records: Sequence[Mapping[str, Any]]) -> None:
    if (answer := handler(function)({"Records": records}, Context()))["batchItemFailures"]:
        raise RuntimeError(f"not a measurement: {answer}")


def _stream_record(number: int, before: ManagedEvent | None, after: ManagedEvent | None) -> dict[str, Any]:
    images = {"OldImage": before, "NewImage": after}
    shown = {name: _image(event) for name, event in images.items() if event}
    return {"eventID": str(number), "dynamodb": {"SequenceNumber": str(number), **shown}}


def _image(event: ManagedEvent) -> dict[str, Any]:
    """As much of the item as the function reads."""
    attendees = [{"M": {"email": {"S": each.email}, "uninvited": {"BOOL": each.uninvited}}} for each in event.attendees]
    return {
        "pk": {"S": f"EVENTS#{event.sub}"},
        "event_id": {"S": event.event_id},
        "version": {"N": str(event.version)},
        "revision": {"N": str(event.revision)},
        "calendar_id": {"S": event.calendar_id},
        "sequence": {"N": str(event.sequence)},
        "updated_at": {"N": str(event.updated_at)},
        "attendees": {"L": attendees},
    }


def _message(number: int, due: InvitationDue) -> dict[str, Any]:
    return {
        "messageId": str(number),
        "receiptHandle": str(number),
        "attributes": {"MessageGroupId": str(number), "ApproximateReceiveCount": "1", "SentTimestamp": "1893488400000"},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:invitations.fifo",
        "body": json.dumps(asdict(due)),
    }


if __name__ == "__main__":
    main()
