"""Counting requests, and telling callers how they stand.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/ is the rule for ``RateLimit`` and
``RateLimit-Policy``, RFC 9110, 10.2.3, that for ``Retry-After``.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from freebusy.domain.errors import TooManyRequests

if TYPE_CHECKING:
    from freebusy.service.rate_limits import Standing

POLICY = "application"

_standing: ContextVar[Standing | None] = ContextVar("standing", default=None)
"""Of the application whose request is being answered, from where it was counted to where its answer is sent."""


def count_request(client_id: str) -> None:
    """One more of this application, whatever becomes of it. Raises TooManyRequests."""
    from freebusy.bootstrap import dependencies  # pages and documents are not counted

    standing = dependencies().rate_limiter.count(client_id)
    _standing.set(standing)
    if standing and not standing.admitted:
        raise TooManyRequests(client_id)


def forget_standing() -> None:
    _standing.set(None)


def standing_headers() -> dict[str, str]:
    """Of the request that was counted last; nothing where none was, or where there is no limit."""
    standing = _standing.get()
    if standing is None:
        return {}
    headers = {
        "RateLimit-Policy": f'"{POLICY}";q={standing.limit};w={standing.window}',
        "RateLimit": f'"{POLICY}";r={standing.remaining};t={standing.seconds_left}',
    }
    return headers if standing.admitted else {**headers, "Retry-After": str(standing.seconds_left)}
