"""Days and weeks that are full: at most so many of the application's events in each.

A day or week is full when as many events as the limit allows take place in it, were it only in part: one that goes
on past midnight is one of both days. What is booked would be one event more wherever it reaches, so no slot may
overlap a day or week that is full. Days begin at midnight in the constraint's zone, or where a change of the clock
skips midnight, with that change; weeks begin on Monday (ISO 8601).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from freebusy.domain.free_busy import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DAY = timedelta(days=1)


class Recurs(StrEnum):
    """``period`` of a constraint on the wire."""

    DAY = "day"
    WEEK = "week"


class Constraint(NamedTuple):
    """At most ``limit`` events that have all of ``tags`` in each day or week of the zone ``tzid``."""

    limit: int
    period: Recurs
    tzid: str
    tags: frozenset[str] = frozenset()

    def reach(self, window: Period) -> Period:
        """From the first to the last day or week that overlaps ``window``: whose events matter to it."""
        bounds = [*self._bounds(window)]
        return Period(bounds[0], bounds[-1])

    def full(self, events: Iterable[Period], window: Period) -> list[Period]:
        """The full ones among the days or weeks that overlap ``window``; ``events`` are those that count."""
        bounds = [*self._bounds(window)]
        numbers = [0] * len(bounds)
        for start, end in events:
            for place in range(max(bisect_right(bounds, start) - 1, 0), min(bisect_left(bounds, end), len(bounds) - 1)):
                numbers[place] += 1
        periods = [Period(start, end) for start, end in pairwise(bounds)]
        return [period for period, number in zip(periods, numbers, strict=False) if number >= self.limit]

    def _bounds(self, window: Period) -> Iterator[int]:
        """Where the days or weeks begin, with the end of the last."""
        zone = ZoneInfo(self.tzid)
        day = datetime.fromtimestamp(window.start, zone).date()
        step = _DAY
        if self.period is Recurs.WEEK:
            day -= timedelta(days=day.weekday())
            step = timedelta(weeks=1)
        bound = _midnight(day, zone)
        yield bound
        while bound < window.end:
            day += step
            bound = _midnight(day, zone)
            yield bound


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first one, where it comes twice; the change of the clock, where it is skipped."""
    return int(datetime.combine(day, time(), zone).timestamp())
