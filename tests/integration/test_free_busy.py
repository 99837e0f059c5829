import pytest
from icalendar import Calendar

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import ProviderUnavailable
from freebusy.domain.event import Attendee, Details, Location, Participation, When
from freebusy.domain.free_busy import FreeBusyStatus
from freebusy.domain.managed_availability import AvailabilityRule, AvailablePeriod, WeeklyPeriod
from tests.api import call
from tests.fakes.clock import NOW
from tests.people import busy, connected, managed

TOKEN = "access token of acc_1"
UTC = ("tzid", "Etc/UTC")
READS = [("free_busy", "/v1/free_busy"), ("events", "/v1/events"), ("free_busy", "/v1/free_busy.ics")]
PAGED = READS[:2]


@pytest.fixture
def account(sign_in):
    return sign_in(connected(providers=(ProviderName.GOOGLE, ProviderName.MICROSOFT)), TOKEN)


def read(*query, path="/v1/free_busy", function="free_busy", bearer=TOKEN):
    return call(function, "GET", path, query=list(query), bearer=bearer, body={})


def rows(*query):
    return read(UTC, *query).json()["free_busy"]


def test_rows_hold_times_and_status_and_nothing_else(account, calendars):
    calendars.kept = {"acc_1@example.com": busy((1, 2.5))}
    assert rows(("calendar_ids[]", "cal_goacc_1")) == [
        {
            "calendar_id": "cal_goacc_1",
            "start": "2027-01-15T09:00:00Z",
            "end": "2027-01-15T10:30:00Z",
            "free_busy_status": "busy",
        }
    ]


def test_calendars_are_chosen_by_repeated_parameters(account, calendars):
    calendars.kept = {"acc_1@example.com": busy((1, 2))}
    both = rows(("calendar_ids[]", "cal_goacc_1"), ("calendar_ids[]", "cal_msacc_1"))
    assert [row["calendar_id"] for row in both] == ["cal_goacc_1", "cal_msacc_1"]
    assert rows(("calendar_ids[]", account.managed_profile.calendar_id), ("include_managed", "True")) == []


def test_localized_times_carry_offset_and_zone(account, calendars):
    calendars.kept = {"acc_1@example.com": busy((1, 2))}
    row = read(("tzid", "Europe/Paris"), ("localized_times", "True")).json()["free_busy"][0]
    assert row["start"] == {"time": "2027-01-15T10:00:00+01:00", "tzid": "Europe/Paris"}


def test_dates_are_read_in_the_zone_asked_for(account, calendars):
    read(("tzid", "Pacific/Auckland"), ("from", "2027-01-15"), ("to", "2027-01-16"))
    assert calendars.windows[0] == (NOW - 21 * 3600, NOW + 3 * 3600)


def test_free_rows_come_only_when_asked_for(account, calendars):
    calendars.kept = {"acc_1@example.com": busy((1, 2), status=FreeBusyStatus.FREE)}
    assert rows() == []
    assert {row["free_busy_status"] for row in rows(("include_free", "1"))} == {"free"}


def test_a_long_answer_comes_in_pages_that_all_show_the_same_moment(account, calendars):
    calendars.kept = {"acc_1@example.com": busy(*((hour, hour + 0.5) for hour in range(250)))}
    first = read(UTC, ("calendar_ids[]", "cal_goacc_1")).json()
    calendars.kept = {}
    seen, page = first["free_busy"], first
    assert first["pages"]["total"] == 3
    while "next_page" in page["pages"]:
        base, path = page["pages"]["next_page"].split("/v1", 1)
        assert base == "https://calendar.example.com"
        # The Node SDK sends the caller's other options again.
        page = read(UTC, ("from", "2027-01-15"), path=f"/v1{path}").json()
        seen = seen + page["free_busy"]
    assert page["pages"]["current"] == 3
    assert len(seen) == 250
    assert len({row["start"] for row in seen}) == 250


