"""Whatever happens on the way, in the end every mailbox's calendar is exactly what it should be.

Events are written at random while the power goes out at any step of a delivery, the mail service fails, and the
queue gives out messages twice and in any order. What arrives in a mailbox is put into a calendar as RFC 5546 has mail
programs do it; mail, too, arrives in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from freebusy.adapters.imip.message import build
from freebusy.domain.application import Application
from freebusy.domain.errors import MailRefused, MailUnavailable
from freebusy.domain.event import Attendee, Delivery, InvitationDue, ManagedEvent, Participation
from freebusy.domain.event_changes import EventUpsert, Invitee
from freebusy.service.due_invitations import EventState, due_after, recipient_of
from freebusy.service.events import delete_event, upsert_event
from freebusy.service.invitations import InvitationSender
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import FakeClock
from tests.fakes.events import FakeEvents, FakeInvitationLog
from tests.mailing import BEN, CALENDAR, CLEO, NINE, PERSON, TEN, Sent, state_of
from tests.people import CLIENT_ID, connected

REFUSED = "refused@example.com"
"""Nobody takes mail for this address."""

GUESTS = (BEN, CLEO, REFUSED)
EVENTS = ("a", "a", "a", "b")
TROUBLES = ("throttled", "lost on the way in", "lost on the way out")
DETAILS = st.tuples(
    st.sampled_from(["Interview", "Review"]), st.sampled_from([NINE, TEN]), st.sampled_from(["", "Bring a pen"])
)
UNREACHABLE = {Delivery.BOUNCED, Delivery.COMPLAINED}


class PowerOut(Exception):
    """The function ends here, in the middle of whatever it does."""


class Power:
    """Goes out after so many ``steps``; None is never."""

    def __init__(self) -> None:
        self.steps: int | None = None

    def step(self) -> None:
        if self.steps is not None:
            self.steps -= 1
            if self.steps < 0:
                raise PowerOut


def powered(power: Power, port: Any, *names: str) -> Any:
    """The port, where each of these methods can be cut off before and after it has its effect."""

    def cut_off(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            power.step()
            result = method(*arguments, **named)
            power.step()
            return result

        return call

    for name in names:
        setattr(port, name, cut_off(getattr(port, name)))
    return port


class MailService:
    """What it takes arrives some time; ``trouble`` is what it does to the next message."""

    def __init__(self, events: FakeEvents) -> None:
        self._events = events
        self.trouble: str | None = None
        self.on_the_way: list[Sent] = []

    def send(self, message: bytes, *, sender: str, recipient: str, tags: dict[str, str]) -> None:
        sent = Sent.read(message)
        assert sent.to == recipient
        event = self._events.find_by_organizer(sender.partition("@")[0])
        assert event
        assert tags == {"organizer": event.organizer, "recipient": recipient_of(recipient)}
        assert attendee_of(event, recipient).delivery not in UNREACHABLE
        trouble, self.trouble = self.trouble, None
        if trouble == "throttled":
            raise MailUnavailable("TooManyRequestsException")
        if trouble == "lost on the way in":
            raise MailUnavailable("no answer", perhaps_sent=True)
        if recipient == REFUSED:
            raise MailRefused("MessageRejected")
        self.on_the_way.append(sent)
        if trouble == "lost on the way out":
            raise MailUnavailable("no answer", perhaps_sent=True)


@dataclass
class Mailbox:
    """One person's calendar by UID, and the order (SEQUENCE, DTSTAMP) of the last message that counted there."""

    calendar: dict[str, Sent] = field(default_factory=dict)
    last: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def take(self, sent: Sent) -> None:
        order = (sent.sequence, sent.stamp)
        if self.last.get(sent.uid, order) > order:
            return  # An older message that came late (RFC 5546, 2.1.5).
        self.last[sent.uid] = order
        if sent.method == "CANCEL":
            self.calendar.pop(sent.uid, None)
        else:
            self.calendar[sent.uid] = sent


def attendee_of(event: ManagedEvent, email: str) -> Attendee:
    return next(attendee for attendee in event.attendees if attendee.email == email)


