from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import RLock

from freebusy.domain.event import ManagedEvent, SentMark
from freebusy.domain.event_span import span
from freebusy.domain.free_busy import Period
from tests.fakes.erasing import erase_from


class FakeEvents:
    def __init__(self, *events: ManagedEvent) -> None:
        self._lock = RLock()
        self._events: dict[tuple[str, str], ManagedEvent] = {}
        for event in events:
            assert self.save(event, over=None)

    def find(self, sub: str, event_id: str) -> ManagedEvent | None:
        return self._events.get((sub, event_id))

    def find_by_organizer(self, organizer: str) -> ManagedEvent | None:
        return next((event for event in self._every() if event.organizer == organizer.lower()), None)

    def save(self, event: ManagedEvent, *, over: int | None) -> bool:
        with self._lock:
            stored = self.find(event.sub, event.event_id)
            if (stored and stored.version) != over:
                return False
            self._events[event.sub, event.event_id] = event._replace(version=1 if over is None else over + 1)
            return True

    def overlapping(self, sub: str, window: Period) -> Sequence[ManagedEvent]:
        spans = [(span(event.details), event) for event in self.all_of(sub)]
        found = [event for (start, end), event in spans if start < window.end and window.start < end]
        return sorted(found, key=lambda event: event.details.when.start)

    def all_of(self, sub: str) -> Iterator[ManagedEvent]:
        return iter([event for event in self._every() if event.sub == sub])

    def erase(self, client_id: str) -> int:
        return erase_from(self._events, lambda event: event.client_id == client_id)

    def _every(self) -> list[ManagedEvent]:
        with self._lock:
            return list(self._events.values())


class FakeInvitationLog:
    def __init__(self) -> None:
        self._lock = RLock()
        self._marks: dict[tuple[str, str, str], SentMark] = {}

    def sent(self, event: ManagedEvent, recipient: str) -> SentMark | None:
        return self._marks.get((event.sub, event.uid, recipient))

    def mark(self, event: ManagedEvent, recipient: str, sent: SentMark) -> None:
        with self._lock:
            known = self.sent(event, recipient)
            if known is None or known.revision <= sent.revision:
                self._marks[event.sub, event.uid, recipient] = sent
