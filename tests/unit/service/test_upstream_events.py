"""Events of people who are connected through Cronofy: written there, and what was answered there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from freebusy.domain.account import MOVED, Disconnected, Identity, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CredentialRevoked,
    EventRefused,
    ProfileLocked,
    ProviderError,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.event import (
    UPSTREAM,
    Attendee,
    Delivery,
    Details,
    InvitationDue,
    ManagedEvent,
    Participation,
    RecurrenceRule,
    UpstreamAnswers,
    When,
)
from freebusy.domain.event_changes import EventUpsert, Invitee
from freebusy.domain.free_busy import Period
from freebusy.service.calendar_reader import CalendarReader
from freebusy.service.delivery import Deliverer
from freebusy.service.due_invitations import EventState, deliver_again, due_after, recipient_of
from freebusy.service.event_times import busy_periods
from freebusy.service.events import delete_event, upsert_event
from freebusy.service.invitations import Outcome
from freebusy.service.upstream_events import AnswerReader, UpstreamDelivery
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.events import FakeEvents, FakeInvitationLog
from tests.fakes.queues import FakeInvitationQueue
from tests.fakes.vaults import FakeVault
from tests.mailing import state_of
from tests.people import FakeCalendars, connected, email_of

HOUR = 3600
NINE = When(NOW + HOUR, NOW + 2 * HOUR)
TEN = When(NOW + 2 * HOUR, NOW + 3 * HOUR)
DAY = Period(NOW, NOW + 86400)
GUEST = "guest@example.org"


def at_cronofy(sub: str = "acc_1"):
    """Somebody who connected through Cronofy, where they are ``up_`` and their sub."""
    account = connected(sub)
    profile, managed = account.profiles
    identity = Identity(ProviderName.GOOGLE, f"up_{sub}", email_of(sub), upstream=Upstream.CRONOFY)
    return account._replace(profiles=(replace(profile, identity=identity), managed))


@dataclass
class FakeUpstream:
    """Keeps what is written, by uid. ``troubles`` are raised first, one for each event that is to be written."""

    kept: dict[str, ManagedEvent] = field(default_factory=dict)
    written: list[tuple[str, str, int]] = field(default_factory=list)
    troubles: list[ProviderError] = field(default_factory=list)
    told: list[UpstreamAnswers] = field(default_factory=list)
    windows: list[Period] = field(default_factory=list)

    def deliver(self, credential: ProviderCredential, owner: Identity, event: ManagedEvent, *, deadline: float) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.written.append((owner.subject, credential.access_token, event.version))
        if event.deleted:
            self.kept.pop(event.uid, None)
        else:
            self.kept[event.uid] = event

    def answers(self, credential: ProviderCredential, window: Period, *, deadline: float) -> list[UpstreamAnswers]:
        if self.troubles:
            raise self.troubles.pop(0)
        self.windows.append(window)
        return self.told


class World:
    def __init__(self) -> None:
        self.accounts, self.events, self.log = FakeAccounts(at_cronofy()), FakeEvents(), FakeInvitationLog()
        self.queue, self.clock, self.upstream = FakeInvitationQueue(), FakeClock(), FakeUpstream()
        self.cronofy = FakeCalendars()
        reader = CalendarReader(
            accounts=self.accounts,
            events=self.events,
            vault=FakeVault(),
            providers={ProviderName.MANAGED: self.cronofy},
            clock=self.clock,
            organizations=lambda: pytest.fail("nobody is read through an organization"),
        )
        self.sender = UpstreamDelivery(self.accounts, self.events, self.log, self.upstream, reader, self.clock)
        self.answers = AnswerReader(self.events, self.upstream, reader, self.clock)

    @property
    def account(self):
        account = self.accounts.find("acc_1")
        assert account
        return account

    @property
    def profile(self):
        return self.account.free_busy_profiles[0]

    @property
    def event(self) -> ManagedEvent:
        event = self.events.find("acc_1", "e")
        assert event
        return event

    def upsert(self, when: When = NINE, *, invite: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        wanted = EventUpsert("e", "Interview", when, invite=tuple(map(Invitee, invite)), uninvite=remove)
        before = self.events.find("acc_1", "e")
        calendar_id = self.account.managed_profile.calendar_id
        upsert_event(self.account, calendar_id, wanted, accounts=self.accounts, events=self.events, now=self.clock())
        self._changed(before)

    def delete(self) -> None:
        before = self.event
        calendar_id = self.account.managed_profile.calendar_id
        delete_event(self.account, calendar_id, "e", events=self.events, now=self.clock())
        self._changed(before)

    def _changed(self, before: ManagedEvent | None) -> None:
        """What the table's stream brings about."""
        self.clock.advance(60)
        if before is None or self.event != before:
            self.queue.put(due_after(before and state_of(before), state_of(self.event)))

    def deliver(self) -> list[Outcome]:
        return [self.sender.deliver(due) for due in self.queue.take()]

    def take_in(self, *told: UpstreamAnswers) -> None:
        self.upstream.told = list(told)
        self.answers.take_in(self.account, DAY)

    def answered(self, person: Participation | None = Participation.ACCEPTED, when: When = NINE, **guests) -> None:
        told = {f"{name}@example.org": participation for name, participation in guests.items()}
        self.take_in(UpstreamAnswers(self.event.uid, when.start, when.end, person, told))


