"""When an event happens: once, or by its rules (the subset of RFC 5545, 3.3.10 that the wire contract knows).

Rules follow local time: an event at nine in Berlin is at nine all year. A local time that a change of the clock skips
happens an hour later, one that comes twice happens the first time (RFC 5545, 3.3.5). Weeks start on Monday.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from freebusy.domain.free_busy import Period

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freebusy.domain.event import Details, RecurrenceRule, When

ENDLESS = 253_402_300_799
"""The last second of the year 9999: where a series without ``count`` and ``until`` ends."""

MOST_OCCURRENCES = 10_000
"""Of one rule; nobody plans further, and it bounds what a rule can cost."""

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def occurrences(details: Details, window: Period) -> list[Period]:
    """Every occurrence that overlaps ``window``, by start; the first one always counts, whatever the rules say."""
    when = details.when
    length = when.end - when.start
    starts = {when.start}
    for rule in details.recurrence:
        starts.update(_starts(when, rule, window.end))
    skipped = {start for rule in details.recurrence for start in rule.exceptions}
    return [
        Period(start, start + length)
        for start in sorted(starts - skipped)
        if start < window.end and window.start < start + length
    ]


def ends_at(details: Details) -> int:
    """The end of the last occurrence, ``ENDLESS`` if there is none."""
    when = details.when
    last = when.start
    for rule in details.recurrence:
        if rule.count is None and rule.until is None:
            return ENDLESS
        last = max(last, max(_starts(when, rule, ENDLESS), default=last))
    return last + when.end - when.start


def _starts(when: When, rule: RecurrenceRule, before: int) -> Iterator[int]:
    """The starts that the rule makes, in order, up to ``before``."""
    zone = UTC if when.all_day else ZoneInfo(when.start_zone)
    first = datetime.fromtimestamp(when.start, zone)
    made = 0
    for day in islice(_days(first.date(), rule), MOST_OCCURRENCES):
        start = int(datetime.combine(day, first.time(), zone).timestamp())
        if start < when.start:
            continue
        made += 1
        if start >= before or (rule.until is not None and start > rule.until):
            return
        if rule.count is not None and made > rule.count:
            return
        yield start


def _days(first: date, rule: RecurrenceRule) -> Iterator[date]:
    """The days of the rule from the period of ``first`` on, in order."""
    try:
        for number in count(0, rule.interval):
            yield from _DAYS_OF[rule.frequency](first, number, rule.by_day)
    except OverflowError:
        return  # The calendar ends with the year 9999.


def _daily(first: date, number: int, by_day: tuple[str, ...]) -> Iterator[date]:
    day = first + timedelta(days=number)
    if not by_day or _WEEKDAYS[day.weekday()] in by_day:
        yield day


def _weekly(first: date, number: int, by_day: tuple[str, ...]) -> Iterator[date]:
    monday = first - timedelta(days=first.weekday()) + timedelta(weeks=number)
    weekdays = sorted(_WEEKDAYS.index(name) for name in by_day) or [first.weekday()]
    yield from (monday + timedelta(days=weekday) for weekday in weekdays)


def _monthly(first: date, number: int, by_day: tuple[str, ...]) -> Iterator[date]:
    months = first.month - 1 + number
    year, month = first.year + months // 12, months % 12 + 1
    if year > date.max.year:
        raise OverflowError
    days = [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
    if by_day:
        yield from _chosen(days, by_day)
    elif first.day <= len(days):
        yield days[first.day - 1]


def _yearly(first: date, number: int, by_day: tuple[str, ...]) -> Iterator[date]:
    year = first.year + number
    if year > date.max.year:
        raise OverflowError
    if by_day:
        start = date(year, 1, 1)
        length = 366 if monthrange(year, 2)[1] == 29 else 365  # noqa: PLR2004 - the days of February
        yield from _chosen([start + timedelta(days=day) for day in range(length)], by_day)
    elif first.day <= monthrange(year, first.month)[1]:
        yield first.replace(year=year)


def _chosen(days: list[date], by_day: tuple[str, ...]) -> list[date]:
    """Of the days of one month or year: every Monday (``MO``), the second (``2MO``), the last Friday (``-1FR``)."""
    chosen: set[date] = set()
    for name in by_day:
        weekday, ordinal = _WEEKDAYS.index(name[-2:]), name[:-2]
        matching = [day for day in days if day.weekday() == weekday]
        if not ordinal:
            chosen.update(matching)
        elif 1 <= abs(int(ordinal)) <= len(matching):
            number = int(ordinal)
            chosen.add(matching[number - 1 if number > 0 else number])
    return sorted(chosen)


_DAYS_OF = {"daily": _daily, "weekly": _weekly, "monthly": _monthly, "yearly": _yearly}
