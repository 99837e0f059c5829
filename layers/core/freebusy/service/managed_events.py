"""The application's own events as it reads them back: ``GET /v1/events``, and ``/v1/free_busy`` when asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.errors import InvalidRequest
from freebusy.domain.free_busy import Period
from freebusy.domain.recurrence import occurrences
from freebusy.service.event_times import ZONES_REACH, in_zone
from freebusy.service.free_busy import default_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from freebusy.domain.account import Account
    from freebusy.domain.event import ManagedEvent
    from freebusy.ports import EventStore

MOST_SHOWN = 20_000
"""Occurrences in one answer; a few endless series have more than that in a century."""


class EventsQuery(NamedTuple):
    """``start`` and ``end`` are epoch seconds or ``None``; ``calendar_ids`` empty means all.

    ``zone`` is where dates begin and end; ``last_modified`` keeps what changed at or after that second.
    """

    zone: ZoneInfo
    start: int | None = None
    end: int | None = None
    calendar_ids: frozenset[str] = frozenset()
    last_modified: int | None = None
    include_deleted: bool = False
    include_moved: bool = False


class Occurrence(NamedTuple):
    """One time that an event happens. ``period`` of an all-day event is midnight UTC to midnight UTC of its dates."""

    event: ManagedEvent
    period: Period


def read_events(account: Account, query: EventsQuery | None, *, events: EventStore, now: int) -> list[Occurrence]:
    """Occurrences of the account's managed events that start before ``end`` and end at or after ``start``, by start.

    With neither bound every event counts, however old; series are then shown within the default window. No query
    means that managed events were not asked for. Raises InvalidRequest for more than ``MOST_SHOWN``.
    """
    if query is None or not account.has_events:
        return []
    if query.calendar_ids and account.managed_profile.calendar_id not in query.calendar_ids:
        return []
    window = window_of(query, now)
    everything = query.start is None and query.end is None
    stored = (
        events.all_of(account.sub)
        if everything or query.include_moved
        else events.overlapping(account.sub, Period(window.start - 1, window.end))
    )
    found: list[Occurrence] = []
    for event in stored:
        if _wanted(event, query):
            found.extend(_occurrences(event, window, query, everything=everything))
        if len(found) > MOST_SHOWN:
            problem = f"more than {MOST_SHOWN} times of events: ask for a shorter time"
            raise InvalidRequest.of("to", "errors.too_many", problem)
    return sorted(found, key=lambda each: (each.period, each.event.event_id))


def window_of(query: EventsQuery, now: int) -> Period:
    """The asked-for window; where it has no bound, the default one's."""
    default = default_window(now)
    return Period(
        default.start if query.start is None else query.start, default.end if query.end is None else query.end
    )


def _wanted(event: ManagedEvent, query: EventsQuery) -> bool:
    changed = query.last_modified is None or event.updated_at >= query.last_modified
    return changed and (query.include_deleted or not event.deleted)


def _occurrences(event: ManagedEvent, window: Period, query: EventsQuery, *, everything: bool) -> Iterator[Occurrence]:
    when = event.details.when
    if everything and not event.details.recurrence:
        yield Occurrence(event, Period(when.start, when.end))
        return
    reach = ZONES_REACH if when.all_day else 0
    shown = False
    for period in occurrences(event.details, Period(window.start - reach - 1, window.end + reach)):
        start, end = in_zone(period, query.zone) if when.all_day else period
        if start < window.end and window.start <= end:
            shown = True
            yield Occurrence(event, period)
    moved_out = not shown and query.include_moved and _overlaps_any(event.earlier, window)
    if moved_out:
        yield Occurrence(event, Period(when.start, when.end))


def _overlaps_any(periods: Iterable[tuple[int, int]], window: Period) -> bool:
    return any(start < window.end and window.start <= end for start, end in periods)
