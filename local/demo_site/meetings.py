"""Meetings that the demo books.

A meeting is one managed event for each participant, in their own account, all under the same ``event_id``. The
service invites the person of the account to every event, so each gets exactly one invitation; everybody counts as
busy from the first moment; and whoever declines is free again, whatever the others say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from local.demo_site.people import Disconnected, Person, Trouble

AHEAD = timedelta(days=200)
"""How far ahead meetings are looked for; the API's own limit is a day later."""

_PREFIX = "planner-"

Event = dict[str, Any]
"""One of ``GET /v1/events``."""


class NoLongerFree(Exception):
    """Somebody is busy at that time by now."""


@dataclass(frozen=True, slots=True)
class Booking:
    """``zone`` is the one in which invitations tell the time."""

    title: str
    start: datetime
    minutes: int
    zone: str

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Move:
    """Where a meeting goes; ``zone`` as in a booking."""

    start: datetime
    end: datetime
    zone: str


def book(booking: Booking, participants: Sequence[Person]) -> str:
    """Invites all of them or, when that fails on the way, nobody. Returns the event's id.

    Raises NoLongerFree, Disconnected and Trouble.
    """
    subs = {person.sub for person in participants}
    if participants[0].kept(subs, [booking.start], booking.minutes)[booking.start]:
        raise NoLongerFree
    event_id = f"{_PREFIX}{uuid4()}"
    details = {"summary": booking.title, "description": _who_comes(participants), "tzid": booking.zone}
    try:
        for person in participants:
            person.write(event_id, booking.start, booking.end, **details)
    except (Disconnected, Trouble):
        cancel(event_id, participants)
        raise
    return event_id


def move(event_id: str, people: Iterable[Person], moved: Move, now: datetime) -> None:
    """Everybody who was invited is asked anew. Raises Disconnected and Trouble."""
    for person in people:
        for event in person.events(now, now + AHEAD):
            if event["event_id"] == event_id:
                details = {"summary": event["summary"], "description": event["description"], "tzid": moved.zone}
                person.write(event_id, moved.start, moved.end, **details)


def cancel(event_id: str, people: Iterable[Person]) -> None:
    """Cancels where it can; to delete an event that somebody does not have is no error. Raises what went wrong last."""
    trouble: Exception | None = None
    for person in people:
        try:
            person.delete(event_id)
        except (Disconnected, Trouble) as error:
            trouble = error
    if trouble:
        raise trouble


def shown(events: Mapping[str, Sequence[Event]]) -> list[dict[str, Any]]:
    """The meetings of everybody's events, which are listed by ``sub``; by start."""
    together: defaultdict[str, list[tuple[str, Event]]] = defaultdict(list)
    for sub, written in events.items():
        for event in written:
            together[event["event_id"]].append((sub, event))
    meetings = [
        {
            "id": event_id,
            "title": parts[0][1]["summary"],
            "start": parts[0][1]["start"],
            "end": parts[0][1]["end"],
            "participants": [_participant(sub, event) for sub, event in parts],
        }
        for event_id, parts in together.items()
    ]
    return sorted(meetings, key=lambda meeting: (meeting["start"], meeting["id"]))


def _participant(sub: str, event: Event) -> dict[str, Any]:
    """The person's own answer, and what else came with it: a comment, another time, trouble with the mail."""
    own = event["attendees"][0]
    extras = {key: own[key] for key in ("comment", "proposal", "delivery_status") if key in own}
    return {"sub": sub, "status": event["participation_status"], **extras}


def _who_comes(participants: Sequence[Person]) -> str:
    names = [person.name for person in participants]
    if len(names) == 1:
        return ""
    return f"With {', '.join(names[:-1])} and {names[-1]}."
