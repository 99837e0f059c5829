"""What the parsers of the protocol's C# SDK accept: the strictest of them all, it throws where others shrug.

Each reader takes a value and the path to it, and raises CannotParse. Times are parsed by exact formats, and a JSON null
where a boolean, a number or a time should be is an exception there; we want no null anywhere, so that no client has
to ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Reader = Callable[[Any, str], None]

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_OFFSET_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INT32 = range(-(2**31), 2**31)


class CannotParse(AssertionError):
    """The SDK would throw, or take the answer for something else."""

    def __init__(self, path: str, value: object) -> None:
        super().__init__(f"{path}: {value!r}")


def text(value: Any, path: str) -> None:
    if not isinstance(value, str) or not value:
        raise CannotParse(path, value)


def words(value: Any, path: str) -> None:
    """As ``text``, but there may be none."""
    if not isinstance(value, str):
        raise CannotParse(path, value)


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise CannotParse(path, value)


def integer(value: Any, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _INT32:
        raise CannotParse(path, value)


def timestamp(value: Any, path: str) -> None:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        raise CannotParse(path, value)


def local_time(value: Any, path: str) -> None:
    """As asked for by ``localized_times``: a time with its offset, or a date, and always the zone."""
    record({"time": text, "tzid": text})(value, path)
    if not (_OFFSET_TIME.fullmatch(value["time"]) or _DATE.fullmatch(value["time"])):
        raise CannotParse(path, value)


def event_time(value: Any, path: str) -> None:
    if isinstance(value, dict):
        local_time(value, path)
    elif not isinstance(value, str) or not (_TIMESTAMP.fullmatch(value) or _DATE.fullmatch(value)):
        raise CannotParse(path, value)


def one_of(*values: str) -> Reader:
    def read(value: Any, path: str) -> None:
        if value not in values:
            raise CannotParse(path, value)

    return read


def array(element: Reader) -> Reader:
    def read(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise CannotParse(path, value)
        for place, each in enumerate(value):
            element(each, f"{path}[{place}]")

    return read


def record(needed: Mapping[str, Reader], optional: Mapping[str, Reader] | None = None) -> Reader:
    """What is unknown is skipped, as the SDK does, but must not be null."""
    readers = {**needed, **(optional or {})}

    def read(value: Any, path: str) -> None:
        if not isinstance(value, dict) or not needed.keys() <= value.keys():
            raise CannotParse(path, value)
        for name, each in value.items():
            readers.get(name, _anything)(each, f"{path}.{name}")

    return read


def _anything(value: Any, path: str) -> None:
    match value:
        case None:
            raise CannotParse(path, value)
        case dict():
            record({})(value, path)
        case list():
            array(_anything)(value, path)


_LINKING_PROFILE = record({"provider_name": text, "provider_service": text, "profile_id": text, "profile_name": text})
REFRESHED = record(
    {"token_type": text, "access_token": text, "refresh_token": text, "expires_in": integer, "scope": text},
    {"account_id": text, "sub": text},
)
TOKENS = record(
    {
        "token_type": text,
        "access_token": text,
        "refresh_token": text,
        "expires_in": integer,
        "scope": text,
        "account_id": text,
        "sub": text,
        "linking_profile": _LINKING_PROFILE,
    }
)
ACCOUNT = record({"account": record({"account_id": text, "default_tzid": text}, {"email": text, "name": text})})

_CALENDAR = {
    "calendar_id": text,
    "calendar_name": text,
    "calendar_readonly": boolean,
    "calendar_deleted": boolean,
    "calendar_primary": boolean,
    "calendar_integrated_conferencing_available": boolean,
    "calendar_attachments_available": boolean,
    "permission_level": one_of("sandbox", "unrestricted"),
}
_PROFILE = {
    "provider_name": text,
    "provider_service": text,
    "profile_id": text,
    "profile_name": text,
    "profile_connected": boolean,
}
CALENDARS = record(
    {"calendars": array(record({"provider_name": text, "profile_id": text, "profile_name": text, **_CALENDAR}))}
)
PROFILES = record({"profiles": array(record(_PROFILE, {"profile_relink_url": text}))})
USERINFO = record(
    {
        "sub": text,
        "cronofy.type": one_of("account", "service_account", "application_calendar"),
        "cronofy.data": record(
            {
                "authorization": record({"scope": text, "status": text}, {"delegated_scope": text}),
                "profiles": array(
                    record(
                        {
                            **_PROFILE,
                            "profile_initial_sync_required": boolean,
                            "profile_calendars": array(record(_CALENDAR)),
                        },
                        {"profile_relink_url": text},
                    )
                ),
                "conferencing_profiles": array(record({})),
            }
        ),
    },
    {"email": text, "name": text, "zoneinfo": text},
)

_PAGES = record({"current": integer, "total": integer}, {"next_page": text})


def _free_busy(time: Reader) -> Reader:
    row = record(
        {
            "calendar_id": text,
            "start": time,
            "end": time,
            "free_busy_status": one_of("busy", "free", "tentative", "unknown"),
        },
        {"event_id": text, "event_uid": text, "deleted": boolean},
    )
    return record({"pages": _PAGES, "free_busy": array(row)})


FREE_BUSY = _free_busy(event_time)
LOCALIZED_FREE_BUSY = _free_busy(local_time)

_PARTICIPATION = one_of("needs_action", "accepted", "declined", "tentative", "unknown")
_ATTENDEE = record(
    {"email": text, "status": _PARTICIPATION},
    {
        "display_name": text,
        "comment": text,
        "proposal": record({"start": timestamp, "end": timestamp}),
        "delivery_status": text,
    },
)


def _events(time: Reader) -> Reader:
    event = record(
        {
            "calendar_id": text,
            "event_uid": text,
            "event_id": text,
            "summary": text,
            "description": words,
            "start": time,
            "end": time,
            "deleted": boolean,
            "created": timestamp,
            "updated": timestamp,
            "participation_status": _PARTICIPATION,
            "attendees": array(_ATTENDEE),
            "organizer": record({"email": text}, {"display_name": text}),
            "transparency": one_of("opaque", "transparent", "unknown"),
            "status": one_of("confirmed", "tentative", "cancelled", "unknown"),
            "categories": array(text),
            "recurring": boolean,
            "event_private": boolean,
            "options": record({"delete": boolean, "update": boolean, "change_participation_status": boolean}),
        },
        {
            "extended_transparency": one_of(
                "opaque", "transparent", "tentative", "out_of_office", "working_elsewhere", "unknown"
            ),
            "location": record({}, {"description": words, "lat": text, "long": text}),
            "series_identifier": text,
            "meeting_url": text,
            "conferencing": record({"join_url": text}, {"provider_name": text}),
            "url": text,
            "color": text,
        },
    )
    return record({"pages": _PAGES, "events": array(event)})


EVENTS = _events(event_time)
LOCALIZED_EVENTS = _events(local_time)

_SLOT = {"start": timestamp, "end": timestamp, "participants": array(record({"sub": text}))}
_FOUND = array(record(_SLOT))
AVAILABLE_PERIODS = record({"available_periods": _FOUND})
AVAILABLE_SLOTS = record({"available_slots": _FOUND})
SEQUENCES = record({"sequences": array(record({"sequence": array(record({"sequence_id": text, **_SLOT}))}))})

_RULE = record(
    {
        "availability_rule_id": text,
        "tzid": text,
        "weekly_periods": array(
            record(
                {
                    "day": one_of("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
                    "start_time": text,
                    "end_time": text,
                }
            )
        ),
    },
    {"calendar_ids": array(text)},
)
AVAILABILITY_RULE = record({"availability_rule": _RULE})
AVAILABILITY_RULES = record({"availability_rules": array(_RULE)})
