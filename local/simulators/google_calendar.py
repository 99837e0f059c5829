"""``POST /calendar/v3/freeBusy`` (https://developers.google.com/workspace/calendar/api/v3/reference/freebusy/query)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, NoReturn

from local.simulators import zones
from local.simulators.people import Entry, Person, Status
from local.simulators.server import Refusal, Request, Response

SCOPE_PREFIX = "https://www.googleapis.com/auth/"
FREE_BUSY_SCOPES = frozenset(
    SCOPE_PREFIX + name for name in ("calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy")
)
MOST_CALENDARS = 50
MOST_GROUP_MEMBERS = 100
LONGEST_QUOTA_USER = 40  # characters, as the discovery document has it
LONGEST_WINDOW = timedelta(days=90)
"""Nowhere documented; from about three months on Google answers timeRangeTooLong."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
_NOT_SHOWN = frozenset({Status.FREE, Status.WORKING_ELSEWHERE})
"""Transparent entries; a working location is one of them."""

_REASONS = {
    400: ("badRequest", "Bad Request"),
    401: ("authError", "Invalid Credentials"),
    403: ("rateLimitExceeded", "Rate Limit Exceeded"),
    404: ("notFound", "Not Found"),
    429: ("rateLimitExceeded", "Rate Limit Exceeded"),
}


def api_error(status: int, reason: str = "", message: str = "", **more: str) -> dict[str, Any]:
    """The body of an error of the Calendar API; ``more`` is ``domain``, ``location`` and ``locationType``."""
    usual_reason, usual_message = _REASONS.get(status, ("backendError", "Backend Error"))
    reason, message = reason or usual_reason, message or usual_message
    domain = "usageLimits" if reason.endswith("LimitExceeded") else "global"
    error = {"domain": domain, "reason": reason, "message": message, **more}
    return {"error": {"errors": [error], "code": status, "message": message}}


def _refused_at_the_door(status: int, name: str, message: str, error: dict[str, str], challenge: str) -> Response:
    """What Google's front end says: the same, with a ``status``, and the message of its own."""
    body = {"error": {"code": status, "message": message, "errors": [{**error, "domain": "global"}], "status": name}}
    return Response.of_json(body, status, headers={"WWW-Authenticate": challenge})


UNAUTHENTICATED = _refused_at_the_door(
    401,
    "UNAUTHENTICATED",
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "
    "valid authentication credential.",
    {"message": "Login Required.", "reason": "required", "location": "Authorization", "locationType": "header"},
    'Bearer realm="https://accounts.google.com/"',
)
INVALID_CREDENTIALS = _refused_at_the_door(
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential.",
    {"message": "Invalid Credentials", "reason": "authError", "location": "Authorization", "locationType": "header"},
    'Bearer realm="https://accounts.google.com/", error="invalid_token"',
)
INSUFFICIENT_SCOPE = _refused_at_the_door(
    403,
    "PERMISSION_DENIED",
    "Request had insufficient authentication scopes.",
    {"message": "Insufficient Permission", "reason": "insufficientPermissions"},
    'Bearer realm="https://accounts.google.com/", error="insufficient_scope"',
)


def free_busy(request: Request, visible: Callable[[str], Person | None]) -> Response:
    """``visible`` is whose calendar it is that the token's owner sees under this name, in lower case."""
    _check_quota_user(request)
    question = _question(request)
    start, end = _moment(question, "timeMin"), _moment(question, "timeMax")
    if end <= start:
        _refuse(
            "timeRangeEmpty",
            "The specified time range is empty.",
            domain="calendar",
            location="timeMax",
            locationType="parameter",
        )
    if end - start > LONGEST_WINDOW:
        _refuse("timeRangeTooLong", "The requested time range is too long.", domain="calendar")
    _check_limit(question, "groupExpansionMax", MOST_GROUP_MEMBERS)
    most = _check_limit(question, "calendarExpansionMax", MOST_CALENDARS)
    shown_in = _zone(question)
    names = _calendar_names(question)
    if len(names) > most:
        calendars = {name: _unreadable("tooManyCalendarsRequested") for name in names}
    else:
        calendars = {name: _calendar(visible(name.lower()), start, end, shown_in) for name in names}
    return Response.of_json(
        {"kind": "calendar#freeBusy", "timeMin": _echo(start), "timeMax": _echo(end), "calendars": calendars}
    )


def _calendar(person: Person | None, start: datetime, end: datetime, shown_in: tzinfo) -> dict[str, Any]:
    if person is None or not person.exists:
        return _unreadable("notFound")
    entries = (entry for entry in person.overlapping(start, end) if entry.status not in _NOT_SHOWN)
    return {"busy": [{"start": _show(s, shown_in), "end": _show(e, shown_in)} for s, e in _merged(entries)]}


def _unreadable(reason: str) -> dict[str, Any]:
    """In a 200: ``busy`` is there and empty, and does not mean free."""
    return {"errors": [{"domain": "global", "reason": reason}], "busy": []}


def _merged(entries: Iterable[Entry]) -> Iterator[tuple[datetime, datetime]]:
    """Entries, sorted by start, that overlap or touch are shown as one."""
    period: tuple[datetime, datetime] | None = None
    for entry in entries:
        if period is None:
            period = entry.start, entry.end
        elif entry.start <= period[1]:
            period = period[0], max(period[1], entry.end)
        else:
            yield period
            period = entry.start, entry.end
    if period is not None:
        yield period


def _question(request: Request) -> dict[str, Any]:
    try:
        question = request.json
    except ValueError:
        _refuse("parseError", "Parse Error")
    if not isinstance(question, dict):
        _refuse("parseError", "Parse Error")
    return question


def _moment(question: dict[str, Any], name: str) -> datetime:
    value = question.get(name)
    if value is None:
        _refuse("required", f"Missing {name} parameter.", location=name, locationType="parameter")
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        _refuse("badRequest", "Bad Request")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of February, or the edge of the calendar
        _refuse("badRequest", "Bad Request")


def _check_limit(question: dict[str, Any], name: str, most: int) -> int:
    """What the question limits itself to, the most without a word about it."""
    value = question.get(name, most)
    if not isinstance(value, int) or not 1 <= value <= most:
        _refuse("invalidParameter", f"Invalid value '{value}'. Values must be within the range: [1, {most}]")
    return value


def _check_quota_user(request: Request) -> None:
    if any(len(value) > LONGEST_QUOTA_USER for value in request.parameters.get("quotaUser", [])):
        _refuse("invalidParameter", "Invalid value for quotaUser.", location="quotaUser", locationType="parameter")


def _zone(question: dict[str, Any]) -> tzinfo:
    name = question.get("timeZone") or "UTC"
    try:
        return zones.zone(name)
    except (ValueError, TypeError):
        _refuse("invalid", "Invalid time zone definition.")


def _calendar_names(question: dict[str, Any]) -> list[str]:
    items = question.get("items", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        _refuse("parseError", "Parse Error")
    return [str(item.get("id", "")) for item in items]


@lru_cache(maxsize=1 << 16)  # The same calendars are read again and again; this is most of the work.
def _show(moment: datetime, shown_in: tzinfo) -> str:
    return moment.astimezone(shown_in).isoformat(timespec="seconds").replace("+00:00", "Z")


def _echo(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse(reason: str, message: str, **more: str) -> NoReturn:
    raise Refusal(Response.of_json(api_error(400, reason, message, **more), 400))
