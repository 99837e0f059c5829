"""Table calls of a request, with few and with many accounts stored: as many, and of the same kinds.

The accounts are copied straight into moto's table by its own ``put_item``, since 100,000 would take minutes by
way of requests. The handlers call the table as they call AWS, and each of their calls is counted by its operation.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from functools import partial

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from benchmarks.deployment import (
    PROVIDERS,
    SECRET,
    Diary,
    ask_availability,
    availability_body,
    call,
    deployed,
    person,
    sub_of,
)
from freebusy.bootstrap import Dependencies, application_registry
from freebusy.domain.application import Application
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from tests.api import Answer
from tests.people import CLIENT_ID, FakeCalendars, email_of
from tests.tables import counted_calls

STORED = (10, 1_000, 100_000)
MEMBERS = 10
WEEK = Diary(days=7, meetings=40)
ACCESS_TOKEN, REFRESH_TOKEN = "fbc_at_of-the-benchmark", "fbc_rt_of-the-benchmark"

Request = Callable[[], Answer]


def main() -> None:
    with deployed() as wired:
        _populate(wired)
        requests = _requests()
        made: dict[str, list[str]] = {name: [] for name in requests}
        started = time.perf_counter()
        for stored in STORED:
            _multiply(_table(wired), stored)
            for name, request in requests.items():
                made[name].append(_calls(wired, request))
        print(f"Table calls of a warm request, with {', '.join(f'{stored:,}' for stored in STORED)} accounts stored")
        for name, calls in made.items():
            constant = len(set(calls)) == 1
            print(f"  {name:<34}{calls[0]:<32}goal: constant  {'met' if constant else '; '.join(['over', *calls[1:]])}")
        print(f"(storing and asking took {time.perf_counter() - started:.0f} s)")


def _requests() -> dict[str, Request]:
    members = [sub_of(number) for number in range(MEMBERS)]
    refresh = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "grant_type": "refresh_token",
        "refresh_token": REFRESH_TOKEN,
    }
    return {
        f"/v1/availability, {MEMBERS} members": partial(
            ask_availability, availability_body(members, WEEK, required="all")
        ),
        "/v1/free_busy": partial(
            call, "free_busy", "GET", "/v1/free_busy", query={"tzid": "Etc/UTC"}, bearer=ACCESS_TOKEN
        ),
        "/v1/userinfo": partial(call, "account", "GET", "/v1/userinfo", bearer=ACCESS_TOKEN),
        "/oauth/token, refresh": partial(call, "token", "POST", "/oauth/token", body=refresh),
    }


def _populate(wired: Dependencies) -> None:
    """An application, and as many people as are asked about; all who are stored later are copies of the first."""
    application_registry(wired.dynamodb, wired.settings.table_name).create(
        Application(CLIENT_ID, "Benchmark", ("https://app.example.com/callback",))
    )
    for number in range(MEMBERS):
        wired.accounts.create(person(number, wired))
    for kind, token in ((TokenKind.ACCESS, ACCESS_TOKEN), (TokenKind.REFRESH, REFRESH_TOKEN)):
        wired.tokens.save(
            hashed(token), TokenRecord(kind, CLIENT_ID, None, sub_of(0), grant_id="g1", scope="free_busy_write")
        )
    calendars = FakeCalendars({email_of(sub_of(number)): WEEK.of(number) for number in range(MEMBERS)})
    wired.providers = dict.fromkeys(PROVIDERS, calendars)


def _table(wired: Dependencies) -> Table:
    ((_, regions),) = dynamodb_backends.items()
    return regions[wired.dynamodb.meta.region_name].get_table(wired.settings.table_name)


def _multiply(table: Table, until: int) -> None:
    """Copies the first account, with the item of its identity, until there are so many of them."""
    original = sub_of(0)
    items = [_as_sent(item) for item in table.all_items() if original in item.hash_key.value]
    stored = sum(item.hash_key.value.startswith("ACCOUNT#") for item in table.all_items())
    for number in range(stored, until):
        for item in items:
            table.put_item(json.loads(item.replace(original, sub_of(number))))


def _as_sent(item: Item) -> str:
    """In the JSON of the DynamoDB protocol, where binary values are base64."""
    return json.dumps(item.to_json()["Attributes"], default=lambda value: b64encode(value).decode())


def _calls(wired: Dependencies, request: Request) -> str:
    """By operation, of the second of two requests: the first fills what a sandbox keeps."""
    request()
    with counted_calls(wired.dynamodb) as calls:
        answer = request()
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")
    return ", ".join(f"{count} {operation}" for operation, count in sorted(calls.items()))


if __name__ == "__main__":
    main()
