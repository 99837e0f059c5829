from zoneinfo import ZoneInfo

import pytest

from freebusy.domain.errors import InvalidRequest
from freebusy.domain.event import Details, Participation, RecurrenceRule, Transparency, When
from freebusy.domain.free_busy import Period
from freebusy.service.event_times import busy_periods
from freebusy.service.managed_events import MOST_SHOWN, EventsQuery, read_events
from tests.fakes.clock import NOW
from tests.fakes.events import FakeEvents
from tests.people import connected, managed

HOUR, DAY = 3600, 86400
UTC = ZoneInfo("Etc/UTC")
MIDNIGHT = NOW - NOW % DAY
ACCOUNT = connected()._replace(has_events=True)


def read(*events, account=ACCOUNT, **query):
    found = read_events(account, EventsQuery(query.pop("zone", UTC), **query), events=FakeEvents(*events), now=NOW)
    return [(each.event.event_id, (each.period.start - NOW) / HOUR) for each in found]


def weekly(**rule):
    when = When(NOW, NOW + HOUR)
    return managed("series", details=Details("Weekly", when, recurrence=(RecurrenceRule("weekly", **rule),)))


def test_events_come_by_start():
    assert read(managed("b", (3, 4)), managed("a", (1, 2))) == [("a", 1), ("b", 3)]


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        pytest.param((1, 2), True, id="ends as the window opens: the contract includes it"),
        pytest.param((0, 1), False, id="ends before"),
        pytest.param((3, 5), True, id="reaches out of it"),
        pytest.param((4, 5), False, id="starts as the window closes"),
    ],
)
def test_the_window_takes_what_starts_before_its_end_and_ends_at_or_after_its_start(hours, shown):
    assert bool(read(managed(hours=hours), start=NOW + 2 * HOUR, end=NOW + 4 * HOUR)) is shown


def test_without_bounds_events_of_all_time_are_shown():
    years = 24 * 365
    assert len(read(managed("old", (-3 * years, -3 * years + 1)), managed("far", (5 * years, 5 * years + 1)))) == 2


def test_a_series_is_shown_by_its_occurrences():
    week = 24 * 7
    assert read(weekly(), start=NOW + DAY, end=NOW + 15 * DAY) == [("series", week), ("series", 2 * week)]
    assert len(read(weekly())) == len(range(0, 201, 7)), "without bounds, within the default window"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        pytest.param("Etc/UTC", False, id="the day is over when the window opens"),
        pytest.param("America/Los_Angeles", True, id="there it still lasts"),
    ],
)
def test_dates_are_those_of_the_zone_asked_for(zone, shown):
    all_day = managed(details=Details("Holiday", When(MIDNIGHT, MIDNIGHT + DAY, all_day=True)))
    window = {"start": MIDNIGHT + DAY + 3 * HOUR, "end": MIDNIGHT + DAY + 5 * HOUR}
    assert bool(read(all_day, zone=ZoneInfo(zone), **window)) is shown


def test_more_occurrences_than_anybody_reads_are_refused():
    century = {"start": NOW, "end": NOW + 100 * 366 * 86_400}
    daily = Details("Daily", When(NOW, NOW + HOUR), recurrence=(RecurrenceRule("daily"),))
    series = [managed(f"e{number}", details=daily) for number in range(3)]
    assert len(read(*series[:2], **century)) == MOST_SHOWN
    with pytest.raises(InvalidRequest, match="to"):
        read(*series, **century)


def test_deleted_events_are_shown_only_when_asked_for():
    gone = managed(deleted=True)
    assert read(gone) == []
    assert read(gone, include_deleted=True) == [("e1", 1)]


def test_only_what_changed_since_is_shown():
    events = managed("old", updated_at=NOW - 10), managed("new", updated_at=NOW)
    assert read(*events, last_modified=NOW) == [("new", 1)]


def test_events_that_moved_out_of_the_window_are_shown_when_asked_for():
    moved = managed(hours=(50, 51), earlier=((NOW + HOUR, NOW + 2 * HOUR),))
    window = {"start": NOW, "end": NOW + 5 * HOUR}
    assert read(moved, **window) == []
    assert read(moved, **window, include_moved=True) == [("e1", 50)]


def test_only_the_managed_calendar_holds_events():
    assert read(managed(), calendar_ids=frozenset({ACCOUNT.profiles[0].calendar_id})) == []
    assert read(managed(), calendar_ids=frozenset({ACCOUNT.managed_profile.calendar_id})) == [("e1", 1)]


def test_nothing_is_looked_up_for_accounts_without_events_or_when_not_asked_for():
    assert read(managed(), account=ACCOUNT._replace(has_events=False)) == []
    assert read_events(ACCOUNT, None, events=FakeEvents(managed()), now=NOW) == []


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        pytest.param({}, True, id="from the moment it was stored, unanswered"),
        pytest.param({"participation": Participation.ACCEPTED}, True, id="accepted"),
        pytest.param({"participation": Participation.TENTATIVE}, True, id="perhaps"),
        pytest.param({"participation": Participation.DECLINED}, False, id="declined"),
        pytest.param({"deleted": True}, False, id="deleted"),
        pytest.param({"transparency": Transparency.TRANSPARENT}, False, id="transparent"),
    ],
)
def test_an_event_counts_until_it_is_deleted_declined_or_transparent(changed, counts):
    event = managed()
    if "participation" in changed:
        event = event._replace(attendees=(event.person._replace(participation=changed["participation"]),))
    elif "transparency" in changed:
        event = event._replace(details=event.details._replace(transparency=changed["transparency"]))
    else:
        event = event._replace(**changed)
    found = busy_periods(ACCOUNT, Period(NOW, NOW + DAY), events=FakeEvents(event))
    assert [period[:2] for period in found] == ([(NOW + HOUR, NOW + 2 * HOUR)] if counts else [])


def test_an_opaque_all_day_event_takes_the_day_of_the_accounts_zone():
    details = Details("Offsite", When(MIDNIGHT, MIDNIGHT + DAY, all_day=True))
    account = ACCOUNT._replace(zone="Asia/Tokyo")
    found = busy_periods(account, Period(MIDNIGHT - DAY, MIDNIGHT + DAY), events=FakeEvents(managed(details=details)))
    assert [period[:2] for period in found] == [(MIDNIGHT - 9 * HOUR, MIDNIGHT + 15 * HOUR)]
