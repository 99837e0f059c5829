"""The rooms of an organization.

https://developers.google.com/workspace/admin/directory/reference/rest/v1/resources.calendars/list
"""

from __future__ import annotations

from typing import Any

from local.simulators.google_calendar import SCOPE_PREFIX, api_error
from local.simulators.organizations import Room
from local.simulators.people import fingerprint
from local.simulators.server import Refusal, Request, Response

SCOPE = SCOPE_PREFIX + "admin.directory.resource.calendar.readonly"
USUAL_PAGE, LARGEST_PAGE = 100, 500
NOT_AUTHORIZED = Response.of_json(api_error(403, "forbidden", "Not Authorized to access this resource/api"), 403)
_KIND = "admin#directory#resources#calendars#"


def rooms(request: Request, all_rooms: tuple[Room, ...]) -> Response:
    """A page of them; its token is where the next one begins."""
    start, size = _number(request, "pageToken", 0), _number(request, "maxResults", USUAL_PAGE)
    if not 1 <= size <= LARGEST_PAGE or start > len(all_rooms):
        raise Refusal(_INVALID_INPUT)
    end = start + size
    page: dict[str, Any] = {
        "kind": _KIND + "calendarResourcesList",
        "items": [_shown(room) for room in all_rooms[start:end]],
    }
    return Response.of_json(page | ({"nextPageToken": str(end)} if end < len(all_rooms) else {}))


def _shown(room: Room) -> dict[str, str]:
    return {
        "kind": _KIND + "CalendarResource",
        "resourceId": str(int.from_bytes(fingerprint("google resource", room.email)[:5])),
        "resourceName": room.name,
        "generatedResourceName": room.name,
        "resourceEmail": room.email,
        "resourceCategory": "CONFERENCE_ROOM",
    }


_INVALID_INPUT = Response.of_json(api_error(400, "invalid", "Invalid Input"), 400)


def _number(request: Request, name: str, usual: int) -> int:
    value = request.parameters.get(name, [""])[0] or str(usual)
    if not (value.isascii() and value.isdigit()):
        raise Refusal(_INVALID_INPUT)
    return int(value)
