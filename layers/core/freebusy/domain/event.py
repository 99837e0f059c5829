"""Managed events: what the application created, who is invited to it, and what they answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

DELETED_KEPT = 90 * 86_400
"""Seconds for which a deleted event can still be found."""


class Participation(StrEnum):
    """``participation_status`` of the account's person and ``status`` of other attendees, on the wire."""

    NEEDS_ACTION = "needs_action"
    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    DECLINED = "declined"


class Delivery(StrEnum):
    """What became of the mail to one attendee, as far as we were told."""

    UNDISTURBED = "undisturbed"  # nothing bad was reported
    REFUSED = "refused"  # the mail service would not take it for this address
    BOUNCED = "bounced"
    COMPLAINED = "complained"  # reported as spam: nothing more is mailed there


class Transparency(StrEnum):
    OPAQUE = "opaque"
    TRANSPARENT = "transparent"


class ExtendedTransparency(StrEnum):
    """``extended_transparency`` on the wire: finer words, of which each implies a ``Transparency``."""

    OPAQUE = "opaque"
    TRANSPARENT = "transparent"
    TENTATIVE = "tentative"
    OUT_OF_OFFICE = "out_of_office"
    WORKING_ELSEWHERE = "working_elsewhere"
    UNKNOWN = "unknown"

    @property
    def transparency(self) -> Transparency:
        """Who works elsewhere can be booked, as in calendars that are read."""
        free = self in {ExtendedTransparency.TRANSPARENT, ExtendedTransparency.WORKING_ELSEWHERE}
        return Transparency.TRANSPARENT if free else Transparency.OPAQUE


class When(NamedTuple):
    """When an event happens: ``start`` included, ``end`` excluded.

    Timed: epoch seconds, with the zones they were meant in (``Etc/UTC`` unless the application said one).
    All day: both are midnight UTC of their dates, and belong to no zone.
    """

    start: int
    end: int
    all_day: bool = False
    start_zone: str = "Etc/UTC"
    end_zone: str = "Etc/UTC"


class Location(NamedTuple):
    description: str = ""
    latitude: str | None = None
    longitude: str | None = None


class Conferencing(NamedTuple):
    join_url: str
    provider_description: str | None = None


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """One rule of ``recurrence.rules``.

    ``until`` is epoch seconds, inclusive; ``by_day`` as RFC 5545 has it (``MO``, ``-1FR``).
    ``exceptions`` are starts that do not happen: epoch seconds (midnight UTC of a date for all-day events).
    """

    frequency: str
    interval: int = 1
    count: int | None = None
    until: int | None = None
    by_day: tuple[str, ...] = ()
    exceptions: tuple[int, ...] = ()


class Details(NamedTuple):
    """Everything the application wrote about an event except who is invited. Compared to find out what changed."""

    summary: str
    when: When
    description: str = ""
    location: Location | None = None
    url: str | None = None
    conferencing: Conferencing | None = None
    reminders: tuple[int, ...] = ()  # minutes before the start
    transparency: Transparency = Transparency.OPAQUE
    private: bool = False
    color: str | None = None
    recurrence: tuple[RecurrenceRule, ...] = ()
    tags: tuple[str, ...] = ()
    extended_transparency: ExtendedTransparency | None = None


class Proposal(NamedTuple):
    """Another time that an attendee proposed (iTIP COUNTER)."""

    start: int
    end: int


class Answered(NamedTuple):
    """Which message an attendee's last counted reply answered; replies are ordered by both (RFC 5546, 2.1.5)."""

    sequence: int
    stamp: int


class Attendee(NamedTuple):
    """``uninvited`` attendees stay listed, so that their CANCEL can be retried; they are not shown any more."""

    email: str
    name: str | None = None
    participation: Participation = Participation.NEEDS_ACTION
    comment: str | None = None
    proposal: Proposal | None = None
    answered: Answered | None = None
    uninvited: bool = False
    delivery: Delivery = Delivery.UNDISTURBED


class ManagedEvent(NamedTuple):
    """An event of the account's managed calendar, known to the application by ``event_id``.

    ``uid`` is both iCalendar UID and ``event_uid``; ``organizer`` is the opaque local part of its own mail address,
    constant for its life, to which attendees' mail clients reply. ``attendees[0]`` is the account's person.

    ``sequence`` is iCalendar's, raised by changes that matter to a yes or no; ``revision`` rises with every change
    that is mailed, at ``revised_at`` (the DTSTAMP of its messages); ``timed_sequence`` is the sequence at which the
    time last changed: a reply to an older one answered another time. ``version`` rises with every write.
    ``earlier`` are the last times (start, end) that the event was moved away from. ``carrier`` is the ``subject`` at
    Cronofy of the person in whose calendar there the event is written, and from where it is mailed; None: by us.
    """

    client_id: str
    sub: str
    calendar_id: str
    event_id: str
    uid: str
    organizer: str
    details: Details
    attendees: tuple[Attendee, ...]
    sequence: int = 0
    timed_sequence: int = 0
    revision: int = 1
    revised_at: int = 0
    created_at: int = 0
    updated_at: int = 0
    deleted: bool = False
    version: int = 0
    earlier: tuple[tuple[int, int], ...] = ()
    carrier: str | None = None

    @property
    def person(self) -> Attendee:
        """The account's own person, who is invited to every event."""
        return self.attendees[0]

    @property
    def counts_as_busy(self) -> bool:
        """From the 202 on, until it is deleted, declined or made transparent."""
        return (
            not self.deleted
            and self.details.transparency is Transparency.OPAQUE
            and self.person.participation is not Participation.DECLINED
        )


class SentMark(NamedTuple):
    """The last message that one attendee was sent about an event: its revision, and whether it cancelled.

    ``version`` is that of the event from which it was made: changes up to that version need no message any more.
    """

    revision: int
    cancelled: bool
    version: int = 0


NEVER_INVITED = SentMark(revision=0, cancelled=True)
"""Where nothing is marked: nothing is in the attendee's calendar, as after a CANCEL."""


@dataclass(frozen=True, slots=True)
class InvitationDue:
    """The event's write of ``version`` concerns one of its attendees. Holds no address, only its hash.

    What is mailed is how the event stands when the message is made, so that any order of these leads to the same end.
    """

    sub: str
    event_id: str
    recipient: str = field(repr=False)  # domain.identifiers.hashed(email), or UPSTREAM
    version: int = 0


UPSTREAM = "upstream"
"""In the place of a recipient: the event as a whole is due in the calendar that Cronofy keeps."""


@dataclass(frozen=True, slots=True)
class UpstreamAnswers:
    """What Cronofy shows of one event that was written from here: at which time, and who answered what to that.

    ``attendees`` is by address. Times are as those of ``When``.
    """

    uid: str
    start: int
    end: int
    person: Participation | None
    attendees: Mapping[str, Participation] = field(repr=False)
