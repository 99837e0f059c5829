"""The working week that is shown, in the zone of whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FIRST, LAST = time(8), time(18)
STEP = timedelta(minutes=30)
WORKING_DAYS = 5

PAST_WEEKS, FUTURE_WEEKS = 4, 26
"""How far one can leaf. Free/busy reaches from 42 days back to 201 ahead."""


@dataclass(frozen=True, slots=True)
class Day:
    """The hours of one day that are shown; ``start`` and ``end`` are in UTC."""

    date: date
    start: datetime
    end: datetime

    def starts(self) -> Iterator[datetime]:
        """Every time at which a meeting may begin."""
        start = self.start
        while start < self.end:
            yield start
            start += STEP


@dataclass(frozen=True, slots=True)
class Week:
    days: tuple[Day, ...]

    @property
    def start(self) -> datetime:
        return self.days[0].start

    @property
    def end(self) -> datetime:
        return self.days[-1].end

    @property
    def monday(self) -> date:
        return self.days[0].date


class TooFarAway(Exception):
    """Free/busy does not reach that week."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The Mondays from the first to the last week that can be shown, and that of the current one."""

    first: date
    current: date
    last: date

    @classmethod
    def at(cls, now: datetime, zone: ZoneInfo) -> Reach:
        """On a weekend, and once Friday's hours are over, the next week is the current one."""
        week = week_of(now.astimezone(zone).date(), zone)
        current = week.monday if now < week.end else week.monday + timedelta(weeks=1)
        return cls(current - timedelta(weeks=PAST_WEEKS), current, current + timedelta(weeks=FUTURE_WEEKS))

    def week_of(self, day: date | None, zone: ZoneInfo) -> Week:
        """The current week unless a day of another is given. Raises TooFarAway."""
        day = day or self.current
        if not self.first <= day < self.last + timedelta(weeks=1):
            raise TooFarAway
        return week_of(day, zone)


def week_of(day: date, zone: ZoneInfo) -> Week:
    monday = day - timedelta(days=day.weekday())
    return Week(tuple(_day(monday + timedelta(days=number), zone) for number in range(WORKING_DAYS)))


def _day(day: date, zone: ZoneInfo) -> Day:
    start, end = (datetime.combine(day, hour, zone).astimezone(UTC) for hour in (FIRST, LAST))
    return Day(day, start, end)
