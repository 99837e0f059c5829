"""How the protocol's SDKs write their requests: rules 6 to 11 and 22."""

from __future__ import annotations

from base64 import b64encode

import pytest

from freebusy.entrypoints.http import body_of
from tests.sdks import CSHARP, NODE, PHP, PYTHON, RUBY, SDKS, Sdk
from tests.template.deployment import RESOURCES

pytestmark = pytest.mark.stack

READS = ["/v1/free_busy", "/v1/events"]
LISTS = [f"/v1/{name}" for name in ("account", "userinfo", "profiles", "calendars")]
LISTS += ["/v1/availability_rules", "/v1/available_periods"]
UTC = {"tzid": "Etc/UTC"}


def query_for(calendar, sub):
    """An availability query; free from eight to nine and from ten to twelve."""
    return {
        "participants": [{"members": [{"sub": sub}], "required": "all"}],
        "required_duration": {"minutes": 60},
        "query_periods": [{"start": calendar.at(8, day=20), "end": calendar.at(12, day=20)}],
    }


# --- Bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", b"[]", b"this is not JSON"])
@pytest.mark.parametrize("path", [*LISTS, *READS])
def test_rule_06_the_body_of_a_get_is_ignored(service, ana, path, body):
    without = NODE.get(service.url(path), UTC, bearer=ana.token)
    assert without.status_code == 200
    answer = PYTHON.get(service.url(path), UTC, bearer=ana.token, body=body)
    assert answer.status_code == 200
    assert answer.json().keys() == without.json().keys()


def test_rule_06_page_urls_take_a_body_too(service, ana):
    first = PYTHON.get(service.url("/v1/free_busy"), UTC, bearer=ana.token).json()
    assert PYTHON.get(first["pages"]["next_page"], bearer=ana.token).json()["pages"]["current"] == 2


def test_rule_06_no_network_of_caches_that_refuses_such_a_get_stands_in_front():
    assert not [name for name, resource in RESOURCES.items() if resource["Type"].startswith("AWS::CloudFront::")]


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_07_the_body_of_a_delete_names_the_event(service, calendar, sdk):
    person = service.booking("rule-07@google.example")
    person.book(calendar.event("stays"), calendar.event("goes"))
    answer = sdk.delete(service.url(person.path), {"event_id": "goes"}, bearer=person.token)
    assert (answer.status_code, answer.content) == (202, b"")
    assert person.booked() == ["stays"]


def test_rule_07_a_delete_that_names_nothing_deletes_nothing(service, calendar):
    person = service.booking("rule-07@google.example")
    person.book(calendar.event("stays"))
    for path in (person.path, "/v1/events"):
        answer = NODE.delete(service.url(path), {}, bearer=person.token)
        assert answer.status_code == 422
        assert answer.json()["errors"]
    assert person.booked() == ["stays"]


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_07_many_events_are_deleted_by_body_or_query(service, calendar, sdk):
    """The Python SDK says in the query what the others say in the body, and sends an empty object."""
    person = service.booking("rule-07@google.example")

    def delete(what):
        body, query = ({}, what) if sdk is PYTHON else (what, None)
        return sdk.delete(service.url("/v1/events"), body, bearer=person.token, query=query).status_code

    person.book(calendar.event("one"), calendar.event("two", 11))
    assert delete({"calendar_ids": ["cal_of_somebody_else"]}) == 422
    assert delete({"calendar_ids": [person.google]}) == 202
    assert person.booked() == ["one", "two"]
    assert delete({"calendar_ids": [person.managed]}) == 202
    assert person.booked() == []
    person.book(calendar.event("three"))
    assert delete({"delete_all": True}) == 202
    assert person.booked() == []


BODILESS = [
    pytest.param(RUBY, None, id="Ruby sends nothing"),
    pytest.param(PYTHON, b"{}", id="Python {}"),
    pytest.param(PHP, b"[]", id="PHP []"),
    pytest.param(NODE, b'{"profile_id": "pro_x", "client_id": "x"}', id="Node ids of the path, or what it likes"),
    pytest.param(CSHARP, b"{}", id="C# with its Content-Encoding"),
]


