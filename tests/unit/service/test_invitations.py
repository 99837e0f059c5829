"""Who is mailed what about an event, whatever goes wrong on the way."""

from __future__ import annotations

import pytest

from freebusy.domain.account import Disconnected
from freebusy.domain.errors import MailRefused, MailUnavailable, StorageUnavailable
from freebusy.domain.event import Attendee, Delivery, Details, InvitationDue, ManagedEvent, Participation, SentMark
from freebusy.service.due_invitations import EventState, deliver_again, due_after, recipient_of
from freebusy.service.invitations import Outcome
from tests.fakes.queues import FakeInvitationQueue
from tests.mailing import BEN, CALENDAR, CLEO, NINE, PERSON, TEN, World, state_of
from tests.people import CLIENT_ID, connected

THROTTLED = MailUnavailable("TooManyRequestsException")
NO_ANSWER = MailUnavailable("SES did not answer", perhaps_sent=True)


@pytest.fixture
def world() -> World:
    return World()


# --- Who has to hear of a change -------------------------------------------------------------------


def state(revision: int = 1, **uninvited: bool) -> EventState:
    return EventState("acc_1", "e", 7, revision, uninvited)


@pytest.mark.parametrize(
    ("before", "after", "concerned"),
    [
        pytest.param(None, state(ana=False, ben=False), {"ana", "ben"}, id="everybody hears of a new event"),
        pytest.param(state(ana=False), state(2, ana=False, ben=False), {"ana", "ben"}, id="and of a change"),
        pytest.param(state(ana=False), state(ana=False), set(), id="nobody of an answer or a bounce"),
        pytest.param(state(ana=False), state(ana=False, ben=False), {"ben"}, id="only the new one of being invited"),
        pytest.param(state(ana=False, ben=False), state(ana=False, ben=True), {"ben"}, id="only the one uninvited"),
        pytest.param(state(ana=False, ben=True), state(ana=False, ben=False), {"ben"}, id="only the one invited again"),
        pytest.param(state(ana=False, ben=True), state(2, ana=False, ben=True), {"ana"}, id="not the long uninvited"),
        pytest.param(state(ana=False, ben=False), state(2, ana=False, ben=True), {"ana", "ben"}, id="both at once"),
    ],
)
def test_a_change_is_mailed_to_those_whom_it_concerns(before, after, concerned):
    due = due_after(before, after)
    assert {each.recipient for each in due} == concerned
    assert len(due) == len(concerned)
    assert all((each.sub, each.event_id, each.version) == ("acc_1", "e", 7) for each in due)


# --- What they are sent ----------------------------------------------------------------------------


def test_everybody_is_invited_by_a_message_of_their_own(world):
    world.upsert(invite=(BEN,))
    assert world.deliver() == [Outcome.INVITED, Outcome.INVITED]
    assert world.sent() == [("REQUEST", PERSON), ("REQUEST", BEN)]


def test_mail_comes_from_the_organizer_and_its_reports_lead_back_to_the_event(world):
    world.upsert()
    world.deliver()
    (mail,) = world.mailer.sent
    assert (mail.sender, mail.recipient) == (f"{world.event.organizer}@invites.example", PERSON)
    assert mail.tags == {"organizer": world.event.organizer, "recipient": recipient_of(PERSON)}


def test_a_moved_event_is_a_higher_sequence_of_the_same_uid(world):
    world.upsert()
    world.deliver()
    (first,) = world.read()
    world.upsert(TEN)
    world.deliver()
    (second,) = world.read()
    assert (first.uid, first.sequence, first.start) == (second.uid, 0, NINE.start)
    assert (second.method, second.sequence, second.start) == ("REQUEST", 1, TEN.start)


def test_an_event_that_changed_again_while_it_waited_is_mailed_once_as_it_is_now(world):
    world.upsert()
    world.upsert(TEN)
    assert world.deliver() == [Outcome.INVITED, Outcome.UP_TO_DATE]
    assert [mail.start for mail in world.read()] == [TEN.start]


