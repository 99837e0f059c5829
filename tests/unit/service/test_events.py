"""What an upsert or a deletion changes about an event, who is mailed anew because of it, and who wins a race."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freebusy.domain.errors import InvalidRequest, NotFound, StorageUnavailable
from freebusy.domain.event import (
    Answered,
    Attendee,
    Conferencing,
    Delivery,
    ExtendedTransparency,
    Location,
    ManagedEvent,
    Participation,
    Proposal,
    RecurrenceRule,
    Transparency,
    When,
)
from freebusy.domain.event_changes import MOST_ATTENDEES, MOST_LISTED, EventUpsert, Invitee
from freebusy.service.events import delete_all_events, delete_event, upsert_event
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW
from tests.fakes.events import FakeEvents
from tests.people import connected

HOUR = 3600
CALENDAR = "cal_macc_1"
NINE = When(NOW, NOW + HOUR)
PERSON, BEN, CLEO = "acc_1@example.com", "ben@example.com", "cleo@example.com"


class World:
    """One account; ``now`` moves on by a minute with every write."""

    def __init__(self) -> None:
        self.accounts = FakeAccounts(connected())
        self.events = FakeEvents()
        self.now = NOW

    @property
    def account(self):
        return self.accounts.find("acc_1")

    def upsert(self, **wanted) -> ManagedEvent:
        return self.put(EventUpsert(**{"event_id": "e", "summary": "Interview", "when": NINE} | wanted))

    def put(self, wanted: EventUpsert) -> ManagedEvent:
        upsert_event(self.account, CALENDAR, wanted, accounts=self.accounts, events=self.events, now=self.now)
        self.now += 60
        return self.events.find("acc_1", wanted.event_id)

    def delete(self, event_id: str = "e") -> ManagedEvent | None:
        delete_event(self.account, CALENDAR, event_id, events=self.events, now=self.now)
        self.now += 60
        return self.events.find("acc_1", event_id)

    def everybody_answers(self, participation: Participation = Participation.ACCEPTED) -> ManagedEvent:
        event = self.events.find("acc_1", "e")
        answered = tuple(
            attendee._replace(
                participation=participation,
                comment="Gladly",
                proposal=Proposal(NOW, NOW + 1),
                answered=Answered(event.sequence, self.now),
            )
            for attendee in event.attendees
        )
        assert self.events.save(event._replace(attendees=answered), over=event.version)
        return self.events.find("acc_1", "e")


@pytest.fixture
def world() -> World:
    return World()


def invite(*emails: str, name: str | None = None) -> tuple[Invitee, ...]:
    return tuple(Invitee(email, name) for email in emails)


def listed(event: ManagedEvent) -> dict[str, bool]:
    """Who is listed, and whether they are invited."""
    return {attendee.email: not attendee.uninvited for attendee in event.attendees}


def numbers(event: ManagedEvent) -> tuple[int, int, int]:
    return event.sequence, event.timed_sequence, event.revision


class TestFirstUpsert:
    def test_the_person_is_invited_first(self, world):
        event = world.upsert(invite=invite(BEN, CLEO))
        assert listed(event) == {PERSON: True, BEN: True, CLEO: True}
        assert event.person.participation is Participation.NEEDS_ACTION
        assert numbers(event) == (0, 0, 1)
        assert (event.created_at, event.updated_at, event.revised_at) == (NOW, NOW, NOW)

    def test_inviting_the_person_again_is_nothing_new(self, world):
        event = world.upsert(invite=invite(PERSON.upper(), BEN, BEN.upper()))
        assert [attendee.email for attendee in event.attendees] == [PERSON, BEN]

    def test_uninviting_a_stranger_is_nothing(self, world):
        assert listed(world.upsert(uninvite=(BEN,))) == {PERSON: True}

    def test_the_account_expects_events_before_one_is_stored(self, world):
        class Full(FakeEvents):
            def save(self, *_, **__):
                raise StorageUnavailable("throttled")

        world.events = Full()
        with pytest.raises(StorageUnavailable):
            world.upsert()
        assert world.account.has_events

    def test_an_account_that_is_gone_gets_no_event(self, world):
        account = world.account
        world.accounts.erase(account.client_id)
        with pytest.raises(NotFound):
            upsert_event(
                account, CALENDAR, EventUpsert("e", "x", NINE), accounts=world.accounts, events=world.events, now=NOW
            )
        assert list(world.events.all_of("acc_1")) == []


SERIES = (RecurrenceRule("weekly"),)

RETIMED = [
    pytest.param({"when": When(NOW - 1, NOW + HOUR)}, id="start"),
    pytest.param({"when": When(NOW, NOW + 2 * HOUR)}, id="end"),
    pytest.param({"when": When(NOW - NOW % 86_400, NOW - NOW % 86_400 + 86_400, all_day=True)}, id="all day"),
    pytest.param({"recurrence": SERIES}, id="recurrence"),
]
MATTERS = [
    pytest.param({"summary": "Second interview"}, id="summary"),
    pytest.param({"location": Location("Room 5")}, id="location"),
    pytest.param({"conferencing": Conferencing("https://meet.example/1")}, id="conferencing"),
]
CORRECTS = [
    pytest.param({"description": "Bring a CV"}, id="description"),
    pytest.param({"url": "https://example.com/"}, id="url"),
    pytest.param({"reminders": (10,)}, id="reminders"),
    pytest.param({"transparency": Transparency.TRANSPARENT}, id="transparency"),
    pytest.param({"extended_transparency": ExtendedTransparency.OUT_OF_OFFICE}, id="extended transparency"),
    pytest.param({"private": True}, id="privacy"),
    pytest.param({"color": "#49bed8"}, id="color"),
    pytest.param({"tags": ("a",)}, id="tags"),
    pytest.param({"invite": invite(BEN, name="Benjamin")}, id="a name"),
    pytest.param({"when": When(NOW, NOW + HOUR, start_zone="Asia/Tokyo")}, id="the zone of a single event"),
]


class TestLaterUpserts:
    @pytest.fixture(autouse=True)
    def _answered(self, world):
        world.upsert(invite=invite(BEN, name="Ben"))
        self.before = world.everybody_answers()

    def test_nothing_new_is_not_written(self, world):
        assert world.upsert() == self.before
        assert world.upsert(invite=invite(BEN, name="Ben")) == self.before
        assert world.upsert(invite=invite(BEN.upper())) == self.before

    @pytest.mark.parametrize("changes", RETIMED)
    def test_another_time_asks_everybody_anew(self, world, changes):
        event = world.upsert(**changes)
        assert numbers(event) == (1, 1, 2)
        assert {attendee.participation for attendee in event.attendees} == {Participation.NEEDS_ACTION}
        assert {(attendee.comment, attendee.proposal) for attendee in event.attendees} == {(None, None)}
        assert [attendee.answered for attendee in event.attendees] == [
            attendee.answered for attendee in self.before.attendees
        ]

    @pytest.mark.parametrize("changes", MATTERS)
    def test_other_terms_are_a_new_invitation_to_those_who_have_answered(self, world, changes):
        event = world.upsert(**changes)
        assert numbers(event) == (1, 0, 2)
        assert event.attendees == self.before.attendees

    @pytest.mark.parametrize("changes", CORRECTS)
    def test_other_details_are_mailed_as_a_correction(self, world, changes):
        event = world.upsert(**changes)
        assert numbers(event) == (0, 0, 2)
        assert event.person == self.before.person
        assert event.attendees[1].participation is Participation.ACCEPTED

    @pytest.mark.parametrize("changes", [*RETIMED, *MATTERS, *CORRECTS])
    def test_every_change_has_a_later_stamp_and_is_found_as_modified(self, world, changes):
        event = world.upsert(**changes)
        assert event.revised_at == event.updated_at == NOW + 60
        assert event.created_at == NOW
        assert event.version == self.before.version + 1

    @pytest.mark.parametrize("changes", [*RETIMED, *MATTERS, *CORRECTS])
    def test_the_same_change_again_changes_nothing(self, world, changes):
        event = world.upsert(**changes)
        assert world.upsert(**changes) == event

    def test_two_changes_within_a_second_have_different_stamps(self, world):
        first = world.upsert(description="a")
        world.now -= 60
        second = world.upsert(description="b")
        assert second.revised_at == first.revised_at + 1

    def test_the_zone_of_a_series_is_part_of_its_time(self, world):
        world.upsert(recurrence=SERIES)
        zoned = When(NOW, NOW + HOUR, start_zone="Europe/Berlin")
        assert numbers(world.upsert(recurrence=SERIES, when=zoned)) == (2, 2, 3)

    def test_a_newcomer_concerns_nobody_else(self, world):
        event = world.upsert(invite=invite(CLEO))
        assert numbers(event) == numbers(self.before)
        assert event.revised_at == self.before.revised_at
        assert event.attendees == (*self.before.attendees, Attendee(CLEO))
        assert event.updated_at > self.before.updated_at

    def test_an_uninvitation_outranks_the_invitation_and_concerns_nobody_else(self, world):
        event = world.upsert(uninvite=(BEN.upper(),))
        assert listed(event) == {PERSON: True, BEN: False}
        assert numbers(event) == (1, 0, 1)
        assert event.revised_at > self.before.revised_at
        assert event.person == self.before.person
        assert world.upsert(uninvite=(BEN,)) == event

    def test_who_is_invited_again_is_asked_anew_and_keeps_the_name(self, world):
        world.upsert(uninvite=(BEN,))
        event = world.upsert(invite=invite(BEN))
        assert listed(event) == {PERSON: True, BEN: True}
        assert numbers(event) == (2, 0, 1)
        ben = event.attendees[1]
        assert (ben.name, ben.participation, ben.comment) == ("Ben", Participation.NEEDS_ACTION, None)

    @pytest.mark.parametrize(
        ("delivery", "then"),
        [
            pytest.param(Delivery.BOUNCED, Delivery.UNDISTURBED, id="a bounce is forgotten"),
            pytest.param(Delivery.REFUSED, Delivery.UNDISTURBED, id="a refusal is forgotten"),
            pytest.param(Delivery.COMPLAINED, Delivery.COMPLAINED, id="a complaint never"),
        ],
    )
    def test_an_address_that_failed_is_tried_again_when_it_is_invited_again(self, world, delivery, then):
        event = world.upsert(uninvite=(BEN,))
        person, ben = event.attendees
        world.events.save(event._replace(attendees=(person, ben._replace(delivery=delivery))), over=event.version)
        assert world.upsert(invite=invite(BEN)).attendees[1].delivery is then


class TestAttendees:
    def test_the_person_cannot_be_uninvited(self, world):
        with pytest.raises(InvalidRequest) as refused:
            world.upsert(uninvite=(BEN, PERSON.upper()))
        assert list(refused.value.errors) == ["attendees.remove[1].email"]

    def test_there_are_no_more_than_may_be_invited(self, world):
        crowd = [f"guest-{number}@example.com" for number in range(MOST_ATTENDEES - 1)]
        world.upsert(invite=invite(*crowd))
        with pytest.raises(InvalidRequest):
            world.upsert(invite=invite(BEN))
        assert len(world.upsert(invite=invite(BEN), uninvite=(crowd[0],)).attendees) == MOST_ATTENDEES + 1

    def test_those_who_were_uninvited_are_remembered_up_to_a_point(self, world):
        emails = [f"guest-{number}@example.com" for number in range(MOST_LISTED)]
        for start in range(0, MOST_LISTED - 100, 100):
            world.upsert(invite=invite(*emails[start : start + 100]), uninvite=tuple(emails[:start]))
        with pytest.raises(InvalidRequest):
            world.upsert(invite=invite(*emails[300:]), uninvite=tuple(emails[:300]))


class TestDeletion:
    def test_a_deletion_is_mailed_with_a_higher_sequence(self, world):
        world.upsert(invite=invite(BEN))
        event = world.delete()
        assert event.deleted
        assert numbers(event) == (1, 0, 2)
        assert (event.revised_at, event.updated_at) == (NOW + 60, NOW + 60)
        assert listed(event) == {PERSON: True, BEN: True}

    def test_a_second_deletion_changes_nothing(self, world):
        world.upsert()
        event = world.delete()
        assert world.delete() == event

    def test_what_does_not_exist_is_deleted_already(self, world):
        assert world.delete() is None

    def test_an_event_that_is_made_again_outranks_its_cancellation(self, world):
        first = world.upsert(url="https://example.com/", invite=invite(BEN, CLEO, name="Guest"))
        world.everybody_answers()
        world.delete()
        event = world.upsert(invite=invite(CLEO))
        assert (event.uid, event.organizer) == (first.uid, first.organizer)
        assert numbers(event) == (2, 2, 3)
        assert event.created_at == event.updated_at == NOW + 120
        assert event.details.url is None
        assert listed(event) == {PERSON: True, BEN: False, CLEO: True}
        assert {attendee.participation for attendee in event.attendees if not attendee.uninvited} == {
            Participation.NEEDS_ACTION
        }
        assert event.counts_as_busy

    def test_all_events_are_deleted(self, world):
        for number in range(20):
            world.upsert(event_id=f"e-{number}")
        delete_all_events(world.account, None, events=world.events, now=world.now)
        assert all(event.deleted and event.sequence == 1 for event in world.events.all_of("acc_1"))

    def test_a_bulk_deletion_that_is_interrupted_says_so_and_can_be_repeated(self, world):
        for number in range(20):
            world.upsert(event_id=f"e-{number}")
        save = world.events.save

        def save_or_fail(event, *, over):
            if event.event_id == "e-7":
                raise StorageUnavailable("throttled")
            return save(event, over=over)

        world.events.save = save_or_fail
        with pytest.raises(StorageUnavailable):
            delete_all_events(world.account, None, events=world.events, now=world.now)
        world.events.save = save
        delete_all_events(world.account, None, events=world.events, now=world.now)
        assert all(event.deleted for event in world.events.all_of("acc_1"))


class TestRaces:
    """Somebody else writes between this writer's read and its write."""

    class Contested(FakeEvents):
        def __init__(self, *meanwhile) -> None:
            super().__init__()
            self.meanwhile = list(meanwhile)

        def save(self, event, *, over):
            if self.meanwhile:
                self.meanwhile.pop(0)(super().save, self.find(event.sub, event.event_id))
            return super().save(event, over=over)

    def test_who_is_late_starts_over_from_what_is_stored_now(self, world):
        def answered(save, stored):
            ben = stored.attendees[1]._replace(participation=Participation.ACCEPTED)
            assert save(stored._replace(attendees=(stored.attendees[0], ben)), over=stored.version)

        world.events = self.Contested(lambda *_: None, answered)
        world.upsert(invite=invite(BEN))
        event = world.upsert(description="new")
        assert (event.version, event.details.description) == (3, "new")
        assert event.attendees[1].participation is Participation.ACCEPTED

    def test_who_never_is_in_time_says_so(self, world):
        def changed(save, stored):
            assert save(stored, over=stored.version)

        world.upsert()
        stored = world.events.find("acc_1", "e")
        world.events = self.Contested(*[changed] * 1000)
        super(self.Contested, world.events).save(stored, over=None)
        with pytest.raises(StorageUnavailable):
            world.upsert(summary="Never")


