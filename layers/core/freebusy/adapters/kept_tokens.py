"""Access tokens that can be had again at any time, kept in memory between requests."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from freebusy.domain.account import ProviderCredential
from freebusy.domain.errors import AccessTokenRejected, DelegationMissing, ProviderUnavailable

if TYPE_CHECKING:
    from freebusy.adapters.provider_http import Timing

T = TypeVar("T")
Ask = Callable[[], ProviderCredential]

MOST_KEPT = 1000
"""What was used longest ago is forgotten first. A token has 2 KB at most."""

MARGIN = 300
"""Seconds before its end from which on a token is not used any more."""

KNOWS_BETTER_SECONDS = 60
"""A token this old may have been issued before the administrator let us in; a younger one is believed."""


@dataclass(frozen=True, slots=True)
class _Kept:
    token: ProviderCredential
    since: float


class KeptTokens:
    """Safe to share between threads: of those that need the same token, one asks for it and the others wait."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._under_way: dict[Hashable, Future[_Kept]] = {}

    def new(self, key: Hashable, ask: Ask) -> ProviderCredential:
        """A token that is asked for in any case, and then kept. Raises what ``ask`` raises."""
        return self._keep(key, ask()).token

    def reading(self, key: Hashable, ask: Ask, read: Callable[[str], T], *, deadline: float) -> T:
        """What ``read`` makes of an access token; of a kept one that is out of date, once more with a new one.

        Raises what ``ask`` and ``read`` raise, except AccessTokenRejected: a new token that is refused right away
        is the provider's trouble.
        """
        kept = self._find(key)
        if kept is not None:
            try:
                return read(kept.token.access_token)
            except AccessTokenRejected:
                pass
            except DelegationMissing:
                if self._timing.monotonic() - kept.since < KNOWS_BETTER_SECONDS:
                    raise
        another = self._another(key, ask, instead_of=kept, deadline=deadline)
        try:
            return read(another.token.access_token)
        except AccessTokenRejected as error:
            raise ProviderUnavailable(f"a new access token is not taken: {error}") from None

    def _find(self, key: Hashable) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.token.expires_at - MARGIN <= self._timing.now():
                return None
            self._kept.move_to_end(key)
            return kept

    def _another(self, key: Hashable, ask: Ask, *, instead_of: _Kept | None, deadline: float) -> _Kept:
        found = self._find(key)
        if found is not None and found is not instead_of:
            return found  # Another thread was refused too, and has asked already.
        with self._lock:
            under_way = self._under_way.get(key)
            future = self._under_way.setdefault(key, Future())
        if under_way is not None:
            return self._awaited(under_way, deadline)
        try:
            kept = self._keep(key, ask())
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            future.set_result(kept)
            return kept
        finally:
            with self._lock:
                del self._under_way[key]

    def _awaited(self, under_way: Future[_Kept], deadline: float) -> _Kept:
        try:
            return under_way.result(timeout=max(0.0, deadline - self._timing.monotonic()))
        except TimeoutError:
            raise ProviderUnavailable("no access token came in time") from None

    def _keep(self, key: Hashable, token: ProviderCredential) -> _Kept:
        kept = _Kept(token, self._timing.monotonic())
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return kept