def test_deleting_and_uninviting_take_back_what_was_sent(world):
    world.upsert(invite=(BEN, CLEO))
    world.deliver()
    world.sent()
    world.upsert(remove=(BEN,))
    world.deliver()
    assert world.sent() == [("CANCEL", BEN)]
    world.delete()
    world.deliver()
    assert world.sent() == [("CANCEL", PERSON), ("CANCEL", CLEO)]


def test_who_was_never_invited_by_mail_hears_of_no_deletion(world):
    world.upsert(invite=(BEN,))
    world.delete()
    assert set(world.deliver()) == {Outcome.UP_TO_DATE}
    assert world.sent() == []


def test_an_event_id_that_is_used_again_invites_anew(world):
    world.upsert(invite=(BEN,))
    world.deliver()
    world.delete()
    world.deliver()
    world.sent()
    world.upsert(TEN)
    world.deliver()
    assert world.sent() == [("REQUEST", PERSON)]


def test_who_is_uninvited_and_invited_again_is_asked_anew(world):
    world.upsert(invite=(BEN,))
    world.deliver()
    (_, first) = world.read()
    world.upsert(remove=(BEN,))
    world.upsert(invite=(BEN,))
    assert world.deliver() == [Outcome.INVITED, Outcome.UP_TO_DATE]
    (again,) = world.read()
    assert (again.to, again.method, again.sequence > first.sequence) == (BEN, "REQUEST", True)


def test_answers_are_nobodys_mail(world):
    world.upsert()
    world.deliver()
    world.note(PERSON, participation=Participation.ACCEPTED)
    assert world.queue.waiting == []


def test_people_read_times_in_their_own_zone_as_far_as_it_is_known(world):
    zones = []
    world.sender._write = lambda _event, attendee, *, zone, **_: zones.append((attendee.email, zone)) or b""
    world.accounts._accounts["acc_1"] = connected()._replace(zone="Europe/Berlin")
    world.upsert(NINE._replace(start_zone="Asia/Tokyo", end_zone="Asia/Tokyo"), invite=(BEN,))
    world.deliver()
    assert zones == [(PERSON, "Europe/Berlin"), (BEN, "Asia/Tokyo")]
    world.upsert(TEN)
    world.deliver()
    assert zones[2:] == [(PERSON, "Europe/Berlin"), (BEN, "Europe/Berlin")]


def test_only_who_was_sent_an_earlier_version_is_told_of_a_change(world):
    told = []
    world.sender._write = lambda _event, attendee, *, changed, **_: told.append((attendee.email, changed)) or b""
    world.upsert()
    world.deliver()
    world.upsert(TEN, invite=(BEN,))
    world.deliver()
    assert told == [(PERSON, False), (PERSON, True), (BEN, False)]


# --- What goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [THROTTLED, NO_ANSWER], ids=["throttled", "no answer"])
def test_what_could_not_be_sent_is_tried_again(world, trouble):
    world.upsert()
    (due,) = world.queue.take()
    world.mailer.troubles = [trouble]
    with pytest.raises(MailUnavailable):
        world.sender.deliver(due)
    assert world.sender.deliver(due) is Outcome.INVITED
    assert world.sent() == [("REQUEST", PERSON)]


def test_a_crash_between_sending_and_marking_sends_the_same_message_again(world, monkeypatch):
    world.upsert()
    (due,) = world.queue.take()
    marks = []
    with monkeypatch.context() as patch:
        patch.setattr(world.log, "mark", lambda *mark: _crash_at(2, marks, mark))
        with pytest.raises(StorageUnavailable):
            world.sender.deliver(due)
    assert world.sender.deliver(due) is Outcome.INVITED
    first, second = world.mailer.sent
    assert first.message == second.message


def test_an_invitation_whose_mark_was_lost_in_a_crash_is_still_taken_back(world, monkeypatch):
    world.upsert()
    marks, mark = [], world.log.mark
    with monkeypatch.context() as patch:
        patch.setattr(world.log, "mark", lambda *what: (_crash_at(2, marks, what), mark(*what)))
        with pytest.raises(StorageUnavailable):
            world.deliver()
    world.delete()
    assert world.deliver() == [Outcome.CANCELLED]
    assert world.sent() == [("REQUEST", PERSON), ("CANCEL", PERSON)]


