"""Managed events in the calendar that Cronofy keeps for a person: written and deleted there, and what was answered.

Cronofy mails the invitations itself. An event is known there by our ``uid``, since two applications of this deployment
may use one ``event_id`` for the same person.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from freebusy.adapters.cronofy_api import OWN_EVENT, CronofyApi
from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing, measured
from freebusy.adapters.provider_times import first_second, rfc3339
from freebusy.domain.account import Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import CalendarUnreadable, EventRefused, ProviderUnavailable
from freebusy.domain.event import (
    Attendee,
    Conferencing,
    Location,
    ManagedEvent,
    Participation,
    RecurrenceRule,
    UpstreamAnswers,
    When,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from freebusy.adapters.secrets import RegistrationSource
    from freebusy.domain.free_busy import Period

MOST_CALENDARS = 1000
"""Whose calendar is remembered: looking for it costs a request."""


class CronofyEvents:
    """Implements ``ports.UpstreamEvents``."""

    def __init__(
        self, http: httpx.Client, registration: RegistrationSource, *, origin: str | None, timing: Timing = REAL_TIME
    ) -> None:
        self._api = CronofyApi(ProviderHttp(http, origin=origin, timing=timing), registration)
        self._calendars: dict[str, str] = {}
        self._lock = Lock()

    @measured("cronofy")
    def deliver(self, credential: ProviderCredential, owner: Identity, event: ManagedEvent, *, deadline: float) -> None:
        known = self._calendars.get(owner.subject)
        calendar_id = known or self._find_calendar(credential, owner, deadline)
        answer = self._write(credential, calendar_id, event, deadline)
        if answer == HTTPStatus.NOT_FOUND and known:
            calendar_id = self._find_calendar(credential, owner, deadline)
            answer = self._write(credential, calendar_id, event, deadline)
        if answer == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise EventRefused("Cronofy refused the event")
        if answer not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            raise CalendarUnreadable(f"writing an event was answered with {answer}")

    @measured("cronofy")
    def answers(self, credential: ProviderCredential, window: Period, *, deadline: float) -> Sequence[UpstreamAnswers]:
        rows = self._api.pages(
            "/v1/events",
            "events",
            credential,
            deadline=deadline,
            **{"tzid": "Etc/UTC", "from": rfc3339(window.start), "to": rfc3339(window.end)},
            include_managed="true",
            only_managed="true",
        )
        return [_answers(row) for row in rows if str(row.get("event_id", "")).startswith(OWN_EVENT)]

    def _write(self, credential: ProviderCredential, calendar_id: str, event: ManagedEvent, deadline: float) -> int:
        """The status of the answer."""
        path = f"/v1/calendars/{quote(calendar_id, safe='')}/events"
        event_id = f"{OWN_EVENT}{event.uid}"
        method, body = ("DELETE", {"event_id": event_id}) if event.deleted else ("POST", upsert(event_id, event))
        answer = self._api.write(method, path, credential, body, deadline=deadline)
        return answer.status

    def _find_calendar(self, credential: ProviderCredential, owner: Identity, deadline: float) -> str:
        body = self._api.get("/v1/calendars", credential, deadline=deadline)
        calendars = body.get("calendars")
        for calendar in calendars if isinstance(calendars, list) else ():
            match calendar:
                case {
                    "provider_name": ProviderName.MANAGED,
                    "calendar_id": str(calendar_id),
                    "calendar_readonly": False,
                    **rest,
                } if calendar_id and rest.get("calendar_deleted", False) is False:
                    with self._lock:
                        if len(self._calendars) >= MOST_CALENDARS:
                            self._calendars.clear()
                        self._calendars[owner.subject] = calendar_id
                    return calendar_id
        raise CalendarUnreadable("the account has no calendar of Cronofy's that can be written to")


# --- Writing ---------------------------------------------------------------------------------------


def upsert(event_id: str, event: ManagedEvent) -> dict[str, Any]:
    """The whole event: what is not there is removed. The person is invited by owning the calendar."""
    details, others = event.details, event.attendees[1:]
    return {
        "event_id": event_id,
        "summary": details.summary,
        "description": details.description,
        **_when(details.when),
        "location": _location(details.location),
        "url": details.url,
        "conferencing": _conferencing(details.conferencing),
        "reminders": [{"minutes": minutes} for minutes in details.reminders],
        "transparency": details.transparency.value,
        **({"extended_transparency": details.extended_transparency.value} if details.extended_transparency else {}),
        "event_private": details.private,
        **({"color": details.color} if details.color else {}),
        "attendees": {
            "invite": [_invited(each) for each in others if not each.uninvited],
            "remove": [{"email": each.email} for each in others if each.uninvited],
        },
        "recurrence": {"rules": [_rule(rule, details.when) for rule in details.recurrence]},
        **({"tags": {"private": [{"value": tag} for tag in details.tags]}} if details.tags else {}),
    }


def _when(when: When) -> dict[str, Any]:
    if when.all_day:
        return {"start": _date(when.start), "end": _date(when.end)}
    return {
        "start": {"time": rfc3339(when.start), "tzid": when.start_zone},
        "end": {"time": rfc3339(when.end), "tzid": when.end_zone},
        "tzid": when.start_zone,
    }


def _date(midnight: int) -> str:
    return datetime.fromtimestamp(midnight, UTC).date().isoformat()


def _location(location: Location | None) -> dict[str, str]:
    if location is None:
        return {}
    place = {"description": location.description}
    if location.latitude and location.longitude:
        place |= {"lat": location.latitude, "long": location.longitude}
    return place


def _conferencing(conferencing: Conferencing | None) -> dict[str, str]:
    if conferencing is None:
        return {"profile_id": "none"}
    described = conferencing.provider_description
    return {
        "profile_id": "explicit",
        "join_url": conferencing.join_url,
        **({"provider_description": described} if described else {}),
    }


def _invited(attendee: Attendee) -> dict[str, str]:
    return {"email": attendee.email, **({"display_name": attendee.name} if attendee.name else {})}


def _rule(rule: RecurrenceRule, when: When) -> dict[str, Any]:
    moment = _date if when.all_day else rfc3339
    return {
        "frequency": rule.frequency,
        "interval": rule.interval,
        **({"count": rule.count} if rule.count else {}),
        **({"until": moment(rule.until)} if rule.until is not None else {}),
        **({"by_day": list(rule.by_day)} if rule.by_day else {}),
        **({"exceptions": [moment(each) for each in rule.exceptions]} if rule.exceptions else {}),
    }


# --- Reading ---------------------------------------------------------------------------------------


def _answers(row: Mapping[str, Any]) -> UpstreamAnswers:
    """Raises ProviderUnavailable."""
    try:
        return UpstreamAnswers(
            uid=row["event_id"].removeprefix(OWN_EVENT),
            start=_second(row["start"]),
            end=_second(row["end"]),
            person=_participation(row.get("participation_status")),
            attendees=dict(_attendees(row.get("attendees"))),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProviderUnavailable("/v1/events answered with something that is not an event") from None


def _attendees(listed: object) -> list[tuple[str, Participation]]:
    return [
        (attendee["email"], participation)
        for attendee in (listed if isinstance(listed, list) else ())
        if isinstance(attendee, dict)
        and isinstance(attendee.get("email"), str)
        and (participation := _participation(attendee.get("status")))
    ]


def _participation(told: object) -> Participation | None:
    """``unknown``, or a word that we do not know, says nothing."""
    return next((each for each in Participation if each == told), None)


def _second(told: Any) -> int:
    """Dates are midnight UTC, as those of ``When``."""
    text: str = told["time"] if isinstance(told, dict) else told
    if len(text) == len("2030-01-07"):
        return first_second(f"{text}T00:00:00Z")
    return first_second(text)
