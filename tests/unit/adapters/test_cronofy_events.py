"""Managed events as they are written to Cronofy's calendar, and the answers as they are read there."""

from __future__ import annotations

import json

import httpx
import pytest

from freebusy.adapters.cronofy_events import CronofyEvents, upsert
from freebusy.adapters.provider_http import Timing
from freebusy.adapters.secrets import ProviderRegistration
from freebusy.domain.account import Identity, ProviderName, Upstream
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    EventRefused,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.event import (
    Attendee,
    Conferencing,
    Details,
    ExtendedTransparency,
    Location,
    ManagedEvent,
    Participation,
    RecurrenceRule,
    Transparency,
    UpstreamAnswers,
    When,
)
from freebusy.domain.event_changes import Invitee
from freebusy.domain.free_busy import Period
from freebusy.entrypoints.wire.event_request import event_upsert
from tests.fakes.clock import NOW
from tests.provider_harness import CREDENTIAL

HOUR = 3600
DAY = 86400
NINE = When(NOW + HOUR, NOW + 2 * HOUR)
OWNER = Identity(ProviderName.GOOGLE, "acc_up", "ana@example.com", upstream=Upstream.CRONOFY)
CALENDARS = {
    "calendars": [
        {"provider_name": "google_free_busy", "calendar_id": "cal_a_1", "calendar_readonly": True},
        {"provider_name": "cronofy", "calendar_id": "cal_0_0", "calendar_readonly": False, "calendar_deleted": True},
        {"provider_name": "cronofy", "calendar_id": "cal_Z@z_1", "calendar_readonly": False, "calendar_primary": True},
    ]
}


def event(details: Details | None = None, **changed) -> ManagedEvent:
    usual = ManagedEvent(
        client_id="app",
        sub="acc_1",
        calendar_id="cal_ours",
        event_id="booking-7",
        uid="evt_5f00",
        organizer="organizer",
        details=details or Details("Interview", NINE),
        attendees=(Attendee("ana@example.com"),),
        carrier="acc_up",
    )
    return usual._replace(**changed)


