"""Managed events of people who are connected through Cronofy: written to its calendar, which mails the invitations.

The stored event is the intent here too. What is queued says that an event is due there; what is written is how it
stands when its turn has come, and a mark says which version that was. So nothing is written twice but after a crash,
and then it is the same.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freebusy.domain.account import Account, Disconnected, Profile
from freebusy.domain.errors import CredentialRevoked, EventRefused, ProviderError, StorageUnavailable
from freebusy.domain.event import (
    NEVER_INVITED,
    UPSTREAM,
    Delivery,
    InvitationDue,
    ManagedEvent,
    SentMark,
    UpstreamAnswers,
)
from freebusy.domain.event_changes import same_address
from freebusy.domain.free_busy import Period
from freebusy.domain.recurrence import occurrences
from freebusy.service.carriers import carrying
from freebusy.service.due_invitations import recipient_of
from freebusy.service.invitations import Outcome, note_delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freebusy.ports import AccountStore, Clock, EventStore, InvitationLog, UpstreamEvents
    from freebusy.service.calendar_reader import CalendarReader

logger = logging.getLogger(__name__)

WRITE_SECONDS = 10.0
READ_SECONDS = 5.0
"""For all requests that one event, or the answers to all events, may take."""


@dataclass(eq=False, repr=False)
class UpstreamDelivery:
    """Writes what is due; safe to call from several threads."""

    accounts: AccountStore
    events: EventStore
    log: InvitationLog
    upstream: UpstreamEvents
    reader: CalendarReader
    clock: Clock

    def deliver(self, due: InvitationDue) -> Outcome:
        """Raises ProviderError or StorageUnavailable for what has to be tried again."""
        event = self.events.find(due.sub, due.event_id)
        account = self.accounts.find(due.sub)
        if event is None or event.carrier is None or account is None:
            return Outcome.NOBODY
        before = self.log.sent(event, UPSTREAM) or NEVER_INVITED
        if before.version >= due.version or (event.deleted and before.cancelled):
            return Outcome.UP_TO_DATE
        profile = carrying(account, event.carrier)
        if profile is None or profile.disconnected is Disconnected.REVOKED:
            return Outcome.NOBODY
        try:
            self._write(account, profile, event)
        except EventRefused:
            self._note(event, Delivery.REFUSED)
            self.log.mark(event, UPSTREAM, before._replace(revision=event.revision, version=event.version))
            return Outcome.REFUSED
        self.log.mark(event, UPSTREAM, SentMark(event.revision, event.deleted, event.version))
        if event.person.delivery is Delivery.REFUSED:
            self._note(event, Delivery.UNDISTURBED)
        return Outcome.CANCELLED if event.deleted else Outcome.INVITED

    def _write(self, account: Account, profile: Profile, event: ManagedEvent) -> None:
        deadline = time.monotonic() + WRITE_SECONDS
        owner = profile.identity
        if owner is None:
            raise CredentialRevoked(profile.profile_id)
        self.reader.with_credential(
            account,
            profile,
            lambda credential: self.upstream.deliver(credential, owner, event, deadline=deadline),
            deadline=deadline,
        )

    def _note(self, event: ManagedEvent, delivery: Delivery) -> None:
        person = recipient_of(event.person.email)
        note_delivery(event.sub, event.event_id, person, delivery, events=self.events, clock=self.clock)


@dataclass(eq=False, repr=False)
class AnswerReader:
    """Takes in what people answered to the invitations that Cronofy mailed."""

    events: EventStore
    upstream: UpstreamEvents
    reader: CalendarReader
    clock: Clock

    def take_in(self, account: Account, window: Period) -> None:
        """For events that happen within ``window``. Where Cronofy does not tell, answers stay as they are known.

        Raises StorageUnavailable.
        """
        for carrier, asked in self._carried(account, window).items():
            try:
                self._take_in(account, carrier, asked, window)
            except ProviderError as error:
                extra = {"account": account.sub, "reason": error.reason}
                logger.warning("answers at Cronofy cannot be read", extra=extra)

    def take_in_from(self, carrier: str, account: Account, window: Period) -> None:
        """The same, of one carrier, for those who try again: raises ProviderError too, and where an event is changed
        meanwhile.
        """
        asked = self._carried(account, window).get(carrier)
        if asked and not self._take_in(account, carrier, asked, window):
            raise StorageUnavailable("the event was changed meanwhile")

    def _carried(self, account: Account, window: Period) -> dict[str, dict[str, ManagedEvent]]:
        """Events that were written to Cronofy: by carrier, and by uid."""
        carried: dict[str, dict[str, ManagedEvent]] = {}
        for event in self.events.overlapping(account.sub, window):
            if event.carrier and not event.deleted:
                carried.setdefault(event.carrier, {})[event.uid] = event
        return carried

    def _take_in(self, account: Account, carrier: str, asked: dict[str, ManagedEvent], window: Period) -> bool:
        """Whether all of it could be stored."""
        profile = carrying(account, carrier)
        told = self._read(account, profile, window) if profile and profile.connected else ()
        stored = [
            self._count(event, answers)
            for answers in told
            if (event := asked.get(answers.uid)) and _are_about(answers, event)
        ]
        return all(stored)

    def _read(self, account: Account, profile: Profile, window: Period) -> Sequence[UpstreamAnswers]:
        deadline = time.monotonic() + READ_SECONDS
        return self.reader.with_credential(
            account,
            profile,
            lambda credential: self.upstream.answers(credential, window, deadline=deadline),
            deadline=deadline,
        )

    def _count(self, event: ManagedEvent, answers: UpstreamAnswers) -> bool:
        """False for an event that somebody changes meanwhile: it is left for the next reading."""
        told = {same_address(email): participation for email, participation in answers.attendees.items()}
        person, *others = event.attendees
        counted = (
            person._replace(participation=answers.person or person.participation),
            *(each._replace(participation=told.get(same_address(each.email), each.participation)) for each in others),
        )
        if counted == event.attendees:
            return True
        updated_at = max(self.clock(), event.updated_at)
        return self.events.save(event._replace(attendees=counted, updated_at=updated_at), over=event.version)


def _are_about(answers: UpstreamAnswers, event: ManagedEvent) -> bool:
    """Whether what was answered is the time that the event has now: a change may be on its way to Cronofy."""
    return Period(answers.start, answers.end) in occurrences(event.details, Period(answers.start, answers.start + 1))
