"""The protocol's official SDKs, as far as a server can tell them apart: their requests, sent as they send them.

Read from their sources: pycronofy 2.1, cronofy of npm 3.8, the gem cronofy 0.41, Cronofy for .NET 1.12 and
cronofy-php of 2026. Only what they do by themselves is here, which is odd in places; nothing is added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Sdk:
    """``headers`` go with every request, ``content_type`` with every body.

    ``bearer_without_token`` is what ``Authorization`` says while the SDK has no access token, ``get_body`` what it
    sends with a GET, ``empty_body`` what with a POST that has no parameters, ``true`` and ``false`` are its
    spellings in a query, and ``brackets`` those of a list's name. ``forms`` are its requests to ``/oauth``.
    """

    name: str
    headers: Mapping[str, str]
    content_type: str = "application/json; charset=utf-8"
    bearer_without_token: str | None = None
    get_body: bytes | None = None
    empty_body: bytes | None = b"{}"
    true: str = "true"
    false: str = "false"
    brackets: str = "%5B%5D"
    forms: bool = False
    extra_in_code_exchange: Mapping[str, str] = field(default_factory=dict)

    def get(
        self, url: str, query: Mapping[str, Any] | None = None, *, bearer: str | None, body: bytes | None = None
    ) -> httpx.Response:
        """``body`` stands for what the SDK sends with a GET, if anything."""
        target = f"{url}?{self.query(query)}" if query else url
        return _send("GET", target, self._headers(bearer), body or self.get_body, self.content_type)

    def post(self, url: str, body: Any = None, *, bearer: str | None, host: str | None = None) -> httpx.Response:
        """``body`` is what becomes JSON, or bytes that are sent as they are; ``None`` is a call without parameters."""
        content = body if isinstance(body, bytes) else self.empty_body if body is None else json.dumps(body).encode()
        return _send("POST", url, self._headers(bearer, host), content, self.content_type)

    def delete(self, url: str, body: Any, *, bearer: str, query: Mapping[str, Any] | None = None) -> httpx.Response:
        target = f"{url}?{self.query(query)}" if query else url
        return _send("DELETE", target, self._headers(bearer), json.dumps(body).encode(), self.content_type)

    def post_oauth(
        self, url: str, fields: Mapping[str, str], *, bearer: str | None = None, host: str | None = None
    ) -> httpx.Response:
        if not self.forms:
            return self.post(url, fields, bearer=bearer, host=host)
        return _send("POST", url, self._headers(bearer, host), urlencode(fields).encode(), FORM)

    def query(self, parameters: Mapping[str, Any]) -> str:
        pairs = []
        for name, value in parameters.items():
            if isinstance(value, list):
                pairs += [f"{name}{self.brackets}={quote(element, safe='')}" for element in value]
            else:
                spelled = {True: self.true, False: self.false}[value] if isinstance(value, bool) else value
                pairs.append(f"{name}={quote(spelled, safe='')}")
        return "&".join(pairs)

    def _headers(self, bearer: str | None, host: str | None = None) -> dict[str, str]:
        authorization = f"Bearer {bearer}" if bearer else self.bearer_without_token
        return {
            **({"Host": host} if host else {}),
            **self.headers,
            **({"Authorization": authorization} if authorization else {}),
        }

    def __str__(self) -> str:
        return self.name


def _send(method: str, url: str, headers: dict[str, str], content: bytes | None, content_type: str) -> httpx.Response:
    if content is not None:
        headers["Content-Type"] = content_type
    with httpx.Client(timeout=30) as client:
        # A request that the client did not build itself gets none of its headers.
        return client.send(httpx.Request(method, url, headers=headers, content=content))


PYTHON = Sdk(
    "Python",
    {"User-Agent": "pycronofy 2.1.1", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
    content_type="application/json",
    bearer_without_token="Bearer None",
    get_body=b"{}",
    true="True",
    false="False",
)
NODE = Sdk(
    "Node",
    {
        "User-Agent": "Cronofy Node - 3.8.4",
        "Accept": "application/json, text/plain, */*",
        "Accept-Encoding": "gzip, deflate",
    },
    content_type="application/json",
    bearer_without_token="Bearer undefined",
    extra_in_code_exchange={"refresh_token": "of whom it served before"},
)
RUBY = Sdk(
    "Ruby",
    {
        "User-Agent": "Cronofy Ruby 0.41.2",
        "Accept": "*/*",
        "Accept-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    },
    empty_body=None,
    forms=True,
)
CSHARP = Sdk(
    "C#",
    # It means Accept-Encoding: its bodies are not compressed.
    {"User-Agent": "Cronofy .NET 1.12.8.0", "Content-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"},
)
PHP = Sdk(
    "PHP",
    {"User-Agent": "Cronofy PHP 1.0.0", "Accept": "*/*", "Accept-Encoding": "deflate, gzip, br"},
    empty_body=b"[]",
    brackets="[]",
)

SDKS = (PYTHON, NODE, RUBY, CSHARP, PHP)
