"""What must not be in any log: a word that tests put everywhere, and all that opens something or names somebody."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

CANARY = "kanarienvogel"
"""Part of every address, name, title, state and body that a test makes up to look for it afterwards."""

SHORTEST = 16
"""Characters of a token; what is shorter could be any word."""

_OPENING = {
    "access_token",
    "assertion",
    "authorization",
    "client_secret",
    "code",
    "code_verifier",
    "cookie",
    "id_token",
    "link_token",
    "next_page",
    "nonce",
    "private_key",
    "refresh_token",
    "set-cookie",
    "state",
    "token",
}
"""Names of what opens something, in bodies, queries, forms and headers."""

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def disguises(word: str) -> set[str]:
    """A word as it is, and as base64 has the middle of it at each of its three places."""
    coded = (b64encode(bytes(before) + word.encode())[4:-4].decode() for before in range(3))
    return {word, *coded}


def seen_in(exchange: Mapping[str, Any]) -> Iterator[str]:
    """What opens something or names somebody, in an exchange with the service or a provider."""
    headers = {name.lower(): value for name, value in exchange.get("headers", {}).items()}
    texts = [exchange.get(name) or "" for name in ("sent", "body", "query")]
    yield from _opening(headers.items())
    yield from _opening(parse_qsl(urlsplit(headers.get("location", "")).query))
    for text in texts:
        yield from _ADDRESS.findall(unquote(text))
        yield from _opening(_named(text))


def _named(text: str) -> Iterator[tuple[str, Any]]:
    try:
        yield from _members(json.loads(text))
    except ValueError:
        yield from parse_qsl(text)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _members(each)


def _opening(named: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for name, value in named:
        if name in _OPENING and isinstance(value, str):
            opening = value.rpartition("/")[2] if name == "next_page" else value  # an address, whose route is no secret
            yield from (part for part in re.split(r"[\s=;,/]+", opening) if len(part) >= SHORTEST)


def found(secrets: Iterable[str], log: str) -> list[str]:
    """The lines of a log in which one of these is, whatever its case."""
    low = log.lower()
    present = {secret.lower() for secret in secrets if secret.lower() in low}
    return [line for line in log.splitlines() if any(secret in line.lower() for secret in present)]
