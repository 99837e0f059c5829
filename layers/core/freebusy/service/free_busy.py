"""When one connected person is busy: ``GET /v1/free_busy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.errors import ProviderError
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.service.accounts import require_calendars

if TYPE_CHECKING:
    from freebusy.domain.account import Account
    from freebusy.service.calendar_reader import CalendarReader

PAST_DAYS = 42
FUTURE_DAYS = 201
"""How far back and ahead of today free/busy can be read; both default and limit (the contract's window)."""

TIME_BOX = 15.0
"""Seconds for all provider calls of one request, well under the gateway's 30."""

_DAY = 86400


class FreeBusyQuery(NamedTuple):
    """``start`` and ``end`` are epoch seconds or ``None`` for the default; ``calendar_ids`` empty means all.

    ``last_modified`` does not appear: a provider's free/busy carries no time of change, so every period may have
    changed and none is left out.
    """

    start: int | None = None
    end: int | None = None
    calendar_ids: frozenset[str] = frozenset()
    include_free: bool = False


class FreeBusyRow(NamedTuple):
    calendar_id: str
    start: int
    end: int
    status: FreeBusyStatus


class UnreadableCalendar(NamedTuple):
    """``reason`` is that of the ``ProviderError``."""

    calendar_id: str
    reason: str


class FreeBusyAnswer(NamedTuple):
    """``window`` is what is told about: the asked-for one within the contract's limits, ``None`` if it lies beyond."""

    window: Period | None
    rows: list[FreeBusyRow]
    unreadable: list[UnreadableCalendar]


def read_free_busy(account: Account, query: FreeBusyQuery, *, reader: CalendarReader, now: int) -> FreeBusyAnswer:
    """The rows of every asked-for calendar, by start.

    A calendar that cannot be read is ``unknown`` for the whole window, and listed: leaving it out would say
    that the person is free. Raises InvalidRequest for a calendar that is not this account's.
    """
    require_calendars(account, query.calendar_ids)
    window = _window(query, now)
    answer = FreeBusyAnswer(window, [], [])
    if window is None:
        return answer
    profiles = [
        profile
        for profile in account.free_busy_profiles
        if not query.calendar_ids or profile.calendar_id in query.calendar_ids
    ]
    readings = reader.read_all(((account, profile) for profile in profiles), window, within=TIME_BOX)
    for profile, reading in zip(profiles, readings, strict=True):
        if isinstance(reading, ProviderError):
            answer.unreadable.append(UnreadableCalendar(profile.calendar_id, reading.reason))
            reading = [FreeBusyPeriod(window.start, window.end, FreeBusyStatus.UNKNOWN)]  # noqa: PLW2901 - never free
        answer.rows.extend(
            FreeBusyRow(profile.calendar_id, start, end, status)
            for start, end, status in reading
            if query.include_free or status is not FreeBusyStatus.FREE
        )
    answer.rows.sort(key=lambda row: (row.start, row.end, row.calendar_id))
    return answer


def _window(query: FreeBusyQuery, now: int) -> Period | None:
    """The asked-for window within the contract's limits; ``None`` when nothing of it is left."""
    default = default_window(now)
    start = default.start if query.start is None else max(default.start, query.start)
    end = default.end if query.end is None else min(default.end, query.end)
    return Period(start, end) if start < end else None


def default_window(now: int) -> Period:
    """The contract's window around today."""
    today = now - now % _DAY
    return Period(today - PAST_DAYS * _DAY, today + FUTURE_DAYS * _DAY)
