"""What an upsert or a deletion makes of a managed event: which numbers rise, and who is heard anew.

The rules are those of RFC 5546: ``sequence`` rises with whatever may change a yes or no (2.1.4), so that calendars
tell a new invitation from a corrected one, and a reply to an earlier time from one to the present time (2.1.5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.errors import RefusedBecause
from freebusy.domain.event import (
    Attendee,
    Conferencing,
    Delivery,
    Details,
    ExtendedTransparency,
    Location,
    ManagedEvent,
    Participation,
    RecurrenceRule,
    Transparency,
    When,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_ATTENDEES = 200
"""Who may be invited to one event at once, the account's person among them."""

MOST_EARLIER = 10

MOST_LISTED = 400
"""Attendees of one event in all its life; those who were uninvited are remembered, or they might never hear of it."""


class Keep(Enum):
    """For fields which an upsert may leave out to keep what is stored, where None removes it."""

    STORED = "stored"


class Invitee(NamedTuple):
    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class EventUpsert:
    """An event as the application wants it. What it left out is at its default, unless it can be ``Keep``.

    ``invite`` and ``uninvite`` are changes to the list of attendees, not the list.
    """

    event_id: str
    summary: str
    when: When
    description: str = ""
    location: Location | None = None
    url: str | Keep | None = Keep.STORED
    conferencing: Conferencing | Keep | None = Keep.STORED
    reminders: tuple[int, ...] = ()
    reminders_create_only: bool = False
    transparency: Transparency = Transparency.OPAQUE
    extended_transparency: ExtendedTransparency | None = None
    private: bool = False
    color: str | None = None
    recurrence: tuple[RecurrenceRule, ...] = ()
    tags: tuple[str, ...] = ()
    invite: tuple[Invitee, ...] = field(default=(), repr=False)
    uninvite: tuple[str, ...] = field(default=(), repr=False)

    def details(self, stored: Details | None) -> Details:
        """``stored`` is what to keep things from; None when there is nothing."""
        url, conferencing, reminders = self.url, self.conferencing, self.reminders
        if url is Keep.STORED:
            url = stored.url if stored else None
        if conferencing is Keep.STORED:
            conferencing = stored.conferencing if stored else None
        if self.reminders_create_only and stored:
            reminders = stored.reminders
        return Details(
            summary=self.summary,
            when=self.when,
            description=self.description,
            location=self.location,
            url=url,
            conferencing=conferencing,
            reminders=reminders,
            transparency=self.transparency,
            private=self.private,
            color=self.color,
            recurrence=self.recurrence,
            tags=self.tags,
            extended_transparency=self.extended_transparency,
        )


def updated(stored: ManagedEvent, wanted: EventUpsert, *, now: int) -> ManagedEvent:
    """The event after an upsert, ``stored`` itself when nothing changes. Raises InvalidRequest for too many attendees.

    A change of time asks everybody anew. Who is invited or uninvited by it concerns nobody else, so it raises no
    ``revision``; but a CANCEL, and an invitation after one, must outrank what that attendee was sent before.
    """
    if stored.deleted:
        return revived(stored, wanted, now=now)
    details = wanted.details(stored.details)
    attendees = _after(stored.attendees, wanted)
    if (details, attendees) == (stored.details, stored.attendees):
        return stored
    retimed = _times(details) != _times(stored.details)
    matters = retimed or _terms(details) != _terms(stored.details)
    corrected = matters or details != stored.details or _renamed(stored.attendees, attendees)
    outranks = matters or _turned(stored.attendees, attendees)
    sequence = stored.sequence + outranks
    return stored._replace(
        details=details,
        attendees=tuple(map(_asked_anew, attendees)) if retimed else attendees,
        sequence=sequence,
        timed_sequence=sequence if retimed else stored.timed_sequence,
        revision=stored.revision + corrected,
        revised_at=_later(stored, now) if corrected or outranks else stored.revised_at,
        updated_at=max(now, stored.updated_at),
        earlier=_moved_from(stored) if retimed else stored.earlier,
    )


def revived(stored: ManagedEvent, wanted: EventUpsert, *, now: int) -> ManagedEvent:
    """A deleted event whose id is used again: a new one in everything but UID, organizer and who must be heard of.

    It keeps those, since the CANCEL may still be on its way: calendars then see one event with a higher sequence,
    whichever of the messages they got, and who was invited before and is not any more still gets the CANCEL.
    """
    person, *others = stored.attendees
    before = (_invited_anew(person), *(other._replace(uninvited=True) for other in others))
    sequence = stored.sequence + 1
    return stored._replace(
        details=wanted.details(None),
        attendees=_after(before, wanted),
        sequence=sequence,
        timed_sequence=sequence,
        revision=stored.revision + 1,
        revised_at=_later(stored, now),
        created_at=now,
        updated_at=now,
        deleted=False,
        earlier=(),
    )


