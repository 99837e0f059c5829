"""Full days and weeks against clocks on the wall, looked at minute by minute."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from freebusy.domain.constraints import Constraint, Recurs
from freebusy.domain.free_busy import Period

SEED = os.environ.get("ORACLE_SEED", "2030")
MINUTE, HOUR, DAY = 60, 3600, 86_400

CHANGES = {
    "Africa/Cairo": ["2030-04-25", "2030-10-31"],
    "America/Havana": ["2030-03-10", "2030-11-03"],
    "America/Nuuk": ["2030-03-30", "2030-10-26"],
    "America/Santiago": ["2030-04-06", "2030-09-07"],
    "Asia/Beirut": ["2030-03-30", "2030-10-26"],
    "Asia/Kathmandu": ["2030-06-01"],
    "Australia/Lord_Howe": ["2030-04-06", "2030-10-05"],
    "Europe/Berlin": ["2030-03-31", "2030-10-27"],
    "Pacific/Chatham": ["2030-04-06", "2030-09-28"],
}
"""Zones that change their clocks in odd ways, at odd hours or offsets, with days on which they do."""


def test_a_minute_is_in_a_full_day_or_week_when_the_clocks_say_so():
    compare(range(60))


@pytest.mark.oracle
def test_they_say_so_for_long():
    compare(range(60, 2_000))


def compare(numbers):
    for number in numbers:
        name = f"{SEED}/{number}"
        draw = Random(name)  # noqa: S311 - to repeat a test, not to keep a secret
        tzid = draw.choice([*CHANGES])
        noon = datetime.fromisoformat(f"{draw.choice(CHANGES[tzid])}T12:00").replace(tzinfo=UTC)
        middle = int(noon.timestamp())
        start = middle + draw.randrange(-36, 24) * HOUR + draw.randrange(60) * MINUTE
        window = Period(start, start + draw.choice([1, 90, 26 * 60, 50 * 60]) * MINUTE)
        events = [event(draw, middle) for _ in range(draw.randrange(9))]
        constraint = Constraint(draw.choice([1, 1, 2, 3]), draw.choice([*Recurs]), tzid)
        reach = constraint.reach(window)
        counting = [each for each in events if each.start < reach.end and reach.start < each.end]
        said = {
            minute
            for opens, closes in constraint.full(counting, window)
            for minute in range(max(opens, window.start), min(closes, window.end), MINUTE)
        }
        assert said == full_minutes(constraint, events, window), (name, constraint, window, events)


def event(draw: Random, middle: int) -> Period:
    start = middle + draw.randrange(-6 * 24 * 60, 6 * 24 * 60) * MINUTE
    return Period(start, start + draw.choice([1, 30, 60, 8 * 60, 24 * 60, 40 * 60]) * MINUTE)


def full_minutes(constraint: Constraint, events: list[Period], window: Period) -> set[int]:
    zone = ZoneInfo(constraint.tzid)

    def shown(minute: int) -> date:
        """Which date, or Monday of the week, clocks show."""
        day = datetime.fromtimestamp(minute, zone).date()
        return day if constraint.period is Recurs.DAY else day - timedelta(days=day.weekday())

    taken = [{shown(minute) for minute in range(start, end, MINUTE)} for start, end in events]
    return {
        minute
        for minute in range(window.start, window.end, MINUTE)
        if sum(shown(minute) in dates for dates in taken) >= constraint.limit
    }
