"""Writing events through the real handler: what is accepted is stored, and what cannot be is said so."""

from __future__ import annotations

import pytest

from freebusy.domain.account import Disconnected
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.event import Conferencing, Location, RecurrenceRule, Transparency, When
from freebusy.entrypoints.times import parse_time
from tests.api import Answer, call
from tests.fakes.clock import NOW
from tests.people import connected

TOKEN = "access token"
MANAGED, READ_ONLY = "cal_macc_1", "cal_goacc_1"
EVENTS = f"/v1/calendars/{MANAGED}/events"
HOUR, DAY = 3600, 86_400
NINE = parse_time("2027-02-01T09:00:00Z")  # a Monday


@pytest.fixture(autouse=True)
def account(sign_in):
    return sign_in(connected(), TOKEN)


def body(**changes):
    """As little as an event may have."""
    usual = {
        "event_id": "booking-7",
        "summary": "Interview",
        "start": "2027-02-01T09:00:00Z",
        "end": "2027-02-01T10:00:00Z",
    }
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def post(given, path=EVENTS, **more) -> Answer:
    return call("events", "POST", path, body=given, bearer=TOKEN, **more)


def delete(given, path=EVENTS, **more) -> Answer:
    return call("events", "DELETE", path, body=given, bearer=TOKEN, **more)


@pytest.fixture
def stored(wired):
    """Sends an event, and returns what became of it."""

    def stored(**changes):
        answer = post(body(**changes))
        assert (answer.status, answer.body) == (202, "")
        return wired.events.find("acc_1", changes.get("event_id", "booking-7"))

    return stored