@pytest.mark.parametrize(("sdk", "body"), BODILESS)
def test_rule_08_a_post_without_parameters_may_say_so_in_any_way(service, ana, sdk, body):
    answer = sdk.post(service.url("/v1/link_tokens"), body, bearer=ana.token)
    assert answer.status_code == 200
    assert answer.json()["link_token"]


@pytest.mark.parametrize(("sdk", "body"), BODILESS)
def test_rule_08_a_profile_is_revoked_whatever_the_body_says(service, sdk, body):
    tokens = service.connected("rule-08@google.example")
    profile_id = tokens["linking_profile"]["profile_id"]
    answer = sdk.post(service.url(f"/v1/profiles/{profile_id}/revoke"), body, bearer=tokens["access_token"])
    assert (answer.status_code, answer.content) == (202, b"")
    profiles = NODE.get(service.url("/v1/profiles"), bearer=tokens["access_token"]).json()["profiles"]
    assert [profile["profile_connected"] for profile in profiles if profile["profile_id"] == profile_id] == [False]


def test_rule_08_unknown_keys_are_ignored_in_token_requests(service):
    chatty = Sdk("chatty", {}, extra_in_code_exchange={"audience": "x", "client_assertion": "y", "resource": "z"})
    assert service.exchanged(chatty, service.code("rule-08@google.example")).status_code == 200


def test_rule_08_unknown_keys_are_ignored_at_every_level_of_a_body(service, ana, calendar):
    plain = query_for(calendar, ana.sub)
    (group,), (member,), (period,) = plain["participants"], plain["participants"][0]["members"], plain["query_periods"]
    chatty = {
        **plain,
        "colour": "green",
        "required_duration": {"minutes": 60, "colour": "green"},
        "participants": [{**group, "colour": "green", "members": [{**member, "colour": "green"}]}],
        "query_periods": [{**period, "colour": "green"}],
        "buffer": {"during": {"minutes": 5}},
    }
    url = service.url("/v1/availability")
    answer = NODE.post(url, chatty, bearer=ana.token)
    assert answer.status_code == 200
    assert answer.json() == NODE.post(url, plain, bearer=ana.token).json()


@pytest.mark.parametrize("path", READS)
def test_rule_08_unknown_parameters_of_a_query_are_ignored(service, ana, path):
    """The Node SDK passes its caller's options on as they are, and the Ruby SDK any parameter."""
    options = {**UTC, "colour": "green", "client_id": "x", "redirect_uris": ["a", "b"]}
    assert NODE.get(service.url(path), options, bearer=ana.token).status_code == 200


# --- Spellings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "is_true"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_rule_09_booleans_in_queries_have_three_spellings(service, ana, calendar, spelled, is_true):
    day = {**UTC, "from": calendar.at(0, day=21), "to": calendar.at(24, day=21)}
    asked = {**day, "include_free": spelled, "localized_times": spelled}
    rows = NODE.get(service.url("/v1/free_busy"), asked, bearer=ana.token).json()["free_busy"]
    assert ("free" in [row["free_busy_status"] for row in rows]) is is_true
    assert {type(row["start"]) for row in rows} == {dict if is_true else str}
    everything = dict.fromkeys(["include_managed", "only_managed", "include_deleted", "localized_times"], spelled)
    assert NODE.get(service.url("/v1/events"), {**UTC, **everything}, bearer=ana.token).status_code == 200


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_09_every_sdk_is_understood_in_its_own_spelling(service, ana, sdk, path):
    asked = {**UTC, "include_managed": True, "include_deleted": False, "localized_times": True}
    answer = sdk.get(service.url(path), asked, bearer=ana.token)
    assert answer.status_code == 200, answer.text


def test_rule_10_a_content_encoding_without_compression_is_ignored(service, calendar):
    tokens = service.exchanged(CSHARP, service.code("rule-10@google.example"))
    assert tokens.status_code == 200
    token, sub = tokens.json()["access_token"], tokens.json()["sub"]
    assert CSHARP.get(service.url("/v1/free_busy"), UTC, bearer=token).status_code == 200
    query = query_for(calendar, sub)
    assert CSHARP.post(service.url("/v1/availability"), query, bearer=token).status_code == 200


