"""Asking when people are free, as the protocol's SDKs ask: rules 19 and 20."""

from __future__ import annotations

import pytest

from tests.sdks import CSHARP, NODE, PHP, PYTHON, RUBY, SDKS

pytestmark = pytest.mark.stack

SEQUENCED = "/v1/sequenced_availability"

MEMBER_OPTIONS = [
    *("available_periods", "calendar_ids", "managed_availability", "availability_rule_ids", "buffer"),
    *("availability_constraints", "only_managed_events", "ignore_tentative"),
]
QUERY_OPTIONS = [
    *("query_periods", "query_slots", "start_interval", "response_format", "max_results", "excluded_events"),
    *("explain", "include_sources", "on_unreadable"),
]


def ask(service, sdk, body, bearer, path="/v1/availability"):
    return sdk.post(service.url(path), body, bearer=bearer)


@pytest.fixture
def query(ana, calendar):
    return {
        "participants": [{"members": [{"sub": ana.sub}], "required": "all"}],
        "required_duration": {"minutes": 60},
        "query_periods": [{"start": calendar.at(8, day=20), "end": calendar.at(12, day=20)}],
    }


@pytest.fixture
def free(ana, calendar):
    """Ana is busy from nine to ten."""
    everyone = [{"sub": ana.sub}]
    return [
        {"start": calendar.at(8, day=20), "end": calendar.at(9, day=20), "participants": everyone},
        {"start": calendar.at(10, day=20), "end": calendar.at(12, day=20), "participants": everyone},
    ]


@pytest.mark.parametrize("sdk", [PYTHON, NODE, CSHARP, RUBY], ids=str)
def test_rule_19_an_access_token_may_ask(service, ana, query, free, sdk):
    answer = ask(service, sdk, query, ana.token)
    assert (answer.status_code, answer.json()) == (200, {"available_periods": free})


@pytest.mark.parametrize("sdk", [PHP, RUBY], ids=str)
def test_rule_19_the_client_secret_may_ask(service, query, free, sdk):
    answer = ask(service, sdk, query, service.stack["client_secret"])
    assert (answer.status_code, answer.json()) == (200, {"available_periods": free})


def test_rule_19_an_access_token_may_ask_about_other_accounts_of_its_application(service, query, free):
    colleague = service.connected("rule-19@google.example")["access_token"]
    assert ask(service, NODE, query, colleague).json() == {"available_periods": free}


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_19_nobody_else_may_ask(service, query, sdk):
    assert ask(service, sdk, query, None).status_code == 401
    assert ask(service, sdk, query, "fbc_cs_guessed").status_code == 401


def test_rule_20_the_older_name_of_the_periods_is_understood(service, ana, query, free):
    query["available_periods"] = query.pop("query_periods")
    assert ask(service, CSHARP, query, ana.token).json() == {"available_periods": free}


@pytest.mark.parametrize("name", ["query_periods", "available_periods"])
def test_rule_20_an_empty_buffer_is_none(service, query, free, name):
    """What the Python SDK sends with every query."""
    query |= {"buffer": {}, name: query.pop("query_periods")}
    answer = ask(service, PYTHON, query, service.stack["client_secret"])
    assert (answer.status_code, answer.json()) == (200, {"available_periods": free})


def test_rule_20_what_is_null_was_left_out(service, ana, query, free):
    """The serializer of the C# SDK writes a null for whatever its caller did not set."""
    body = {
        **query,
        "participants": [{"members": [{"sub": ana.sub, **dict.fromkeys(MEMBER_OPTIONS)}], "required": "all"}],
        "available_periods": query["query_periods"],
        **dict.fromkeys(QUERY_OPTIONS),
        "buffer": {"before": None, "after": None},
    }
    answer = ask(service, CSHARP, body, ana.token)
    assert (answer.status_code, answer.json()) == (200, {"available_periods": free})


# --- Options of members, and buffers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sdk", "buffer"),
    [
        pytest.param(PYTHON, {"before": {"minutes": 30}, "after": {"minutes": 45}}, id="Python with numbers"),
        pytest.param(
            PYTHON,
            {"before": {"minimum": {"minutes": 30}}, "after": {"minimum": {"minutes": 45}}},
            id="Python as it maps",
        ),
        pytest.param(CSHARP, {"before": {"minimum": {"minutes": 30}, "maximum": None}, "after": {}}, id="C#"),
        pytest.param(RUBY, {"before": {"minutes": 30}}, id="Ruby"),
    ],
)
def test_a_buffer_has_a_plain_and_a_longer_form(service, ana, query, calendar, sdk, buffer):
    answer = ask(service, sdk, {**query, "buffer": buffer}, ana.token)
    assert answer.json()["available_periods"][-1]["start"] == calendar.at(10.5, day=20)


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_every_option_of_a_member_is_understood(service, ana, query, calendar, sdk):
    """Most SDKs pass members on as they are given; times come as .NET writes them, too."""
    day = {"start": calendar.at(0, day=20).replace("T", " "), "end": calendar.at(24, day=20).replace("T", " ")}
    member = {
        "sub": ana.sub,
        "available_periods": [day],
        "calendar_ids": [ana.google, ana.managed],
        "managed_availability": False,
        "availability_rule_ids": ["working-hours"],
        "buffer": {"before": {"minutes": 15}, "after": {"minimum": {"minutes": 0}, "maximum": {"minutes": 30}}},
        "availability_constraints": [
            {"limit": 50, "period": "day", "tzid": "Europe/London"},
            {"limit": 100, "period": "week", "tags": {"private": [{"value": "interview"}]}},
        ],
        "only_managed_events": False,
        "ignore_tentative": True,
    }
    query["participants"] = [{"members": [member], "required": "all"}]
    answer = ask(service, sdk, query, service.stack["client_secret"])
    assert [period["start"] for period in answer.json()["available_periods"]] == [
        calendar.at(8, day=20),
        calendar.at(10.25, day=20),
    ]