emails = st.sampled_from([PERSON, BEN, CLEO, "Dora@Example.com"])
rules = st.builds(
    RecurrenceRule,
    frequency=st.sampled_from(["daily", "weekly"]),
    interval=st.integers(1, 3),
    count=st.none() | st.integers(1, 9),
)
upserts = st.builds(
    EventUpsert,
    event_id=st.just("e"),
    summary=st.text(min_size=1, max_size=5),
    when=st.sampled_from([NINE, When(NOW, NOW + 2 * HOUR), When(NOW, NOW + HOUR, start_zone="Asia/Tokyo")]),
    description=st.text(max_size=5),
    location=st.none() | st.just(Location("Room 4")),
    url=st.sampled_from([None, "https://example.com/"]),
    reminders=st.sampled_from([(), (5,), (10, 5)]),
    reminders_create_only=st.booleans(),
    transparency=st.sampled_from(Transparency),
    recurrence=st.just(()) | rules.map(lambda rule: (rule,)),
    invite=st.lists(
        st.builds(Invitee, emails, st.none() | st.just("Name")), max_size=4, unique_by=lambda each: each.email.lower()
    ).map(tuple),
)
steps = st.lists(st.just("delete") | st.just("answer") | upserts, max_size=8)


@settings(max_examples=150, deadline=None)
@given(steps, upserts)
def test_an_upsert_of_the_same_content_changes_nothing_whatever_came_before(before, wanted):
    world = World()
    for step in before:
        take(world, step)
    event = world.put(wanted)
    assert world.put(wanted) == event


@settings(max_examples=150, deadline=None)
@given(steps)
def test_what_is_mailed_can_always_be_put_in_order(taken):
    """Each newer state outranks the last by sequence or stamp, and the person stays invited first."""
    world, last = World(), None
    for step in taken:
        take(world, step)
        event = world.events.find("acc_1", "e")
        if event is None:
            continue
        assert event.person.email == PERSON
        assert not event.person.uninvited
        assert event.timed_sequence <= event.sequence
        if last and (event.revision, event.details) != (last.revision, last.details):
            assert event.revision == last.revision + 1
            assert (event.sequence, event.revised_at) > (last.sequence, last.revised_at)
            assert event.revised_at > last.revised_at
        last = event


def take(world, step) -> None:
    if step == "delete":
        world.delete()
    elif step == "answer":
        if world.events.find("acc_1", "e"):
            world.everybody_answers()
    else:
        world.put(step)
    world.now -= 59  # often within the same second or before it, as clocks of several sandboxes go
