"""What an application may be registered with."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from freebusy.domain.application import MOST_LOGO_BYTES
from freebusy.domain.uri import LOOPBACK_HOSTS, split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

MOST_SECRETS = 2
"""Two, so that a new secret can be rolled out while the old one still works."""

MOST_REDIRECT_URIS = 50
MOST_ORIGINS = 20

MOST_REQUESTS_PER_MINUTE = 1_000_000

MOST_LOGO_PIXELS = 1024

_LONGEST_NAME = 100
_LONGEST_HOME_PAGE = 300
_LONGEST_URI = 2000
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"IDAT", b"IEND"})


def checked_name(name: str) -> str:
    """The name as people will see it on the consent page. Raises ``ValueError`` with what is wrong."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME:
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} characters")
    if not name.isprintable():
        raise ValueError("a name holds no control characters")
    return name


def checked_redirect_uri(uri: str) -> str:
    """Unchanged, since redirect URIs are compared as they are (RFC 9700, 2.1). Raises ``ValueError``.

    Plain http is for loopback hosts alone (RFC 8252, 7.3), and there is no fragment (RFC 6749, 3.1.2).
    """
    parts = split(uri)
    if "#" in uri:
        raise ValueError(f"a redirect URI has no fragment: {uri}")
    if len(uri) > _LONGEST_URI:
        raise ValueError(f"a redirect URI has at most {_LONGEST_URI} characters")
    _check_transport(parts, uri)
    return uri


def checked_origin(origin: str) -> str:
    """The origin as browsers send it (RFC 6454, 6.2): lower case, without a default port. Raises ``ValueError``."""
    parts = split(origin)
    if parts.path or parts.query or "?" in origin or "#" in origin:
        raise ValueError(f"an origin ends after its host and port: {origin}")
    _check_transport(parts, origin)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in {None, default} else "")


def checked_requests_per_minute(number: int) -> int:
    """Raises ``ValueError``."""
    if not 0 <= number <= MOST_REQUESTS_PER_MINUTE:
        raise ValueError(f"a limit is 0 (none) to {MOST_REQUESTS_PER_MINUTE} requests a minute")
    return number


def checked_home_page(uri: str) -> str:
    """An https address that people can go to. Raises ``ValueError``."""
    parts = split(uri)
    if len(uri) > _LONGEST_HOME_PAGE:
        raise ValueError(f"a home page has at most {_LONGEST_HOME_PAGE} characters")
    _check_transport(parts, uri)
    return uri


def checked_logo(image: bytes) -> bytes:
    """The PNG without what is not the picture itself, such as texts and dates. Raises ``ValueError``.

    https://www.w3.org/TR/png-3/ says what a PNG is made of. Browsers only ever see it as one, whatever else it may be.
    """
    if len(image) > MOST_LOGO_BYTES:
        raise ValueError(f"a logo has at most {MOST_LOGO_BYTES} bytes")
    if not image.startswith(_PNG):
        raise ValueError("a logo is a PNG")
    chunks = list(_png_chunks(image))
    kinds = [kind for kind, _ in chunks]
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or b"IDAT" not in kinds:
        raise ValueError("the PNG is damaged")
    width, height = int.from_bytes(chunks[0][1][8:12]), int.from_bytes(chunks[0][1][12:16])
    if not (1 <= width <= MOST_LOGO_PIXELS and 1 <= height <= MOST_LOGO_PIXELS):
        raise ValueError(f"a logo has at most {MOST_LOGO_PIXELS} pixels either way")
    return _PNG + b"".join(chunk for kind, chunk in chunks if kind in _PICTURE)


def _png_chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind of every chunk up to the last, and the whole chunk: length, kind, data and checksum."""
    start, kind = len(_PNG), b""
    while kind != b"IEND":
        end = start + 12 + int.from_bytes(image[start : start + 4])
        chunk, kind = image[start:end], image[start + 4 : start + 8]
        if end > len(image) or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise ValueError("the PNG is damaged")
        yield kind, chunk
        start = end


def _check_transport(parts: SplitResult, uri: str) -> None:
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError(f"plain http is for localhost, 127.0.0.1 and [::1] alone: {uri}")