@pytest.fixture
def world() -> World:
    return World()


# --- What is due where -----------------------------------------------------------------------------------


def test_an_event_is_due_at_cronofy_as_a_whole_and_mailed_to_nobody(world):
    world.upsert(invite=(GUEST,))
    assert world.queue.take() == [InvitationDue("acc_1", "e", UPSTREAM, 1)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda world: world.upsert(TEN), id="another time"),
        pytest.param(lambda world: world.upsert(invite=("new@example.org",)), id="somebody is invited"),
        pytest.param(lambda world: world.upsert(remove=(GUEST,)), id="somebody is uninvited"),
        pytest.param(World.delete, id="deleted"),
    ],
)
def test_whatever_changes_is_due_there_once(world, change):
    world.upsert(invite=(GUEST,))
    world.queue.take()
    change(world)
    assert [due.recipient for due in world.queue.take()] == [UPSTREAM]


def test_an_answer_that_was_counted_is_due_nowhere(world):
    world.upsert()
    world.deliver()
    before = world.event
    world.answered()
    assert due_after(state_of(before), state_of(world.event)) == []


def test_people_who_connected_directly_are_mailed_as_ever():
    before, after = EventState("acc_1", "e", 1, 1, {"ana": False}), EventState("acc_1", "e", 2, 2, {"ana": False})
    assert [due.recipient for due in due_after(before, after)] == ["ana"]


def test_an_event_that_is_taken_over_by_our_own_mail_concerns_everybody():
    before = EventState("acc_1", "e", 1, 1, {"ana": False, "ben": False}, carrier="up_acc_1")
    assert [due.recipient for due in due_after(before, replace(before, version=2, carrier=None))] == ["ana", "ben"]


@pytest.mark.parametrize(
    ("recipient", "outcome"), [(UPSTREAM, Outcome.INVITED), ("a hash", Outcome.CANCELLED)], ids=["upstream", "mail"]
)
def test_each_goes_its_way(recipient, outcome):
    class Way:
        def __init__(self, told):
            self.told = told

        def deliver(self, due):
            return self.told

    deliverer = Deliverer(lambda: Way(Outcome.CANCELLED), lambda: Way(Outcome.INVITED))
    assert deliverer.deliver(InvitationDue("acc_1", "e", recipient, 1)) is outcome


def test_without_a_mail_domain_nothing_is_mailed():
    assert Deliverer(None, None).deliver(InvitationDue("acc_1", "e", "a hash", 1)) is Outcome.NOBODY


# --- Writing ---------------------------------------------------------------------------------------------


def test_an_event_is_written_as_it_stands_with_the_persons_own_token(world):
    world.upsert(invite=(GUEST,))
    assert world.deliver() == [Outcome.INVITED]
    assert world.upstream.kept[world.event.uid] == world.event
    assert world.upstream.written == [("up_acc_1", "token 0 of acc_1", 1)]


def test_it_counts_as_busy_from_the_moment_it_was_stored_and_once(world):
    world.upsert()
    before = busy_periods(world.account, DAY, events=world.events)
    world.deliver()
    assert busy_periods(world.account, DAY, events=world.events) == before
    assert [(each.start, each.end) for each in before] == [(NINE.start, NINE.end)]


def test_what_changed_twice_before_its_turn_is_written_once_as_it_is_now(world):
    world.upsert()
    world.upsert(TEN)
    assert world.deliver() == [Outcome.INVITED, Outcome.UP_TO_DATE]
    assert [version for *_, version in world.upstream.written] == [2]


def test_a_message_that_comes_twice_changes_nothing(world):
    world.upsert()
    (due,) = world.queue.take()
    assert [world.sender.deliver(due), world.sender.deliver(due)] == [Outcome.INVITED, Outcome.UP_TO_DATE]


def test_a_deleted_event_is_deleted_there(world):
    world.upsert()
    world.deliver()
    world.delete()
    assert world.deliver() == [Outcome.CANCELLED]
    assert world.upstream.kept == {}