class TestCreating:
    def test_an_accepted_event_is_stored(self, wired):
        answer = post(body())
        assert (answer.status, answer.body) == (202, "")
        event = wired.events.find("acc_1", "booking-7")
        assert (event.client_id, event.calendar_id, event.details.summary) == ("client-1", MANAGED, "Interview")
        assert (event.sequence, event.revision, event.created_at, event.revised_at) == (0, 1, NOW, NOW)
        assert [attendee.email for attendee in event.attendees] == ["acc_1@example.com"]
        assert event.counts_as_busy
        assert wired.accounts.find("acc_1").has_events
        assert wired.events.find_by_organizer(event.organizer) == event

    def test_events_have_uids_and_organizers_of_their_own(self, stored):
        one, other = stored(event_id="a"), stored(event_id="b")
        assert one.uid != other.uid
        assert one.organizer != other.organizer

    @pytest.mark.parametrize(
        ("given", "when"),
        [
            pytest.param(("2027-02-01T09:00:00Z", "2027-02-01T10:00:00Z"), When(NINE, NINE + HOUR), id="times"),
            pytest.param(("2027-02-01T10:00:00+01:00", "2027-02-01 10:00:00Z"), When(NINE, NINE + HOUR), id="offsets"),
            pytest.param(
                ("2027-02-01", "2027-02-02"), When(NINE - 9 * HOUR, NINE + 15 * HOUR, all_day=True), id="a whole day"
            ),
            pytest.param(
                (
                    {"time": "2027-02-01T09:00:00Z", "tzid": "Europe/Berlin"},
                    {"time": "2027-02-01T10:00:00Z", "tzid": "America/New_York"},
                ),
                When(NINE, NINE + HOUR, start_zone="Europe/Berlin", end_zone="America/New_York"),
                id="zones of their own",
            ),
            pytest.param(
                ({"time": "2027-02-01", "tzid": "Etc/UTC"}, {"time": "2027-02-03", "tzid": "Etc/UTC"}),
                When(NINE - 9 * HOUR, NINE + 39 * HOUR, all_day=True),
                id="whole days as the C# SDK says them",
            ),
        ],
    )
    def test_times_and_dates_are_understood(self, stored, given, when):
        start, end = given
        assert stored(start=start, end=end).details.when == when

    def test_tzid_is_the_zone_of_times_that_say_none(self, stored):
        when = stored(tzid="Asia/Tokyo", end={"time": "2027-02-01T10:00:00Z", "tzid": "Europe/Paris"}).details.when
        assert (when.start_zone, when.end_zone) == ("Asia/Tokyo", "Europe/Paris")

    def test_every_field_is_kept(self, stored):
        details = stored(
            description="Bring:\r\n- a CV",
            tzid="Europe/Berlin",
            location={"description": "Room 4", "lat": "48.137", "long": 11.575},
            url="https://example.com/7",
            reminders=[{"minutes": 30}, {"minutes": 0}, {"minutes": 30}],
            transparency="transparent",
            event_private=True,
            color="#49BED8",
            conferencing={
                "profile_id": "explicit",
                "join_url": "https://meet.example.com/7",
                "provider_description": "Meet",
            },
            recurrence={
                "rules": [
                    {
                        "frequency": "weekly",
                        "interval": 2,
                        "count": 10,
                        "by_day": ["MO", "thursday"],
                        "exceptions": ["2027-02-15T09:00:00Z"],
                    }
                ]
            },
            tags={"private": [{"value": "sales"}]},
            locale="de",
            unheard_of={"x": 1},
        ).details
        assert details.description == "Bring:\n- a CV"
        assert details.location == Location("Room 4", "48.137", "11.575")
        assert details.url == "https://example.com/7"
        assert details.reminders == (30, 0)
        assert details.transparency is Transparency.TRANSPARENT
        assert details.private
        assert details.color == "#49BED8"
        assert details.conferencing == Conferencing("https://meet.example.com/7", "Meet")
        exceptions = (NINE + 14 * DAY,)
        assert details.recurrence == (RecurrenceRule("weekly", 2, 10, by_day=("MO", "TH"), exceptions=exceptions),)
        assert details.tags == ("sales",)

    def test_php_spells_empty_objects_as_lists(self, stored):
        empty = {name: [] for name in ("location", "attendees", "recurrence", "tags")}
        details = stored(**empty, reminders=[], subscriptions=[], attachments=[]).details
        assert (details.location, details.recurrence, details.tags) == (None, (), ())

    @pytest.mark.parametrize(
        ("given", "transparency"),
        [
            pytest.param({}, "opaque", id="times take the person's time"),
            pytest.param({"start": "2027-02-01", "end": "2027-02-02"}, "transparent", id="whole days do not"),
            pytest.param(
                {"start": "2027-02-01", "end": "2027-02-02", "transparency": "opaque"},
                "opaque",
                id="unless they say so",
            ),
            pytest.param({"extended_transparency": "out_of_office"}, "opaque", id="out of office"),
            pytest.param({"extended_transparency": "working_elsewhere"}, "transparent", id="working elsewhere"),
        ],
    )
    def test_transparency_has_a_default_of_its_own(self, stored, given, transparency):
        assert stored(**given).details.transparency == transparency

    @pytest.mark.parametrize("event_id", ["x", "é/🗓 #?&%" * 55, "7", " "])
    def test_an_event_id_is_whatever_the_application_says(self, stored, event_id):
        assert stored(event_id=event_id[:500]).event_id == event_id[:500]

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            pytest.param("Gespräch über 🗓 und 漢字", "Gespräch über 🗓 und 漢字", id="any script"),
            pytest.param("\u202emoc.live\u202c שלום", "\u202emoc.live\u202c שלום", id="right to left"),
            pytest.param(
                "x\r\nATTENDEE:mailto:eve@example.com",
                "x ATTENDEE:mailto:eve@example.com",
                id="a title has one line, whatever is in it",
            ),
            pytest.param("a\u2028b\x0bc\x85d", "a b c d", id="rare line breaks"),
            pytest.param('BEGIN:VALARM;X=\\n,"', 'BEGIN:VALARM;X=\\n,"', id="signs of iCalendar"),
            pytest.param("x" * 1000, "x" * 1000, id="long"),
        ],
    )
    def test_text_is_kept_on_one_line(self, stored, text, kept):
        event = stored(summary=text, location={"description": text})
        assert event.details.summary == kept
        assert event.details.location.description == kept

    def test_a_form_will_do(self, wired):
        form = "event_id=f-1&summary=Lunch&start=2027-02-01T09:00:00Z&end=2027-02-01T10:00:00Z"
        assert post(form, headers={"content-type": "application/x-www-form-urlencoded"}).status == 202
        assert wired.events.find("acc_1", "f-1").details.summary == "Lunch"


