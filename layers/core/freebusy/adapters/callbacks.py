"""Sends callbacks over HTTP, one connection each, to an address that somebody else has checked.

httpx cannot be told where to connect without changing the URL, and bounds every step but not the whole: an answer that
trickles in a byte at a time would keep it for days. httpcore, which it is made of, takes a network of our own.
"""

from __future__ import annotations

import ssl
from functools import cached_property
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpcore

from freebusy.domain.errors import CallbackFailed, CallbackGone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from freebusy.domain.callback import Destination

CONNECT_SECONDS = 3.0
EXCHANGE_SECONDS = 10.0

_RECORD_BYTES = 16_384
"""What TLS writes in one piece (RFC 8446, 5.1), so that the time of one piece is bounded."""


class HttpCallbacks:
    """Implements ``ports.CallbackSender``."""

    def __init__(self, *, trusted: ssl.SSLContext | None = None, exchange_seconds: float = EXCHANGE_SECONDS) -> None:
        """``trusted`` are the authorities that TLS relies on, otherwise those that browsers do."""
        self._given = trusted
        self._exchange_seconds = exchange_seconds

    def post(self, destination: Destination, address: str, body: bytes, *, signature: str) -> None:
        try:
            status = self._status(destination, address, body, signature)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise CallbackFailed(_word_for(error)) from None
        if status == HTTPStatus.GONE:
            raise CallbackGone(f"status {status}")
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            raise CallbackFailed(f"status {status}")

    def _status(self, destination: Destination, address: str, body: bytes, signature: str) -> int:
        url = httpcore.URL(
            scheme=destination.scheme, host=destination.host, port=destination.port, target=destination.target
        )
        headers = [
            ("Host", destination.authority),
            ("User-Agent", "FreeBusyConnect"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cronofy-HMAC-SHA256", signature),
            ("Connection", "close"),
        ]
        connection = httpcore.HTTPConnection(
            url.origin, ssl_context=self._trusted, network_backend=_OneAddress(address, self._exchange_seconds)
        )
        # Whatever the answer holds besides its status is left where it is: the connection is closed on it.
        with connection, connection.stream("POST", url, headers=headers, content=body) as response:
            return response.status

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return self._given or httpcore.default_ssl_context()


def _word_for(error: Exception) -> str:
    """What ``error`` says itself may name hosts and quote certificates."""
    cause = error.__cause__
    return f"TLS: {cause.reason}" if isinstance(cause, ssl.SSLError) else type(error).__name__


class _OneAddress(httpcore.NetworkBackend):
    """A network that has one address, whatever host is asked for, and that is there for so many seconds."""

    def __init__(self, address: str, seconds: float) -> None:
        self._address = address
        self._deadline = monotonic() + seconds

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - its name may lead elsewhere by now
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the network knows its own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        connected = httpcore.SyncBackend().connect_tcp(
            self._address, port, min(CONNECT_SECONDS, self._left()), local_address, socket_options
        )
        return _Stream(connected, self._left)

    def _left(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time of the exchange is over")
        return left


class _Stream(httpcore.NetworkStream):
    """A connection of which every step has what is ``left`` for all of them."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        for first in range(0, len(buffer), _RECORD_BYTES):
            self._stream.write(buffer[first : first + _RECORD_BYTES], self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._left()), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