def test_an_event_that_comes_back_is_written_again(world):
    world.upsert()
    world.delete()
    world.deliver()
    world.upsert(TEN)
    assert world.deliver() == [Outcome.INVITED]
    assert world.upstream.kept[world.event.uid].details.when == TEN


@pytest.mark.parametrize(
    "trouble",
    [ProviderUnavailable("away"), CalendarUnreadable("423"), AccessTokenRejected("twice")],
    ids=lambda trouble: trouble.reason,
)
def test_trouble_that_passes_leaves_the_event_due(world, trouble):
    world.upsert()
    (due,) = world.queue.take()
    world.upstream.troubles = [trouble, trouble]
    with pytest.raises(ProviderError):
        world.sender.deliver(due)
    world.upstream.troubles = []
    assert world.sender.deliver(due) is Outcome.INVITED


def test_a_token_that_is_no_longer_taken_is_renewed_and_the_event_written(world):
    world.upsert()
    world.upstream.troubles = [AccessTokenRejected("401")]
    assert world.deliver() == [Outcome.INVITED]
    assert world.upstream.written == [("up_acc_1", "token 1", 1)]


def test_an_event_that_cronofy_refuses_is_noted_and_not_tried_again(world):
    world.upsert()
    world.upstream.troubles = [EventRefused("422")]
    (due,) = world.queue.take()
    assert world.sender.deliver(due) is Outcome.REFUSED
    assert world.event.person.delivery is Delivery.REFUSED
    assert world.sender.deliver(due) is Outcome.UP_TO_DATE


def test_a_refused_event_that_was_corrected_is_written_and_no_longer_refused(world):
    world.upsert()
    world.upstream.troubles = [EventRefused("422")]
    world.deliver()
    world.upsert(TEN)
    assert world.deliver() == [Outcome.INVITED]
    assert world.event.person.delivery is Delivery.UNDISTURBED


