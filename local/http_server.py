"""A small HTTP/1.1 server: h11 for the protocol, asyncio for the sockets.

It carries the gateway and the Lambda Runtime API, both of which must answer in a fraction of a millisecond
and hold requests open; asyncio sets TCP_NODELAY, and each answer leaves in one write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import h11

from local.processes import LOOPBACK

logger = logging.getLogger(__name__)

_CHUNK = 1 << 16
_HEAD_LIMIT = 1 << 16
_KNOWN = {status.value for status in HTTPStatus}

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """``target`` is path and query as sent; header names are lower-cased; ``body`` is None when it passed the limit."""

    method: str
    target: str
    protocol: str
    headers: Headers
    body: bytes | None
    peer: str


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Headers = ()
    body: bytes = b""


Answer = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """Answers every request by one coroutine. ``body_limit`` bytes of a body are kept, the rest is read and dropped."""

    def __init__(self, answer: Answer, *, body_limit: int) -> None:
        self._answer = answer
        self._body_limit = body_limit
        self._conversations: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def listen(self, port: int = 0) -> int:
        """Starts listening on the loopback; the port is returned. Raises OSError when it is taken."""
        self._listener = await asyncio.start_server(self._accept, LOOPBACK, port, backlog=512)
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        if self._listener:
            self._listener.close()
        for conversation in self._conversations:
            conversation.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
        try:
            while request := await self._read(connection, reader, writer):
                response = await self._answer(request)
                writer.write(_encode(connection, request, response))
                await writer.drain()
                if connection.our_state is not h11.DONE:
                    break
                connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            writer.write(_refusal(connection, error.error_status_hint))
        except ConnectionError:
            pass  # The client went away; nobody is left to tell.
        except Exception:
            logger.exception("a conversation failed")
        finally:
            with suppress(ConnectionError):
                writer.close()

    async def _read(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        head: h11.Request | None = None
        body: list[bytes] = []
        size = 0
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
                    writer.write(connection.send(go_on) or b"")
                connection.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size <= self._body_limit:
                    body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head:
                return Request(
                    method=head.method.decode("latin-1"),
                    target=head.target.decode("latin-1"),
                    protocol=f"HTTP/{head.http_version.decode()}",
                    headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers],
                    body=b"".join(body) if size <= self._body_limit else None,
                    peer=writer.get_extra_info("peername")[0],
                )
            else:
                return None


def _encode(connection: h11.Connection, request: Request, response: Response) -> bytes:
    """The answer as one packet. A HEAD has the length of its answer but not the answer (RFC 9110, 9.3.2)."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    bodiless = response.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
    if not bodiless:
        headers.append((b"content-length", str(len(response.body)).encode()))
    packet = connection.send(_head(response.status, headers)) or b""
    if response.body and not bodiless and request.method != "HEAD":
        packet += connection.send(h11.Data(data=response.body)) or b""
    return packet + (connection.send(h11.EndOfMessage()) or b"")


def _refusal(connection: h11.Connection, status: int) -> bytes:
    """What a client gets that does not speak HTTP well enough to be understood; the connection ends with it."""
    if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
        return b""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    return (connection.send(_head(status, headers)) or b"") + (connection.send(h11.EndOfMessage()) or b"")


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> h11.Response:
    reason = HTTPStatus(status).phrase if status in _KNOWN else ""
    dated = [(b"date", formatdate(usegmt=True).encode()), *headers]
    return h11.Response(status_code=status, reason=reason, headers=dated)
