"""Everything that the page shows of one week, read anew each time and all at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.demo_site import meetings
from local.demo_site.bands import written
from local.demo_site.inbox import Inbox
from local.demo_site.people import Kept, Person, Reading
from local.demo_site.week import Day, Week

READERS = 8


@dataclass(frozen=True, slots=True)
class Question:
    """For how long people are to meet; all of them but those ``without`` whom it goes."""

    week: Week
    minutes: int
    without: frozenset[str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """What one person's time is taken by, and the events among it that this application wrote."""

    person: Person
    reading: Reading
    events: Sequence[meetings.Event]


class Painter:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._readers = ThreadPoolExecutor(READERS)

    def picture(self, people: Collection[Person], question: Question) -> dict[str, Any]:
        """Raises Disconnected, Trouble and httpx.HTTPError."""
        asked = [person for person in people if person.sub not in question.without]
        subs = [person.sub for person in asked]
        starts = [start for day in question.week.days for start in _bookable(day, question)]
        reading = [self._readers.submit(_calendar, person, question) for person in people]
        letters = self._readers.submit(self._inbox.shown, [person.email for person in people])
        kept: Future[dict[datetime, Kept]] | None = None
        if asked:
            kept = self._readers.submit(asked[0].kept, subs, starts, question.minutes)
        calendars = [each.result() for each in reading]
        return {
            "people": [_person(calendar) for calendar in calendars],
            "days": [
                {"date": day.date.isoformat(), "start": written(day.start), "end": written(day.end)}
                for day in question.week.days
            ],
            "busy": {calendar.person.sub: _busy(calendar.reading) for calendar in calendars},
            "starts": _starts(question, subs, kept.result() if kept else {}),
            "meetings": meetings.shown({calendar.person.sub: calendar.events for calendar in calendars}),
            "letters": letters.result(),
        }


def _calendar(person: Person, question: Question) -> Calendar:
    week = question.week
    reading = person.read(week.start, week.end)
    events = person.events(min(week.start, question.now), max(week.end, question.now + meetings.AHEAD))
    return Calendar(person, reading, events)


def _bookable(day: Day, question: Question) -> list[datetime]:
    """Starts that are still to come, of meetings that end within the hours shown."""
    length = timedelta(minutes=question.minutes)
    return [start for start in day.starts() if start >= question.now and start + length <= day.end]


def _person(calendar: Calendar) -> dict[str, Any]:
    person, unreadable = calendar.person, calendar.reading.unreadable
    shown = {"sub": person.sub, "name": person.name, "email": person.email, "provider": person.provider}
    if unreadable is None:
        return shown
    return {**shown, "unreadable": unreadable, "relink_url": person.relink_url()}


def _busy(reading: Reading) -> list[dict[str, str]]:
    return [{"start": written(band.start), "end": written(band.end), "kind": band.kind} for band in reading.bands]


def _starts(question: Question, subs: Sequence[str], kept: Mapping[datetime, Kept]) -> list[dict[str, Any]]:
    """Every start of the week: which of these people are free then for the whole time, and what keeps the others."""
    length = timedelta(minutes=question.minutes)
    shown: list[dict[str, Any]] = []
    for day in question.week.days:
        bookable = set(_bookable(day, question))
        for start in day.starts():
            at = {"start": written(start), "end": written(start + length)}
            if start not in bookable:
                shown.append({**at, "outside": "past" if start < question.now else "late"})
                continue
            away = kept.get(start, {})
            shown.append({**at, "free": [sub for sub in subs if sub not in away], "kept": away})
    return shown