def test_a_dead_credential_is_not_taken_for_a_delivery(world):
    world.upsert()
    world.accounts.disconnect("acc_1", world.profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    with pytest.raises(CredentialRevoked):
        world.deliver()


def test_whoever_disconnected_hears_nothing_more(world):
    world.upsert()
    world.accounts.disconnect("acc_1", world.profile.profile_id, because=Disconnected.REVOKED)
    assert world.deliver() == [Outcome.NOBODY]


def test_what_cannot_be_written_there_is_not_accepted(world):
    world.accounts.disconnect("acc_1", world.profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    with pytest.raises(ProfileLocked):
        world.upsert()


def test_the_operator_can_have_it_delivered_again(world):
    world.upsert()
    world.queue.take()
    assert deliver_again("acc_1", events=world.events, log=world.log, queue=world.queue) == 1
    world.queue = FakeInvitationQueue()
    world.queue.put([InvitationDue("acc_1", "e", UPSTREAM, world.event.version)])
    world.deliver()
    assert deliver_again("acc_1", events=world.events, log=world.log, queue=world.queue) == 0


def test_a_lapsed_profile_at_cronofy_is_passed_over_for_one_that_can_be_mailed(world):
    world.accounts.disconnect("acc_1", world.profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    direct = connected("acc_2", providers=[ProviderName.MICROSOFT]).free_busy_profiles[0]
    assert world.accounts.add_profile("acc_1", direct)
    world.upsert()
    assert [due.recipient for due in world.queue.take()] == [recipient_of(email_of("acc_1"))]


# --- After a move ----------------------------------------------------------------------------------------


def move(world):
    before = world.profile
    direct = Identity(ProviderName.GOOGLE, "google-ana", before.identity.email)
    after = replace(before, identity=direct)
    assert world.accounts.move(world.account, before, after, replace(before, profile_id=f"{before.profile_id}{MOVED}"))


def test_what_was_delivered_through_cronofy_goes_on_being_so(world):
    world.upsert()
    world.deliver()
    move(world)
    world.upsert(TEN)
    assert world.deliver() == [Outcome.INVITED]
    assert world.upstream.kept[world.event.uid].details.when == TEN


def test_a_renewed_token_of_a_moved_profile_is_kept(world):
    world.upsert()
    move(world)
    world.upstream.troubles = [AccessTokenRejected("401")]
    world.deliver()
    world.upsert(TEN)
    world.deliver()
    assert [token for _, token, _ in world.upstream.written] == ["token 1", "token 1"]
    assert world.cronofy.refreshes == 1


def test_a_new_event_is_mailed_by_us(world):
    move(world)
    world.upsert()
    assert [due.recipient for due in world.queue.take()] == [recipient_of(email_of("acc_1"))]


def test_what_we_mailed_ourselves_goes_on_being_mailed_by_us(world):
    """Whoever moves the other way has our invitation, and would get a second one."""
    world.upsert()
    world.events.save(world.event._replace(carrier=None), over=world.event.version)
    world.queue.take()
    world.upsert(TEN)
    assert [due.recipient for due in world.queue.take()] == [recipient_of(email_of("acc_1"))]


def test_when_nothing_can_be_written_there_any_more_our_own_mail_takes_over(world):
    world.upsert(invite=(GUEST,))
    world.deliver()
    move(world)
    (moved,) = world.account.moved
    world.accounts.disconnect("acc_1", moved.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    world.upsert(TEN)
    assert {due.recipient for due in world.queue.take()} == {recipient_of(email_of("acc_1")), recipient_of(GUEST)}


# --- Answers ---------------------------------------------------------------------------------------------


def test_what_people_answered_there_is_counted_here(world):
    world.upsert(invite=(GUEST, "other@example.org"))
    world.answered(Participation.ACCEPTED, guest=Participation.DECLINED)
    person, guest, other = world.event.attendees
    assert [each.participation for each in (person, guest, other)] == [
        Participation.ACCEPTED,
        Participation.DECLINED,
        Participation.NEEDS_ACTION,
    ]


def test_who_declined_there_is_free_here(world):
    world.upsert()
    world.answered(Participation.DECLINED)
    assert busy_periods(world.account, DAY, events=world.events) == []


def test_an_answer_to_an_earlier_time_does_not_count(world):
    world.upsert()
    world.upsert(TEN)
    world.answered(Participation.DECLINED, NINE)
    assert world.event.person.participation is Participation.NEEDS_ACTION


def test_what_cronofy_does_not_know_leaves_what_we_know(world):
    world.upsert()
    world.answered(Participation.ACCEPTED)
    world.answered(None)
    assert world.event.person.participation is Participation.ACCEPTED


def test_the_same_answers_again_write_nothing(world):
    world.upsert()
    world.answered()
    version = world.event.version
    world.answered()
    assert world.event.version == version


def test_answers_to_what_we_do_not_have_are_passed_over(world):
    world.upsert()
    world.take_in(UpstreamAnswers("evt_other", NINE.start, NINE.end, Participation.DECLINED, {}))
    assert world.event.person.participation is Participation.NEEDS_ACTION


def test_any_occurrence_of_a_series_tells_the_answer(world):
    when = When(NOW - 7 * 86400, NOW - 7 * 86400 + HOUR)
    details = Details("Stand-up", when, recurrence=(RecurrenceRule("daily"),))
    upsert = EventUpsert("e", "Stand-up", when, recurrence=details.recurrence)
    calendar_id = world.account.managed_profile.calendar_id
    upsert_event(world.account, calendar_id, upsert, accounts=world.accounts, events=world.events, now=NOW)
    world.answered(Participation.ACCEPTED, When(NOW, NOW + HOUR))
    assert world.event.person.participation is Participation.ACCEPTED


def test_nobody_is_asked_about_events_that_we_mailed(world):
    world.accounts = FakeAccounts(connected())
    world.events.save(
        ManagedEvent("client-1", "acc_1", "cal", "e", "evt_e", "o", Details("x", NINE), (Attendee("a@example.com"),)),
        over=None,
    )
    world.take_in()
    assert world.upstream.windows == []


@pytest.mark.parametrize("trouble", [ProviderUnavailable("away"), CredentialRevoked("dead")], ids=lambda it: it.reason)
def test_while_cronofy_does_not_tell_answers_stay_as_they_are_known(world, trouble):
    world.upsert()
    world.answered(Participation.ACCEPTED)
    world.upstream.troubles = [trouble]
    world.answered(Participation.DECLINED)
    assert world.event.person.participation is Participation.ACCEPTED


def test_an_event_that_changes_meanwhile_is_left_for_the_next_reading(world, monkeypatch):
    world.upsert()
    monkeypatch.setattr(world.events, "save", lambda *_, **__: False)
    world.answered(Participation.DECLINED)
    monkeypatch.undo()
    assert world.event.person.participation is Participation.NEEDS_ACTION


def test_a_table_that_does_not_answer_is_no_answer(world, monkeypatch):
    world.upsert()

    def away(*_, **__):
        raise StorageUnavailable("away")

    monkeypatch.setattr(world.events, "save", away)
    with pytest.raises(StorageUnavailable):
        world.answered(Participation.DECLINED)
