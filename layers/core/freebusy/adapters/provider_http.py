"""Calls to a provider: bounded in time and size, repeated where that helps, every failure in our words.

Nothing that the provider or the network said becomes part of a message: bodies hold what people would not
share, and a transport error may quote the header that carried a token.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import wraps
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx

from freebusy.domain.errors import ProviderError, ProviderMisconfigured, ProviderUnavailable
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CALL_SECONDS = 8.0
CONNECT_SECONDS = 3.0
MOST_BYTES = 10 * 1024 * 1024
"""Larger than any answer we ask for: 1000 entries of a schedule are about 300 KB."""
MOST_ATTEMPTS = 5
FIRST_WAIT = 0.4
LONGEST_WAIT = 5.0

_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time comes from; tests own it."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


REAL_TIME = Timing()


@dataclass(frozen=True, slots=True)
class Answer:
    """A success has a JSON object as its body; a refusal may have none, and then ``body`` is empty."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        return HTTPStatus(200) <= self.status < HTTPStatus(300)


Asked = ParamSpec("Asked")
Told = TypeVar("Told")


def measured(
    provider: Literal["google", "microsoft", "cronofy"],
) -> Callable[[Callable[Asked, Told]], Callable[Asked, Told]]:
    """For a method by which a port asks the provider: each call, with all that is repeated in it, is one measurement.

    A provider's trouble is what more of its users would meet too; that somebody withdrew their consent is none.
    """

    def asking(ask: Callable[Asked, Told]) -> Callable[Asked, Told]:
        @wraps(ask)
        def timed(*args: Asked.args, **kwargs: Asked.kwargs) -> Told:
            with _measuring(provider):
                return ask(*args, **kwargs)

        return timed

    return asking


@contextmanager
def _measuring(provider: str) -> Iterator[None]:
    began, trouble = time.perf_counter(), 0
    try:
        yield
    except ProviderError as error:
        trouble = int(isinstance(error, ProviderUnavailable | ProviderMisconfigured))
        take(Measure.PROVIDER_FAILURES, provider, error.reason)
        raise
    finally:
        take(Measure.PROVIDER_TIME, provider, value=round((time.perf_counter() - began) * 1000))
        take(Measure.PROVIDER_TROUBLE, provider, value=trouble)


class ProviderHttp:
    """One provider's hosts. ``origin`` stands in for them on the laptop: paths stay, scheme and host are replaced."""

    def __init__(self, http: httpx.Client, *, origin: str | None, timing: Timing = REAL_TIME) -> None:
        self._http = http
        self._origin = origin and urlsplit(origin)
        self._timing = timing
        # One client speaks for everybody, and sign-in services set cookies that tell people apart.
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def address(self, url: str) -> str:
        if not self._origin:
            return url
        return urlunsplit(urlsplit(url)._replace(scheme=self._origin.scheme, netloc=self._origin.netloc))

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        throttled: Callable[[Answer], bool] = lambda _: False,
        bodyless: bool = False,
        **content: Any,
    ) -> Answer:
        """The provider's answer, which may be a refusal other than "try again".

        A silent provider, a 5xx, a 429 and what ``throttled`` recognises are tried again: after exactly the
        time of ``Retry-After``, otherwise with exponential backoff and jitter. When that would end after
        ``deadline`` (on the monotonic clock), there is no waiting at all. Of a ``bodyless`` call, a success need not
        have a body. ``content`` goes to httpx as it is. Raises ProviderUnavailable.
        """
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                answer = self._attempt(method, self.address(url), deadline, content, bodyless=bodyless)
            except httpx.TransportError as error:
                trouble, retry_after = type(error).__name__, None
            else:
                if not _transient(answer) and not throttled(answer):
                    return answer
                trouble, retry_after = str(answer.status), answer.retry_after
            wait = self._wait(retry_after, attempt)
            if attempt == MOST_ATTEMPTS or self._timing.monotonic() + wait >= deadline:
                break
            self._timing.sleep(wait)
        raise ProviderUnavailable(f"{urlsplit(url).hostname}: {trouble} after {attempt} attempts")

    def _attempt(
        self, method: str, address: str, deadline: float, content: Mapping[str, Any], *, bodyless: bool
    ) -> Answer:
        started = self._timing.monotonic()
        seconds = min(CALL_SECONDS, deadline - started)
        if seconds <= 0:
            raise ProviderUnavailable("no time is left to ask")
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
        try:
            with self._http.stream(method, address, timeout=timeout, follow_redirects=False, **content) as response:
                if response.is_redirect:
                    raise ProviderUnavailable("the provider sent us elsewhere")
                body = self._body(response, until=started + seconds)
        except httpx.TransportError:
            raise
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            raise ProviderUnavailable(f"the exchange failed: {type(error).__name__}") from None
        parsed = _json_object(body)
        if parsed is None and response.is_success and not bodyless:
            raise ProviderUnavailable("the answer is not a JSON object")
        return Answer(response.status_code, parsed or {}, response.headers.get("retry-after"))

    def _body(self, response: httpx.Response, *, until: float) -> bytes:
        """The client bounds the silence between two pieces; the whole has to be bounded here."""
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise ProviderUnavailable("the answer is too long")
            if self._timing.monotonic() >= until:
                raise httpx.ReadTimeout("the answer trickles", request=response.request)
        return bytes(body)

    def _wait(self, retry_after: str | None, attempt: int) -> float:
        if retry_after and (asked := _asked_wait(retry_after, self._timing.now())) is not None:
            return asked
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter guards no secret


def _transient(answer: Answer) -> bool:
    return answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRANSIENT


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _asked_wait(retry_after: str, now: float) -> float | None:
    """Seconds by ``Retry-After``, which is a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    try:
        if retry_after.strip().isdecimal():
            return float(retry_after)
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
    except (ValueError, OverflowError):
        return None
