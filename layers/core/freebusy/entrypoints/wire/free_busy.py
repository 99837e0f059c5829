"""``GET /v1/free_busy``: its query and its rows."""

from __future__ import annotations

from typing import Any

from freebusy.entrypoints.times import format_local, format_time
from freebusy.entrypoints.wire.reading import ReadQuery
from freebusy.service.free_busy import FreeBusyAnswer, FreeBusyQuery

BOOLEANS = ("include_managed", "localized_times", "include_ids", "include_free", "include_deleted")


def free_busy_query(asked: ReadQuery) -> FreeBusyQuery:
    return FreeBusyQuery(
        start=asked.start,
        end=asked.end,
        calendar_ids=asked.calendar_ids,
        include_free="include_free" in asked.flags,
    )


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