def created(blank: ManagedEvent, wanted: EventUpsert) -> ManagedEvent:
    """The first version: ``blank`` says whose event it is, and lists the account's person. Raises as ``updated``."""
    return blank._replace(details=wanted.details(None), attendees=_after(blank.attendees, wanted))


def deleted(stored: ManagedEvent, *, now: int) -> ManagedEvent:
    """The event after its deletion, ``stored`` itself when it was deleted before."""
    if stored.deleted:
        return stored
    return stored._replace(
        sequence=stored.sequence + 1,
        revision=stored.revision + 1,
        revised_at=_later(stored, now),
        updated_at=max(now, stored.updated_at),
        deleted=True,
    )


def _moved_from(stored: ManagedEvent) -> tuple[tuple[int, int], ...]:
    """For readers who ask what has left their window; of an event that moves all the time, the last few."""
    when = stored.details.when
    return (*stored.earlier, (when.start, when.end))[-MOST_EARLIER:]


# --- What changed ----------------------------------------------------------------------------------


def _times(details: Details) -> tuple[object, ...]:
    """What an answer is about: another zone moves a series, which follows its clock, but not a single event."""
    when = details.when
    zone = when.start_zone if details.recurrence else None
    return when.start, when.end, when.all_day, zone, details.recurrence


def _terms(details: Details) -> tuple[object, ...]:
    """What may change somebody's mind, beside the time."""
    return details.summary, details.location, details.conferencing


def _renamed(before: Iterable[Attendee], after: Iterable[Attendee]) -> bool:
    names = {attendee.email: attendee.name for attendee in before}
    return any(attendee.name != names.get(attendee.email, attendee.name) for attendee in after)


def _turned(before: Iterable[Attendee], after: Iterable[Attendee]) -> bool:
    """Whether somebody who was listed is now uninvited, or invited again."""
    uninvited = {attendee.email: attendee.uninvited for attendee in before}
    return any(attendee.uninvited != uninvited.get(attendee.email, attendee.uninvited) for attendee in after)


def _later(stored: ManagedEvent, now: int) -> int:
    """DTSTAMPs of one sequence must differ, or calendars take the second message for a copy of the first."""
    return max(now, stored.revised_at + 1)


# --- Attendees -------------------------------------------------------------------------------------


def same_address(email: str) -> str:
    """Equal for two spellings of an address that lead to one mailbox, as mail is delivered in practice."""
    return email.lower()


def _after(stored: tuple[Attendee, ...], wanted: EventUpsert) -> tuple[Attendee, ...]:
    """In the order in which they were first invited; the account's person stays first and invited."""
    attendees = {same_address(attendee.email): attendee for attendee in stored}
    person = same_address(stored[0].email)
    refused = RefusedBecause()
    for number, email in enumerate(wanted.uninvite):
        address = same_address(email)
        if address == person:
            problem = "this is the account's own person: delete the event instead"
            refused.add(f"attendees.remove[{number}].email", "errors.not_supported", problem)
        elif address in attendees:
            attendees[address] = attendees[address]._replace(uninvited=True)
    for invitee in wanted.invite:
        address = same_address(invitee.email)
        known = attendees.get(address)
        if known is None:
            attendees[address] = Attendee(invitee.email, invitee.name)
        elif address != person:
            welcome = _invited_anew(known) if known.uninvited else known
            attendees[address] = welcome._replace(name=invitee.name or known.name)
    if sum(not attendee.uninvited for attendee in attendees.values()) > MOST_ATTENDEES:
        refused.add("attendees.invite", "errors.too_many", f"an event has at most {MOST_ATTENDEES} attendees")
    elif len(attendees) > MOST_LISTED:
        problem = f"an event has at most {MOST_LISTED} attendees in its life, those who were removed included"
        refused.add("attendees.invite", "errors.too_many", problem)
    refused.raise_if_any()
    return tuple(attendees.values())


def _asked_anew(attendee: Attendee) -> Attendee:
    """``answered`` stays: replies that are older than the last one are still out of order."""
    return attendee._replace(participation=Participation.NEEDS_ACTION, comment=None, proposal=None)


def _invited_anew(attendee: Attendee) -> Attendee:
    """Another try at an address that failed, but never at somebody who complained."""
    complained = attendee.delivery is Delivery.COMPLAINED
    delivery = attendee.delivery if complained else Delivery.UNDISTURBED
    return _asked_anew(attendee)._replace(uninvited=False, delivery=delivery)