class TestChanging:
    def test_the_same_again_changes_nothing(self, stored):
        first = stored(attendees={"invite": [{"email": "ben@example.com", "display_name": "Ben"}]})
        again = stored(attendees={"invite": [{"email": "ben@example.com", "display_name": "Ben"}]})
        assert again == first

    def test_a_change_is_stored_over_what_was(self, stored):
        first, moved = stored(), stored(start="2027-02-01T08:00:00Z")
        assert (moved.uid, moved.organizer, moved.created_at) == (first.uid, first.organizer, first.created_at)
        assert (moved.sequence, moved.revision, moved.version) == (1, 2, 2)
        assert moved.details.when.start == NINE - HOUR

    def test_what_is_left_out_is_gone_but_for_url_and_conferencing(self, stored):
        meeting = {"profile_id": "explicit", "join_url": "https://meet.example.com/7"}
        stored(description="x", url="https://example.com/7", conferencing=meeting, reminders=[{"minutes": 5}])
        details = stored().details
        assert (details.description, details.reminders) == ("", ())
        assert (details.url, details.conferencing.join_url) == ("https://example.com/7", "https://meet.example.com/7")

    def test_url_and_conferencing_can_be_removed(self, stored):
        stored(url="https://example.com/7", conferencing={"profile_id": "explicit", "join_url": "https://m.example"})
        details = stored(url=None, conferencing={"profile_id": "none"}).details
        assert (details.url, details.conferencing) == (None, None)

    def test_reminders_can_be_for_the_creation_alone(self, stored):
        stored(reminders=[{"minutes": 5}], reminders_create_only=True)
        assert stored(reminders=[{"minutes": 9}], reminders_create_only=True).details.reminders == (5,)
        assert stored(reminders=[{"minutes": 9}]).details.reminders == (9,)

    def test_attendees_are_invited_and_uninvited_by_name_of_either_kind(self, stored):
        guests = [{"email": f"{name}@Example.COM"} for name in ("ben", "cleo", "dora")]
        stored(attendees={"invite": guests})
        event = stored(attendees={"remove": [guests[0]], "reject": [{"email": "CLEO@example.com"}]})
        assert [(each.email, each.uninvited) for each in event.attendees] == [
            ("acc_1@example.com", False),
            ("ben@example.com", True),
            ("cleo@example.com", True),
            ("dora@example.com", False),
        ]


class TestDeleting:
    def test_a_deleted_event_is_kept_as_such_for_a_while(self, wired, stored):
        stored()
        answer = delete({"event_id": "booking-7"})
        assert (answer.status, answer.body) == (202, "")
        event = wired.events.find("acc_1", "booking-7")
        assert (event.deleted, event.sequence, event.revision) == (True, 1, 2)

    def test_deleting_twice_is_one_deletion(self, wired, stored):
        stored()
        delete({"event_id": "booking-7"})
        before = wired.events.find("acc_1", "booking-7")
        assert delete({"event_id": "booking-7"}).status == 202
        assert wired.events.find("acc_1", "booking-7") == before

    def test_an_event_that_does_not_exist_is_deleted_to_no_effect(self, wired):
        assert delete({"event_id": "unheard of"}).status == 202
        assert list(wired.events.all_of("acc_1")) == []

    def test_an_event_id_can_be_used_again(self, stored):
        first = stored()
        delete({"event_id": "booking-7"})
        event = stored(summary="Another")
        assert not event.deleted
        assert (event.uid, event.sequence, event.details.summary) == (first.uid, 2, "Another")

    @pytest.mark.parametrize("given", [{}, {"event_id": None}, {"event_id": ""}, {"event_id": 7}, []])
    def test_a_deletion_says_what(self, given):
        assert delete(given).status == 422

    @pytest.mark.parametrize(
        ("given", "query"),
        [
            pytest.param({"delete_all": True}, "", id="all, in the body"),
            pytest.param({}, "delete_all=True", id="all, as the Python SDK says it"),
            pytest.param({"calendar_ids": [MANAGED]}, "", id="by calendar, in the body"),
            pytest.param({}, f"calendar_ids%5B%5D={MANAGED}", id="by calendar, as the Python SDK says it"),
            pytest.param({"calendar_ids": [MANAGED, READ_ONLY]}, "", id="beside a calendar that is not ours"),
        ],
    )
    def test_events_are_deleted_in_bulk(self, wired, stored, given, query):
        for number in range(20):
            stored(event_id=f"e-{number}")
        answer = delete(given, "/v1/events", query=query)
        assert (answer.status, answer.body) == (202, "")
        assert [event.deleted for event in wired.events.all_of("acc_1")] == [True] * 20

    def test_the_read_only_calendar_has_nothing_to_delete(self, stored, wired):
        stored()
        assert delete({"calendar_ids": [READ_ONLY]}, "/v1/events").status == 202
        assert not wired.events.find("acc_1", "booking-7").deleted

    @pytest.mark.parametrize(
        ("given", "query", "error"),
        [
            pytest.param({}, "", ("delete_all", "errors.required"), id="nothing"),
            pytest.param({"delete_all": False}, "", ("delete_all", "errors.required"), id="not all"),
            pytest.param({"delete_all": "yes"}, "", ("delete_all", "errors.must_be_boolean"), id="no boolean"),
            pytest.param({"delete_all": 2}, "", ("delete_all", "errors.must_be_boolean"), id="a number"),
            pytest.param({}, "delete_all=All", ("delete_all", "errors.must_be_boolean"), id="no boolean in the query"),
            pytest.param(
                {"delete_all": True, "calendar_ids": [MANAGED]}, "", ("delete_all", "errors.required"), id="both"
            ),
            pytest.param({"calendar_ids": []}, "", ("calendar_ids", "errors.invalid_calendar_ids"), id="no calendars"),
            pytest.param({"calendar_ids": [7]}, "", ("calendar_ids", "errors.invalid_calendar_ids"), id="numbers"),
            pytest.param({"calendar_ids": MANAGED}, "", ("calendar_ids", "errors.invalid_calendar_ids"), id="no list"),
            pytest.param(
                {"calendar_ids": [MANAGED, "cal_x"]}, "", ("calendar_ids", "errors.invalid_calendar_ids"), id="unknown"
            ),
        ],
    )
    def test_a_bulk_deletion_says_exactly_what(self, stored, wired, given, query, error):
        stored()
        answer = delete(given, "/v1/events", query=query)
        assert answer.status == 422
        assert [(field, entry["key"]) for field, (entry,) in answer.json()["errors"].items()] == [error]
        assert not wired.events.find("acc_1", "booking-7").deleted