def test_pages_are_their_accounts_alone(sign_in, account, calendars):
    calendars.kept = {"acc_1@example.com": busy(*((hour, hour + 0.5) for hour in range(150)))}
    path = read(UTC).json()["pages"]["next_page"].removeprefix("https://calendar.example.com")
    sign_in(connected("acc_2"), "token of acc_2")
    assert read(path=path).status == 200
    assert read(path=path, bearer="token of acc_2").status == 404


def test_a_page_of_free_busy_is_not_read_with_the_permission_for_events(account, calendars):
    calendars.kept = {"acc_1@example.com": busy(*((hour, hour + 0.5) for hour in range(150)))}
    path = read(UTC).json()["pages"]["next_page"].removeprefix("https://calendar.example.com")
    assert read(function="events", path=path.replace("free_busy", "events")).status == 404


@pytest.mark.parametrize(("function", "path"), PAGED)
def test_unknown_pages_are_not_found(account, function, path):
    assert read(function=function, path=f"{path}/pages/nonsense").status == 404


def test_a_calendar_that_cannot_be_read_is_unknown_and_named(account, calendars):
    calendars.trouble = {"acc_1@example.com": ProviderUnavailable("down")}
    answer = read(UTC, ("calendar_ids[]", "cal_goacc_1")).json()
    assert [row["free_busy_status"] for row in answer["free_busy"]] == ["unknown"]
    assert answer["unreadable_calendars"] == [{"calendar_id": "cal_goacc_1", "reason": "provider_unavailable"}]


@pytest.mark.parametrize(("function", "path"), READS)
@pytest.mark.parametrize(
    ("query", "field", "key"),
    [
        pytest.param([], "tzid", "errors.required", id="no zone"),
        pytest.param([("tzid", "")], "tzid", "errors.required", id="empty zone"),
        pytest.param([("tzid", "Mars/Olympus")], "tzid", "errors.tzid_unrecognized", id="no such zone"),
        pytest.param([UTC, ("from", "yesterday")], "from", "errors.invalid_format", id="no date"),
        pytest.param([UTC, ("to", "2027-02-30")], "to", "errors.invalid_format", id="no such date"),
        pytest.param([UTC, ("from", "2027-01-15T09:00:00")], "from", "errors.invalid_format", id="time without zone"),
        pytest.param(
            [UTC, ("from", "2027-01-16"), ("to", "2027-01-15")], "to", "errors.invalid_time_pair", id="ends first"
        ),
        pytest.param([UTC, ("include_managed", "maybe")], "include_managed", "errors.must_be_boolean", id="no boolean"),
        pytest.param([UTC, ("last_modified", "x")], "last_modified", "errors.invalid_format", id="no time"),
        pytest.param(
            [UTC, ("calendar_ids[]", "cal_x")], "calendar_ids", "errors.invalid_calendar_ids", id="not its calendar"
        ),
    ],
)
def test_what_is_wrong_with_a_query_is_said_by_field(account, function, path, query, field, key):
    answer = read(*query, function=function, path=path)
    assert answer.status == 422
    assert [error["key"] for error in answer.json()["errors"][field]] == [key]


@pytest.mark.parametrize(("function", "path"), READS)
def test_unknown_parameters_are_ignored(account, function, path):
    assert read(UTC, ("colour", "green"), ("tzid[]", "x"), function=function, path=path).status == 200


@pytest.fixture
def booked(wired, account):
    wired.accounts.expect_events("acc_1")
    details = Details("Interview", When(NOW + 3600, NOW + 7200), location=Location("Room 4"), url="https://example.com")
    guest = Attendee("guest@example.com", "Guest", Participation.ACCEPTED, "with pleasure")
    event = managed(details=details, attendees=[guest, Attendee("gone@example.com", uninvited=True)])
    assert wired.events.save(event, over=None)


def test_managed_events_are_shown_as_busy_without_names_unless_asked_for(account, booked):
    assert rows() == []
    assert rows(("include_managed", "True")) == [
        {
            "calendar_id": "cal_macc_1",
            "start": "2027-01-15T09:00:00Z",
            "end": "2027-01-15T10:00:00Z",
            "free_busy_status": "busy",
        }
    ]
    named = rows(("include_managed", "1"), ("include_ids", "1"))
    assert [(row["event_id"], row["event_uid"]) for row in named] == [("e1", "evt_e1")]