class Cronofy:
    """Its API, scripted: ``answers`` by method, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = {"POST": [httpx.Response(202)], "DELETE": [httpx.Response(202)]}
        self.events = httpx.Response(200, json={"pages": {"current": 1, "total": 1}, "events": []})
        self.calendars = httpx.Response(200, json=CALENDARS)
        self.adapter = CronofyEvents(
            httpx.Client(transport=httpx.MockTransport(self._reply)),
            lambda *, fresh=False: ProviderRegistration("id", "secret", "de"),
            origin=None,
            timing=Timing(sleep=lambda _: None),
        )

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET":
            return self.calendars if request.url.path == "/v1/calendars" else self.events
        answers = self.answers[request.method]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def deliver(self, wanted: ManagedEvent) -> None:
        deadline = Timing().monotonic() + 10
        self.adapter.deliver(CREDENTIAL, OWNER, wanted, deadline=deadline)

    def read(self, *rows) -> list[UpstreamAnswers]:
        body = {"pages": {"current": 1, "total": 1}, "events": rows}
        self.events = httpx.Response(200, content=json.dumps(body).encode())
        deadline = Timing().monotonic() + 10
        return list(self.adapter.answers(CREDENTIAL, Period(NOW, NOW + DAY), deadline=deadline))


@pytest.fixture
def cronofy() -> Cronofy:
    return Cronofy()


# --- Writing ---------------------------------------------------------------------------------------


def test_an_event_is_written_to_the_one_calendar_that_can_be_written_to(cronofy):
    cronofy.deliver(event())
    written = cronofy.requests[-1]
    assert (written.method, written.url.host) == ("POST", "api-de.cronofy.com")
    assert written.url.raw_path == b"/v1/calendars/cal_Z%40z_1/events"
    assert written.headers["authorization"] == "Bearer access-1"


def test_it_is_known_there_by_our_uid_as_two_applications_may_use_one_event_id(cronofy):
    cronofy.deliver(event())
    assert json.loads(cronofy.requests[-1].content)["event_id"] == "fbc_evt_5f00"


def test_a_deleted_event_is_deleted(cronofy):
    cronofy.deliver(event(deleted=True))
    assert cronofy.requests[-1].method == "DELETE"
    assert json.loads(cronofy.requests[-1].content) == {"event_id": "fbc_evt_5f00"}


def test_the_calendar_is_looked_for_once(cronofy):
    cronofy.deliver(event())
    cronofy.deliver(event())
    assert [request.method for request in cronofy.requests] == ["GET", "POST", "POST"]


def test_a_calendar_that_is_gone_is_looked_for_again(cronofy):
    cronofy.deliver(event())
    cronofy.answers["POST"] = [httpx.Response(404), httpx.Response(202)]
    cronofy.deliver(event())
    assert [request.method for request in cronofy.requests[2:]] == ["POST", "GET", "POST"]


@pytest.mark.parametrize(
    "calendars",
    [{}, {"calendars": None}, {"calendars": [7, {}]}, {"calendars": CALENDARS["calendars"][:2]}],
    ids=["nothing", "no list", "junk", "none of Cronofy's"],
)
def test_without_a_calendar_to_write_to_the_event_stays_due(cronofy, calendars):
    cronofy.calendars = httpx.Response(200, json=calendars)
    with pytest.raises(CalendarUnreadable):
        cronofy.deliver(event())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, AccessTokenRejected),
        (402, ProviderMisconfigured),
        (403, CalendarUnreadable),
        (404, CalendarUnreadable),
        (422, EventRefused),
        (423, CalendarUnreadable),
        (429, ProviderUnavailable),
        (503, ProviderUnavailable),
    ],
)
@pytest.mark.parametrize("deleted", [False, True], ids=["written", "deleted"])
def test_refusals_are_told_apart_by_their_status(cronofy, deleted, status, expected):
    cronofy.answers = {method: [httpx.Response(status)] for method in ("POST", "DELETE")}
    with pytest.raises(expected):
        cronofy.deliver(event(deleted=deleted))


PLAIN = Details("Interview", NINE)
RICH = Details(
    summary="Interview",
    when=NINE._replace(start_zone="Europe/Paris", end_zone="Europe/Lisbon"),
    description="Bring\nnothing.",
    location=Location("Room 4", "48.85", "2.35"),
    url="https://app.example/7",
    conferencing=Conferencing("https://meet.example/7", "Meet"),
    reminders=(10, 60),
    transparency=Transparency.OPAQUE,
    private=True,
    color="#49BED8",
    tags=("interview",),
    extended_transparency=ExtendedTransparency.TENTATIVE,
)
SERIES = PLAIN._replace(
    recurrence=(
        RecurrenceRule("weekly", 2, until=NOW + 90 * DAY, by_day=("FR",), exceptions=(NINE.start + 14 * DAY,)),
    ),
)
MIDNIGHT = NOW - 8 * HOUR
DAYS = Details(
    "Holiday",
    When(MIDNIGHT, MIDNIGHT + 2 * DAY, all_day=True),
    transparency=Transparency.TRANSPARENT,
    recurrence=(RecurrenceRule("daily", count=3, exceptions=(MIDNIGHT + DAY,)),),
)


@pytest.mark.parametrize(
    "details",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(RICH, id="everything"),
        pytest.param(SERIES, id="a series"),
        pytest.param(DAYS, id="whole days"),
    ],
)
def test_whoever_speaks_the_protocol_reads_the_event_as_it_was_meant(details):
    understood = event_upsert(json.loads(json.dumps(upsert("fbc_1", event(details)))))
    assert understood.details(RICH) == details


def test_guests_are_invited_and_removed_and_the_owner_is_neither():
    guests = (
        Attendee("kim@example.org", "Kim"),
        Attendee("lee@example.org"),
        Attendee("old@example.org", uninvited=True),
    )
    understood = event_upsert(upsert("fbc_1", event(attendees=(Attendee("ana@example.com"), *guests))))
    assert understood.invite == (Invitee("kim@example.org", "Kim"), Invitee("lee@example.org"))
    assert understood.uninvite == ("old@example.org",)


# --- Answers ---------------------------------------------------------------------------------------


def row(**changes):
    usual = {
        "calendar_id": "cal_Z@z_1",
        "event_id": "fbc_evt_5f00",
        "event_uid": "evt_of_theirs",
        "summary": "Interview",
        "start": "2027-01-15T09:00:00Z",
        "end": "2027-01-15T10:00:00Z",
        "participation_status": "accepted",
        "attendees": [
            {"email": "ana@example.com", "status": "accepted"},
            {"email": "kim@example.org", "display_name": "Kim", "status": "declined"},
            {"email": "lee@example.org", "status": "unknown"},
        ],
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def test_answers_are_read_with_the_time_that_they_answer(cronofy):
    (read,) = cronofy.read(row())
    assert read == UpstreamAnswers(
        uid="evt_5f00",
        start=NINE.start,
        end=NINE.end,
        person=Participation.ACCEPTED,
        attendees={"ana@example.com": Participation.ACCEPTED, "kim@example.org": Participation.DECLINED},
    )
    asked = cronofy.requests[-1].url.params
    assert dict(asked).items() >= {"tzid": "Etc/UTC", "only_managed": "true", "include_managed": "true"}.items()


@pytest.mark.parametrize("event_id", [None, "booking-7", 7, "evt_5f00"])
def test_events_that_were_not_written_from_here_are_passed_over(cronofy, event_id):
    assert cronofy.read(row(event_id=event_id)) == []


def test_dates_are_midnight_utc_as_ours_are(cronofy):
    (read,) = cronofy.read(row(start="2027-01-15", end="2027-01-16"))
    assert (read.start, read.end) == (MIDNIGHT, MIDNIGHT + DAY)


@pytest.mark.parametrize("told", [None, "unknown", "perhaps", 7, ["accepted"]], ids=str)
def test_a_word_that_we_do_not_know_says_nothing(cronofy, told):
    assert cronofy.read(row(participation_status=told))[0].person is None


@pytest.mark.parametrize("attendees", [None, "all", [7], [{}], [{"email": 7, "status": "accepted"}]], ids=str)
def test_attendees_of_another_shape_say_nothing(cronofy, attendees):
    assert cronofy.read(row(attendees=attendees))[0].attendees == {}


@pytest.mark.parametrize(
    "changes", [{"start": "soon"}, {"start": None}, {"end": 7}, {"end": {"tzid": "Etc/UTC"}}], ids=str
)
def test_an_event_without_times_is_no_answer(cronofy, changes):
    with pytest.raises(ProviderUnavailable):
        cronofy.read(row(**changes))


@pytest.mark.parametrize("status", [401, 402, 403, 404, 422, 429, 500])
def test_what_cannot_be_read_is_said_so(cronofy, status):
    cronofy.events = httpx.Response(status)
    with pytest.raises(ProviderError):
        cronofy.adapter.answers(CREDENTIAL, Period(NOW, NOW + DAY), deadline=Timing().monotonic() + 10)
