"""Rules and available periods, as the protocol's SDKs write, read and delete them."""

from __future__ import annotations

import pytest

from tests import csharp_sdk
from tests.sdks import CSHARP, NODE, PHP, PYTHON, RUBY, SDKS

pytestmark = pytest.mark.stack

RULES, PERIODS = "/v1/availability_rules", "/v1/available_periods"
WORK = {
    "availability_rule_id": "work_hours",
    "tzid": "Europe/Paris",
    "weekly_periods": [{"day": "monday", "start_time": "09:30", "end_time": "17:00"}],
}


@pytest.fixture
def bearer(service):
    """Somebody about whom nothing is stored."""
    token = service.connected("managed-availability@google.example")["access_token"]
    NODE.delete(service.url(f"{RULES}/work_hours"), {}, bearer=token)
    NODE.delete(service.url(PERIODS), {"delete_all": True}, bearer=token)
    return token


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rules_are_written_listed_read_and_deleted(service, bearer, sdk):
    answer = sdk.post(service.url(RULES), WORK, bearer=bearer)
    assert (answer.status_code, answer.json()) == (200, {"availability_rule": WORK})
    assert sdk.get(service.url(RULES), bearer=bearer).json() == {"availability_rules": [WORK]}
    assert sdk.get(service.url(f"{RULES}/work_hours"), bearer=bearer).json() == {"availability_rule": WORK}
    deleted = sdk.delete(service.url(f"{RULES}/work_hours"), None, bearer=bearer)
    assert (deleted.status_code, deleted.content) == (202, b"")
    assert sdk.get(service.url(f"{RULES}/work_hours"), bearer=bearer).status_code == 404


def test_rule_13_the_strictest_parser_reads_rules(service, bearer):
    """Its serializer writes a null for whatever its caller did not set."""
    calendars = NODE.get(service.url("/v1/calendars"), bearer=bearer).json()["calendars"]
    for calendar_ids in (None, [calendars[0]["calendar_id"]]):
        answer = CSHARP.post(service.url(RULES), WORK | {"calendar_ids": calendar_ids}, bearer=bearer).json()
        csharp_sdk.AVAILABILITY_RULE(answer, "rule")
        csharp_sdk.AVAILABILITY_RULES(CSHARP.get(service.url(RULES), bearer=bearer).json(), "rules")


@pytest.mark.parametrize("sdk", [NODE, PHP, RUBY, PYTHON], ids=str)
def test_available_periods_are_written_listed_and_deleted(service, calendar, bearer, sdk):
    def period(name, hour):
        return {"available_period_id": name, "start": calendar.at(hour), "end": calendar.at(hour + 1)}

    def listed(**query):
        answer = sdk.get(service.url(PERIODS), {"tzid": "Etc/UTC", **query}, bearer=bearer)
        assert answer.status_code == 200
        return answer.json()["available_periods"]

    periods = [period("early", 9), period("late", 33)]
    for each in periods:
        answer = sdk.post(service.url(PERIODS), each | {"tzid": "Europe/Paris"}, bearer=bearer)
        assert (answer.status_code, answer.content) == (202, b"")
    assert listed() == periods
    assert listed(**{"from": calendar.at(24)[:10]}) == periods[1:]
    (local, _) = listed(localized_times=True)
    assert local["start"] == {"time": calendar.at(9).replace("Z", "+00:00"), "tzid": "Etc/UTC"}
    assert sdk.delete(service.url(PERIODS), {"available_period_id": "early"}, bearer=bearer).status_code == 202
    assert listed() == periods[1:]
    assert sdk.delete(service.url(PERIODS), {"delete_all": True}, bearer=bearer).status_code == 202
    assert listed() == []


def test_rule_18_a_batch_writes_available_periods(service, calendar, bearer):
    """As the PHP SDK has it."""
    data = {"available_period_id": "batched", "start": calendar.at(9), "end": calendar.at(10)}
    entries = [{"method": "POST", "relative_url": PERIODS, "data": data}]
    answer = PHP.post(service.url("/v1/batch"), {"batch": entries}, bearer=bearer)
    assert (answer.status_code, answer.json()) == (207, {"batch": [{"status": 202}]})
    assert NODE.get(service.url(PERIODS), bearer=bearer).json()["available_periods"] == [data]
