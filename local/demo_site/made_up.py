"""Made-up people with plausible weeks, for whoever has no calendar at hand.

They wait at the sign-in pages of the simulated providers, whose control surface gives them their calendars. The demo
does nothing else behind the service's back, and says on its page that it does this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

import httpx

WEEKS = 30
TIMEOUT = 10.0

_SKIPPED = 0.15
"""How often something that recurs does not take place."""

_EXTRAS = 3
"""Meetings in a week that do not recur."""

Slot = tuple[str, str, str, str]
"""Weekdays (``Mon`` to ``Fri``, as one string), start, end, and the status that the provider shows."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Google shows only that people are busy; Microsoft also tells tentative and out of office."""

    email: str
    provider: str
    recurring: tuple[Slot, ...]

    @property
    def first_name(self) -> str:
        return self.email.partition(".")[0].capitalize()


PEOPLE = (
    MadeUp(
        "ana.silva@example.com",
        "google",
        (
            ("Mon Tue Wed Thu Fri", "09:30", "09:45", "busy"),
            ("Mon Wed", "11:00", "12:00", "busy"),
            ("Tue Thu", "13:00", "14:30", "busy"),
            ("Fri", "14:00", "17:00", "busy"),
        ),
    ),
    MadeUp(
        "chen.wei@example.com",
        "google",
        (
            ("Mon Tue Wed Thu Fri", "08:00", "09:00", "busy"),
            ("Mon Tue Wed Thu Fri", "12:00", "12:45", "busy"),
            ("Tue", "15:00", "17:00", "busy"),
            ("Thu", "09:00", "10:30", "busy"),
        ),
    ),
    MadeUp(
        "ben.okafor@contoso.example",
        "microsoft",
        (
            ("Mon Tue Wed Thu Fri", "12:30", "13:15", "busy"),
            ("Mon", "09:00", "10:30", "busy"),
            ("Tue Thu", "10:00", "11:00", "busy"),
            ("Wed", "14:00", "16:00", "tentative"),
            ("Fri", "08:00", "12:00", "oof"),
        ),
    ),
    MadeUp(
        "dina.haddad@contoso.example",
        "microsoft",
        (
            ("Mon Wed Fri", "08:30", "09:15", "busy"),
            ("Tue", "11:00", "12:30", "busy"),
            ("Mon Thu", "16:00", "17:30", "busy"),
            ("Wed", "10:00", "11:00", "tentative"),
        ),
    ),
)


def introduce(origins: Mapping[str, str], today: date) -> None:
    """Gives those their calendars whose provider is simulated. Raises httpx.HTTPError."""
    for person in waiting(origins):
        busy = [entry for monday in _mondays(today) for entry in week(person, monday)]
        address = f"{origins[person.provider]}/sim/users/{person.email}"
        httpx.put(address, json={"busy": busy}, timeout=TIMEOUT).raise_for_status()


def waiting(origins: Mapping[str, str]) -> list[MadeUp]:
    return [person for person in PEOPLE if person.provider in origins]


def week(person: MadeUp, monday: date) -> Iterator[dict[str, str]]:
    """The person's week in the zone of this machine; the same every time it is asked for."""
    chance = Random(f"{person.email} {monday}")  # noqa: S311 - a calendar, not a secret
    for weekdays, start, end, status in person.recurring:
        for number, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri")):
            if name in weekdays and chance.random() > _SKIPPED:
                day = monday + timedelta(days=number)
                yield _entry(day, time.fromisoformat(start), time.fromisoformat(end), status)
    for _ in range(_EXTRAS):
        day = monday + timedelta(days=chance.randrange(5))
        begin = datetime.combine(day, time(9)) + chance.randrange(16) * timedelta(minutes=30)
        until = begin + chance.choice((30, 45, 60)) * timedelta(minutes=1)
        yield _entry(day, begin.time(), until.time(), "busy")


def _mondays(today: date) -> list[date]:
    monday = today - timedelta(days=today.weekday())
    return [monday + timedelta(weeks=number) for number in range(-1, WEEKS)]


def _entry(day: date, start: time, end: time, status: str) -> dict[str, str]:
    """A naive time is one of this machine's zone, where the browser is too."""
    begin, until = (datetime.combine(day, at).astimezone(UTC) for at in (start, end))
    return {"start": begin.isoformat(), "end": until.isoformat(), "status": status}
