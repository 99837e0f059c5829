"""Who is connected in which browser: in memory only, gone with the process."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from local.demo_site.people import Person

MOST_SESSIONS = 100
MOST_PEOPLE = 6
MOST_TRIPS = 20


@dataclass
class Session:
    """``trips`` are the states of connections that were begun; ``notice`` is what the page says next."""

    people: dict[str, Person] = field(default_factory=dict)
    trips: list[str] = field(default_factory=list)
    notice: dict[str, str] | None = None

    def set_out(self) -> str:
        """The ``state`` of a new trip to the service, good for one return to this browser (RFC 6749, 10.12)."""
        state = secrets.token_urlsafe(16)
        self.trips = [*self.trips, state][-MOST_TRIPS:]
        return state

    def returns(self, state: str) -> bool:
        known = state in self.trips
        self.trips = [trip for trip in self.trips if trip != state]
        return known

    def say(self, kind: str, text: str) -> None:
        """``kind`` is ``good`` or ``bad``."""
        self.notice = {"kind": kind, "text": text}

    def heard(self) -> dict[str, str] | None:
        """What there is to say; the next time nothing."""
        notice, self.notice = self.notice, None
        return notice

    def forget(self, sub: str) -> None:
        """Somebody's authorization has ended, wherever that was done."""
        if gone := self.people.pop(sub, None):
            self.say("bad", f"{gone.name} is no longer connected.")


class Sessions:
    """By a random name that only the browser's cookie knows. Of too many, those not used for longest are forgotten."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = Lock()

    def find(self, name: str) -> Session | None:
        with self._lock:
            if name in self._sessions:
                self._sessions.move_to_end(name)
            return self._sessions.get(name)

    def begin(self) -> tuple[str, Session]:
        name, session = secrets.token_urlsafe(32), Session()
        with self._lock:
            self._sessions[name] = session
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return name, session
