"""An account whose events are mailed, over the fakes, and what mail programs read in the mail."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from functools import partial

from icalendar import Calendar

from freebusy.adapters.imip.message import build
from freebusy.domain.application import Application
from freebusy.domain.event import ManagedEvent, When
from freebusy.domain.event_changes import EventUpsert, Invitee
from freebusy.service.due_invitations import EventState, due_after, recipient_of
from freebusy.service.events import delete_event, upsert_event
from freebusy.service.invitations import InvitationSender, Outcome
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.events import FakeEvents, FakeInvitationLog
from tests.fakes.mail import FakeMailer
from tests.fakes.queues import FakeInvitationQueue
from tests.people import CLIENT_ID, connected

HOUR = 3600
NINE = When(NOW, NOW + HOUR)
TEN = When(NOW + HOUR, NOW + 2 * HOUR)
CALENDAR = "cal_macc_1"
PERSON, BEN, CLEO = "acc_1@example.com", "ben@example.com", "cleo@example.com"


@dataclass(frozen=True)
class Sent:
    """What a mail program reads in one message."""

    to: str
    method: str
    uid: str
    sequence: int
    stamp: object
    start: int
    summary: str
    description: str

    @classmethod
    def read(cls, raw: bytes) -> Sent:
        (part,) = (part for part in message_from_bytes(raw).walk() if part.get_content_type() == "text/calendar")
        calendar = Calendar.from_ical(part.get_payload(decode=True))
        (event,) = calendar.walk("VEVENT")
        to = str(event["ATTENDEE"]).removeprefix("mailto:")
        start = int(event.decoded("DTSTART").timestamp())
        return cls(
            to,
            str(calendar["METHOD"]),
            str(event["UID"]),
            event["SEQUENCE"],
            event.decoded("DTSTAMP"),
            start,
            str(event["SUMMARY"]),
            str(event.get("DESCRIPTION", "")),
        )


class World:
    """One account and its application; ``clock`` moves on by a minute with every write."""

    def __init__(self) -> None:
        self.accounts = FakeAccounts(connected())
        self.applications = FakeApplications(Application(CLIENT_ID, "Acme", ("https://acme.test/cb",)))
        self.events, self.log, self.queue = FakeEvents(), FakeInvitationLog(), FakeInvitationQueue()
        self.mailer, self.clock = FakeMailer(), FakeClock()
        self.sender = InvitationSender(
            events=self.events,
            log=self.log,
            accounts=self.accounts,
            applications=self.applications,
            mailer=self.mailer,
            write=partial(build, mail_domain="invites.example"),
            mail_domain="invites.example",
            clock=self.clock,
        )

    @property
    def event(self) -> ManagedEvent:
        event = self.events.find("acc_1", "e")
        assert event
        return event

    def upsert(self, when: When = NINE, *, invite: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        wanted = EventUpsert("e", "Interview", when, invite=tuple(map(Invitee, invite)), uninvite=remove)
        account = self.accounts.find("acc_1")
        self._written(
            lambda: upsert_event(
                account, CALENDAR, wanted, accounts=self.accounts, events=self.events, now=self.clock()
            )
        )

    def delete(self) -> None:
        account = self.accounts.find("acc_1")
        self._written(lambda: delete_event(account, CALENDAR, "e", events=self.events, now=self.clock()))

    def note(self, email: str, **changes: object) -> None:
        """Something about an attendee, as answers and reports of the mail service write it."""
        event = self.event
        attendees = tuple(each._replace(**changes) if each.email == email else each for each in event.attendees)
        self._written(lambda: self.events.save(event._replace(attendees=attendees), over=event.version))

    def _written(self, write) -> None:
        """As the table's stream has it: what was stored before and after."""
        before = self.events.find("acc_1", "e")
        write()
        self.queue.put(due_after(before and state_of(before), state_of(self.event)))
        self.clock.advance(60)

    def deliver(self) -> list[Outcome]:
        return [self.sender.deliver(due) for due in self.queue.take()]

    def read(self) -> list[Sent]:
        """What was sent since the last look."""
        taken, self.mailer.sent = self.mailer.sent, []
        return [Sent.read(mail.message) for mail in taken]

    def sent(self) -> list[tuple[str, str]]:
        return [(mail.method, mail.to) for mail in self.read()]


def state_of(event: ManagedEvent) -> EventState:
    uninvited = {recipient_of(each.email): each.uninvited for each in event.attendees}
    return EventState(event.sub, event.event_id, event.version, event.revision, uninvited, event.carrier)
