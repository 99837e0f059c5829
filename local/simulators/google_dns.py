"""``dns.google``: DNS over HTTPS in JSON (https://developers.google.com/speed/public-dns/docs/doh/json).

It knows the TXT records of ``_freebusy-connect`` in the domains of organizations, and no other name.
"""

from __future__ import annotations

from typing import Any

from local.simulators.google_delegation import Workspace
from local.simulators.organizations import Organizations
from local.simulators.server import Refusal, Request, Response

LABEL = "_freebusy-connect."
_TYPES = {"A": 1, "CNAME": 5, "TXT": 16, "AAAA": 28}
_TXT = _TYPES["TXT"]
_NO_ERROR, _NO_SUCH_NAME = 0, 3


def resolve(request: Request, organizations: Organizations[Workspace]) -> Response:
    """A name that exists without records of the type asked for is no error, and has no ``Answer``."""
    name = request.parameters.get("name", [""])[0].lower().rstrip(".")
    asked = request.parameters.get("type", ["A"])[0].upper()
    kind = int(asked) if asked.isascii() and asked.isdigit() else _TYPES.get(asked)
    if not name or kind is None:
        raise Refusal(Response.of_json({"error": "Invalid name or type"}, 400))
    organization = organizations.get(name.removeprefix(LABEL)) if name.startswith(LABEL) else None
    records = organization.txt if organization else ()
    answer: dict[str, Any] = {
        "Status": _NO_ERROR if records else _NO_SUCH_NAME,
        "TC": False,
        "RD": True,
        "RA": True,
        "AD": False,
        "CD": False,
        "Question": [{"name": f"{name}.", "type": kind}],
    }
    if records and kind == _TXT:
        answer["Answer"] = [{"name": f"{name}.", "type": _TXT, "TTL": 300, "data": text} for text in records]
    return Response.of_json(answer)