# --- Sequences -------------------------------------------------------------------------------------------------


def sequence_of(answer):
    assert answer.status_code == 200, answer.text
    first = answer.json()["sequences"][0]["sequence"]
    return [(step["sequence_id"], step["start"]) for step in first]


@pytest.fixture
def group(ana):
    return {"members": [{"sub": ana.sub}], "required": "all"}


def test_what_the_python_sdk_makes_of_a_sequence(service, ana, calendar, group):
    """Nulls for what its caller left out, an empty buffer, and an empty list of periods."""
    bare = {"participants": [group], "start_interval": None, "buffer": {}, "event": {"summary": "Interview"}}
    periods = [{"start": calendar.at(8, day=20), "end": calendar.at(12, day=20)}]
    sequence = [
        {"sequence_id": "1234", "ordinal": 1, **bare, "required_duration": {"minutes": 60}},
        {"sequence_id": "4567", "ordinal": 2, **bare, "required_duration": {"minutes": 30}},
    ]
    answer = ask(service, PYTHON, {"sequence": sequence, "available_periods": periods}, ana.token, SEQUENCED)
    assert sequence_of(answer) == [("1234", calendar.at(8, day=20)), ("4567", calendar.at(10, day=20))]
    for step in sequence:
        step["available_periods"] = periods
    answer = ask(service, PYTHON, {"sequence": sequence, "available_periods": []}, ana.token, SEQUENCED)
    assert sequence_of(answer) == [("1234", calendar.at(8, day=20)), ("4567", calendar.at(10, day=20))]


def test_what_the_csharp_sdk_makes_of_a_sequence(service, ana, calendar, group):
    """An empty list of periods in each step, times with a space, buffers with both ends, and the event's details."""
    start, end = (calendar.at(hour, day=20).replace("T", " ") for hour in (8, 12))
    buffer = {"before": {"minimum": {"minutes": 0}, "maximum": {"minutes": 60}}, "after": {"minimum": {"minutes": 0}}}
    event = {"event_id": "e", "summary": "Interview", "start": None, "end": None, "reminders": []}
    sequence = [
        {
            "ordinal": 1,
            "sequence_id": "First Event",
            "event": event,
            "participants": [group],
            "required_duration": {"minutes": 60},
            "start_interval": {"minutes": 60},
            "available_periods": [],
            "buffer": buffer,
        },
        {
            "ordinal": 2,
            "sequence_id": "Second Event",
            "participants": [group],
            "required_duration": {"minutes": 60},
            "available_periods": [],
        },
    ]
    body = {"sequence": sequence, "available_periods": [{"start": start, "end": end}]}
    assert sequence_of(ask(service, CSHARP, body, ana.token, SEQUENCED)) == [
        ("First Event", calendar.at(8, day=20)),
        ("Second Event", calendar.at(10, day=20)),
    ]


@pytest.mark.parametrize("sdk", [NODE, RUBY, PHP], ids=str)
def test_what_the_other_sdks_make_of_a_sequence(service, calendar, group, sdk):
    """They pass on what they are given; the Ruby SDK's own example calls its steps by number."""
    sequence = [
        {"sequence_id": 1234, "ordinal": 1, "participants": [group], "required_duration": {"minutes": 60}},
        {"sequence_id": 4567, "ordinal": 2, "participants": [group], "required_duration": {"hours": 1}},
    ]
    body = {"sequence": sequence, "query_periods": [{"start": calendar.at(9, day=20), "end": calendar.at(12, day=20)}]}
    assert sequence_of(ask(service, sdk, body, service.stack["client_secret"], SEQUENCED)) == [
        ("1234", calendar.at(10, day=20)),
        ("4567", calendar.at(11, day=20)),
    ]


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_nobody_else_may_ask_for_sequences(service, sdk):
    assert ask(service, sdk, {"sequence": []}, None, SEQUENCED).status_code == 401
