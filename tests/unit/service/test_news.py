"""What the application hears of is what it did not write itself."""

from __future__ import annotations

import pytest

from freebusy.adapters.dynamodb.events import _event_item
from freebusy.domain.channel import News, NotificationType
from freebusy.domain.event import Answered, Attendee, Delivery, ManagedEvent, Participation, Proposal, When
from freebusy.domain.event_changes import EventUpsert, Invitee, deleted, updated
from freebusy.entrypoints.stream import AccountChange, EventChange, change_of
from freebusy.service.news import AccountState, account_news, event_news, is_due_upstream
from tests.invitations import KIM, an_event
from tests.records import stream_record

LEE = Attendee("lee@example.test")
STORED = an_event(attendees=(KIM, LEE))._replace(updated_at=100)
LATER = 200


def told(before: ManagedEvent | None, after: ManagedEvent) -> list[News]:
    """By way of the images that the stream has."""
    change = change_of(stream_record(before and _event_item(before, 1), _event_item(after, 2)))
    assert isinstance(change, EventChange)
    return event_news(change.before, change.after)


def said(**changes: object) -> ManagedEvent:
    return STORED._replace(attendees=(KIM._replace(**changes), LEE), updated_at=LATER)  # type: ignore[arg-type]


ANSWERED = said(participation=Participation.ACCEPTED, answered=Answered(0, 150))


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(ANSWERED, id="yes"),
        pytest.param(said(comment="late", answered=Answered(0, 150)), id="a comment alone"),
        pytest.param(said(proposal=Proposal(1, 2), answered=Answered(0, 150)), id="another time proposed"),
        pytest.param(said(delivery=Delivery.BOUNCED), id="mail that bounced"),
        pytest.param(said(delivery=Delivery.REFUSED), id="mail that was not taken"),
        pytest.param(said(participation=Participation.DECLINED), id="an answer that Cronofy told"),
    ],
)
def test_what_came_back_is_a_change_since_it_was_written(after):
    assert told(STORED, after) == [News(STORED.sub, NotificationType.CHANGE, LATER, STORED.calendar_id)]


def upserted(**wanted: object) -> ManagedEvent:
    kept = {"summary": ANSWERED.details.summary, "when": ANSWERED.details.when, **wanted}
    return updated(ANSWERED, EventUpsert(event_id=ANSWERED.event_id, **kept), now=LATER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(upserted(summary="Another"), id="another title"),
        pytest.param(upserted(when=When(9000, 12600)), id="another time, which takes answers back"),
        pytest.param(upserted(invite=(Invitee("new@example.test"),)), id="somebody invited"),
        pytest.param(upserted(invite=(Invitee(LEE.email, "Lee"),)), id="another name"),
        pytest.param(upserted(uninvite=(LEE.email,)), id="somebody uninvited"),
        pytest.param(deleted(ANSWERED, now=LATER), id="deleted"),
    ],
)
def test_what_the_application_wrote_is_not_echoed(after):
    assert after != ANSWERED
    assert told(ANSWERED, after) == []


def test_who_is_invited_again_is_no_news():
    before = ANSWERED._replace(attendees=(KIM, LEE._replace(uninvited=True, delivery=Delivery.BOUNCED)))
    wanted = EventUpsert(before.event_id, before.details.summary, before.details.when, invite=(Invitee(LEE.email),))
    after = updated(before, wanted, now=LATER)
    assert after.attendees[1].delivery is Delivery.UNDISTURBED
    assert told(before, after) == []


