"""The official Python SDK, unmodified, stores when somebody may be booked at all."""

from __future__ import annotations

import httpx
import pytest
from icalendar import Calendar
from pycronofy.batch import BatchBuilder
from pycronofy.exceptions import PyCronofyRequestError

from tests.e2e.days import DAY, at

pytestmark = pytest.mark.stack

WORK = {
    "availability_rule_id": "work_hours",
    "tzid": "Europe/Paris",
    "weekly_periods": [
        {"day": "monday", "start_time": "09:30", "end_time": "12:30"},
        {"day": "friday", "start_time": "18:00", "end_time": "24:00"},
    ],
}


@pytest.fixture
def client(connect):
    """Somebody about whom no rules are stored."""
    connected = connect("google", "rules@google.example", [(9, 10)])
    for rule in connected.list_availability_rules():
        connected.delete_availability_rule(rule["availability_rule_id"])
    return connected


def test_rules_are_written_listed_read_and_deleted(client):
    assert client.upsert_availability_rule(WORK) == WORK
    of_one_calendar = WORK | {"calendar_ids": [client.list_calendars()[0]["calendar_id"]]}
    evenings = of_one_calendar | {"availability_rule_id": "evenings"}
    assert client.upsert_availability_rule(evenings) == evenings
    assert client.upsert_availability_rule(of_one_calendar) == of_one_calendar
    assert client.list_availability_rules() == [evenings, of_one_calendar]
    client.delete_availability_rule("evenings")
    assert client.get_availability_rule("work_hours") == of_one_calendar
    with pytest.raises(PyCronofyRequestError) as missing:
        client.get_availability_rule("evenings")
    assert missing.value.response.status_code == 404


def test_a_rule_that_makes_no_sense_is_explained(client):
    with pytest.raises(PyCronofyRequestError) as refused:
        client.upsert_availability_rule(WORK | {"tzid": "Mars/Olympus"})
    assert refused.value.response.status_code == 422
    assert refused.value.response.json()["errors"]["tzid"][0]["key"] == "errors.tzid_unrecognized"


def test_a_batch_writes_available_periods_and_a_calendar_program_reads_all_of_it(stack, client):
    """The SDK knows available periods by its batches alone."""
    client.upsert_availability_rule(WORK)
    batch = BatchBuilder()
    for name, hour in (("morning", 8), ("evening", 20)):
        period = {"available_period_id": name, "start": at(hour), "end": at(hour + 2)}
        batch.add_entry(method="POST", relative_url="/v1/available_periods", data=period)
    assert not client.batch(batch).has_errors()

    headers = {"Authorization": f"Bearer {client.auth.access_token}"}
    query = {"tzid": "Etc/UTC", "from": f"{DAY:%Y-%m-%d}", "to": at(24)}
    answer = httpx.get(f"{stack['url']}/v1/free_busy.ics", params=query, headers=headers)
    calendar = Calendar.from_ical(answer.raise_for_status().content)

    (free_busy,) = calendar.walk("VFREEBUSY")
    assert free_busy["FREEBUSY"].params["FBTYPE"] == "BUSY"
    assert free_busy["FREEBUSY"].dt[0].strftime("%Y-%m-%dT%H:%M:%SZ") == at(9)
    (availability,) = calendar.walk("VAVAILABILITY")
    names = [str(available["SUMMARY"]) for available in availability.walk("AVAILABLE")]
    assert names == ["work_hours", "work_hours", "morning", "evening"]


def test_people_are_offered_within_their_hours_alone(client):
    """The person is busy from nine to ten; hours are those of the day's weekday."""
    weekday = f"{DAY:%A}".lower()
    hours = {"day": weekday, "start_time": "08:00", "end_time": "12:00"}
    client.upsert_availability_rule({"availability_rule_id": "day", "tzid": "Etc/UTC", "weekly_periods": [hours]})
    batch = BatchBuilder()
    batch.add_entry("DELETE", "/v1/available_periods", {"delete_all": True})
    evening = {"available_period_id": "evening", "start": at(20), "end": at(22)}
    batch.add_entry("POST", "/v1/available_periods", evening)
    assert not client.batch(batch).has_errors()

    def offered(**member):
        found = client.availability(
            participants={"members": [{"sub": client.account()["account_id"], **member}]},
            required_duration=60,
            available_periods=[{"start": at(0), "end": at(24)}],
        )
        return [(period["start"], period["end"]) for period in found]

    assert offered() == [(at(0), at(9)), (at(10), at(24))]
    assert offered(managed_availability=True) == [(at(8), at(9)), (at(10), at(12)), (at(20), at(22))]
    assert offered(managed_availability=True, availability_rule_ids=[]) == [(at(20), at(22))]
    assert offered(managed_availability=True, availability_rule_ids=["day"])[0] == (at(8), at(9))
    limits = [{"start": at(11), "end": at(21)}]
    assert offered(managed_availability=True, available_periods=limits) == [(at(11), at(12)), (at(20), at(21))]
