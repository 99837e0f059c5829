from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from freebusy.domain.event import InvitationDue
from freebusy.domain.upstream_due import UpstreamDue


class FakeInvitationQueue:
    """``waiting`` is what nobody took yet; what is put twice is queued once, as within FIFO's five minutes."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._seen: set[InvitationDue] = set()
        self.waiting: list[InvitationDue] = []

    def put(self, due: Sequence[InvitationDue]) -> None:
        with self._lock:
            for each in due:
                if each not in self._seen:
                    self._seen.add(each)
                    self.waiting.append(each)

    def take(self) -> list[InvitationDue]:
        """Everything that waits, in the order of its arrival."""
        with self._lock:
            taken, self.waiting = self.waiting, []
            return taken

    def postpone(self, receipt: str, *, received: int) -> None:
        """Nothing here was ever handed out by a receipt."""
        raise AssertionError(f"{receipt} was received {received} times elsewhere")


class FakeAccessQueue:
    """``waiting`` is what nobody took yet, ``delays`` how long each is kept back."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.delays: list[int] = []

    def put(self, request_ids: Sequence[str], *, delay: int = 0) -> None:
        self.waiting += request_ids
        self.delays += [delay] * len(request_ids)

    def postpone(self, receipt: str, *, received: int) -> None:
        raise AssertionError("nothing has to wait")


class FakeUpstreamQueue:
    """``waiting`` is what nobody took yet."""

    def __init__(self) -> None:
        self.waiting: list[UpstreamDue] = []

    def put(self, due: Sequence[UpstreamDue]) -> None:
        self.waiting += due

    def postpone(self, receipt: str, *, received: int) -> None:
        raise AssertionError("nothing has to wait")
