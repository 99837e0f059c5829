"""Which days and weeks are full; the bounds of days are tried minute by minute in tests/oracle."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from freebusy.domain.constraints import Constraint, Recurs
from freebusy.domain.free_busy import Period

BERLIN = "Europe/Berlin"


def at(text: str, tzid: str = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tzid)).timestamp())


def full(constraint: Constraint, events: list[tuple[str, str]], window: tuple[str, str]) -> list[tuple[str, str]]:
    tzid = constraint.tzid
    periods = [Period(at(start, tzid), at(end, tzid)) for start, end in events]
    found = constraint.full(periods, Period(*(at(text, tzid) for text in window)))
    return [tuple(datetime.fromtimestamp(each, ZoneInfo(tzid)).isoformat()[:16] for each in period) for period in found]


def test_a_day_is_full_with_as_many_events_as_are_allowed():
    events = [("2030-01-07T09:00", "2030-01-07T10:00"), ("2030-01-07T09:30", "2030-01-07T11:00")]
    week = ("2030-01-07T00:00", "2030-01-14T00:00")
    monday = ("2030-01-07T00:00", "2030-01-08T00:00")
    assert full(Constraint(3, Recurs.DAY, BERLIN), events, week) == []
    assert full(Constraint(2, Recurs.DAY, BERLIN), events, week) == [monday]
    assert full(Constraint(1, Recurs.DAY, BERLIN), events, week) == [monday]


def test_an_event_counts_wherever_it_reaches():
    events = [("2030-01-08T23:00", "2030-01-10T00:00")]
    assert full(Constraint(1, Recurs.DAY, BERLIN), events, ("2030-01-07T12:00", "2030-01-11T12:00")) == [
        ("2030-01-08T00:00", "2030-01-09T00:00"),
        ("2030-01-09T00:00", "2030-01-10T00:00"),
    ]


def test_weeks_begin_on_monday():
    sunday, monday = ("2030-01-13T22:00", "2030-01-13T23:00"), ("2030-01-14T00:00", "2030-01-14T01:00")
    window = ("2030-01-10T12:00", "2030-01-16T12:00")
    first, second = ("2030-01-07T00:00", "2030-01-14T00:00"), ("2030-01-14T00:00", "2030-01-21T00:00")
    constraint = Constraint(1, Recurs.WEEK, BERLIN)
    assert full(constraint, [sunday], window) == [first]
    assert full(constraint, [monday], window) == [second]
    assert full(constraint, [sunday, monday], window) == [first, second]


@pytest.mark.parametrize(
    ("period", "reach"),
    [
        pytest.param(Recurs.DAY, ("2030-01-10T00:00", "2030-01-12T00:00"), id="days"),
        pytest.param(Recurs.WEEK, ("2030-01-07T00:00", "2030-01-14T00:00"), id="weeks"),
    ],
)
def test_events_matter_from_the_first_to_the_last_day_or_week_of_the_window(period, reach):
    window = Period(at("2030-01-10T12:00"), at("2030-01-11T12:00"))
    assert Constraint(1, period, BERLIN).reach(window) == tuple(map(at, reach))


@pytest.mark.parametrize(
    ("tzid", "day", "hours"),
    [
        pytest.param(BERLIN, "2030-03-31", 23, id="clocks go forward"),
        pytest.param(BERLIN, "2030-10-27", 25, id="clocks go back"),
        pytest.param("Africa/Cairo", "2030-04-26", 23, id="forward at midnight, which does not come"),
        pytest.param("Africa/Cairo", "2030-10-31", 25, id="back at midnight, into the day before"),
        pytest.param("Australia/Lord_Howe", "2030-04-07", 24.5, id="by half an hour"),
        pytest.param("Asia/Kathmandu", "2030-04-07", 24, id="never, at three quarters of an hour"),
    ],
)
def test_days_are_as_long_as_the_clocks_make_them(tzid, day, hours):
    noon = at(f"{day}T12:00", tzid)
    ((start, end),) = Constraint(1, Recurs.DAY, tzid).full([Period(noon, noon + 60)], Period(noon, noon + 60))
    assert timedelta(seconds=end - start) == timedelta(hours=hours)
