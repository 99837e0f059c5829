"""``getSchedule`` (https://learn.microsoft.com/graph/api/calendar-getschedule)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn
from uuid import uuid4

from local.simulators import zones
from local.simulators.organizations import Organizations
from local.simulators.people import Entry, Person, Status
from local.simulators.server import Refusal, Request, Response

SCOPE_PREFIX = "https://graph.microsoft.com/"
FREE_BUSY_SCOPES = frozenset({"calendars.readbasic", "calendars.read", "calendars.read.shared", "calendars.readwrite"})
MOST_AT_ONCE = 4  # calls of one application for one mailbox
MOST_SCHEDULES = 20  # as documented; Graph itself gives up at 100
MOST_ITEMS = 1000
WINDOW_LIMIT = timedelta(days=62)
SHORTEST_INTERVAL, LONGEST_INTERVAL = 5, 1440  # minutes
SUBJECT = "Private: salary talk"
LOCATION = "Private: room behind the stairs"
"""Canaries: Graph shows these words to the owner of a calendar, so that they come along with free/busy."""

USUAL_ZONE = "Pacific Standard Time"
"""What times are in for a client that does not ask for a zone; never UTC, so that it notices."""

_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?")
_PREFERRED_ZONE = re.compile(r'outlook\.timezone\s*=\s*(?:"([^"]*)"|([^\s,;]+))', re.IGNORECASE)
_ASCENDING = (
    (Status.FREE, "0"),
    (Status.WORKING_ELSEWHERE, "4"),
    (Status.TENTATIVE, "1"),
    (Status.UNKNOWN, "2"),
    (Status.BUSY, "2"),
    (Status.OOF, "3"),
)
"""Where entries overlap, ``availabilityView`` shows the last of these."""

_DIGITS = bytes.maketrans(bytes(range(len(_ASCENDING))), "".join(digit for _, digit in _ASCENDING).encode())
_RANK = {status: rank for rank, (status, _) in enumerate(_ASCENDING)}
_ERRORS = {
    400: ("ErrorInvalidRequest", "Your request is invalid."),
    401: ("InvalidAuthenticationToken", "Access token has expired or is not yet valid."),
    403: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    404: ("MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise."),
    429: ("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The request timed out."),
}


def graph_error(status: int, code: str = "", message: str = "") -> dict[str, Any]:
    usual_code, usual_message = _ERRORS.get(status, ("InternalServerError", "An internal server error occurred."))
    request_id = str(uuid4())
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": request_id,
    }
    return {"error": {"code": code or usual_code, "message": message or usual_message, "innerError": inner}}


def unauthenticated(message: str) -> Response:
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"'
    )
    body = graph_error(401, "InvalidAuthenticationToken", message)
    return Response.of_json(body, 401, headers={"WWW-Authenticate": challenge})


ACCESS_DENIED = Response.of_json(graph_error(403), 403)
OUT_OF_SCOPE = Response.of_json(graph_error(403, message="Access to OData is disabled."), 403)
NO_MAILBOX = Response.of_json(graph_error(404), 404)
NO_ONE_HERE = Response.of_json(
    graph_error(400, "BadRequest", "/me request is only valid with delegated authentication flow."), 400
)
OVER_CONCURRENCY = Response.of_json(graph_error(429), 429, headers={"Retry-After": "1"})


def no_such_user(name: str) -> Response:
    return Response.of_json(graph_error(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid."), 404)


@dataclass(frozen=True, slots=True)
class _View:
    """The window that is asked about, and how its answer is shown."""

    start: datetime
    end: datetime
    interval: timedelta
    zone: str


def schedule(request: Request, reader: Person, tenants: Organizations[Any]) -> Response:
    """The schedules of the reader and of colleagues, whose subjects and places are not shown."""
    question = _question(request)
    names = _schedule_names(question)
    start, end = _moment(question, "startTime"), _moment(question, "endTime")
    zone, applied = _preferred_zone(request)
    view = _View(start, end, _interval(question, end - start), zone)
    value = [_schedule(name, reader, tenants, view) for name in names]
    context = f"{SCOPE_PREFIX}v1.0/$metadata#Collection(microsoft.graph.scheduleInformation)"
    return Response.of_json({"@odata.context": context, "value": value}, headers=applied)


def _schedule(name: str, reader: Person, tenants: Organizations[Any], view: _View) -> dict[str, Any]:
    person = tenants.colleague(name, reader.domain)
    if person is None or not person.exists:
        return _unreadable(name, "ErrorMailRecipientNotFound", f"Unable to resolve e-mail address {name}.")
    is_own = person.email == reader.email
    if not is_own and tenants.is_hidden(person):
        return _unreadable(name, "ErrorNoFreeBusyAccess", "The calendar's free/busy information is not shared.")
    entries = person.overlapping(view.start, view.end)
    if len(entries) > MOST_ITEMS:
        return _unreadable(
            name,
            "5006",
            "The result set contains too many calendar entries. "
            f"The allowed limit = {MOST_ITEMS}; the actual limit = {len(entries)}.",
        )
    return {
        "scheduleId": name,
        "availabilityView": _availability_view(entries, view),
        "scheduleItems": [_item(entry, view.zone, with_details=is_own) for entry in entries],
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": zones.windows_name(person.zone)},
        },
    }


def _unreadable(name: str, code: str, message: str) -> dict[str, Any]:
    """In a 200: there are no items, which does not mean free."""
    error = {"message": message, "responseCode": code}
    return {"scheduleId": name, "availabilityView": "", "scheduleItems": None, "error": error}


def _item(entry: Entry, zone: str, *, with_details: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "status": entry.status.value,
        "start": _show(entry.start, zone),
        "end": _show(entry.end, zone),
    }
    return {"isPrivate": False, "subject": SUBJECT, "location": LOCATION, **item} if with_details else item


def _availability_view(entries: Sequence[Entry], view: _View) -> str:
    """One digit for each interval of the window, the last of which may be cut short."""
    ranks = bytearray(-(-(view.end - view.start) // view.interval))
    for entry in entries:
        first = max(0, (entry.start - view.start) // view.interval)
        last = min(len(ranks), -(-(entry.end - view.start) // view.interval))
        for index in range(first, last):
            ranks[index] = max(ranks[index], _RANK[entry.status])
    return ranks.translate(_DIGITS).decode()


def _question(request: Request) -> dict[str, Any]:
    """Graph takes ``schedules`` and ``Schedules`` alike."""
    try:
        question = request.json
    except ValueError:
        _refuse("BadRequest", "Unable to read JSON request payload.")
    if not isinstance(question, dict):
        _refuse("BadRequest", "Unable to read JSON request payload.")
    return {name.lower(): value for name, value in question.items()}


def _schedule_names(question: Mapping[str, Any]) -> list[str]:
    names = question.get("schedules")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        _refuse("ErrorInvalidParameter", "The value of the parameter 'Schedules' is missing or invalid.")
    if len(names) > MOST_SCHEDULES:
        _refuse(
            "ErrorMailboxDataArrayTooBig",
            "There are too many target users in the EmailAddress array. "
            f"The allowed size = {MOST_SCHEDULES}; the actual size = {len(names)}.",
        )
    return names


def _moment(question: Mapping[str, Any], name: str) -> datetime:
    given = question.get(name.lower())
    fields = given if isinstance(given, dict) else {}
    text, zone = fields.get("dateTime"), fields.get("timeZone", "UTC")
    if not isinstance(text, str) or not _LOCAL_TIME.fullmatch(text):
        _refuse("ErrorInvalidParameter", f"The value of the parameter '{name}' is missing or invalid.")
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=_zone_named(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        _refuse("ErrorInvalidParameter", f"The value of the parameter '{name}' is invalid.")


def _zone_named(name: Any) -> Any:
    try:
        return zones.zone(name)
    except (ValueError, TypeError):
        _refuse(
            "TimeZoneNotSupportedException",
            f"A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'.",
        )


def _interval(question: Mapping[str, Any], window: timedelta) -> timedelta:
    if window <= timedelta(0):
        _refuse(
            "ErrorInvalidTimeInterval", "The time duration specified for FreeBusyViewOptions.TimeWindow is invalid."
        )
    if window >= WINDOW_LIMIT:
        _refuse(
            "ErrorTimeIntervalTooBig",
            "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long. "
            f"The allowed limit = {WINDOW_LIMIT.days} days; the actual limit = {window.days} days.",
        )
    minutes = question.get("availabilityviewinterval", 30)
    if (
        not isinstance(minutes, int)
        or not SHORTEST_INTERVAL <= minutes <= LONGEST_INTERVAL
        or timedelta(minutes=minutes) > window
    ):
        _refuse(
            "ErrorInvalidMergedFreeBusyInterval",
            "The specified merged free/busy interval is not valid. Specify an interval that is less than the free/busy "
            f"time window and between {SHORTEST_INTERVAL} and {LONGEST_INTERVAL} minutes.",
        )
    return timedelta(minutes=minutes)


def _preferred_zone(request: Request) -> tuple[str, dict[str, str]]:
    """The zone of the answer, and the header that confirms it."""
    found = _PREFERRED_ZONE.search(request.headers.get("prefer", ""))
    if found is None:
        return USUAL_ZONE, {}
    name = found[1] or found[2]
    _zone_named(name)
    return name, {"Preference-Applied": f'outlook.timezone="{name}"'}


@lru_cache(maxsize=1 << 16)  # The same calendars are read again and again; this is most of the work.
def _show(moment: datetime, zone: str) -> dict[str, str]:
    local = moment.astimezone(zones.zone(zone)).replace(tzinfo=None)
    return {"dateTime": local.isoformat(timespec="microseconds") + "0", "timeZone": zone}


def _refuse(code: str, message: str) -> NoReturn:
    raise Refusal(Response.of_json(graph_error(400, code, message), 400))
