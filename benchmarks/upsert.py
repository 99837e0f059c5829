"""``POST /v1/calendars/{id}/events`` through the real handler, against one bare conditional write of the same item.

Once with the table as moto has it, where every call costs processor time of its own, and once with each call taking
as long as DynamoDB takes: then it is the calls one after another that count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from benchmarks.deployment import call, deployed, person, sub_of
from benchmarks.measuring import interleaved, median_ms, milliseconds
from freebusy.bootstrap import Dependencies
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from tests.people import CLIENT_ID

ROUNDS = 60
TABLE_CALL = 0.005
"""Seconds, as within a region."""

ACCESS_TOKEN = "fbc_at_of-the-benchmark"  # noqa: S105 - guards made-up people
BARE = "one bare conditional write"

Actions = dict[str, Callable[[], object]]


def main() -> None:
    with deployed(MAIL_DOMAIN="in.example.com") as wired:
        actions = _actions(wired)
        print(f"Writing an event: p50 of {ROUNDS}, and against one bare conditional write of the same item")
        _report("moto answers at once", interleaved(actions, rounds=ROUNDS))
        with _slow(wired):
            _report(f"each call takes {TABLE_CALL * 1000:.0f} ms", interleaved(actions, rounds=ROUNDS))


def _report(label: str, taken: dict[str, list[float]]) -> None:
    unit = median_ms(taken[BARE])
    print(f"  {label}")
    for name, seconds in taken.items():
        print(f"    {name:<34}{milliseconds(seconds):>24}{median_ms(seconds) / unit:>8.2f} ×")


def _actions(wired: Dependencies) -> Actions:
    account = person(0, wired)
    wired.accounts.create(account)
    wired.tokens.save(
        hashed(ACCESS_TOKEN),
        TokenRecord(TokenKind.ACCESS, CLIENT_ID, None, sub_of(0), grant_id="g1", scope="free_busy_write"),
    )
    path = f"/v1/calendars/{account.managed_profile.calendar_id}/events"
    numbers = count()

    def upsert(event_id: str, summary: str) -> None:
        event = {
            "event_id": event_id,
            "summary": summary,
            "start": "2030-01-07T13:00:00Z",
            "end": "2030-01-07T13:30:00Z",
            "location": {"description": "Room 4"},
            "attendees": {"invite": [{"email": "guest@example.com"}]},
        }
        answer = call("events", "POST", path, body=event, bearer=ACCESS_TOKEN)
        if answer.status != 202:  # noqa: PLR2004 - ACCEPTED
            raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")

    upsert("same", "Interview")
    upsert("changing", "Interview")
    return {
        BARE: _bare_write(wired),
        "upsert of a new event": lambda: upsert(f"new-{next(numbers)}", "Interview"),
        "upsert that changes one": lambda: upsert("changing", f"Interview {next(numbers)}"),
        "upsert that changes nothing": lambda: upsert("same", "Interview"),
    }


def _bare_write(wired: Dependencies) -> Callable[[], object]:
    table = wired.settings.table_name
    items = wired.dynamodb.scan(TableName=table)["Items"]
    item: dict[str, Any] = dict(next(each for each in items if each["sk"]["S"].startswith("EVENT#")))
    item["pk"] = {"S": "BARE"}
    wired.dynamodb.put_item(TableName=table, Item=item)

    def write() -> object:
        over = item["version"]
        item["version"] = {"N": str(int(over["N"]) + 1)}
        return wired.dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="#version = :over",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":over": over},
        )

    return write


@contextmanager
def _slow(wired: Dependencies) -> Iterator[None]:
    def wait(**_: Any) -> None:
        time.sleep(TABLE_CALL)

    events: Any = wired.dynamodb.meta.events
    events.register_first("before-send", wait)
    try:
        yield
    finally:
        events.unregister("before-send", wait)


if __name__ == "__main__":
    main()
