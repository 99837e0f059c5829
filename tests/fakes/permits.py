from __future__ import annotations


class FakePermits:
    def __init__(self) -> None:
        self.takes = 0
        self._taken: dict[tuple[str, int], int] = {}

    def take(self, client_id: str, window: int, *, wanted: int, limit: int, expires_at: int) -> int | None:
        assert expires_at > window
        self.takes += 1
        taken = self._taken.get((client_id, window), 0)
        if taken >= limit:
            return None
        self._taken[client_id, window] = taken + wanted
        return taken + wanted

    def erase(self, client_id: str) -> int:
        windows = [key for key in self._taken if key[0] == client_id]
        return len([self._taken.pop(key) for key in windows])
