"""What every implementation of the event store and the invitation log promises: the fakes and DynamoDB, as two
emulators know it, pass the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.events import DynamoEvents, DynamoInvitationLog
from freebusy.domain.errors import NotFound
from freebusy.domain.event import (
    Answered,
    Attendee,
    Conferencing,
    Delivery,
    Details,
    ExtendedTransparency,
    Location,
    ManagedEvent,
    Participation,
    Proposal,
    RecurrenceRule,
    SentMark,
    Transparency,
    When,
)
from freebusy.domain.free_busy import Period
from freebusy.ports import AccountStore, EventStore, InvitationLog
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW
from tests.fakes.events import FakeEvents, FakeInvitationLog
from tests.people import connected
from tests.tables import create_table

HOUR, DAY = 3600, 86_400
TODAY = NOW - NOW % DAY


@dataclass(frozen=True)
class Stores:
    events: EventStore
    log: InvitationLog
    accounts: AccountStore
    erase: Any


@pytest.fixture(params=["fake", "moto", pytest.param("ministack", marks=pytest.mark.emulator)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        events = FakeEvents()
        return Stores(events, FakeInvitationLog(), FakeAccounts(), events.erase)
    dynamodb = request.getfixturevalue(request.param)
    table = create_table(dynamodb, f"table-{uuid4().hex}")
    applications = DynamoApplications(dynamodb, table, pause=lambda _: None)
    return Stores(
        DynamoEvents(dynamodb, table),
        DynamoInvitationLog(dynamodb, table),
        DynamoAccounts(dynamodb, table),
        applications.erase,
    )


def event(event_id: str = "booking-7", **changes: Any) -> ManagedEvent:
    usual = ManagedEvent(
        client_id="app",
        sub="acc_1",
        calendar_id="cal_1",
        event_id=event_id,
        uid=f"evt_{event_id}",
        organizer=f"0f{event_id.encode().hex()}"[:64],
        details=Details("Interview", When(NOW, NOW + HOUR)),
        attendees=(Attendee("ana@example.com", "Ana"),),
        revised_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    return usual._replace(**changes)


def at(start: int, end: int, **more: Any) -> Details:
    all_day = more.pop("all_day", False)
    return Details("Interview", When(start, end, all_day=all_day), **more)


EVERYTHING = event(
    details=Details(
        summary="Gespräch 🗓 \u202eright to left",
        when=When(NOW, NOW + HOUR, start_zone="Europe/Berlin", end_zone="America/New_York"),
        description="line one\nline two; with, signs: and \\ more" + "ü" * 30_000,
        location=Location("Room 4", "48.1", "-11.5"),
        url="https://example.com/7",
        conferencing=Conferencing("https://meet.example.com/7", "Meet"),
        reminders=(30, 0, 10),
        transparency=Transparency.TRANSPARENT,
        private=True,
        color="#49bed8",
        recurrence=(
            RecurrenceRule("weekly", 2, until=NOW + 90 * DAY, by_day=("MO", "FR"), exceptions=(NOW + 14 * DAY,)),
        ),
        tags=("one", ""),
        extended_transparency=ExtendedTransparency.WORKING_ELSEWHERE,
    ),
    attendees=(
        Attendee("ana@example.com", None, Participation.ACCEPTED, "Gern 🙂", answered=Answered(3, NOW + 5)),
        Attendee("ben@example.com", "Ben", proposal=Proposal(NOW + DAY, NOW + DAY + HOUR), delivery=Delivery.BOUNCED),
        Attendee("cleo@example.com", "Cleo", Participation.DECLINED, "", uninvited=True),
    ),
    sequence=3,
    timed_sequence=2,
    revision=9,
    revised_at=NOW + 1,
    updated_at=NOW + 2,
    earlier=((NOW - DAY, NOW - DAY + HOUR), (NOW + DAY, NOW + DAY + HOUR)),
    carrier="acc_ana",
)


class TestEvents:
    @pytest.mark.parametrize(
        "stored",
        [
            pytest.param(event(), id="what must be"),
            pytest.param(EVERYTHING, id="everything"),
            pytest.param(event("x"), id="an event id of one character"),
            pytest.param(event("é🗓/#?" * 100), id="an event id of 500 characters"),
            pytest.param(EVERYTHING._replace(deleted=True), id="deleted"),
        ],
    )
    def test_an_event_comes_back_as_it_was_stored(self, stores, stored):
        assert stores.events.save(stored, over=None)
        assert stores.events.find("acc_1", stored.event_id) == stored._replace(version=1)

    def test_every_write_raises_the_version(self, stores):
        stores.events.save(event(), over=None)
        assert stores.events.save(event(revision=2), over=1)
        assert stores.events.find("acc_1", "booking-7") == event(revision=2, version=2)

    @pytest.mark.parametrize("over", [None, 0, 2])
    def test_a_late_write_changes_nothing(self, stores, over):
        stores.events.save(event(), over=None)
        assert not stores.events.save(event(revision=2), over=over)
        assert stores.events.find("acc_1", "booking-7") == event(version=1)

    def test_a_change_of_what_is_gone_makes_nothing(self, stores):
        assert not stores.events.save(event(), over=1)
        assert stores.events.find("acc_1", "booking-7") is None
        assert stores.events.find_by_organizer(event().organizer) is None

    @pytest.mark.parametrize(
        ("sub", "event_id"),
        [
            pytest.param("acc_1", "booking-8", id="another event id"),
            pytest.param("acc_2", "booking-7", id="another account"),
            pytest.param("acc_1", "", id="empty"),
            pytest.param("acc_1", "\ud800", id="a lone surrogate"),
            pytest.param("acc_1", "x" * 5000, id="longer than a key may be"),
            pytest.param("☃" * 1000, "booking-7", id="an account that cannot be"),
        ],
    )
    def test_an_unknown_event_is_not_found(self, stores, sub, event_id):
        stores.events.save(event(), over=None)
        assert stores.events.find(sub, event_id) is None

    def test_accounts_may_use_the_same_event_ids(self, stores):
        stores.events.save(event(), over=None)
        assert stores.events.save(event(sub="acc_2", organizer="other"), over=None)
        assert stores.events.find("acc_1", "booking-7").sub == "acc_1"
        assert stores.events.find("acc_2", "booking-7").sub == "acc_2"

    def test_all_events_of_an_account_are_listed_deleted_ones_included(self, stores):
        for number in range(30):
            stores.events.save(event(f"e-{number}", deleted=number % 2 == 0), over=None)
        stores.events.save(event(sub="acc_2", organizer="other"), over=None)
        stores.log.mark(event(), "recipient", SentMark(1, cancelled=False))
        assert {each.event_id for each in stores.events.all_of("acc_1")} == {f"e-{number}" for number in range(30)}
        assert list(stores.events.all_of("acc_3")) == []


class TestOrganizers:
    def test_an_organizer_leads_to_its_event_however_it_is_spelled(self, stores):
        stores.events.save(event(organizer="0f3a"), over=None)
        stores.events.save(event(organizer="0f3a", revision=2, updated_at=NOW + 1), over=1)
        assert stores.events.find_by_organizer("0F3a").revision == 2

    @pytest.mark.parametrize("organizer", ["", "0f3b", "☃", "\ud800", "x" * 5000])
    def test_an_unknown_organizer_leads_nowhere(self, stores, organizer):
        stores.events.save(event(organizer="0f3a"), over=None)
        assert stores.events.find_by_organizer(organizer) is None

    def test_an_organizer_leads_to_a_deleted_event(self, stores):
        stores.events.save(event(organizer="0f3a"), over=None)
        stores.events.save(event(organizer="0f3a", deleted=True, updated_at=NOW + 1), over=1)
        assert stores.events.find_by_organizer("0f3a").deleted

    def test_an_organizer_that_an_event_no_longer_has_leads_nowhere(self, stores):
        stores.events.save(event(organizer="0f3a", deleted=True), over=None)
        stores.events.save(event(organizer="0f3b"), over=1)
        assert stores.events.find_by_organizer("0f3a") is None
        assert stores.events.find_by_organizer("0f3b") == event(organizer="0f3b", version=2)


class TestWindows:
    WINDOW = Period(TODAY, TODAY + DAY)

    @pytest.mark.parametrize(
        ("details", "found"),
        [
            pytest.param(at(TODAY + HOUR, TODAY + 2 * HOUR), True, id="inside"),
            pytest.param(at(TODAY - HOUR, TODAY + 1), True, id="over its start"),
            pytest.param(at(TODAY + DAY - 1, TODAY + 2 * DAY), True, id="over its end"),
            pytest.param(at(TODAY - DAY, TODAY + 3 * DAY), True, id="around it"),
            pytest.param(at(TODAY - HOUR, TODAY), False, id="ends as it starts"),
            pytest.param(at(TODAY + DAY, TODAY + DAY + HOUR), False, id="starts as it ends"),
            pytest.param(
                at(TODAY + DAY, TODAY + 2 * DAY, all_day=True), True, id="tomorrow's date has begun in the east"
            ),
            pytest.param(at(TODAY - DAY, TODAY, all_day=True), True, id="yesterday's date lasts in the west"),
            pytest.param(at(TODAY + 2 * DAY, TODAY + 3 * DAY, all_day=True), False, id="the day after tomorrow"),
            pytest.param(at(TODAY - 3 * DAY, TODAY - DAY, all_day=True), False, id="dates before yesterday"),
        ],
    )
    def test_an_event_is_found_where_it_may_be(self, stores, details, found):
        stores.events.save(event(details=details), over=None)
        assert [each.event_id for each in stores.events.overlapping("acc_1", self.WINDOW)] == ["booking-7"] * found

    @pytest.mark.parametrize(
        ("rule", "found"),
        [
            pytest.param(RecurrenceRule("weekly"), True, id="endless"),
            pytest.param(RecurrenceRule("daily", until=TODAY - 50 * DAY), False, id="ended by a date"),
            pytest.param(RecurrenceRule("daily", until=TODAY + DAY), True, id="not ended by a date"),
            pytest.param(RecurrenceRule("daily", count=20), False, id="ended by a count"),
            pytest.param(RecurrenceRule("daily", count=120), True, id="not ended by a count"),
        ],
    )
    def test_a_series_is_found_until_its_end(self, stores, rule, found):
        start = TODAY - 100 * DAY
        stores.events.save(event(details=at(start, start + HOUR, recurrence=(rule,))), over=None)
        assert bool(stores.events.overlapping("acc_1", self.WINDOW)) == found

    def test_a_series_is_not_found_before_it_starts(self, stores):
        start = TODAY + 2 * DAY
        stores.events.save(event(details=at(start, start + HOUR, recurrence=(RecurrenceRule("daily"),))), over=None)
        assert not stores.events.overlapping("acc_1", self.WINDOW)

    def test_events_are_in_the_order_of_their_starts_whole_and_of_one_account(self, stores):
        for number in (3, 1, 2):
            details = at(TODAY + number * HOUR, TODAY + DAY - number, description="x" * 60_000)
            stores.events.save(event(f"e-{number}", details=details, deleted=number == 2), over=None)
        stores.events.save(event(sub="acc_2", organizer="other", details=at(TODAY, TODAY + HOUR)), over=None)
        found = stores.events.overlapping("acc_1", self.WINDOW)
        assert [each.event_id for each in found] == ["e-1", "e-2", "e-3"]
        assert found == [stores.events.find("acc_1", each.event_id) for each in found]

    def test_a_window_of_more_than_one_answer_of_the_table_is_found_whole(self, stores):
        for number in range(25):
            details = at(TODAY + number * 60, TODAY + HOUR + number * 60, description="x" * 60_000)
            stores.events.save(event(f"e-{number:02}", details=details), over=None)
        found = [each.event_id for each in stores.events.overlapping("acc_1", self.WINDOW)]
        assert found == [f"e-{number:02}" for number in range(25)]

    def test_a_moved_event_is_found_where_it_is_now(self, stores):
        stores.events.save(event(details=at(TODAY, TODAY + HOUR)), over=None)
        moved = at(TODAY + 9 * DAY, TODAY + 9 * DAY + HOUR)
        stores.events.save(event(details=moved, updated_at=NOW + 1), over=1)
        assert not stores.events.overlapping("acc_1", self.WINDOW)
        assert stores.events.overlapping("acc_1", Period(TODAY + 9 * DAY, TODAY + 10 * DAY))


class TestInvitationLog:
    def test_nothing_was_sent_at_first(self, stores):
        assert stores.log.sent(event(), "recipient") is None

    def test_what_was_sent_is_remembered_per_attendee(self, stores):
        stores.log.mark(event(), "ana", SentMark(2, cancelled=False, version=7))
        stores.log.mark(event(), "ben", SentMark(3, cancelled=True, version=9))
        assert stores.log.sent(event(), "ana") == SentMark(2, cancelled=False, version=7)
        assert stores.log.sent(event(), "ben") == SentMark(3, cancelled=True, version=9)

    @pytest.mark.parametrize(
        ("later", "kept"),
        [
            pytest.param(SentMark(1, cancelled=False), SentMark(2, cancelled=False), id="an older one is ignored"),
            pytest.param(SentMark(3, cancelled=True), SentMark(3, cancelled=True), id="a newer one counts"),
            pytest.param(SentMark(2, cancelled=True), SentMark(2, cancelled=True), id="an uninvitation counts"),
        ],
    )
    def test_the_newest_message_counts(self, stores, later, kept):
        stores.log.mark(event(), "ana", SentMark(2, cancelled=False))
        stores.log.mark(event(), "ana", later)
        assert stores.log.sent(event(), "ana") == kept

    @pytest.mark.parametrize("changes", [{"sub": "acc_2"}, {"uid": "evt_2"}])
    def test_another_event_has_marks_of_its_own(self, stores, changes):
        stores.log.mark(event(), "ana", SentMark(2, cancelled=False))
        assert stores.log.sent(event(**changes), "ana") is None


class TestAccounts:
    def test_an_account_expects_no_events_until_it_is_told(self, stores):
        stores.accounts.create(connected())
        assert not stores.accounts.find("acc_1").has_events
        stores.accounts.expect_events("acc_1")
        stores.accounts.expect_events("acc_1")
        assert stores.accounts.find("acc_1") == connected()._replace(has_events=True)

    def test_an_account_that_is_gone_expects_nothing(self, stores):
        with pytest.raises(NotFound):
            stores.accounts.expect_events("acc_1")
        assert stores.accounts.find("acc_1") is None


def test_an_erased_application_leaves_no_event(stores):
    for number in range(30):
        stores.events.save(event(f"e-{number}"), over=None)
    stores.events.save(event(client_id="other", sub="acc_2"), over=None)
    assert stores.erase("app") >= 30
    assert list(stores.events.all_of("acc_1")) == []
    assert stores.events.find_by_organizer(event("e-1").organizer) is None
    assert stores.events.find("acc_2", "booking-7")
