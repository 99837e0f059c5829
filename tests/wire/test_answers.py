"""What the protocol's SDKs can parse: rules 12 to 18."""

from __future__ import annotations

import re

import pytest

from tests import csharp_sdk
from tests.sdks import CSHARP, NODE, PHP, PYTHON, RUBY, SDKS

pytestmark = pytest.mark.stack

UTC = {"tzid": "Etc/UTC"}
FREE_BUSY, EVENTS = "/v1/free_busy", "/v1/events"
READS = [FREE_BUSY, EVENTS]
WHOLE_SECONDS_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def pages_of(sdk, url, query, token):
    """Every page of an answer, as the SDKs walk from one to the next."""
    answer = sdk.get(url, query, bearer=token)
    while True:
        assert answer.status_code == 200, answer.text
        yield answer.json()
        if not (next_page := answer.json()["pages"].get("next_page")):
            return
        answer = sdk.get(next_page, bearer=token)


# --- Times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["google", "microsoft"])
def test_rule_12_times_have_whole_seconds_and_a_z_whatever_the_provider_writes(service, calendar, provider):
    at_nine = calendar.at(9).replace("Z", ".250+00:00")
    at_ten = calendar.at(12).replace("Z", ".750+02:00")
    busy = [{"start": at_nine, "end": at_ten}]
    token = service.connected(f"rule-12@{provider}.example", provider, busy=busy)["access_token"]
    (row,) = NODE.get(service.url(FREE_BUSY), UTC, bearer=token).json()["free_busy"]
    assert WHOLE_SECONDS_UTC.fullmatch(row["start"])
    assert WHOLE_SECONDS_UTC.fullmatch(row["end"])
    assert row["start"] == calendar.at(9)


def test_rule_12_times_of_availability_have_whole_seconds_and_a_z_whatever_is_asked(service, ana, calendar):
    """JavaScript writes milliseconds, other callers offsets."""
    body = {
        "participants": [{"members": [{"sub": ana.sub}], "required": "all"}],
        "required_duration": {"minutes": 60},
        "query_periods": [
            {
                "start": calendar.at(10, day=20).replace("Z", ".123Z"),
                "end": calendar.at(14, day=20).replace("Z", "+02:00"),
            }
        ],
    }
    (found,) = NODE.post(service.url("/v1/availability"), body, bearer=ana.token).json()["available_periods"]
    assert (found["start"], found["end"]) == (calendar.at(10, day=20), calendar.at(12, day=20))