def _crash_at(number: int, seen: list, what: object) -> None:
    seen.append(what)
    if len(seen) == number:
        raise StorageUnavailable("crash")


def test_an_invitation_that_was_surely_not_sent_is_not_taken_back(world):
    world.upsert()
    world.mailer.troubles = [THROTTLED]
    with pytest.raises(MailUnavailable):
        world.deliver()
    world.delete()
    assert world.deliver() == [Outcome.UP_TO_DATE]
    assert world.sent() == []


def test_an_invitation_that_was_perhaps_sent_is_taken_back(world):
    world.upsert()
    world.mailer.troubles = [NO_ANSWER]
    with pytest.raises(MailUnavailable):
        world.deliver()
    world.delete()
    assert world.deliver() == [Outcome.CANCELLED]


@pytest.mark.parametrize("late", [1, 2, 3])
def test_messages_that_come_twice_or_late_change_nothing(world, late):
    world.upsert()
    queued = world.queue.take()
    world.upsert(TEN)
    world.upsert(NINE)
    queued += world.queue.take()
    assert world.sender.deliver(queued[-1]) is Outcome.INVITED
    assert [world.sender.deliver(due) for due in queued[:late]] == [Outcome.UP_TO_DATE] * late
    assert world.sent() == [("REQUEST", PERSON)]


def test_a_refusal_is_noted_on_the_event_and_not_tried_again(world):
    world.upsert(invite=(BEN,))
    person, ben = world.queue.take()
    world.mailer.troubles = [MailRefused("MessageRejected")]
    assert world.sender.deliver(person) is Outcome.REFUSED
    assert world.sender.deliver(person) is Outcome.UP_TO_DATE
    assert world.sender.deliver(ben) is Outcome.INVITED
    assert [each.delivery for each in world.event.attendees] == [Delivery.REFUSED, Delivery.UNDISTURBED]
    assert world.event.updated_at == world.clock()


def test_who_was_refused_the_invitation_is_not_sent_its_end(world):
    world.upsert()
    world.mailer.troubles = [MailRefused("MessageRejected")]
    world.deliver()
    world.delete()
    assert world.deliver() == [Outcome.UP_TO_DATE]


def test_who_was_refused_a_change_is_still_sent_the_end(world):
    world.upsert()
    world.deliver()
    world.upsert(TEN)
    world.mailer.troubles = [MailRefused("MessageRejected")]
    assert world.deliver() == [Outcome.REFUSED]
    world.delete()
    assert world.deliver() == [Outcome.CANCELLED]


def test_the_next_change_is_another_try_after_a_refusal_and_clears_it(world):
    world.upsert()
    world.mailer.troubles = [MailRefused("MessageRejected")]
    world.deliver()
    world.upsert(TEN)
    assert world.deliver() == [Outcome.INVITED]
    assert world.event.person.delivery is Delivery.UNDISTURBED


def test_an_address_that_no_mail_service_takes_is_a_refusal(world):
    event = event_of("not an address")._replace(version=0)
    world.events.save(event, over=None)
    due = due_after(None, state_of(world.event))
    assert [world.sender.deliver(each) for each in due] == [Outcome.INVITED, Outcome.REFUSED]
    assert world.event.attendees[1].delivery is Delivery.REFUSED


def event_of(*emails: str) -> ManagedEvent:
    attendees = tuple(map(Attendee, (PERSON, *emails)))
    return ManagedEvent(
        CLIENT_ID, "acc_1", CALENDAR, "e", "evt_1", "organizer-1", Details("Interview", NINE), attendees
    )


def test_a_refusal_is_noted_although_others_write_the_event(world, monkeypatch):
    world.upsert()
    save, busy = world.events.save, [True, True]

    def contended(event, *, over):
        if busy:
            busy.pop()
            assert save(world.event._replace(updated_at=world.clock()), over=world.event.version)
        return save(event, over=over)

    world.mailer.troubles = [MailRefused("MessageRejected")]
    monkeypatch.setattr(world.events, "save", contended)
    assert world.deliver() == [Outcome.REFUSED]
    assert world.event.person.delivery is Delivery.REFUSED


