"""Counting the answers that come back by mail, and noting whom mail does not reach.

Both are safe to repeat, since notifications come more than once; whatever is not counted raises MailIgnored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.errors import MailIgnored, StorageUnavailable
from freebusy.domain.reply import (
    Ignored,
    Letter,
    Receipt,
    Report,
    answered,
    reported,
    require_authentic,
    require_harmless,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.event import ManagedEvent
    from freebusy.ports import EventStore, InboundMailbox

_TRIES = 40
"""Each time that one writer is late another one was in time, so this outlasts as many who write at once."""

_MOST_RECIPIENTS = 10
"""Of one mail; an answer has one."""


def count_answer(
    receipt: Receipt, *, mail_domain: str, mailbox: InboundMailbox, events: EventStore, now: int
) -> ManagedEvent:
    """The event with the answer in it. Mail that is not to one of our events is not even read."""
    require_harmless(receipt)
    addressed = [
        event for organizer in _organizers(receipt, mail_domain) if (event := events.find_by_organizer(organizer))
    ]
    if not addressed:
        raise MailIgnored(Ignored.UNKNOWN_RECIPIENT)
    letter = mailbox.read(receipt.key)
    require_authentic(receipt, letter)
    return _write(_meant(addressed, letter).organizer, lambda event: answered(event, letter, now=now), events)


def note_delivery(report: Report, *, events: EventStore, now: int) -> ManagedEvent:
    return _write(report.organizer, lambda event: reported(event, report, now=now), events)


def _organizers(receipt: Receipt, mail_domain: str) -> list[str]:
    """The local parts of the recipients at our own domain, in lower case, as they were given out."""
    addresses = [address.strip().lower().rpartition("@") for address in receipt.recipients[:_MOST_RECIPIENTS]]
    return [local for local, _, domain in addresses if local and domain == mail_domain.lower()]


def _meant(addressed: list[ManagedEvent], letter: Letter) -> ManagedEvent:
    for event in addressed:
        if event.uid == letter.reply.uid:
            return event
    raise MailIgnored(Ignored.OTHER_EVENT)


def _write(organizer: str, change: Callable[[ManagedEvent], ManagedEvent], events: EventStore) -> ManagedEvent:
    """Read, changed and written back on condition that nobody wrote meanwhile; who was late starts over."""
    for _ in range(_TRIES):
        stored = events.find_by_organizer(organizer)
        if stored is None:
            raise MailIgnored(Ignored.UNKNOWN_RECIPIENT)
        wanted = change(stored)
        if wanted == stored or events.save(wanted, over=stored.version):
            return wanted
    raise StorageUnavailable("the event keeps changing")
