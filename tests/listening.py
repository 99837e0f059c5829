"""An application's server, on the loopback: it notes what it is sent and answers what the test wants."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Respond = Callable[[socket.socket, Event], None]


@dataclass(frozen=True)
class Received:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """``connections`` counts those that were made, whether or not anything was sent over them."""

    port: int
    received: list[Received] = field(default_factory=list)
    connections: int = 0


@contextmanager
def listening(answer: bytes | Respond = OK, *, tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    """``answer`` is what is sent back, or what is done with the connection until the event is set."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        listener, over = Listener(server.getsockname()[1]), Event()
        thread = Thread(target=_serve, args=(server, listener, answer, tls, over))
        thread.start()
        try:
            yield listener
        finally:
            over.set()
            thread.join()


def _serve(
    server: socket.socket, listener: Listener, answer: bytes | Respond, tls: ssl.SSLContext | None, over: Event
) -> None:
    while not over.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        listener.connections += 1
        connection.settimeout(10)
        with suppress(OSError), connection if tls is None else tls.wrap_socket(connection, server_side=True) as stream:
            listener.received.append(_request(stream))
            if callable(answer):
                answer(stream, over)
            else:
                stream.sendall(answer)
        connection.close()


def _request(stream: socket.socket) -> Received:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += _some(stream)
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    while len(body) < int(headers["content-length"]):
        body += _some(stream)
    return Received(line, headers, body)


def _some(stream: socket.socket) -> bytes:
    if not (read := stream.recv(65_536)):
        raise ConnectionError("the request ends early")
    return read
