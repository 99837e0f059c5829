"""The files of the page: HTML, CSS and ES modules, served as they are."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path

from local.demo_site.asked import refused
from local.simulators.server import Response

HTML = "text/html; charset=utf-8"
_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def file(name: str) -> Response:
    """Raises a refusal for any other name, whatever path it spells."""
    if name not in _files():
        raise refused(HTTPStatus.NOT_FOUND, "There is nothing here.")
    return _files()[name]


@cache
def _files() -> dict[str, Response]:
    return {
        path.name: Response(HTTPStatus.OK, path.read_bytes(), {"Content-Type": _TYPES[path.suffix]})
        for path in _FOLDER.iterdir()
    }
