"""Mailing managed events: what everybody is sent who has to hear of a change (``service.due_invitations``).

Nothing about a message is decided when an event changes. What is queued says whom a change concerns; what is sent
follows from how the event stands when its turn has come and from the mark of what that attendee was sent before. So
messages may come late, twice or in any order, and an event that changed again meanwhile is mailed once, as it is now.

Everybody is sent the newest state at least once. After a crash between sending and marking the same message goes out
again: calendars take it for the copy that it is (RFC 5546, 2.1.5).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from freebusy.domain.errors import MailRefused, MailUnavailable, StorageUnavailable
from freebusy.domain.event import NEVER_INVITED, Attendee, Delivery, InvitationDue, ManagedEvent, SentMark
from freebusy.service.carriers import is_connected
from freebusy.service.due_invitations import is_over, recipient_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.account import Account
    from freebusy.ports import (
        AccountStore,
        ApplicationStore,
        EventStore,
        InvitationLog,
        InvitationWriter,
        Mailer,
    )

_TRIES = 40
_UTC = "Etc/UTC"
_UNREACHABLE = frozenset({Delivery.BOUNCED, Delivery.COMPLAINED})
"""To whom nothing is mailed. Inviting a bounced address anew is another try; a complaint is for ever."""


class Outcome(StrEnum):
    """What became of one ``InvitationDue``; in every case it is done."""

    INVITED = "invited"
    CANCELLED = "cancelled"
    UP_TO_DATE = "up_to_date"  # they were sent this state before, or have nothing to take back
    NOBODY = "nobody"  # event, account or application are gone, or the attendee wants or gets no mail
    REFUSED = "refused"  # for good; noted on the event


class InvitationSender:
    """Sends what is due to one attendee at a time; safe to call from several threads."""

    def __init__(  # noqa: PLR0913 - each is a port
        self,
        *,
        events: EventStore,
        log: InvitationLog,
        accounts: AccountStore,
        applications: ApplicationStore,
        mailer: Mailer,
        write: InvitationWriter,
        mail_domain: str,
        clock: Callable[[], int],
    ) -> None:
        self._events = events
        self._log = log
        self._accounts = accounts
        self._applications = applications
        self._mailer = mailer
        self._write = write
        self._mail_domain = mail_domain
        self._clock = clock

    def deliver(self, due: InvitationDue) -> Outcome:
        """Raises MailUnavailable or StorageUnavailable for what has to be tried again."""
        event = self._events.find(due.sub, due.event_id)
        attendee = _attendee(event, due.recipient)
        if event is None or attendee is None:
            return Outcome.NOBODY
        before = self._log.sent(event, due.recipient) or NEVER_INVITED
        cancel = is_over(event, attendee)
        if before.version >= due.version or (cancel and before.cancelled):
            return Outcome.UP_TO_DATE
        letter = self._letter(event, attendee, before)
        if letter is None:
            return Outcome.NOBODY
        try:
            self._send(event, attendee, letter, before, due.recipient)
        except MailRefused:
            self._note(due, Delivery.REFUSED)
            in_calendar = not before.cancelled and not cancel
            self._log.mark(event, due.recipient, SentMark(event.revision, not in_calendar, event.version))
            return Outcome.REFUSED
        self._log.mark(event, due.recipient, SentMark(event.revision, cancel, event.version))
        if attendee.delivery is Delivery.REFUSED:
            self._note(due, Delivery.UNDISTURBED)
        return Outcome.CANCELLED if cancel else Outcome.INVITED

    def _letter(self, event: ManagedEvent, attendee: Attendee, before: SentMark) -> Callable[[], bytes] | None:
        """How to write it; None for people who are not to be mailed.

        Who disconnected hears nothing more. The others who were invited still do: the event is theirs as well.
        """
        account = self._accounts.find(event.sub)
        application = self._applications.find(event.client_id)
        if account is None or application is None or attendee.delivery in _UNREACHABLE:
            return None
        if attendee == event.person and not is_connected(account, account.managed_profile):
            return None
        return lambda: self._write(
            event,
            attendee,
            cancel=is_over(event, attendee),
            changed=not before.cancelled and before.revision > 0,
            application_name=application.name,
            zone=_zone(event, attendee, account),
        )

    def _send(
        self, event: ManagedEvent, attendee: Attendee, letter: Callable[[], bytes], before: SentMark, recipient: str
    ) -> None:
        """An invitation is marked as perhaps sent before it is: forgotten in a crash, it could not be taken back."""
        message = letter()
        first = before.cancelled
        if first:
            self._log.mark(event, recipient, before._replace(cancelled=False))
        try:
            self._mailer.send(
                message,
                sender=f"{event.organizer}@{self._mail_domain}",
                recipient=attendee.email,
                tags={"organizer": event.organizer, "recipient": recipient},
            )
        except MailUnavailable as trouble:
            if first and not trouble.perhaps_sent:
                self._log.mark(event, recipient, before)
            raise

    def _note(self, due: InvitationDue, delivery: Delivery) -> None:
        note_delivery(due.sub, due.event_id, due.recipient, delivery, events=self._events, clock=self._clock)


def note_delivery(  # noqa: PLR0913 - an attendee, what to note and where
    sub: str, event_id: str, recipient: str, delivery: Delivery, *, events: EventStore, clock: Callable[[], int]
) -> None:
    """What became of an invitation, where the application sees it; raises no revision, so that nothing is mailed."""
    for _ in range(_TRIES):
        event = events.find(sub, event_id)
        attendee = _attendee(event, recipient)
        if event is None or attendee is None or attendee.delivery in {delivery, *_UNREACHABLE}:
            return
        told = attendee._replace(delivery=delivery)
        noted = event._replace(
            attendees=tuple(told if each is attendee else each for each in event.attendees),
            updated_at=max(clock(), event.updated_at),
        )
        if events.save(noted, over=event.version):
            return
    raise StorageUnavailable("the event keeps changing")


def _attendee(event: ManagedEvent | None, recipient: str) -> Attendee | None:
    attendees = event.attendees if event else ()
    return next((attendee for attendee in attendees if recipient_of(attendee.email) == recipient), None)


def _zone(event: ManagedEvent, attendee: Attendee, account: Account) -> str:
    """Where the attendee reads it. Of people other than the account's own, only the event may tell."""
    zones = [account.zone, event.details.when.start_zone]
    likely = zones if attendee == event.person else zones[::-1]
    return next((zone for zone in likely if zone != _UTC), _UTC)