def test_rule_10_nor_does_it_matter_if_the_gateway_takes_such_a_body_for_binary():
    headers = {"content-type": "application/json; charset=utf-8", **{k.lower(): v for k, v in CSHARP.headers.items()}}
    event = {"headers": headers, "isBase64Encoded": True, "body": b64encode(b'{"token": "x"}').decode()}
    assert body_of(event) == {"token": "x"}


def spaced(time: str) -> str:
    """.NET's format ``u``: ``2030-01-01 09:00:00Z``."""
    return time.replace("T", " ")


def test_rule_11_times_in_a_body_may_have_a_space_for_the_t(service, ana, calendar):
    plain = query_for(calendar, ana.sub)
    (period,) = plain["query_periods"]
    with_spaces = {**plain, "query_periods": [{name: spaced(time) for name, time in period.items()}]}
    url = service.url("/v1/availability")
    answer = CSHARP.post(url, with_spaces, bearer=ana.token)
    assert answer.status_code == 200
    assert answer.json() == NODE.post(url, plain, bearer=ana.token).json()
    slots = {**plain, "query_periods": None, "query_slots": [{"start": spaced(calendar.at(10, day=20))}]}
    assert CSHARP.post(url, slots, bearer=ana.token).json()["available_slots"]


def test_rule_11_times_of_an_event_may_have_a_space_for_the_t(service, calendar):
    """The C# SDK sends them so, in an object with their zone."""
    person = service.booking("rule-11@google.example")
    start, end = ({"time": spaced(calendar.at(hour)), "tzid": "Europe/Paris"} for hour in (9, 10))
    person.book({**calendar.event("spaced"), "start": start, "end": end}, sdk=CSHARP)
    asked = {**UTC, "only_managed": True}
    (event,) = CSHARP.get(service.url("/v1/events"), asked, bearer=person.token).json()["events"]
    assert (event["start"], event["end"]) == (calendar.at(9), calendar.at(10))


def test_rule_11_times_in_a_query_may_have_a_space_for_the_t(service, ana, calendar):
    day = {"from": calendar.at(8, day=20), "to": calendar.at(12, day=20), "last_modified": calendar.at(0, day=-10)}
    url = service.url("/v1/free_busy")
    rows = NODE.get(url, {**UTC, **day}, bearer=ana.token).json()["free_busy"]
    assert [row["start"] for row in rows] == [calendar.at(9, day=20)]
    asked = {**UTC, **{name: spaced(time) for name, time in day.items()}}
    assert CSHARP.get(url, asked, bearer=ana.token).json()["free_busy"] == rows
    assert CSHARP.get(service.url("/v1/events"), asked, bearer=ana.token).status_code == 200


@pytest.mark.parametrize("brackets", ["%5B%5D", "%5b%5d", "[]"])
def test_rule_22_lists_in_queries_repeat_a_name_with_brackets(service, ana, calendar, brackets):
    sdk = Sdk("any", {}, brackets=brackets)

    def calendars_of(*calendar_ids: str) -> set[str]:
        asked = {**UTC, "from": calendar.at(0, day=20), "to": calendar.at(0, day=23), "calendar_ids": [*calendar_ids]}
        rows = sdk.get(service.url("/v1/free_busy"), asked, bearer=ana.token).json()["free_busy"]
        return {row["calendar_id"] for row in rows}

    assert calendars_of(ana.google) == {ana.google}
    assert calendars_of(ana.microsoft) == {ana.microsoft}
    assert calendars_of(ana.google, ana.microsoft) == {ana.google, ana.microsoft}
    assert calendars_of(ana.managed) == set()


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_22_every_sdks_list_of_calendars_is_read(service, ana, sdk, path):
    own, foreign = [ana.google, ana.managed], [ana.google, "cal_of_somebody_else"]
    assert sdk.get(service.url(path), {**UTC, "calendar_ids": own}, bearer=ana.token).status_code == 200
    assert sdk.get(service.url(path), {**UTC, "calendar_ids": foreign}, bearer=ana.token).status_code == 422
