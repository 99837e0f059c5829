"""What is exported of somebody is what is stored, all of it, but nothing that lets anybody in."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from freebusy.bootstrap import Dependencies, belongings
from freebusy.domain.access_request import Granted
from freebusy.domain.errors import NotFound
from freebusy.service.connecting import connect_mailbox
from freebusy.service.export import LEFT_OUT, WITHHELD, export_account
from tests.browsers import APP
from tests.fakes.clock import NOW
from tests.footprint import CANARY, GUEST, WHO, ask_for_mailbox, connect_at_cronofy, dump, leave_traces, mentions
from tests.people import organization

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def export(wired: Dependencies, sub: str) -> dict[str, Any]:
    exported = export_account(
        sub,
        accounts=wired.accounts,
        belongings=belongings(wired.dynamodb, wired.settings.table_name),
        requests=wired.access_requests,
        now=NOW,
    )
    return json.loads(json.dumps(exported))


@pytest.fixture
def sub(deployment, monkeypatch) -> str:
    monkeypatch.setattr("freebusy.entrypoints.wire.reading.PAGE_SIZE", 1)
    return leave_traces(deployment)


def shapes(values: Any, path: str = "") -> set[str]:
    """The path of every attribute."""
    match values:
        case dict():
            inner = (shapes(value, f"{path}.{name}") for name, value in values.items() if name not in LEFT_OUT)
            return {f"{path}.{name}" for name in values if name not in LEFT_OUT}.union(*inner)
        case list():
            return set().union(*(shapes(value, path) for value in values))
    return set()


def leaves(values: Any, path: str = "") -> list[tuple[str, Any]]:
    match values:
        case dict():
            return [leaf for name, value in values.items() for leaf in leaves(value, f"{path}.{name}")]
        case list():
            return [leaf for value in values for leaf in leaves(value, path)]
    return [(path, values)]


def test_every_attribute_of_every_item_is_there(wired, sub):
    exported = export(wired, sub)["stored"]
    assert sum(map(len, exported.values())) == sum(mentions(item, sub, CANARY) for item in dump(wired))
    for kind, item in belongings(wired.dynamodb, wired.settings.table_name).all_of(sub):
        assert shapes(item) <= shapes(exported[kind]), kind


def test_every_word_of_every_item_is_there(wired, sub):
    """Also of what is stored as JSON, or compressed; of keys, no more than the hashes by which things are found."""
    told = json.dumps(export(wired, sub))
    words = re.compile(r"[\w@.+-]*canary[\w@.+-]*", re.IGNORECASE)
    for item in dump(wired):
        if mentions(item, sub, CANARY):
            attributes = {name: value for name, value in item.items() if name not in {*LEFT_OUT, *WITHHELD, "page"}}
            missing = {word for word in words.findall(str(attributes)) if word not in told}
            assert missing == set()


def test_nothing_that_lets_anybody_in_is_there(wired, sub):
    exported = export(wired, sub)
    values = json.dumps(exported)
    for item in dump(wired):
        for name in ("sealed", "browser_hash", "link_token_hash", "code_challenge"):
            if name in item:
                assert str(item[name].get("S", item[name].get("B"))) not in values
        if item["pk"]["S"].partition("#")[0] in {"TOKEN", "CODE", "SPENT", "LINK", "REQUEST", "PAGE"}:
            assert item["pk"]["S"].partition("#")[2] not in values
    for profile in exported["stored"]["account"][0]["profiles"].values():
        assert profile.get("sealed", "present") == "present"


def test_times_are_read_as_times(wired, sub):
    exported = export(wired, sub)
    for path, value in leaves(exported):
        if path.endswith("_at"):
            assert value is None or MOMENT.fullmatch(value), path
    (first, *_) = sorted(exported["stored"]["event"], key=lambda event: event["event_id"])
    assert first["details"]["when"]["start"] == "2027-02-01T09:00:00Z"
    assert exported["stored"]["availability"][0]["periods"]["canary afternoon"] == {
        "start": "2027-02-01T09:00:00Z",
        "end": "2027-02-01T10:00:00Z",
    }
    assert exported["stored"]["availability"][0]["rules"]["canary hours"]["weekly_periods"] == [
        {"weekday": 0, "start": "09:30", "end": "17:00"}
    ]


def test_what_was_mailed_names_the_event(wired, sub):
    exported = export(wired, sub)["stored"]
    assert {each["event_uid"] for each in exported["sent"]} <= {each["uid"] for each in exported["event"]}


def test_a_page_is_read_as_it_was_answered(wired, sub):
    pages = export(wired, sub)["stored"]["page"]
    assert {event["summary"] for each in pages for event in each["page"]["events"]} == {"Canary's interview"}
    assert GUEST in json.dumps(pages)


def test_what_is_still_asked_about_a_mailbox_belongs_to_it(wired, deployment):
    giver = organization(client_id=APP)
    wired.service_accounts.connect(giver)
    sub = connect_mailbox(giver, WHO.email, accounts=wired.accounts, now=NOW).sub
    ask_for_mailbox(wired, giver, WHO.email, "req_1")
    ask_for_mailbox(wired, giver, "else@example.com", "req_2")
    wired.access_requests.settle("req_1", granted=Granted(sub, "pro_1", reconnecting=False))
    (request,) = export(wired, sub)["stored"]["access"]
    assert request["granted"] == {"sub": sub, "profile_id": "pro_1", "reconnecting": False}
    assert (request["request_id"], request["requested_at"]) == ("req_1", "2027-01-15T08:00:00Z")


def test_whoever_came_by_way_of_cronofy_is_listed_for_that(wired, deployment):
    exported = export(wired, connect_at_cronofy(wired).sub)["stored"]
    assert set(exported) == {"account", "identity", "upstream"}


def test_of_somebody_unknown_there_is_nothing(wired):
    with pytest.raises(NotFound):
        export(wired, "acc_000000000000000000000000")
