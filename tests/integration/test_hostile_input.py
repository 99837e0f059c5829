"""Every operation is asked what nobody should ask: what is wrong with it is said, and nothing of it is our fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Grant
from freebusy.domain.identifiers import hashed
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.entrypoints.openapi.operations import OPERATIONS, Caller, Operation, Section
from tests.api import Answer, call
from tests.fakes.callbacks import FakeHosts
from tests.fakes.clock import NOW
from tests.fakes.queues import FakeAccessQueue
from tests.people import connected, organization
from tests.template.deployment import routes

FUNCTION = {route.key: route.function for route in routes()}
TOKEN, SERVICE_ACCOUNT_TOKEN = "token of ana", "token of the organization"

VALUES = (None, -1, 1e308, "", "x" * 5000, "\x00", "\ud800", "9999-12-31T23:59:59Z", [], {}, [None] * 500)
BODIES = (
    *("{", "1", "null", "NaN", "[" * 60_000, '{"a":' * 10_000, '{"a": 1e999}', '{"a": ' + "9" * 5000 + "}"),
    *('\ufeff{"a": 1}', '{"\\ud800": "\\ud800"}', "a=%ff", "a&" * 2000, "\x00"),
)
WORDS = (*("", " ", "\x00", "☃", "%", "x" * 5000, "-1", "9999-12-31", "0001-01-01"), *("../../etc/passwd", "%ED%A0%80"))
HEADERS = (
    {"authorization": "Bearer " + "x" * 9000},
    {"authorization": "Bearer é\x00"},
    {"authorization": "Bearer"},
    {"origin": "\x00"},
    {"accept-language": "*;q=abc," * 500},
    {"content-type": "application/json; charset=utf-16"},
)
EVENT = {
    "event_id": "e",
    "summary": "s",
    "start": {"time": "2027-01-15T09:00:00Z", "tzid": "Etc/UTC"},
    "end": "2027-01-15T10:00:00Z",
    "tzid": "Etc/UTC",
    "location": {"description": "x", "lat": "1.0", "long": 2.0},
    "url": "https://app.example/",
    "reminders": [{"minutes": 5}],
    "attendees": {"invite": [{"email": "a@b.example", "display_name": "A"}], "remove": [{"email": "c@b.example"}]},
    "conferencing": {"profile_id": "explicit", "join_url": "https://app.example/"},
    "recurrence": {"rules": [{"frequency": "weekly", "count": 3, "by_day": ["MO"], "exceptions": ["2027-01-22"]}]},
    "tags": {"private": [{"value": "x"}]},
}
PERIOD = {"start": "2027-01-15T09:00:00Z", "end": "2027-01-15T12:00:00Z"}
GROUP = {
    "members": [
        {
            "sub": "ana",
            "calendar_ids": ["cal"],
            "available_periods": [PERIOD],
            "availability_rule_ids": ["r"],
            "availability_constraints": [{"limit": 1, "period": "day", "tzid": "Etc/UTC"}],
            "buffer": {"before": {"minimum": {"minutes": 5}}},
        }
    ],
    "required": 1,
    "round_robin": {"days": 3, "tags": {"private": [{"value": "x"}]}},
}
QUERY = {
    "participants": [GROUP],
    "required_duration": {"minutes": 30},
    "query_periods": [PERIOD],
    "start_interval": {"minutes": 15},
    "excluded_events": [{"event_id": "x"}],
    "start": "2027-01-15T09:00:00Z",
}
RICHER = {
    "post_v1_calendars_calendar_id_events": EVENT,
    "post_v1_availability": QUERY,
    "post_v1_availability_explain": QUERY,
    "post_v1_sequenced_availability": {
        "sequence": [{"sequence_id": "a", "ordinal": 1, "participants": [GROUP], "required_duration": {"minutes": 30}}],
        "query_periods": [PERIOD],
    },
}
"""Bodies of which more can be got wrong than of the examples."""

pytestmark = pytest.mark.usefixtures("everybody")


@pytest.fixture
def everybody(people, deployment, wired, monkeypatch) -> None:
    scope = f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"
    connected_organization = organization("ser_1", client_id="app")
    wired.service_accounts.connect(replace(connected_organization, grants={"g1": Grant("g1", scope, NOW)}))
    record = TokenRecord(TokenKind.ACCESS, "app", NOW + 60, "ser_1", "g1", scope)
    wired.tokens.save(hashed(SERVICE_ACCOUNT_TOKEN), record)
    monkeypatch.setattr(Dependencies, "hosts", FakeHosts())
    wired.access_queue = FakeAccessQueue()


def ask(operation: Operation, *, path: str | None = None, **request: Any) -> Answer:
    """No answer is of the five hundreds, and each is one that the document knows."""
    bearer = SERVICE_ACCOUNT_TOKEN if operation.callers == (Caller.ORGANIZATION,) else TOKEN
    function = FUNCTION[f"{operation.method} {operation.path}"]
    answer = call(function, operation.method, path or address(operation), bearer=bearer, **request)
    assert answer.status < 500, (request, answer.body)
    return answer


def address(operation: Operation, **changed: str) -> str:
    calendar_id = connected("ana").managed_profile.calendar_id
    names = ("calendar_id", "profile_id", "token", "sub", "event_uid", "availability_rule_id", "handle", "channel_id")
    usual = {**dict.fromkeys(names, "x"), "calendar_id": calendar_id, "provider": "google", "section": "events"}
    return operation.path.format(**{**usual, **changed})


def places(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield prefix
    match value:
        case dict():
            for name, inner in value.items():
                yield from places(inner, (*prefix, name))
        case [inner, *_]:
            yield from places(inner, (*prefix, 0))


def with_(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    changed = deepcopy(value)
    at = changed
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = new
    return changed


WITH_BODIES = [operation for operation in OPERATIONS if operation.body]


@pytest.mark.parametrize("operation", WITH_BODIES, ids=[each.operation_id for each in WITH_BODIES])
def test_values_of_every_kind_in_every_place_of_a_body(operation):
    usual = RICHER.get(operation.operation_id, operation.body_example)
    for place in places(usual):
        for value in VALUES:
            ask(operation, body=with_(usual, place, value), compared=False)


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.operation_id for each in OPERATIONS])
def test_bodies_headers_and_words_of_every_kind(operation):
    for body in BODIES:
        ask(operation, body=body)
        ask(operation, body=body, headers={"content-type": "application/x-www-form-urlencoded"})
    for headers in HEADERS:
        ask(operation, headers=headers, body={})
    ask(operation, cookies=["x" * 9000, "=", "__Host-x=\x00"])
    for name, _, _ in operation.query:
        for word in WORDS:
            ask(operation, query=f"tzid=Etc/UTC&{name}={word}")
    for variable in re.findall(r"\{(\w+)\}", operation.path):
        for word in WORDS:
            ask(operation, path=address(operation, **{variable: word or "%00"}), compared=False)


MOST = {
    **dict.fromkeys(("post_v1_batch", "post_v1_availability", "post_v1_availability_explain"), 4_000_000),
    **dict.fromkeys(("post_v1_sequenced_availability", "post_v1_service_account_authorizations"), 4_000_000),
    "post_v1_calendars_calendar_id_events": 512_000,
}
"""Of all others 64,000 bytes are read."""


OF_APPLICATIONS = [each for each in WITH_BODIES if each.callers != (Caller.ANYBODY,) or each.section is Section.TOKENS]
"""A form of ours that is too large is as foreign as any other, and what Cronofy posts is read only if it is signed."""


@pytest.mark.parametrize("operation", OF_APPLICATIONS, ids=[each.operation_id for each in OF_APPLICATIONS])
def test_a_body_has_a_limit_that_leaves_room_for_all_that_may_be_in_it(operation):
    most = MOST.get(operation.operation_id, 64_000)
    too_large, compressed = (400, 400) if operation.section is Section.TOKENS else (413, 415)
    body = json.dumps({"a": "x" * (most - len('{"a": ""}'))})
    assert ask(operation, body=body).status != too_large or operation.section is Section.TOKENS
    assert ask(operation, body=body + " ").status == too_large
    assert ask(operation, body="{}", headers={"content-encoding": "gzip"}).status == compressed
