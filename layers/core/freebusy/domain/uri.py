"""Reading the URIs that applications name, so strictly that no two readers could understand them differently."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")


def split(uri: str) -> SplitResult:
    """Its parts; the host is in lower case, and an IPv6 address without its brackets.

    Raises ``ValueError`` for what is no absolute http or https URI, or holds a user name or a password.
    """
    if not _CHARACTERS.fullmatch(uri):
        raise ValueError(f"not a URI (spaces and letters beyond ASCII are percent-encoded): {uri!r}")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"not a URI: {uri}") from error
    if parts.scheme not in {"https", "http"} or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(f"not an absolute https URI: {uri}")
    if "@" in parts.netloc:
        raise ValueError("a URI must not hold a user name or a password")
    return parts
