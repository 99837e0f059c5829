"""Asking when people are free, as the protocol's SDKs ask: rules 19 and 20."""

from __future__ import annotations

import pytest

from tests.sdks import CSHARP, NODE, PHP, PYTHON, RUBY, SDKS

pytestmark = pytest.mark.stack

MEMBER_OPTIONS = ["available_periods", "calendar_ids", "managed_availability", "availability_rule_ids"]
QUERY_OPTIONS = ["query_periods", "query_slots", "start_interval", "response_format", "max_results"]


def ask(service, sdk, body, bearer):
    return sdk.post(service.url("/v1/availability"), body, bearer=bearer)


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