# --- Who is not mailed -----------------------------------------------------------------------------


@pytest.mark.parametrize("delivery", [Delivery.BOUNCED, Delivery.COMPLAINED])
def test_nothing_more_is_mailed_to_an_address_that_bounced_or_complained(world, delivery):
    world.upsert(invite=(BEN,))
    world.deliver()
    world.sent()
    world.note(BEN, delivery=delivery)
    world.upsert(TEN)
    world.deliver()
    world.delete()
    world.deliver()
    assert world.sent() == [("REQUEST", PERSON), ("CANCEL", PERSON)]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "once the uninvitation was mailed"])
@pytest.mark.parametrize(("delivery", "mailed"), [(Delivery.BOUNCED, [("REQUEST", BEN)]), (Delivery.COMPLAINED, [])])
def test_inviting_anew_is_another_try_after_a_bounce_and_never_after_a_complaint(world, delivery, mailed, at_once):
    world.upsert(invite=(BEN,))
    world.deliver()
    world.sent()
    world.note(BEN, delivery=delivery)
    world.upsert(remove=(BEN,))
    if not at_once:
        world.deliver()
    world.upsert(invite=(BEN,))
    world.deliver()
    assert world.sent() == mailed


def test_who_disconnected_hears_nothing_more_and_the_others_do(world):
    world.upsert(invite=(BEN,))
    world.deliver()
    world.sent()
    world.delete()
    for profile in world.accounts.find("acc_1").free_busy_profiles:
        world.accounts.disconnect("acc_1", profile.profile_id, because=Disconnected.REVOKED)
    assert world.deliver() == [Outcome.NOBODY, Outcome.CANCELLED]
    assert world.sent() == [("CANCEL", BEN)]


def test_a_credential_that_lapsed_does_not_keep_the_mail_away(world):
    (profile,) = world.accounts.find("acc_1").free_busy_profiles
    world.accounts.disconnect("acc_1", profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    world.upsert()
    assert world.deliver() == [Outcome.INVITED]


@pytest.mark.parametrize("gone", ["events", "accounts", "applications"])
def test_what_was_queued_for_an_erased_application_is_dropped(world, gone):
    world.upsert()
    getattr(world, gone).erase(CLIENT_ID)
    assert world.deliver() == [Outcome.NOBODY]
    assert world.sent() == []


def test_an_attendee_whom_the_event_does_not_list_is_nobody(world):
    world.upsert()
    assert world.sender.deliver(InvitationDue("acc_1", "e", recipient_of(BEN), 1)) is Outcome.NOBODY


# --- Delivering again ------------------------------------------------------------------------------


def redelivered(world: World) -> int:
    """As when all that waits was lost, and longer ago than the queue knows what it has seen."""
    world.queue = FakeInvitationQueue()
    return deliver_again("acc_1", events=world.events, log=world.log, queue=world.queue)


def test_what_never_reached_the_queue_is_delivered_again(world):
    world.upsert(invite=(BEN,))
    assert redelivered(world) == 2
    world.deliver()
    assert world.sent() == [("REQUEST", PERSON), ("REQUEST", BEN)]
    world.upsert(TEN, remove=(BEN,))
    assert redelivered(world) == 2
    world.deliver()
    assert world.sent() == [("REQUEST", PERSON), ("CANCEL", BEN)]


def test_what_was_delivered_is_not_delivered_again(world):
    world.upsert(invite=(BEN,))
    world.deliver()
    world.note(BEN, participation=Participation.ACCEPTED)
    assert redelivered(world) == 0
    world.delete()
    world.deliver()
    assert redelivered(world) == 0


def test_a_mark_says_which_state_an_attendee_was_sent(world):
    world.upsert()
    world.deliver()
    assert world.log.sent(world.event, recipient_of(PERSON)) == SentMark(1, cancelled=False, version=1)
    world.delete()
    world.deliver()
    assert world.log.sent(world.event, recipient_of(PERSON)) == SentMark(2, cancelled=True, version=2)
