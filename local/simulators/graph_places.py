"""The rooms of a tenant (https://learn.microsoft.com/graph/api/place-list)."""

from __future__ import annotations

from typing import Any

from local.simulators.entra import object_id
from local.simulators.graph_calendar import SCOPE_PREFIX, graph_error
from local.simulators.organizations import Room
from local.simulators.server import Refusal, Request, Response

PATH = "/v1.0/places/microsoft.graph.room"
USUAL_PAGE = 100
REQUEST_DENIED = Response.of_json(
    graph_error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."), 403
)


def rooms(request: Request, all_rooms: tuple[Room, ...]) -> Response:
    """A page of them, and the address of the next one, at Graph's own host."""
    start, size = _number(request, "$skip", 0), _number(request, "$top", USUAL_PAGE)
    end = start + size
    page: dict[str, Any] = {
        "@odata.context": f"{SCOPE_PREFIX}v1.0/$metadata#places/microsoft.graph.room",
        "value": [
            {"id": object_id(room.email), "displayName": room.name, "emailAddress": room.email}
            for room in all_rooms[start:end]
        ],
    }
    if end < len(all_rooms):
        page["@odata.nextLink"] = f"{SCOPE_PREFIX.rstrip('/')}{PATH}?$top={size}&$skip={end}"
    return Response.of_json(page)


def _number(request: Request, name: str, usual: int) -> int:
    value = request.parameters.get(name, [""])[0] or str(usual)
    if not (value.isascii() and value.isdigit()) or (name == "$top" and int(value) == 0):
        message = f"Invalid value '{value}' for {name} query option found."
        raise Refusal(Response.of_json(graph_error(400, "BadRequest", message), 400))
    return int(value)
