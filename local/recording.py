"""What the service was asked and what it answered, kept in a file for tests, which compare it with the API's document.

It holds tokens and everything else that goes over the wire, and so is for the laptop's made-up people alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from local.http_server import Request, Response

Witness = Callable[[Request, Response], None]


def recorder(file: str | None) -> Witness | None:
    """Adds a line of JSON for every exchange; None where no file is named."""
    if not file:
        return None
    path = Path(file)

    def record(request: Request, response: Response) -> None:
        line = json.dumps(
            {
                "method": request.method,
                "path": request.target.partition("?")[0],
                "sent": (request.body or b"").decode("utf-8", "replace"),
                "status": response.status,
                "headers": dict(response.headers),
                "body": response.body.decode("utf-8", "replace"),
            }
        )
        with path.open("a", encoding="utf-8") as opened:
            opened.write(f"{line}\n")

    return record
