"""``GET /v1/free_busy`` and ``/v1/free_busy.ics``: their query, and what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import InvalidRequest
from freebusy.domain.event import ExtendedTransparency, ManagedEvent
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.entrypoints.times import format_local, format_time
from freebusy.entrypoints.wire.events import period_json
from freebusy.service.event_times import in_zone
from freebusy.service.free_busy import FUTURE_DAYS, PAST_DAYS, FreeBusyAnswer, FreeBusyQuery
from freebusy.service.managed_events import EventsQuery, Occurrence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freebusy.entrypoints.wire.reading import ReadQuery

ICALENDAR = "text/calendar; charset=utf-8"
BOOLEANS = ("include_managed", "localized_times", "include_ids", "include_free", "include_deleted")


def free_busy_query(asked: ReadQuery) -> FreeBusyQuery:
    return FreeBusyQuery(
        start=asked.start,
        end=asked.end,
        calendar_ids=asked.calendar_ids,
        include_free="include_free" in asked.flags,
    )


def managed_query(asked: ReadQuery) -> EventsQuery | None:
    """None when managed events were not asked for."""
    if "include_managed" not in asked.flags:
        return None
    return EventsQuery(
        zone=asked.zone,
        start=asked.start,
        end=asked.end,
        calendar_ids=asked.calendar_ids,
        last_modified=asked.last_modified,
        include_deleted="include_deleted" in asked.flags,
    )


def managed_rows(found: list[Occurrence], asked: ReadQuery) -> list[dict[str, Any]]:
    """Managed events as free/busy; free ones only with ``include_free``, names only with ``include_ids``."""
    return [
        {
            "calendar_id": event.calendar_id,
            **({"event_id": event.event_id, "event_uid": event.uid} if "include_ids" in asked.flags else {}),
            **period_json(event, period, asked),
            "free_busy_status": _status(event).value,
            **({"deleted": True} if event.deleted else {}),
        }
        for event, period in found
        if event.deleted or "include_free" in asked.flags or _status(event) is not FreeBusyStatus.FREE
    ]


def told_window(answer: FreeBusyAnswer) -> Period:
    """Raises InvalidRequest where nothing can be told: a calendar object without busy time would look free."""
    if answer.window is None:
        problem = f"free/busy is known from {PAST_DAYS} days back to {FUTURE_DAYS} days ahead"
        raise InvalidRequest.of("from", "errors.not_supported", problem)
    return answer.window


def known_periods(answer: FreeBusyAnswer, managed: Iterable[Occurrence], asked: ReadQuery) -> list[FreeBusyPeriod]:
    """All rows, as free/busy and nothing else. A deleted event is none; dates are those of the zone asked for."""
    free = "include_free" in asked.flags
    own = [
        FreeBusyPeriod(*(in_zone(period, asked.zone) if event.details.when.all_day else period), _status(event))
        for event, period in managed
        if not event.deleted
    ]
    return [
        *(FreeBusyPeriod(row.start, row.end, row.status) for row in answer.rows),
        *(period for period in own if free or period.status is not FreeBusyStatus.FREE),
    ]


def _status(event: ManagedEvent) -> FreeBusyStatus:
    if not event.counts_as_busy:
        return FreeBusyStatus.FREE
    tentative = event.details.extended_transparency is ExtendedTransparency.TENTATIVE
    return FreeBusyStatus.TENTATIVE if tentative else FreeBusyStatus.BUSY


def free_busy_rows(answer: FreeBusyAnswer, asked: ReadQuery) -> list[dict[str, Any]]:
    """All rows are Times: a provider's merged intervals do not tell an all-day event from a long one."""
    local = "localized_times" in asked.flags
    return [
        {
            "calendar_id": row.calendar_id,
            "start": format_local(row.start, asked.zone) if local else format_time(row.start),
            "end": format_local(row.end, asked.zone) if local else format_time(row.end),
            "free_busy_status": row.status.value,
        }
        for row in answer.rows
    ]


def unreadable_calendars(answer: FreeBusyAnswer) -> dict[str, Any]:
    """An extension of the contract, present only when there is something to tell."""
    if not answer.unreadable:
        return {}
    return {
        "unreadable_calendars": [
            {"calendar_id": entry.calendar_id, "reason": entry.reason} for entry in answer.unreadable
        ]
    }
