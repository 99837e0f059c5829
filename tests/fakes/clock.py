from __future__ import annotations

NOW = 1_800_000_000
"""Where a ``FakeClock`` starts: 2027-01-15T08:00:00Z."""


class FakeClock:
    """Stands still until it is told to move."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: int) -> None:
        self.now += seconds
