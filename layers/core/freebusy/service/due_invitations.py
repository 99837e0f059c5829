"""Who has to hear of a change of a managed event. What each of them is sent is ``service.invitations``'s business."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freebusy.domain.event import NEVER_INVITED, UPSTREAM, InvitationDue
from freebusy.domain.identifiers import hashed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.event import Attendee, ManagedEvent, SentMark
    from freebusy.ports import EventStore, InvitationLog, InvitationQueue


@dataclass(frozen=True, slots=True)
class EventState:
    """As much of a stored event as decides whom a change concerns: ``uninvited`` by ``recipient_of``.

    ``carrier`` is that of the event: what Cronofy mails concerns Cronofy alone. ``said`` is what attendees answered
    and what became of their mail, by recipient and only to be compared.
    """

    sub: str
    event_id: str
    version: int
    revision: int
    uninvited: Mapping[str, bool]
    carrier: str | None = None
    calendar_id: str = ""
    sequence: int = 0
    updated_at: int = 0
    said: Mapping[str, object] = field(default_factory=dict)


def recipient_of(email: str) -> str:
    """How an attendee is named outside the event: no address stands in a key, a queue or a log."""
    return hashed(email)


def due_after(before: EventState | None, after: EventState) -> list[InvitationDue]:
    """Everybody who is invited when the revision rose, and those who were invited or uninvited by this change."""
    revised = before is None or (before.revision, before.carrier) != (after.revision, after.carrier)
    known = before.uninvited if before else {}
    concerned = [
        recipient
        for recipient, uninvited in after.uninvited.items()
        if known.get(recipient, True) != uninvited or (revised and not uninvited)
    ]
    if after.carrier and concerned:
        concerned = [UPSTREAM]
    return [InvitationDue(after.sub, after.event_id, recipient, after.version) for recipient in concerned]


def deliver_again(sub: str, *, events: EventStore, log: InvitationLog, queue: InvitationQueue) -> int:
    """Queues what the account's attendees still have to be sent, as far as the marks tell; returns how much it is.

    For the operator, after records were lost on their way into the queue.
    """
    due = [
        InvitationDue(sub, event.event_id, recipient, event.version)
        for event in events.all_of(sub)
        for recipient in (_owed_upstream(event, log) if event.carrier else _owed_by_mail(event, log))
    ]
    queue.put(due)
    return len(due)


def _owed_by_mail(event: ManagedEvent, log: InvitationLog) -> list[str]:
    return [
        recipient
        for attendee in event.attendees
        if _owes(event, attendee, log.sent(event, recipient := recipient_of(attendee.email)) or NEVER_INVITED)
    ]


def _owed_upstream(event: ManagedEvent, log: InvitationLog) -> list[str]:
    """Also when only an answer was counted since, which writing it once more does not change."""
    before = log.sent(event, UPSTREAM) or NEVER_INVITED
    return [UPSTREAM] if before.version < event.version and not (event.deleted and before.cancelled) else []


def _owes(event: ManagedEvent, attendee: Attendee, before: SentMark) -> bool:
    if is_over(event, attendee):
        return not before.cancelled
    return before.cancelled or before.revision < event.revision


def is_over(event: ManagedEvent, attendee: Attendee) -> bool:
    return event.deleted or attendee.uninvited
