"""How many calls may be under way at once for one thing, a mailbox say; answers that are late make them many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from local.simulators.server import Refusal, Response


class Concurrency:
    """``refusal`` is the answer to one call more than ``most``."""

    def __init__(self, most: int, refusal: Response) -> None:
        self._most = most
        self._refusal = refusal
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def counted(self, key: str | None) -> Iterator[None]:
        """While a call lasts; without a key it does not count. Raises ``Refusal``."""
        if key is None:
            yield
            return
        if self._under_way[key] >= self._most:
            raise Refusal(self._refusal)
        self._under_way[key] += 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
