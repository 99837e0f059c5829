"""Bearers, as they are stored: access and refresh tokens (RFC 6749, 1.4 and 1.5) and client secrets."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

ACCESS_TOKEN_LIFETIME = 3600
PUBLIC_REFRESH_TOKEN_IDLE_LIFETIME = 30 * 86400
PUBLIC_GRANT_LIFETIME = 180 * 86400
ROTATION_GRACE = 10
"""All in seconds."""


class TokenKind(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - the name of a kind, not a secret


class TokenRecord(NamedTuple):
    """What is stored about a bearer value, under its hash. Times are epoch seconds; ``None`` never expires.

    ``sub`` and ``grant_id`` are ``None`` only for client secrets. ``rotated_at`` is set once a public
    application's refresh token was exchanged for its successor, ``derived_with`` with it: the id of the data key
    that the successor was derived with.
    """

    kind: TokenKind
    client_id: str
    expires_at: int | None = None
    sub: str | None = None
    grant_id: str | None = None
    scope: str = ""
    rotated_at: int | None = None
    derived_with: int | None = None