def guests(count):
    return {"invite": [{"email": f"guest-{number}@example.com"} for number in range(count)]}


def rule(**parts):
    return {"recurrence": {"rules": [{"frequency": "weekly", **parts}]}}


WHOLE_DAY = {"start": "2027-02-01", "end": "2027-02-02"}
RULE = "recurrence.rules[0]"

REFUSED = [
    pytest.param({"event_id": ...}, "event_id", "errors.required", id="no event id"),
    pytest.param({"event_id": ""}, "event_id", "errors.required", id="an empty event id"),
    pytest.param({"event_id": "x" * 501}, "event_id", "errors.invalid_format", id="an event id of 501 characters"),
    pytest.param({"event_id": "a\x00b"}, "event_id", "errors.invalid_format", id="NUL in the event id"),
    pytest.param({"event_id": "a\nb"}, "event_id", "errors.invalid_format", id="a line break in the event id"),
    pytest.param({"event_id": "\ud800"}, "event_id", "errors.invalid_format", id="a lone surrogate in the event id"),
    pytest.param({"event_id": 7}, "event_id", "errors.invalid_format", id="a number as event id"),
    pytest.param({"summary": ...}, "summary", "errors.required", id="no summary"),
    pytest.param({"summary": None}, "summary", "errors.required", id="null as summary"),
    pytest.param({"summary": " \n "}, "summary", "errors.required", id="a blank summary"),
    pytest.param({"summary": "x" * 1001}, "summary", "errors.too_long", id="a summary of 1,001 characters"),
    pytest.param({"summary": "\ud800"}, "summary", "errors.invalid_format", id="a lone surrogate"),
    pytest.param({"summary": "a\x00b"}, "summary", "errors.invalid_format", id="NUL"),
    pytest.param({"summary": "a\x1b[31m"}, "summary", "errors.invalid_format", id="an escape sequence"),
    pytest.param({"summary": ["a"]}, "summary", "errors.invalid_format", id="a list as summary"),
    pytest.param({"description": "x" * 65_537}, "description", "errors.too_long", id="64 KiB and a byte"),
    pytest.param({"description": "é" * 40_000}, "description", "errors.too_long", id="80 KB of few characters"),
    pytest.param({"description": "x" * 500_000}, "description", "errors.too_long", id="all that a body may hold"),
    pytest.param({"description": "a\x08"}, "description", "errors.invalid_format", id="a control character"),
    pytest.param({"start": ...}, "start", "errors.required", id="no start"),
    pytest.param({"end": {}}, "end", "errors.required", id="an empty end"),
    pytest.param({"start": "tomorrow"}, "start", "errors.invalid_format", id="no time"),
    pytest.param({"start": "2027-02-01T09:00:00"}, "start", "errors.invalid_format", id="a time without offset"),
    pytest.param({"start": "2027-02-30"}, "start", "errors.invalid_format", id="no such date"),
    pytest.param({"start": 1801558800}, "start", "errors.invalid_format", id="a number as time"),
    pytest.param({"start": "1969-12-31T00:00:00Z"}, "start", "errors.invalid_format", id="before 1970"),
    pytest.param({"end": "2200-01-01T00:00:00Z"}, "end", "errors.invalid_format", id="after 2199"),
    pytest.param({"end": "2027-02-01T08:00:00Z"}, "end", "errors.invalid_time_pair", id="end before start"),
    pytest.param({"end": "2027-02-01T09:00:00Z"}, "end", "errors.invalid_time_pair", id="end at start"),
    pytest.param(WHOLE_DAY | {"end": "2027-02-01"}, "end", "errors.invalid_time_pair", id="a date that ends itself"),
    pytest.param({"end": "2027-02-02"}, "end", "errors.invalid_time_pair", id="a time and a date"),
    pytest.param({"tzid": "Mars/Olympus"}, "tzid", "errors.tzid_unrecognized", id="no such zone"),
    pytest.param({"tzid": 7}, "tzid", "errors.tzid_unrecognized", id="a number as zone"),
    pytest.param(
        {"start": {"time": "2027-02-01T09:00:00Z", "tzid": "../etc"}},
        "start",
        "errors.tzid_unrecognized",
        id="no such zone of the start",
    ),
    pytest.param({"location": "Room 4"}, "location", "errors.invalid_format", id="a place that is no object"),
    pytest.param(
        {"location": {"lat": "91", "long": "0"}}, "location.lat", "errors.invalid_format", id="beyond the pole"
    ),
    pytest.param({"location": {"lat": "x", "long": "0"}}, "location.lat", "errors.invalid_format", id="no degrees"),
    pytest.param({"location": {"lat": "1"}}, "location", "errors.invalid_format", id="half a place"),
    pytest.param({"url": "javascript:alert(1)"}, "url", "errors.invalid_format", id="a script as URL"),
    pytest.param({"url": "https://a.example/\r\nX: y"}, "url", "errors.invalid_format", id="a header in the URL"),
    pytest.param({"url": "https://a.example/" + "x" * 2000}, "url", "errors.invalid_format", id="a very long URL"),
    pytest.param({"reminders": [{"minutes": 1}] * 6}, "reminders", "errors.too_many", id="six reminders"),
    pytest.param(
        {"reminders": [{"minutes": -1}]}, "reminders[0].minutes", "errors.invalid_format", id="a reminder afterwards"
    ),
    pytest.param({"reminders": [{}]}, "reminders[0].minutes", "errors.required", id="a reminder at no time"),
    pytest.param({"transparency": "unknown"}, "transparency", "errors.invalid_format", id="no such transparency"),
    pytest.param({"event_private": "perhaps"}, "event_private", "errors.must_be_boolean", id="no boolean"),
    pytest.param({"color": "red; x"}, "color", "errors.invalid_format", id="no colour"),
    pytest.param({"attendees": guests(300)}, "attendees.invite", "errors.too_many", id="300 attendees"),
    pytest.param({"attendees": guests(200)}, "attendees.invite", "errors.too_many", id="200 beside the person"),
    pytest.param(
        {"attendees": {"invite": [{"email": "ben"}]}},
        "attendees.invite[0].email",
        "errors.invalid_email",
        id="no address",
    ),
    pytest.param(
        {"attendees": {"invite": [{"email": "ben@example.com\r\nBcc: eve@example.com"}]}},
        "attendees.invite[0].email",
        "errors.invalid_email",
        id="a header in an address",
    ),
    pytest.param(
        {"attendees": {"invite": [{"email": "ben@exa\ud800mple.com"}]}},
        "attendees.invite[0].email",
        "errors.invalid_email",
        id="a lone surrogate in an address",
    ),
    pytest.param(
        {"attendees": {"invite": [{"display_name": "Ben"}]}},
        "attendees.invite[0].email",
        "errors.required",
        id="nobody's address",
    ),
    pytest.param(
        {"attendees": {"remove": [{"email": "ACC_1@example.com"}]}},
        "attendees.remove[0].email",
        "errors.not_supported",
        id="the person uninvited",
    ),
    pytest.param(
        {"attendees": {"invite": [{"email": "a@b.example"}], "reject": [{"email": "A@b.example"}]}},
        "attendees.invite",
        "errors.invalid_format",
        id="invited and removed at once",
    ),
    pytest.param(
        {"conferencing": {"profile_id": "integrated"}},
        "conferencing.profile_id",
        "errors.integrated_conferencing_not_available",
        id="conferencing of the calendar",
    ),
    pytest.param(
        {"conferencing": {"profile_id": "cnf_1"}},
        "conferencing.profile_id",
        "errors.not_recognized",
        id="unknown service",
    ),
    pytest.param(
        {"conferencing": {"profile_id": "explicit"}}, "conferencing.join_url", "errors.required", id="nowhere to join"
    ),
    pytest.param(
        {"conferencing": {"profile_id": "explicit", "join_url": "http://meet.example"}},
        "conferencing.join_url",
        "errors.invalid_format",
        id="joining in clear text",
    ),
    pytest.param({"subscriptions": [{"type": "webhook"}]}, "subscriptions", "errors.not_supported", id="webhooks"),
    pytest.param({"attachments": [{"attachment_id": "x"}]}, "attachments", "errors.not_supported", id="attachments"),
    pytest.param(rule(frequency="hourly"), f"{RULE}.frequency", "errors.not_recognized", id="every hour"),
    pytest.param(rule(frequency=["daily"]), f"{RULE}.frequency", "errors.not_recognized", id="a list of frequencies"),
    pytest.param(
        rule(interval=0), f"{RULE}.interval", "errors.must_be_integer_greater_than_zero", id="an interval of nothing"
    ),
    pytest.param(
        rule(count=1001), f"{RULE}.count", "errors.must_be_integer_greater_than_zero", id="more than a thousand times"
    ),
    pytest.param(
        rule(count=2, until="2027-03-01"),
        f"{RULE}.until",
        "errors.not_supported_count_until_combination",
        id="two ends of a series",
    ),
    pytest.param(rule(until="2027-01-01"), f"{RULE}.until", "errors.invalid_time_pair", id="ends before it starts"),
    pytest.param(
        WHOLE_DAY | rule(until="2027-03-01T00:00:00Z"), f"{RULE}.until", "errors.must_be_date", id="dates until a time"
    ),
    pytest.param(rule(by_day=["XX"]), f"{RULE}.by_day[0]", "errors.not_recognized", id="no such day"),
    pytest.param(rule(by_day=["2MO"]), f"{RULE}.by_day", "errors.not_recognized", id="a week's second Monday"),
    pytest.param(rule(by_day=["TU"]), f"{RULE}.by_day", "errors.invalid_format", id="starts on another day"),
    pytest.param(
        rule(frequency="monthly", by_day=["2MO"]), f"{RULE}.by_day", "errors.invalid_format", id="starts another week"
    ),
    pytest.param(
        rule(exceptions=["2027-02-08"]),
        f"{RULE}.exceptions[0]",
        "errors.invalid_format",
        id="an exception of another kind",
    ),
    pytest.param(
        {"recurrence": {"rules": [{"frequency": "daily"}, {"frequency": "weekly"}]}},
        "recurrence.rules",
        "errors.max_recurrence_rules_exceeded",
        id="two rules",
    ),
    pytest.param({"tags": {"private": [{"value": "x"}] * 51}}, "tags.private", "errors.too_many", id="51 tags"),
    pytest.param(
        {"event_id": ..., "event_uid": "evt_1"},
        "event_uid",
        "errors.must_be_external_event_uid",
        id="no external event",
    ),
]


