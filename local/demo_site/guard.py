"""What keeps other pages out.

The demo listens on the loopback, where every page that is open in the same browser can send requests to. So the Host
has to be ours (DNS rebinding), whatever changes something has to come from our own page (browsers send ``Origin`` with
every POST, and other sites cannot send JSON unasked), and the page itself loads nothing from elsewhere, runs no script
but ours and is never framed.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from local.demo_site.asked import refused
from local.processes import LOOPBACK
from local.simulators.server import Refusal, Request, Response

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

LETTER_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""What came by mail may look as it likes, and do nothing."""


class Guard:
    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._host = urlsplit(origin).netloc

    def check(self, request: Request) -> None:
        """Raises a refusal. ``localhost`` is sent on to the number, which cookies and the callback belong to."""
        host = request.headers.get("host")
        if request.method == "GET" and host == self._host.replace(LOOPBACK, "localhost"):
            raise Refusal(Response.to(self._origin))
        if host != self._host:
            raise refused(HTTPStatus.MISDIRECTED_REQUEST, f"This server is {self._origin}.")
        if request.method != "GET" and request.headers.get("origin") != self._origin:
            raise refused(HTTPStatus.FORBIDDEN, "Only the demo's own page may do that.")