def test_a_new_event_is_no_news():
    assert told(None, STORED) == []


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        pytest.param({"pro_1": False}, {"pro_1": True}, ["profile_disconnected"], id="disconnected"),
        pytest.param({"pro_1": True}, {"pro_1": False}, ["profile_connected"], id="connected again"),
        pytest.param({"pro_1": True}, {"pro_1": True}, [], id="disconnected before, for another reason"),
        pytest.param({"pro_1": False}, {"pro_1": False}, [], id="a credential that was refreshed"),
        pytest.param(
            {"pro_1": False}, {"pro_1": False, "pro_2": False}, ["profile_initial_sync_completed"], id="linked"
        ),
        pytest.param(
            {"pro_1": False, "pro_2": False}, {"pro_1": True, "pro_2": True}, ["profile_disconnected"], id="two at once"
        ),
    ],
)
def test_profiles_are_told_of_when_they_cease_to_work_or_begin_to(before, after, kinds):
    found = account_news(AccountState("acc_1", before), AccountState("acc_1", after), now=7)
    assert found == [News("acc_1", NotificationType(kind), 7) for kind in kinds]


def test_what_a_profile_was_before_it_moved_is_not_told_of():
    profile = {"M": {"disconnected": {"S": "revoked"}}}
    item = {"pk": {"S": "ACCOUNT#acc_1"}, "sk": {"S": "ACCOUNT"}, "profiles": {"M": {"pro_1.moved": profile}}}
    change = change_of(stream_record(item, item))
    assert change == AccountChange(AccountState("acc_1", {}), AccountState("acc_1", {}))


def test_of_a_new_profile_at_cronofy_cronofy_tells_when_it_can_be_read():
    after = AccountState("acc_1", {"pro_1": False, "pro_2": False}, frozenset({"pro_2"}))
    assert account_news(AccountState("acc_1", {"pro_1": False}), after, now=7) == []


def state(channels: int, *at_cronofy: str) -> AccountState:
    return AccountState("acc_1", {"pro_1": False}, frozenset(at_cronofy), channels)


@pytest.mark.parametrize(
    ("before", "after", "due"),
    [
        pytest.param(state(0, "pro_1"), state(1, "pro_1"), True, id="the first channel"),
        pytest.param(state(1, "pro_1"), state(2, "pro_1"), True, id="another one, which looks whether ours stands"),
        pytest.param(state(1, "pro_1"), state(0, "pro_1"), True, id="the last one closed"),
        pytest.param(state(1, "pro_1"), state(1), True, id="disconnected there"),
        pytest.param(state(1), state(1, "pro_1"), True, id="connected there"),
        pytest.param(state(1, "pro_1"), state(1, "pro_1.moved"), True, id="moved off"),
        pytest.param(state(1, "pro_1"), state(1, "pro_1"), False, id="a credential that was refreshed"),
        pytest.param(state(0), state(1), False, id="nobody of Cronofy's"),
    ],
)
def test_our_channels_at_cronofy_are_looked_after_when_something_about_them_changed(before, after, due):
    assert is_due_upstream(before, after) is due


def test_who_is_at_cronofy_is_read_from_the_image():
    def profile(**more: object) -> dict[str, object]:
        return {"M": {"identity": {"M": {"upstream": {"S": "cronofy"}}}, **more}}

    profiles = {
        "pro_1": profile(),
        "pro_2": profile(disconnected={"S": "revoked"}),
        "pro_3": {"M": {"identity": {"M": {}}}},
        "pro_4": {"M": {}},
        "pro_5.moved": profile(),
    }
    item = {"pk": {"S": "ACCOUNT#acc_1"}, "sk": {"S": "ACCOUNT"}, "profiles": {"M": profiles}, "channels": {"N": "3"}}
    change = change_of(stream_record(item, item))
    assert isinstance(change, AccountChange)
    assert (change.after.at_cronofy, change.after.channels) == ({"pro_1", "pro_5.moved"}, 3)


def test_a_profile_whose_organization_withdrew_is_lost_too():
    def item(**profile: object) -> dict[str, object]:
        profiles = {"M": {"pro_1": {"M": profile}}}
        return {"pk": {"S": "ACCOUNT#acc_1"}, "sk": {"S": "ACCOUNT"}, "profiles": profiles}

    change = change_of(stream_record(item(), item(withdrawn={"BOOL": True})))
    assert isinstance(change, AccountChange)
    (news,) = account_news(change.before, change.after, now=7)
    assert news.type is NotificationType.PROFILE_DISCONNECTED