class TestRefusals:
    @pytest.mark.parametrize(("given", "field", "key"), REFUSED)
    def test_what_is_wrong_is_named(self, wired, given, field, key):
        answer = post(body(**given))
        assert answer.status == 422
        assert [error["key"] for error in answer.json()["errors"][field]] == [key]
        assert list(wired.events.all_of("acc_1")) == []

    def test_all_that_is_wrong_is_named_at_once(self):
        errors = post(body(summary=..., start="x", reminders=[{"minutes": "y"}])).json()["errors"]
        assert set(errors) == {"summary", "start", "reminders[0].minutes"}

    @pytest.mark.parametrize("given", ["{", '"text"', "[1]", "\x00"])
    def test_what_is_no_event_at_all_is_refused(self, given):
        assert post(given).status == 422

    @pytest.mark.parametrize("given", ["", "{}", "[]"])
    def test_an_empty_body_lacks_everything(self, given):
        answer = post(given)
        assert (answer.status, set(answer.json()["errors"])) == (422, {"event_id", "summary", "start", "end"})

    @pytest.mark.parametrize("write", [post, delete])
    def test_an_event_of_somebody_else_cannot_be_touched(self, write):
        assert write(body(event_id=..., event_uid="evt_external_5f00aa11")).status == 403

    @pytest.mark.parametrize("write", [post, delete])
    @pytest.mark.parametrize(
        ("calendar_id", "status"),
        [
            pytest.param(READ_ONLY, 403, id="the free/busy calendar is read only"),
            pytest.param("cal_unknown", 404, id="no such calendar"),
            pytest.param("cal_macc_2", 404, id="somebody else's calendar"),
        ],
    )
    def test_only_the_managed_calendar_can_be_written_to(self, wired, write, calendar_id, status):
        assert write(body(), f"/v1/calendars/{calendar_id}/events").status == status
        assert list(wired.events.all_of("acc_1")) == []

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            pytest.param("POST", EVENTS, id="upsert"),
            pytest.param("DELETE", EVENTS, id="delete"),
            pytest.param("DELETE", "/v1/events", id="bulk delete"),
            pytest.param("POST", "/v1/batch", id="batch"),
            pytest.param("POST", f"{EVENTS}/evt_1/participation_status", id="participation"),
        ],
    )
    def test_nobody_writes_without_a_token_of_an_account(self, method, path):
        assert call("events", method, path, body=body()).status == 401
        assert call("events", method, path, body=body(), bearer="wrong").status == 401

    @pytest.mark.parametrize(
        ("scope", "created", "deleted"),
        [
            pytest.param("free_busy_write", 202, 202, id="everything"),
            pytest.param("create_event", 202, 403, id="creating alone"),
            pytest.param("delete_event", 403, 202, id="deleting alone"),
            pytest.param("free_busy", 403, 403, id="reading alone"),
        ],
    )
    def test_each_kind_of_write_has_its_scope(self, sign_in, scope, created, deleted):
        sign_in(connected("acc_2", scope=scope), "token 2")
        path = "/v1/calendars/cal_macc_2/events"
        assert call("events", "POST", path, body=body(), bearer="token 2").status == created
        assert call("events", "DELETE", path, body=body(), bearer="token 2").status == deleted
        everything = call("events", "DELETE", "/v1/events", body={"delete_all": True}, bearer="token 2")
        assert everything.status == deleted
        answer = call("events", "POST", "/v1/batch", body={"batch": [entry(path=path)]}, bearer="token 2")
        assert [each["status"] for each in answer.json()["batch"]] == [created]

    @pytest.mark.parametrize(
        ("because", "status"),
        [
            pytest.param(Disconnected.REVOKED, 423, id="disconnected on purpose"),
            pytest.param(Disconnected.CREDENTIAL_REVOKED, 202, id="a credential that lapsed"),
        ],
    )
    def test_a_disconnected_person_is_not_written_to(self, wired, account, because, status):
        wired.accounts.disconnect("acc_1", account.free_busy_profiles[0].profile_id, because=because)
        assert post(body()).status == status
        assert delete({"event_id": "booking-7"}).status == status
        assert delete({"delete_all": True}, "/v1/events").status == status
        assert (wired.events.find("acc_1", "booking-7") is None) == (status == 423)

    def test_people_answer_their_invitations_themselves(self):
        assert post({"status": "accepted"}, f"{EVENTS}/evt_1/participation_status").status == 403

    def test_nothing_is_accepted_that_could_not_be_stored(self, monkeypatch):
        def unavailable(*_, **__):
            raise StorageUnavailable("throttled")

        monkeypatch.setattr("freebusy.adapters.dynamodb.events.DynamoEvents.save", unavailable)
        assert post(body()).status == 503


