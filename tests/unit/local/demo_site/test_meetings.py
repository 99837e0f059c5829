"""A meeting is one event for each participant."""

import pytest

from local.demo_site import meetings
from local.demo_site.meetings import Booking, Move, NoLongerFree
from local.demo_site.people import Trouble
from tests.planner import FakePerson, at, busy

PLANNING = Booking("Planning", at(10), 60, "Europe/Berlin")


@pytest.fixture
def world():
    return {}


@pytest.fixture
def ana(world):
    return FakePerson("ana", world=world)


@pytest.fixture
def ben(world):
    return FakePerson("ben", world=world)


def test_everybody_gets_an_event_of_their_own_and_none_twice(ana, ben):
    event_id = meetings.book(PLANNING, [ana, ben])
    for person in (ana, ben):
        event = person.event(event_id)
        assert (event["summary"], event["start"], event["end"]) == (
            "Planning",
            "2030-01-07T10:00:00Z",
            "2030-01-07T11:00:00Z",
        )
        assert (event["description"], event["tzid"]) == ("With Ana and Ben.", "Europe/Berlin")


def test_from_then_on_nobody_of_them_is_free(ana, ben):
    meetings.book(PLANNING, [ana, ben])
    with pytest.raises(NoLongerFree):
        meetings.book(PLANNING, [ben])


def test_nobody_is_invited_when_somebody_is_busy_by_now(ana, ben):
    ben.bands = [busy(10.75, 12)]
    with pytest.raises(NoLongerFree):
        meetings.book(PLANNING, [ana, ben])
    assert ana.written == ben.written == {}


def test_nobody_stays_invited_when_somebody_cannot_be(ana, ben):
    ben.trouble = Trouble("not now")
    with pytest.raises(Trouble):
        meetings.book(PLANNING, [ana, ben])
    assert ana.written == {}


def test_a_meeting_is_shown_with_everybodys_answer(ana, ben):
    event_id = meetings.book(PLANNING, [ana, ben])
    proposal = {"start": "2030-01-08T10:00:00Z", "end": "2030-01-08T11:00:00Z"}
    ana.answer(event_id, "accepted")
    ben.answer(event_id, "tentative", comment="Later?", proposal=proposal, delivery_status="bounced")
    (shown,) = meetings.shown({person.sub: person.events(at(0), at(24)) for person in (ana, ben)})
    assert (shown["id"], shown["title"], shown["start"]) == (event_id, "Planning", "2030-01-07T10:00:00Z")
    assert shown["participants"] == [
        {"sub": "ana", "status": "accepted"},
        {
            "sub": "ben",
            "status": "tentative",
            "comment": "Later?",
            "proposal": proposal,
            "delivery_status": "bounced",
        },
    ]


def test_whoever_declines_is_free_again_and_the_others_are_not(ana, ben):
    event_id = meetings.book(PLANNING, [ana, ben])
    ben.answer(event_id, "declined")
    assert ana.kept(["ana", "ben"], [at(10)], 60) == {at(10): {"ana": ["managed_event"]}}


def test_moving_keeps_what_the_meeting_is_about(ana, ben):
    event_id = meetings.book(PLANNING, [ana, ben])
    other = meetings.book(Booking("Other", at(15), 30, "Etc/UTC"), [ana])
    meetings.move(event_id, [ana, ben], Move(at(13), at(14), "Etc/UTC"), at(7))
    for person in (ana, ben):
        event = person.event(event_id)
        assert (event["summary"], event["description"], event["start"]) == (
            "Planning",
            "With Ana and Ben.",
            "2030-01-07T13:00:00Z",
        )
    assert ana.event(other)["start"] == "2030-01-07T15:00:00Z"


def test_cancelling_reaches_everybody_even_past_trouble(ana, ben):
    event_id = meetings.book(PLANNING, [ana, ben])
    ana.trouble = Trouble("not now")
    with pytest.raises(Trouble):
        meetings.cancel(event_id, [ana, ben])
    assert ben.written == {}
