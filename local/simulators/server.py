"""HTTP/1.1 on loopback over asyncio and h11: keep-alive, one write per answer, no thread per waiting caller."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus

import h11

from local.simulators.faults import Operation

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 4 << 20
_CHUNK = 1 << 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """``path`` and ``query`` are as sent, percent-encoded; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def origin(self) -> str:
        return f"http://{self.headers.get('host', LOOPBACK)}"

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def bearer(self) -> str | None:
        """The access token of RFC 6750, 2.1; the other places it may stand in are not looked at."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        """Client id and secret, form-encoded before base64 (RFC 6749, 2.3.1)."""
        scheme, _, credentials = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return unquote_plus(name), unquote_plus(secret)

    @cached_property
    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(self.query, keep_blank_values=True)

    @cached_property
    def form(self) -> dict[str, list[str]] | None:
        """None when the body says that it is something else than a form."""
        if not self._is("application/x-www-form-urlencoded"):
            return None
        return parse_qs(self.text, keep_blank_values=True)

    @property
    def json(self) -> Any:
        """Raises ``ValueError`` when the body is not JSON, or does not say that it is."""
        if not self._is("application/json"):
            raise ValueError("the Content-Type is not application/json")
        return json.loads(self.body)

    def _is(self, media_type: str) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == media_type


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        encoded = json.dumps(body, separators=(",", ":")).encode()
        return cls(status, encoded, {"Content-Type": "application/json; charset=UTF-8", **(headers or {})})

    @classmethod
    def of_html(cls, page: str, status: int = 200) -> Response:
        headers = {
            "Content-Type": "text/html; charset=UTF-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        }
        return cls(status, page.encode(), headers)

    @classmethod
    def to(cls, location: str) -> Response:
        return cls(HTTPStatus.FOUND, b"", {"Location": location, "Cache-Control": "no-store"})


class Refusal(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


Handler = Callable[..., Response]
Application = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """A method and a path like ``/{tenant}/token``; the named parts go to the handler, percent-decoded.

    ``operation`` names the fault that may strike here, and ``limit`` lasts as long as a call does: it may refuse one.
    """

    method: str
    template: str
    handler: Handler
    operation: Callable[[Request], Operation] | None = None
    limit: Callable[[Request, Mapping[str, str]], AbstractContextManager[None]] = lambda *_: nullcontext()

    @cached_property
    def _path(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.template)))

    def answer(self, request: Request, parts: Mapping[str, str]) -> Response:
        try:
            return self.handler(request, **parts)
        except Refusal as refusal:
            return refusal.response

    def parts_of(self, request: Request) -> dict[str, str] | None:
        """None when the request is for another route."""
        found = self._path.fullmatch(request.path) if request.method == self.method else None
        return found and {name: unquote(part) for name, part in found.groupdict().items()}


def route_of(request: Request, routes: Sequence[Route]) -> tuple[Route, dict[str, str]]:
    """The route and the named parts of its path; a refusal with 404 when there is none."""
    for route in routes:
        parts = route.parts_of(request)
        if parts is not None:
            return route, parts
    raise Refusal(Response.of_json({"error": f"the simulator has no {request.method} {request.path}"}, 404))


@asynccontextmanager
async def listening(application: Application, port: int, *, largest_body: int = LARGEST_BODY) -> AsyncIterator[int]:
    """Serves until the context ends; gives the port, which the system chooses when asked for 0."""
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.current_task()
        assert conversation is not None  # noqa: S101 - asyncio runs this as a task of its own
        conversations.add(conversation)
        try:
            await _converse(application, reader, writer, largest_body)
        except (ConnectionError, asyncio.CancelledError):
            _log.debug("a caller hung up, or this server stops")  # which alone cancels conversations
        finally:
            conversations.discard(conversation)
            writer.close()

    server = await asyncio.start_server(converse, LOOPBACK, port, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await server.wait_closed()


async def _converse(
    application: Application, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, largest_body: int
) -> None:
    """All requests of one connection, one after the other."""
    connection = h11.Connection(h11.SERVER)
    try:
        while request := await _received(connection, reader, writer, largest_body):
            writer.write(_encoded(connection, await _answer(application, request)))
            await writer.drain()
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            refusal = Response(error.error_status_hint, str(error).encode(), {"Connection": "close"})
            writer.write(_encoded(connection, refusal))


async def _received(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, largest_body: int
) -> Request | None:
    """The next request, or None when the caller has nothing more to say."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > largest_body:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode("latin-1").partition("?")
    headers: dict[str, str] = {}
    for name, value in head.headers:
        known = headers.get(name.decode("latin-1"))
        text = value.decode("latin-1")
        headers[name.decode("latin-1")] = text if known is None else f"{known}, {text}"
    return Request(head.method.decode("latin-1"), path, query, headers, body)


async def _answer(application: Application, request: Request) -> Response:
    try:
        return await application(request)
    except Refusal as refusal:
        return refusal.response
    except Exception:  # noqa: BLE001 - a fault of ours must not look like one of the caller's
        _log.exception("the simulator failed at %s %s", request.method, request.path)
        return Response.of_json({"error": "the simulator failed; its log says why"}, 500)


def _encoded(connection: h11.Connection, response: Response) -> bytes:
    """The whole answer as one piece: head and body in two packets would wait for each other (Nagle)."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers.items()]
    if response.status != HTTPStatus.NO_CONTENT:
        headers.append((b"Content-Length", str(len(response.body)).encode()))
    events: list[h11.Event] = [
        h11.Response(status_code=response.status, headers=headers, reason=_phrase(response.status)),
        h11.Data(data=response.body),
        h11.EndOfMessage(),
    ]
    return b"".join(connection.send(event) or b"" for event in events)


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