class Deliveries(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - chooses what is late, not what is secret
        self.accounts, self.events, self.clock = FakeAccounts(connected()), FakeEvents(), FakeClock()
        self.log, self.power, self.mail = FakeInvitationLog(), Power(), MailService(self.events)
        self.stream: list[tuple[EventState | None, EventState]] = []
        self.queue: list[InvitationDue] = []
        self.delivered: list[InvitationDue] = []
        self.mailboxes = {email: Mailbox() for email in (PERSON, *GUESTS)}
        self.sender = InvitationSender(
            events=powered(self.power, _view(self.events), "save"),
            log=powered(self.power, self.log, "mark"),
            accounts=self.accounts,
            applications=FakeApplications(Application(CLIENT_ID, "Acme", ("https://acme.test/cb",))),
            mailer=powered(self.power, self.mail, "send"),
            write=partial(build, mail_domain="invites.example"),
            mail_domain="invites.example",
            clock=self.clock,
        )

    # --- What people and applications do -----------------------------------------------------------

    @rule(event_id=st.sampled_from(EVENTS), details=DETAILS, invite=st.sets(st.sampled_from(GUESTS)))
    def upsert(self, event_id, details, invite):
        self.upserted(EventUpsert(event_id, *details, invite=tuple(map(Invitee, sorted(invite)))))

    @rule(event_id=st.sampled_from(EVENTS), guest=st.sampled_from(GUESTS), remove=st.booleans())
    def change_the_guests(self, event_id, guest, remove):
        """And nothing else, so that it is nobody's business but that guest's."""
        event = self.events.find("acc_1", event_id)
        if event:
            kept = event.details
            wanted = EventUpsert(event_id, kept.summary, kept.when, kept.description)
            guests = {"uninvite": (guest,)} if remove else {"invite": (Invitee(guest),)}
            self.upserted(replace(wanted, **guests))

    def upserted(self, wanted: EventUpsert) -> None:
        account = self.accounts.find("acc_1")
        stores = {"accounts": self.accounts, "events": self.events}
        self.written(wanted.event_id, lambda: upsert_event(account, CALENDAR, wanted, **stores, now=self.clock()))

    @rule(event_id=st.sampled_from(EVENTS))
    def delete(self, event_id):
        account = self.accounts.find("acc_1")
        self.written(event_id, lambda: delete_event(account, CALENDAR, event_id, events=self.events, now=self.clock()))

    @rule(
        event_id=st.sampled_from(EVENTS),
        note=st.sampled_from(
            [
                (BEN, {"participation": Participation.ACCEPTED}),
                (BEN, {"participation": Participation.DECLINED}),
                (CLEO, {"delivery": Delivery.BOUNCED}),
                (CLEO, {"delivery": Delivery.COMPLAINED}),
            ]
        ),
    )
    def hear(self, event_id, note):
        """An answer, or a report of the mail service."""
        email, changes = note
        self.note(event_id, email, **changes)

    def note(self, event_id: str, email: str, **changes: Any) -> None:
        event = self.events.find("acc_1", event_id)
        if event:
            attendees = tuple(each._replace(**changes) if each.email == email else each for each in event.attendees)
            self.written(event_id, lambda: self.events.save(event._replace(attendees=attendees), over=event.version))

    def written(self, event_id: str, write: Callable[[], Any]) -> None:
        before = self.events.find("acc_1", event_id)
        write()
        after = self.events.find("acc_1", event_id)
        if after and after != before:
            self.stream.append((before and state_of(before), state_of(after)))
        self.clock.advance(self.random.choice([0, 1, 60]))

    # --- What the machinery does -------------------------------------------------------------------

    @precondition(lambda self: self.stream)
    @rule(again=st.booleans())
    def carry_changes(self, again):
        """The stream is in order, and gives out records again when the function failed although all was done."""
        count = self.random.randint(min(1, len(self.stream)), len(self.stream))
        self.queue += [due for before, after in self.stream[:count] for due in due_after(before, after)]
        if not again:
            del self.stream[:count]

    @precondition(lambda self: self.queue)
    @rule(count=st.integers(1, 8))
    def deliver_some(self, count):
        for _ in range(min(count, len(self.queue))):
            self.deliver(self.random.choice([None, *range(6)]), self.random.choice([None, *TROUBLES]))

    def deliver(self, steps: int | None = None, trouble: str | None = None) -> None:
        """Any message that waits; what failed waits on."""
        position = self.random.randrange(len(self.queue))
        self.power.steps, self.mail.trouble = steps, trouble
        try:
            self.sender.deliver(self.queue[position])
        except (PowerOut, MailUnavailable):
            return
        finally:
            self.power.steps, self.mail.trouble = None, None
        self.delivered.append(self.queue.pop(position))

    @rule(event_id=st.sampled_from(EVENTS), details=DETAILS)
    def change_its_mind(self, event_id, details):
        """The application deletes what it has just written, while that is on its way."""
        self.upsert(event_id, details, {BEN})
        self.carry_changes(again=False)
        self.deliver_some(len(self.queue))
        self.delete(event_id)

    @precondition(lambda self: self.delivered)
    @rule()
    def deliver_twice(self):
        self.queue.append(self.random.choice(self.delivered))

    @precondition(lambda self: self.mail.on_the_way)
    @rule()
    def arrive(self):
        sent = self.mail.on_the_way.pop(self.random.randrange(len(self.mail.on_the_way)))
        self.mailboxes[sent.to].take(sent)

    # --- How it has to end -------------------------------------------------------------------------

    def teardown(self) -> None:
        if hasattr(self, "stream"):  # It may never have begun.
            self.settle()

    @rule()
    def settle(self):
        while self.stream:
            self.carry_changes(again=False)
        while self.queue:
            self.deliver()
        while self.mail.on_the_way:
            self.arrive()
        for event in self.events.all_of("acc_1"):
            for attendee in event.attendees:
                self.check(event, attendee)

    def check(self, event: ManagedEvent, attendee: Attendee) -> None:
        shown = self.mailboxes[attendee.email].calendar.get(event.uid)
        if attendee.email == REFUSED:
            assert shown is None
        elif attendee.delivery in UNREACHABLE:
            pass  # What was there stays there: nothing more is mailed.
        elif event.deleted or attendee.uninvited:
            assert shown is None, (event, attendee)
        else:
            when = event.details.when
            assert shown, (event, attendee)
            assert (shown.start, shown.summary, shown.description) == (
                when.start,
                event.details.summary,
                event.details.description,
            )


def _view(events: FakeEvents) -> FakeEvents:
    """The same events behind an object of its own."""
    view = FakeEvents()
    view.__dict__ = dict(events.__dict__)
    return view


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],  # Shrinking would take minutes; the failing steps are printed.
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_in_the_end_every_calendar_is_what_it_should_be():
    run(60, 40)


@pytest.mark.oracle
def test_it_ends_well_for_long():
    run(1_000, 60)
