"""Hours of every week once more: somebody looks at the clock on the wall every minute, and writes down what it says.

Nothing of the domain's code is used, nor any arithmetic with offsets: whether a minute counts is read off its local
date and time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from freebusy.domain.managed_availability import WeeklyPeriod

MINUTE = 60


def hours(zone: ZoneInfo, weekly: Iterable[WeeklyPeriod], start: int, end: int) -> list[tuple[int, int]]:
    """``start`` and ``end`` are whole minutes; so must be the zone's offsets."""
    found: list[tuple[int, int]] = []
    opened: int | None = None
    for minute in range(start, end, MINUTE):
        if _is_within(datetime.fromtimestamp(minute, zone), weekly):
            opened = minute if opened is None else opened
        elif opened is not None:
            found.append((opened, minute))
            opened = None
    return found if opened is None else [*found, (opened, end)]


def _is_within(clock: datetime, weekly: Iterable[WeeklyPeriod]) -> bool:
    reading = f"{clock:%H:%M}"
    return any(
        day == clock.weekday() and f"{start // 60:02}:{start % 60:02}" <= reading < _ending(end)
        for day, start, end in weekly
    )


def _ending(end: int) -> str:
    return f"{end // 60:02}:{end % 60:02}" if end else "24:00"


def changes(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[int]:
    """About when the clocks change: some time of each day at whose end they go otherwise than at its beginning."""
    day, until = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    before = day.astimezone(zone).utcoffset()
    while day < until:
        day += timedelta(days=1)
        after = day.astimezone(zone).utcoffset()
        if after != before:
            yield int(day.timestamp()) - 12 * 3600
        before = after
