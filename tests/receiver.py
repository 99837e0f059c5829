"""An application's own server on loopback: what is POSTed to it, as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.waiting import until


@dataclass(frozen=True)
class Callback:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def authorization(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)["authorization"]
        return told

    @property
    def notification(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)["notification"]
        return told


@dataclass
class Receiver:
    """``refusals`` is how many of the next requests are answered 503 instead of 200; those do not count as received."""

    url: str = ""
    refusals: int = 0
    received: list[Callback] = field(default_factory=list)
    refused: list[Callback] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, callback: Callback) -> int:
        with self._lock:
            if self.refusals:
                self.refusals -= 1
                self.refused.append(callback)
                return 503
            self.received.append(callback)
            return 200

    def wait_for(self, count: int) -> list[Callback]:
        """What was received, as soon as it is this many."""
        return until(lambda: list(self.received), lambda received: len(received) >= count)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(Callback(self.path, dict(self.headers), body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            """What was received so far, for whoever drives another language's SDK."""
            body = json.dumps([json.loads(callback.body) for callback in receiver.received]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing, as tests say themselves what went wrong."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, name="receiver")
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