def test_managed_events_are_read_back_as_the_contract_has_them(account, booked):
    answer = read(UTC, ("only_managed", "true"), function="events", path="/v1/events")
    assert answer.json()["events"] == [
        {
            "calendar_id": "cal_macc_1",
            "event_uid": "evt_e1",
            "event_id": "e1",
            "start": "2027-01-15T09:00:00Z",
            "end": "2027-01-15T10:00:00Z",
            "deleted": False,
            "created": "2027-01-15T08:00:00Z",
            "updated": "2027-01-15T08:00:00Z",
            "summary": "Interview",
            "description": "",
            "transparency": "opaque",
            "extended_transparency": "opaque",
            "categories": [],
            "event_private": False,
            "location": {"description": "Room 4"},
            "url": "https://example.com",
            "participation_status": "needs_action",
            "attendees": [
                {"email": "acc_1@example.com", "status": "needs_action"},
                {
                    "email": "guest@example.com",
                    "status": "accepted",
                    "display_name": "Guest",
                    "comment": "with pleasure",
                },
            ],
            "organizer": {"email": "organizere1@mail.example.com"},
            "status": "confirmed",
            "recurring": False,
            "options": {"delete": True, "update": True, "change_participation_status": False},
        }
    ]


def test_all_day_events_have_dates(wired, account):
    wired.accounts.expect_events("acc_1")
    midnight = NOW - NOW % 86400
    details = Details("Offsite", When(midnight, midnight + 2 * 86400, all_day=True))
    assert wired.events.save(managed(details=details), over=None)
    query = [("tzid", "Europe/Paris"), ("include_managed", "True")]
    plain = read(*query, function="events", path="/v1/events").json()["events"][0]
    assert (plain["start"], plain["end"]) == ("2027-01-15", "2027-01-17")
    local = read(*query, ("localized_times", "True")).json()["free_busy"][0]
    assert local["start"] == {"time": "2027-01-15", "tzid": "Europe/Paris"}


def test_pages_of_long_events_stay_small_enough_to_be_kept(wired, account):
    wired.accounts.expect_events("acc_1")
    for number in range(12):
        when = When(NOW + number * 3600, NOW + number * 3600 + 60)
        event = managed(f"e{number}", details=Details("Long", when, description="ü" * 30_000))
        assert wired.events.save(event, over=None)
    query = (UTC, ("include_managed", "True"))
    page = read(*query, function="events", path="/v1/events").json()
    seen = [event["event_id"] for event in page["events"]]
    assert page["pages"]["total"] > 1
    while "next_page" in page["pages"]:
        path = page["pages"]["next_page"].removeprefix("https://calendar.example.com")
        page = read(function="events", path=path).json()
        seen += [event["event_id"] for event in page["events"]]
    assert seen == [f"e{number}" for number in range(12)]


def test_events_of_the_person_are_never_shown(account, calendars):
    calendars.kept = {"acc_1@example.com": busy((1, 2))}
    answer = read(UTC, ("include_managed", "True"), function="events", path="/v1/events")
    assert answer.json() == {"pages": {"current": 1, "total": 1}, "events": []}
    assert calendars.reads == []


@pytest.mark.parametrize(
    ("scope", "function", "path", "status"),
    [
        ("read_free_busy", "free_busy", "/v1/free_busy", 200),
        ("read_free_busy", "events", "/v1/events", 403),
        ("read_account", "free_busy", "/v1/free_busy", 403),
        ("read_free_busy", "free_busy", "/v1/free_busy.ics", 200),
        ("read_account", "free_busy", "/v1/free_busy.ics", 403),
        ("free_busy", "events", "/v1/events", 403),
        ("free_busy_write", "events", "/v1/events", 200),
    ],
)
def test_the_scope_decides_what_may_be_read(sign_in, scope, function, path, status):
    sign_in(connected("acc_3", scope=scope), "token of acc_3")
    assert read(UTC, function=function, path=path, bearer="token of acc_3").status == status