def entry(method="POST", path=EVENTS, **changes):
    return {"method": method, "relative_url": path, "data": body(**changes)}


class TestBatches:
    def test_entries_are_carried_out_in_their_order(self, wired):
        entries = [
            entry(event_id="a"),
            entry(event_id="b"),
            entry(event_id="a", summary="Changed"),
            entry("DELETE", event_id="b"),
        ]
        answer = post({"batch": entries}, "/v1/batch")
        assert (answer.status, answer.json()) == (207, {"batch": [{"status": 202}] * 4})
        assert wired.events.find("acc_1", "a").details.summary == "Changed"
        assert wired.events.find("acc_1", "b").deleted

    def test_a_bad_entry_does_not_stop_the_others(self, wired):
        entries = [
            entry(event_id="a", summary=...),
            entry(path="/v1/calendars/cal_x/events"),
            entry(path=f"/v1/calendars/{READ_ONLY}/events"),
            entry("GET"),
            entry("POST", "/v1/channels"),
            entry("POST", "/v1/calendars/x/y/events"),
            {"method": "POST", "relative_url": EVENTS},
            {"method": "POST", "relative_url": EVENTS, "data": "text"},
            {"method": {}, "relative_url": 7, "data": None},
            None,
            "text",
            entry(event_id="last"),
        ]
        outcomes = post({"batch": entries}, "/v1/batch").json()["batch"]
        statuses = [422, 404, 403, 404, 404, 404, 422, 422, 404, 422, 422, 202]
        assert [outcome["status"] for outcome in outcomes] == statuses
        assert outcomes[0]["data"]["errors"]["summary"][0]["key"] == "errors.required"
        assert [event.event_id for event in wired.events.all_of("acc_1")] == ["last"]

    def test_available_periods_are_written_too(self, wired):
        path, times = "/v1/available_periods", {"start": "2027-01-18T09:00:00Z", "end": "2027-01-18T12:00:00Z"}

        def period(method, **data):
            return {"method": method, "relative_url": path, "data": data}

        entries = [
            period("POST", available_period_id="a", **times),
            period("POST", available_period_id="b", **times),
            period("POST", available_period_id="c", start=times["start"]),
            period("DELETE", available_period_id="a"),
            period("DELETE"),
            period("GET", available_period_id="b"),
            {"method": "POST", "relative_url": f"{path}/b", "data": {"available_period_id": "b", **times}},
        ]
        outcomes = post({"batch": entries}, "/v1/batch").json()["batch"]
        assert [outcome["status"] for outcome in outcomes] == [202, 202, 422, 202, 422, 404, 404]
        assert list(outcomes[2]["data"]["errors"]) == ["end"]
        assert [each.period_id for each in wired.managed_availability.find("acc_1").periods] == ["b"]

    def test_trouble_with_one_entry_is_its_own(self, monkeypatch, wired):
        find = type(wired.events).find

        def find_or_fail(events, sub, event_id):
            if event_id == "a":
                raise StorageUnavailable("throttled")
            if event_id == "b":
                raise ZeroDivisionError
            return find(events, sub, event_id)

        monkeypatch.setattr(type(wired.events), "find", find_or_fail)
        answer = post({"batch": [entry(event_id=event_id) for event_id in "abc"]}, "/v1/batch")
        assert answer.status == 207
        assert [outcome["status"] for outcome in answer.json()["batch"]] == [503, 500, 202]

    def test_fifty_entries_are_a_batch(self, wired):
        answer = post({"batch": [entry(event_id=f"e-{number}") for number in range(50)]}, "/v1/batch")
        assert answer.json() == {"batch": [{"status": 202}] * 50}
        assert len(list(wired.events.all_of("acc_1"))) == 50

    @pytest.mark.parametrize(
        ("given", "key"),
        [
            pytest.param({}, "errors.required", id="no batch"),
            pytest.param({"batch": {"0": entry()}}, "errors.required", id="no list"),
            pytest.param({"batch": [entry()] * 51}, "errors.too_many", id="51 entries"),
        ],
    )
    def test_what_is_no_batch_is_refused_whole(self, wired, given, key):
        answer = post(given, "/v1/batch")
        assert (answer.status, answer.json()["errors"]["batch"][0]["key"]) == (422, key)
        assert list(wired.events.all_of("acc_1")) == []

    def test_an_empty_batch_has_no_outcomes(self):
        answer = post({"batch": []}, "/v1/batch")
        assert (answer.status, answer.json()) == (207, {"batch": []})
