"""What a warm sandbox knows for a while, to spare itself questions; nothing depends on its being known."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from freebusy.ports import Clock

MOST = 10_000


class Remembered:
    """Things, each for ``seconds``; where there would be more than ``MOST`` the oldest is forgotten."""

    def __init__(self, *, seconds: int, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._until: dict[Hashable, int] = {}

    def add(self, thing: Hashable) -> None:
        with self._lock:
            self._until.pop(thing, None)
            if len(self._until) >= MOST:
                del self._until[next(iter(self._until))]
            self._until[thing] = self._clock() + self._seconds

    def __contains__(self, thing: Hashable) -> bool:
        return self._until.get(thing, 0) > self._clock()
