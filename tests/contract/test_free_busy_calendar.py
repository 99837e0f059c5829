"""What every calendar object of free/busy promises to whoever reads it, judged by readers that are not ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from icalendar import Calendar, Component

from freebusy.adapters.free_busy_calendar import free_busy_calendar
from freebusy.domain.bookable import bounds_of
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.domain.managed_availability import (
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
    WeeklyPeriod,
)
from freebusy.domain.stretches import merged
from tests.people import connected

BUSY, TENTATIVE, UNKNOWN, FREE = (FreeBusyStatus(each) for each in ("busy", "tentative", "unknown", "free"))
HOUR, DAY = 3600, 86_400


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


WINDOW = Period(at("2030-01-07T00:00"), at("2030-01-14T00:00"))
NOTHING = ManagedAvailability()
INTERVIEWS = AvailablePeriod(WINDOW.start + 12 * HOUR, WINDOW.start + 15 * HOUR, 'interviews, "round; 2"')
WORK = AvailabilityRule("work_hours", "Europe/Berlin", tuple(WeeklyPeriod(day, 540, 1020) for day in range(5)))


def written(*periods: FreeBusyPeriod, managed=NOTHING, window=WINDOW) -> bytes:
    return free_busy_calendar(connected(), window, periods, managed, now=at("2029-12-01T00:00"))


def hours(start: float, end: float, status: FreeBusyStatus = BUSY) -> FreeBusyPeriod:
    """Counted from the beginning of the window."""
    return FreeBusyPeriod(int(WINDOW.start + start * HOUR), int(WINDOW.start + end * HOUR), status)


# --- A reader: icalendar for the text, dateutil for the recurrence, the system's zones -----------------


@dataclass
class Read:
    """As ical_js_free_busy.cjs tells it."""

    window: list[int]
    told: list[list[Any]]
    availability: dict[str, Any] | None = field(default=None)


def read(text: bytes) -> Read:
    calendar = Calendar.from_ical(text)
    assert [error for component in calendar.walk() for error in component.errors] == []
    (free_busy,) = calendar.walk("VFREEBUSY")
    given = free_busy.get("FREEBUSY", [])
    told = [
        [each.params["FBTYPE"], *(int(moment.timestamp()) for moment in each.dt)]
        for each in (given if isinstance(given, list) else [given])
    ]
    found = Read(span(free_busy), told)
    for availability in calendar.walk("VAVAILABILITY"):
        available = [
            period for each in availability.walk("AVAILABLE") for period in occurrences(each, span(availability))
        ]
        found.availability = {"window": span(availability), "type": availability["BUSYTYPE"], "available": available}
    return found


def span(component: Component) -> list[int]:
    return [int(component[name].dt.timestamp()) for name in ("DTSTART", "DTEND")]


def occurrences(component: Component, window: list[int]) -> list[list[int]]:
    """RFC 5545, 3.3.10: recurrences are local times, all of the same exact length."""
    first = component["DTSTART"].dt
    length = int((component["DTEND"].dt.astimezone(UTC) - first.astimezone(UTC)).total_seconds())
    starts = [first]
    if "RRULE" in component:
        rule = rrulestr(component["RRULE"].to_ical().decode(), dtstart=first.replace(tzinfo=None))
        until = datetime.fromtimestamp(window[1], first.tzinfo).replace(tzinfo=None)
        starts = [
            each.replace(tzinfo=first.tzinfo) for each in rule.between(first.replace(tzinfo=None), until, inc=True)
        ]
    excepted = {each.dt for each in component["EXDATE"].dts} if "EXDATE" in component else set()
    moments = [int(start.timestamp()) for start in starts if start not in excepted]
    return [[start, start + length] for start in moments if start < window[1] and start + length > window[0]]


@pytest.fixture(params=["icalendar", "ical.js"])
def reading(request):
    """Two readers, which know nothing of each other."""
    if request.param == "icalendar":
        return lambda objects: [read(text) for text in objects]
    read_with_ical_js = partial(request.getfixturevalue("read_with_ical_js"), "ical_js_free_busy.cjs")
    return lambda objects: [Read(**each) for each in read_with_ical_js(objects)]


# --- Busy time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([hours(9, 10)], [("BUSY", 9, 10)], id="busy"),
        pytest.param([hours(9, 10, TENTATIVE)], [("BUSY-TENTATIVE", 9, 10)], id="tentative"),
        pytest.param([hours(9, 10, FREE)], [("FREE", 9, 10)], id="free, when asked for"),
        pytest.param([hours(9, 10, UNKNOWN)], [("BUSY-UNAVAILABLE", 9, 10)], id="unreadable is not free"),
        pytest.param([hours(9, 10), hours(10, 11), hours(9.5, 10)], [("BUSY", 9, 11)], id="joined"),
        pytest.param(
            [hours(8, 12, FREE), hours(9, 10, UNKNOWN)],
            [("BUSY-UNAVAILABLE", 9, 10), ("FREE", 8, 9), ("FREE", 10, 12)],
            id="free in one calendar, unreadable in another",
        ),
        pytest.param(
            [hours(8, 12, TENTATIVE), hours(9, 10), hours(9.5, 11, UNKNOWN), hours(7, 13, FREE)],
            [
                ("BUSY", 9, 10),
                ("BUSY-UNAVAILABLE", 10, 11),
                ("BUSY-TENTATIVE", 8, 9),
                ("BUSY-TENTATIVE", 11, 12),
                ("FREE", 7, 8),
                ("FREE", 12, 13),
            ],
            id="of every moment, the worst is told",
        ),
        pytest.param([hours(-2, 1), hours(167, 200)], [("BUSY", 0, 1), ("BUSY", 167, 168)], id="cut at the edges"),
        pytest.param([hours(-2, 0), hours(168, 169)], [], id="beyond the window"),
    ],
)
def test_every_moment_has_one_type(reading, periods, expected):
    (found,) = reading([written(*periods)])
    told = [(name, (start - WINDOW.start) / HOUR, (end - WINDOW.start) / HOUR) for name, start, end in found.told]
    assert told == expected
    assert found.window == list(WINDOW)


def test_an_unreadable_calendar_makes_the_whole_window_unavailable(reading):
    (found,) = reading([written(FreeBusyPeriod(*WINDOW, UNKNOWN), hours(9, 10, FREE))])
    assert found.told == [["BUSY-UNAVAILABLE", *WINDOW]]


def test_a_free_busy_component_has_what_it_must(reading):
    """RFC 5545, 3.6.4; times are UTC (3.8.2.6)."""
    text = written(hours(9, 10), managed=ManagedAvailability((WORK,), (INTERVIEWS,)))
    calendar = Calendar.from_ical(text)
    assert [each.name for each in calendar.subcomponents] == ["VTIMEZONE", "VFREEBUSY", "VAVAILABILITY"]
    (free_busy,) = calendar.walk("VFREEBUSY")
    assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "FREEBUSY"} == set(free_busy)
    assert text.count(b"FREEBUSY;FBTYPE=BUSY;VALUE=PERIOD:20300107T090000Z/20300107T100000Z\r\n") == 1


# --- Rules ---------------------------------------------------------------------------------------------


def test_without_rules_or_periods_nothing_is_said_about_availability(reading):
    """A VAVAILABILITY without hours would say that there is no time at all."""
    (found,) = reading([written(hours(9, 10))])
    assert found.availability is None


def test_rules_and_periods_are_all_there_is_to_be_had(reading):
    managed = ManagedAvailability((WORK,), (INTERVIEWS, INTERVIEWS._replace(start=0, end=60, period_id="past")))
    (found,) = reading([written(managed=managed)])
    assert found.availability["window"] == list(WINDOW)
    assert found.availability["type"] == "BUSY-UNAVAILABLE"
    assert merged(map(tuple, found.availability["available"])) == [*bounds_of(managed, None, WINDOW)]


def test_availability_has_what_it_must():
    """RFC 7953, 3.1."""
    calendar = Calendar.from_ical(written(managed=ManagedAvailability((WORK,), (INTERVIEWS,))))
    (availability,) = calendar.walk("VAVAILABILITY")
    weekly, once = availability.walk("AVAILABLE")
    assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "BUSYTYPE"} == set(availability)
    assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "RRULE"} == set(weekly)
    assert weekly["RRULE"].to_ical() == b"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    assert weekly["DTSTART"].params["TZID"] == calendar.walk("VTIMEZONE")[0]["TZID"] == "Europe/Berlin"
    assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY"} == set(once)
    assert (weekly["SUMMARY"], once["SUMMARY"]) == ("work_hours", 'interviews, "round; 2"')
    assert len({each["UID"] for each in calendar.walk() if "UID" in each}) == 4


def test_names_do_not_change_from_one_reading_to_the_next():
    managed = ManagedAvailability((WORK,), (INTERVIEWS,))
    assert written(managed=managed) == written(managed=managed)


ODD = (
    WeeklyPeriod(5, 0, 0),
    WeeklyPeriod(6, 60, 150),
    WeeklyPeriod(6, 135, 210),
    WeeklyPeriod(6, 0, 1440),
    WeeklyPeriod(0, 0, 75),
    WeeklyPeriod(3, 1380, 1440),
)
CHANGES = [
    pytest.param("Europe/Berlin", "2026-03-29", id="forward"),
    pytest.param("Europe/Berlin", "2026-10-25", id="back"),
    pytest.param("America/New_York", "2026-03-08", id="forward in New York"),
    pytest.param("America/New_York", "2026-11-01", id="back in New York"),
    pytest.param("America/Santiago", "2026-04-05", id="back over midnight"),
    pytest.param("America/Santiago", "2026-09-06", id="forward from midnight"),
    pytest.param("Australia/Lord_Howe", "2026-04-05", id="back by half an hour"),
    pytest.param("Pacific/Chatham", "2026-09-27", id="forward, 45 minutes off"),
    pytest.param("Africa/Casablanca", "2026-02-15", id="for Ramadan"),
    pytest.param("Asia/Kathmandu", "2026-03-29", id="never"),
    pytest.param("Etc/UTC", "2026-03-29", id="UTC"),
]


@pytest.mark.parametrize("length", [1, 14, 243])
@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_every_reader_works_out_the_hours_that_we_do(reading, zone, day, length):
    """Ours are read off the clock on the wall; theirs follow the RFC, and RFC and wall part where clocks change."""
    rules = [AvailabilityRule("each", zone, (period,)) for period in ODD]
    rules += [AvailabilityRule("all", zone, ODD), AvailabilityRule("none", zone, ())]
    starts = [at(f"{day}T05:00") - before * DAY for before in (0, 1, 6)]
    windows = [Period(start, start + length * DAY) for start in starts]
    asked = [(ManagedAvailability((rule,)), window) for rule in rules for window in windows]
    objects = reading([written(managed=managed, window=window) for managed, window in asked])
    for (managed, window), found in zip(asked, objects, strict=True):
        available = [(max(start, window.start), min(end, window.end)) for start, end in found.availability["available"]]
        assert merged(available) == [*bounds_of(managed, None, window)], managed
