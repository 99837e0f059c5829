"""``GET /v1/events``: its query, and managed events as JSON.

Keys that have no value are left out: the official C# SDK refuses ``null`` for times and booleans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.domain.event import Attendee, Conferencing, Delivery, Details, Location, ManagedEvent
from freebusy.entrypoints.times import format_date, format_local, format_time
from freebusy.service.managed_events import EventsQuery, Occurrence

if TYPE_CHECKING:
    from freebusy.domain.free_busy import Period
    from freebusy.entrypoints.wire.reading import ReadQuery

BOOLEANS = (
    "include_managed",
    "only_managed",
    "include_deleted",
    "include_moved",
    "include_geo",
    "localized_times",
    "google_event_ids",
)


def events_query(asked: ReadQuery) -> EventsQuery | None:
    """None when managed events, and so all that there is to show, were not asked for."""
    if asked.flags.isdisjoint({"include_managed", "only_managed"}):
        return None
    return EventsQuery(
        zone=asked.zone,
        start=asked.start,
        end=asked.end,
        calendar_ids=asked.calendar_ids,
        last_modified=asked.last_modified,
        include_deleted="include_deleted" in asked.flags,
        include_moved="include_moved" in asked.flags,
    )


def events_json(found: list[Occurrence], asked: ReadQuery, mail_domain: str) -> list[dict[str, Any]]:
    """A deployment without a ``mail_domain`` mails nobody, and its events have no organizer's address."""
    return [_event(occurrence, asked, mail_domain) for occurrence in found]


def period_json(event: ManagedEvent, period: Period, asked: ReadQuery) -> dict[str, Any]:
    """``start`` and ``end`` of one occurrence: Dates for all-day events, Times otherwise."""
    start, end = (_moment(moment, asked, all_day=event.details.when.all_day) for moment in period)
    return {"start": start, "end": end}


def _moment(moment: int, asked: ReadQuery, *, all_day: bool) -> str | dict[str, str]:
    local = "localized_times" in asked.flags
    if all_day:
        day = format_date(moment)
        return {"time": day, "tzid": asked.zone.key} if local else day
    return format_local(moment, asked.zone) if local else format_time(moment)


def _event(occurrence: Occurrence, asked: ReadQuery, mail_domain: str) -> dict[str, Any]:
    event, period = occurrence
    return {
        "calendar_id": event.calendar_id,
        "event_uid": event.uid,
        "event_id": event.event_id,
        **period_json(event, period, asked),
        "deleted": event.deleted,
        "created": format_time(event.created_at),
        "updated": format_time(event.updated_at),
        **_details(event.details),
        "participation_status": event.person.participation.value,
        "attendees": [_attendee(attendee) for attendee in event.attendees if not attendee.uninvited],
        **({"organizer": {"email": f"{event.organizer}@{mail_domain}"}} if mail_domain and not event.carrier else {}),
        "status": "cancelled" if event.deleted else "confirmed",
        "recurring": bool(event.details.recurrence),
        **({"series_identifier": event.uid} if event.details.recurrence else {}),
        "options": {"delete": True, "update": True, "change_participation_status": False},
    }


def _details(details: Details) -> dict[str, Any]:
    extended = details.extended_transparency
    return {
        "summary": details.summary,
        "description": details.description,
        "transparency": details.transparency.value,
        "extended_transparency": (extended or details.transparency).value,
        "categories": [],
        "event_private": details.private,
        **_location(details.location),
        **({"url": details.url} if details.url else {}),
        **({"color": details.color} if details.color else {}),
        **_conferencing(details.conferencing),
    }


def _location(location: Location | None) -> dict[str, Any]:
    if location is None:
        return {}
    place = {"description": location.description}
    if location.latitude and location.longitude:
        place |= {"lat": location.latitude, "long": location.longitude}
    return {"location": place}


def _conferencing(conferencing: Conferencing | None) -> dict[str, Any]:
    if conferencing is None:
        return {}
    provider = conferencing.provider_description
    return {
        "meeting_url": conferencing.join_url,
        "conferencing": {
            **({"provider_name": provider} if provider else {}),
            "join_url": conferencing.join_url,
        },
    }


def _attendee(attendee: Attendee) -> dict[str, Any]:
    """``comment``, ``proposal`` and ``delivery_status`` extend the contract, present only when there is something."""
    shown: dict[str, Any] = {"email": attendee.email, "status": attendee.participation.value}
    if attendee.name:
        shown["display_name"] = attendee.name
    if attendee.comment:
        shown["comment"] = attendee.comment
    if attendee.proposal:
        shown["proposal"] = {
            "start": format_time(attendee.proposal.start),
            "end": format_time(attendee.proposal.end),
        }
    if attendee.delivery is not Delivery.UNDISTURBED:
        shown["delivery_status"] = attendee.delivery.value
    return shown