class TestCalendarObject:
    """``/v1/free_busy.ics``: the same, as calendar programs read it."""

    def read(self, *query):
        answer = read(UTC, *query, path="/v1/free_busy.ics")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
        return Calendar.from_ical(answer.body)

    def told(self, *query):
        (free_busy,) = self.read(*query).walk("VFREEBUSY")
        given = free_busy.get("FREEBUSY", [])
        return [
            (each.params["FBTYPE"], *(int(moment.timestamp() - NOW) / 3600 for moment in each.dt))
            for each in (given if isinstance(given, list) else [given])
        ]

    def test_busy_time_of_all_calendars_is_one(self, account, calendars):
        calendars.kept = {"acc_1@example.com": [*busy((1, 2)), *busy((3, 4), status=FreeBusyStatus.TENTATIVE)]}
        assert self.told() == [("BUSY", 1, 2), ("BUSY-TENTATIVE", 3, 4)]

    def test_free_time_comes_only_when_asked_for(self, account, calendars):
        calendars.kept = {"acc_1@example.com": busy((1, 2), status=FreeBusyStatus.FREE)}
        assert self.told() == []
        assert self.told(("include_free", "true")) == [("FREE", 1, 2)]

    def test_a_calendar_that_cannot_be_read_never_looks_free(self, account, calendars):
        calendars.trouble = {"acc_1@example.com": ProviderUnavailable("down")}
        bounds = ("from", "2027-01-15T08:00:00Z"), ("to", "2027-01-15T18:00:00Z")
        assert self.told(*bounds) == [("BUSY-UNAVAILABLE", 0, 10)]

    def test_managed_events_come_only_when_asked_for(self, wired, account, booked):
        assert self.told() == []
        assert self.told(("include_managed", "true")) == [("BUSY", 1, 2)]
        event = wired.events.find("acc_1", "e1")
        assert wired.events.save(event._replace(deleted=True), over=event.version)
        assert self.told(("include_managed", "true"), ("include_deleted", "true")) == []

    def test_dates_of_events_are_those_of_the_zone_asked_for(self, wired, account):
        wired.accounts.expect_events("acc_1")
        midnight = NOW - NOW % 86400
        details = Details("Offsite", When(midnight, midnight + 86400, all_day=True))
        assert wired.events.save(managed(details=details), over=None)
        assert self.told(("tzid", "Europe/Paris"), ("include_managed", "true")) == [("BUSY", -9, 15)]

    def test_stored_rules_and_periods_come_with_it(self, wired, account):
        assert self.read().walk("VAVAILABILITY") == []
        rule = AvailabilityRule("work_hours", "Europe/Paris", (WeeklyPeriod(0, 540, 1020), WeeklyPeriod(1, 540, 1020)))
        period = AvailablePeriod(NOW, NOW + 3600, "interview")
        assert wired.managed_availability.save_rule("acc_1", rule, client_id="client-1")
        assert wired.managed_availability.save_period("acc_1", period, client_id="client-1")
        (availability,) = self.read().walk("VAVAILABILITY")
        assert [str(each["SUMMARY"]) for each in availability.walk("AVAILABLE")] == ["work_hours", "interview"]

    def test_beyond_what_is_known_nothing_is_told(self, account):
        """An object without busy time would look free."""
        answer = read(UTC, ("from", "2028-01-01"), path="/v1/free_busy.ics")
        assert (answer.status, list(answer.json()["errors"])) == (422, ["from"])
        (free_busy,) = self.read(("from", "2027-07-01"), ("to", "2028-01-01")).walk("VFREEBUSY")
        assert free_busy["DTEND"].to_ical() == b"20270804T000000Z"


def test_without_a_mail_domain_events_have_no_organizers_address(wired, booked, monkeypatch):
    monkeypatch.setattr(wired.settings, "mail_domain", "")
    (event,) = read(UTC, ("only_managed", "true"), function="events", path="/v1/events").json()["events"]
    assert "organizer" not in event
