"""When the hours of every week are: rules follow the clock on the wall.

A moment is within a rule when a clock of the rule's zone then shows the weekday and a time from ``start`` until before
``end``; nothing else decides. So hours stay where they are as the clocks change. A time that the clocks skip never
comes, and what is left of the period counts; an hour that comes twice counts twice; and a date that a zone skipped
(Friday, 30 December 2011 in Samoa) has no hours.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from freebusy.domain.stretches import Pair, merged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freebusy.domain.free_busy import Period
    from freebusy.domain.managed_availability import WeeklyPeriod

_MINUTE, _DAY, _WEEK = 60, 86_400, 604_800
_FIRST_MONDAY = 4 * _DAY  # The epoch was a Thursday.


class _Clock(NamedTuple):
    """From ``start`` until before ``end``, clocks of a zone are ``offset`` seconds ahead of UTC."""

    start: int
    end: int
    offset: int


def hours(tzid: str, weekly_periods: Iterable[WeeklyPeriod], window: Period) -> list[Pair]:
    """What the weekly periods cover of the window: sorted, and neither overlapping nor touching.

    ``tzid`` is a zone of the IANA database. Where the clocks do not change, the hours are those of one week, again
    and again.
    """
    week = _week(weekly_periods)
    found: list[Pair] = []
    for start, end, offset in _clocks(tzid, window):
        first = start + offset
        for monday in range(first - (first - _FIRST_MONDAY) % _WEEK - offset, end, _WEEK):
            found += [
                (max(monday + opens, start), min(monday + closes, end))
                for opens, closes in week
                if monday + closes > start and monday + opens < end
            ]
    return merged(found)


def clock_changes(tzid: str, window: Period) -> list[int]:
    """When the clocks of the zone are changed: each time, the first second after it."""
    return [clock.start for clock in _clocks(tzid, window)[1:]]


def _week(weekly_periods: Iterable[WeeklyPeriod]) -> list[Pair]:
    """In seconds since the beginning of Monday."""
    return merged(
        (period.weekday * _DAY + period.start * _MINUTE, period.weekday * _DAY + period.closes * _MINUTE)
        for period in weekly_periods
    )


@lru_cache(maxsize=64)
def _clocks(tzid: str, window: Period) -> tuple[_Clock, ...]:
    """How the clocks go in the window, stretch by stretch.

    They are looked at once a day: since 1970 no zone has changed its clocks twice within 167 hours. Kept, as the
    members of a query have few different zones.
    """
    zone = ZoneInfo(tzid)
    clocks: list[_Clock] = []
    start, offset = window.start, _offset(window.start, zone)
    for day in range(window.start, window.end, _DAY):
        next_day = min(day + _DAY, window.end)
        if (after := _offset(next_day, zone)) != offset:
            change = _change(day, next_day, zone)
            clocks.append(_Clock(start, change, offset))
            start, offset = change, after
    return (*clocks, _Clock(start, window.end, offset))


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The first second of the new offset, by halving."""
    offset = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle, zone) == offset else (before, middle)
    return after


def _offset(moment: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(moment, zone).replace(tzinfo=UTC)
    return int(local.timestamp()) - moment
