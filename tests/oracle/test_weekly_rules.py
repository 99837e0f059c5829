"""Hours of every week against the clock on the wall. ``ORACLE_SEED`` sets the seed, for other hours."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest

from freebusy.domain.free_busy import Period
from freebusy.domain.managed_availability import WeeklyPeriod
from freebusy.domain.weekly_rules import hours
from tests.oracle import wall_clock

SEED = os.environ.get("ORACLE_SEED", "2030")
HOUR = 3600
AROUND = 26 * HOUR
"""Before and after each change: the whole of the local day of the change, and something of its neighbours."""

SAMPLE = [
    pytest.param("Europe/Berlin", 2026, 2028, id="an hour, at night"),
    pytest.param("America/Santiago", 2026, 2028, id="at midnight"),
    pytest.param("Asia/Beirut", 2022, 2024, id="from midnight on"),
    pytest.param("Australia/Lord_Howe", 2026, 2028, id="half an hour"),
    pytest.param("Pacific/Chatham", 2026, 2028, id="45 minutes off"),
    pytest.param("Asia/Kathmandu", 2026, 2026, id="45 minutes off, always"),
    pytest.param("Africa/Casablanca", 2026, 2028, id="by the moon"),
    pytest.param("America/Nuuk", 2023, 2024, id="a zone that moved"),
    pytest.param("Antarctica/Troll", 2026, 2026, id="two hours"),
    pytest.param("Asia/Pyongyang", 2015, 2018, id="half an hour, for three years"),
    pytest.param("Pacific/Apia", 2011, 2012, id="a day that was skipped"),
    pytest.param("America/Caracas", 2007, 2016, id="half an hour, for nine years"),
    pytest.param("America/Adak", 1983, 1984, id="two hours for good"),
]


@pytest.mark.parametrize(("zone", "first_year", "last_year"), SAMPLE)
def test_hours_are_those_of_the_clock_on_the_wall(zone, first_year, last_year):
    compare(zone, first_year, last_year)


@pytest.mark.oracle
@pytest.mark.parametrize("zone", sorted(available_timezones() - {"localtime"}))
def test_in_every_zone_around_every_change(zone):
    compare(zone, 2020, 2040)


def compare(name: str, first_year: int, last_year: int) -> None:
    zone = ZoneInfo(name)
    random = Random(f"{SEED}/{name}")  # noqa: S311 - to repeat a test, not to keep a secret
    ordinary = int(datetime(first_year, 1, random.randint(1, 28), tzinfo=UTC).timestamp())
    for change in [ordinary, *wall_clock.changes(zone, first_year, last_year)]:
        start = change - AROUND + 60 * random.randint(-60, 60)
        end = change + AROUND + 60 * random.randint(-60, 60)
        weekly = [some_hours(random, datetime.fromtimestamp(change, zone)) for _ in range(random.randint(1, 6))]
        found = hours(name, weekly, Period(start, end))
        assert found == wall_clock.hours(zone, weekly, start, end), f"{name} from {start} to {end}: {weekly}"


def some_hours(random: Random, about: datetime) -> WeeklyPeriod:
    """Mostly of that day or its neighbours, and mostly small: what a change of the clocks does to them shows best."""
    day = (about.weekday() + random.choice([-1, 0, 0, 0, 1])) % 7
    start = random.choice([0, 60, 120, 180, *random.sample(range(1440), 4)]) if random.random() < 0.7 else 1320
    length = random.choice([15, 30, 60, 90, 240, 1440])
    end = min(start + random.randint(1, length), 1440)
    return WeeklyPeriod(day, start, random.choice([0, 1440]) if end == 1440 else end)