@pytest.mark.parametrize(
    "tzid", ["Etc/UTC", "Europe/Paris", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham", "Africa/Monrovia"]
)
def test_rule_12_local_times_have_an_offset_with_a_colon_and_their_zone(service, ana, tzid):
    asked = {"tzid": tzid, "localized_times": True}
    rows = CSHARP.get(service.url(FREE_BUSY), asked, bearer=ana.token).json()["free_busy"]
    assert rows
    for time in (row[bound] for row in rows for bound in ("start", "end")):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", time["time"])
        assert time["tzid"] == tzid


# --- Nulls and shapes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["google", "microsoft"])
def test_rule_13_the_strictest_parser_reads_every_answer(service, calendar, provider):
    """Also once the profile is disconnected. Of people at Google we know no name, at Microsoft we do."""
    busy = [calendar.busy(9, 10), calendar.busy(11, 12, status="tentative")]
    code = service.code(f"rule-13@{provider}.example", provider, busy=busy)
    tokens = service.exchanged(CSHARP, code).json()
    csharp_sdk.TOKENS(tokens, "tokens")
    refreshed = service.refreshed(CSHARP, tokens["refresh_token"]).json()
    csharp_sdk.REFRESHED(refreshed, "refreshed")
    token = refreshed["access_token"]

    def read(path, **query):
        answer = CSHARP.get(service.url(path), query, bearer=token)
        assert answer.status_code == 200
        return answer.json()

    def free(**changed):
        body = {
            "participants": [{"members": [{"sub": tokens["sub"]}], "required": "all"}],
            "required_duration": {"minutes": 60},
            "available_periods": [{"start": calendar.at(8), "end": calendar.at(12)}],
            **changed,
        }
        return CSHARP.post(service.url("/v1/availability"), body, bearer=token).json()

    def sequences():
        step = {"participants": [{"members": [{"sub": tokens["sub"]}]}], "required_duration": {"minutes": 60}}
        steps = [{"sequence_id": name, "ordinal": number, **step} for number, name in enumerate(("first", "second"))]
        body = {"sequence": steps, "available_periods": [{"start": calendar.at(6), "end": calendar.at(12)}]}
        return CSHARP.post(service.url("/v1/sequenced_availability"), body, bearer=token).json()

    def read_everything():
        csharp_sdk.ACCOUNT(read("/v1/account"), "account")
        csharp_sdk.USERINFO(read("/v1/userinfo"), "userinfo")
        csharp_sdk.PROFILES(read("/v1/profiles"), "profiles")
        csharp_sdk.CALENDARS(read("/v1/calendars"), "calendars")
        csharp_sdk.FREE_BUSY(read(FREE_BUSY, **UTC, include_managed=True, include_ids=True), "free_busy")
        csharp_sdk.LOCALIZED_FREE_BUSY(read(FREE_BUSY, **UTC, localized_times=True), "free_busy")
        csharp_sdk.EVENTS(read(EVENTS, **UTC, localized_times=True, include_managed=True), "events")
        csharp_sdk.AVAILABLE_PERIODS(free(), "availability")
        csharp_sdk.AVAILABLE_SLOTS(free(response_format="slots"), "availability")
        csharp_sdk.AVAILABLE_SLOTS(free(response_format="overlapping_slots"), "availability")
        csharp_sdk.AVAILABLE_PERIODS(free(explain=True, include_sources=True), "availability")
        csharp_sdk.SEQUENCES(sequences(), "sequences")

    read_everything()
    assert free()["available_periods"]
    assert sequences()["sequences"]
    profile_id = tokens["linking_profile"]["profile_id"]
    CSHARP.post(service.url(f"/v1/profiles/{profile_id}/revoke"), bearer=token)
    read_everything()
    profiles = read("/v1/profiles")["profiles"]
    assert all("profile_relink_url" in profile for profile in profiles if not profile["profile_connected"])
    assert not free()["available_periods"]


def test_rule_13_the_strictest_parser_reads_events_with_everything_in_them(service, calendar):
    person = service.booking("rule-13@google.example")
    full = {
        "description": "Two lines\nof text",
        "location": {"description": "Room 4", "lat": "48.85", "long": "2.35"},
        "url": "https://app.example.com/1",
        "reminders": [{"minutes": 15}],
        "event_private": True,
        "color": "#49bed8",
        "extended_transparency": "tentative",
        "conferencing": {"profile_id": "explicit", "join_url": "https://meet.example.com/1"},
        "attendees": {"invite": [{"email": "guest@example.com", "display_name": "Gast Ü"}, {"email": "b@example.com"}]},
        "recurrence": {"rules": [{"frequency": "daily", "count": 3}]},
        "tags": {"private": [{"value": "blue"}]},
    }
    days = {"start": calendar.at(0)[:10], "end": calendar.at(48)[:10]}
    person.book(calendar.event("bare"), calendar.event("full", **full), {**calendar.event("days"), **days})
    person.book(calendar.event("moved"), calendar.event("moved", 15), calendar.event("deleted"))
    CSHARP.delete(service.url(person.path), {"event_id": "deleted"}, bearer=person.token)
    asked = {**UTC, "include_managed": True, "include_deleted": True, "include_moved": True, "include_geo": True}

    def read(path, **more):
        return CSHARP.get(service.url(path), {**asked, **more}, bearer=person.token).json()

    found = read(EVENTS)
    assert len(found["events"]) == 7
    csharp_sdk.EVENTS(found, "events")
    csharp_sdk.LOCALIZED_EVENTS(read(EVENTS, localized_times=True), "events")
    csharp_sdk.FREE_BUSY(read(FREE_BUSY, include_ids=True), "free_busy")
    csharp_sdk.LOCALIZED_FREE_BUSY(read(FREE_BUSY, include_ids=True, localized_times=True), "free_busy")


@pytest.mark.parametrize(
    ("path", "parser"), [(FREE_BUSY, csharp_sdk.LOCALIZED_FREE_BUSY), (EVENTS, csharp_sdk.LOCALIZED_EVENTS)]
)
def test_rule_14_local_times_can_be_asked_for_at_both_read_endpoints(service, ana, calendar, path, parser):
    """The C# SDK asks for them with every read."""
    asked = {**UTC, "from": calendar.at(0)[:10], "to": calendar.at(0, day=30)[:10], "localized_times": True}
    for page in pages_of(CSHARP, service.url(path), asked, ana.token):
        parser(page, "page")


# --- Pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", SDKS, ids=str)
@pytest.mark.parametrize(("path", "count"), [(FREE_BUSY, 3), (EVENTS, 1)])
def test_rule_15_every_page_is_a_200(service, ana, sdk, path, count):
    """The Ruby SDK's pager takes anything else for an error."""
    assert len([*pages_of(sdk, service.url(path), UTC, ana.token)]) == count


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_16_the_pages_count_themselves_and_lead_to_each_other(service, ana, calendar, sdk):
    pages = [*pages_of(sdk, service.url(FREE_BUSY), {**UTC, "calendar_ids": [ana.google]}, ana.token)]
    assert [page["pages"]["current"] for page in pages] == [1, 2, 3]
    assert {page["pages"]["total"] for page in pages} == {3}
    assert all(page["pages"]["next_page"].startswith(service.url("/v1/")) for page in pages[:-1])
    assert pages[-1]["pages"].get("next_page") is None
    seen = [row["start"] for page in pages for row in page["free_busy"]]
    assert seen == [*(calendar.at(quarter / 2) for quarter in range(250)), calendar.at(9, day=20)]


@pytest.mark.parametrize("path", READS)
def test_rule_16_an_answer_of_one_page_leads_nowhere(service, ana, calendar, path):
    day = {**UTC, "from": calendar.at(0, day=20), "to": calendar.at(0, day=21)}
    pages = NODE.get(service.url(path), day, bearer=ana.token).json()["pages"]
    assert (pages["current"], pages["total"], pages.get("next_page")) == (1, 1, None)


@pytest.mark.parametrize(
    ("sdk", "more"),
    [
        pytest.param(NODE, {**UTC, "from": "2020-01-01", "calendar_ids": ["cal_x"]}, id="Node repeats the first query"),
        pytest.param(PYTHON, {"page": "7"}, id="something else"),
        pytest.param(RUBY, {"tzid": "Mars/Olympus"}, id="what would be refused elsewhere"),
        pytest.param(PHP, {"include_free": "maybe"}, id="what would be refused elsewhere, too"),
    ],
)
def test_rule_17_page_urls_tolerate_more_parameters(service, ana, sdk, more):
    first = sdk.get(service.url(FREE_BUSY), UTC, bearer=ana.token).json()
    plain = sdk.get(first["pages"]["next_page"], bearer=ana.token)
    assert sdk.get(first["pages"]["next_page"], more, bearer=ana.token).json() == plain.json()


# --- Batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_18_a_batch_is_a_207_and_what_succeeded_in_it_a_202(service, calendar, sdk):
    """Ruby and Python take every entry for failed whose status does not end in 02."""
    person = service.booking("rule-18@google.example")

    def entry(method, **data):
        return {"method": method, "relative_url": person.path, "data": data}

    batch = [
        entry("POST", **calendar.event("kept")),
        entry("POST", **calendar.event("dropped")),
        entry("DELETE", event_id="dropped"),
        entry("DELETE", event_id="never existed"),
    ]
    answer = sdk.post(service.url("/v1/batch"), {"batch": batch}, bearer=person.token)
    assert answer.status_code == 207
    assert answer.json() == {"batch": [{"status": 202}] * 4}
    assert person.booked() == ["kept"]


def test_rule_18_an_entry_that_fails_says_why_and_stops_no_other(service, calendar):
    person = service.booking("rule-18@google.example")
    batch = [
        {"method": "POST", "relative_url": person.path, "data": {**calendar.event("nameless"), "summary": None}},
        {"method": "DELETE", "relative_url": f"/v1/calendars/{person.google}/events", "data": {"event_id": "x"}},
        {"method": "POST", "relative_url": "/v1/calendars/cal_x/events", "data": calendar.event("nowhere")},
        {"method": "POST", "relative_url": person.path, "data": calendar.event("kept")},
    ]
    answer = RUBY.post(service.url("/v1/batch"), {"batch": batch}, bearer=person.token)
    assert answer.status_code == 207
    entries = answer.json()["batch"]
    assert [entry["status"] for entry in entries] == [422, 403, 404, 202]
    assert [error["key"] for error in entries[0]["data"]["errors"]["summary"]] == ["errors.required"]
    assert person.booked() == ["kept"]
