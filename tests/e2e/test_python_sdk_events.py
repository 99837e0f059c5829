"""The official Python SDK, unmodified, writes events that arrive as invitations, and sees what people answer."""

from __future__ import annotations

import time

import httpx
import pytest
from pycronofy.batch import BatchBuilder
from pycronofy.exceptions import PyCronofyPartialSuccessError, PyCronofyRequestError

from tests.e2e.days import at
from tests.waiting import until

pytestmark = pytest.mark.stack


class Mailbox:
    def __init__(self, stack, email):
        self.url, self.email = stack["mailbox"], email

    def messages(self, count=1):
        return until(
            lambda: httpx.get(f"{self.url}/messages", params={"to": self.email}).json(),
            lambda found: len(found) >= count,
        )

    def calendar(self):
        return httpx.get(f"{self.url}/calendars/{self.email}").json()

    def reply(self, message, **answer):
        httpx.post(f"{self.url}/messages/{message['id']}/reply", json=answer).raise_for_status()


@pytest.fixture
def ana(stack, connect):
    email = f"ana-{time.monotonic_ns()}@google.example"
    client = connect("google", email, [(9, 10)])
    client.mailbox = Mailbox(stack, email)
    client.calendar_id = client.list_calendars()[1]["calendar_id"]
    return client


def interview(event_id="interview", hours=(11, 12), **more):
    return {"event_id": event_id, "summary": "Interview", "start": at(hours[0]), "end": at(hours[1]), **more}


def events(client, **more):
    return client.read_events(from_date=at(0), to_date=at(24), **more).all()


def free(client):
    periods = client.availability(
        participants={"members": [client.account()["account_id"]], "required": "all"},
        required_duration=30,
        available_periods=[{"start": at(9), "end": at(14)}],
    )
    return [(period["start"], period["end"]) for period in periods]


def test_an_event_is_invited_to_answered_changed_and_cancelled(ana):
    guest = Mailbox({"mailbox": ana.mailbox.url}, f"guest-{ana.mailbox.email}")
    ana.upsert_event(
        ana.calendar_id, interview(attendees={"invite": [{"email": guest.email, "display_name": "Gast Ü"}]})
    )
    assert free(ana) == [(at(10), at(11)), (at(12), at(14))], "it counts from the moment of the 202"
    invitation = ana.mailbox.messages()[0]
    assert "Interview" in invitation["subject"]
    assert guest.messages()

    ana.mailbox.reply(invitation, partstat="ACCEPTED", client="gmail")
    guest.reply(guest.messages()[0], partstat="TENTATIVE", comment="perhaps", client="outlook")
    seen = until(
        lambda: events(ana)[0],
        lambda event: event["participation_status"] == "accepted" and event["attendees"][1]["status"] == "tentative",
    )
    assert seen["attendees"][1]["comment"] == "perhaps"
    assert free(ana) == [(at(10), at(11)), (at(12), at(14))]

    ana.upsert_event(ana.calendar_id, interview(hours=(13, 14)))
    ana.mailbox.messages(2)
    until(ana.mailbox.calendar, lambda calendar: [entry["start"] for entry in calendar] == [at(13)])
    assert events(ana)[0]["participation_status"] == "needs_action", "another time is another question"

    ana.delete_event(ana.calendar_id, "interview")
    assert free(ana) == [(at(10), at(14))]
    ana.mailbox.messages(3)
    until(ana.mailbox.calendar, lambda calendar: all(entry["cancelled"] for entry in calendar))
    until(guest.calendar, lambda calendar: all(entry["cancelled"] for entry in calendar))
    assert events(ana) == []
    assert [event["deleted"] for event in events(ana, include_deleted=True)] == [True]


def test_declining_frees_the_time(ana):
    ana.upsert_event(ana.calendar_id, interview())
    ana.mailbox.reply(ana.mailbox.messages()[0], partstat="DECLINED", client="apple")
    until(lambda: free(ana), lambda periods: periods == [(at(10), at(14))])
    assert events(ana)[0]["participation_status"] == "declined"


def test_another_time_can_be_proposed(ana):
    ana.upsert_event(ana.calendar_id, interview())
    ana.mailbox.reply(ana.mailbox.messages()[0], counter={"start": at(15), "end": at(16)}, client="gmail")
    proposed = until(lambda: events(ana)[0]["attendees"][0], lambda attendee: "proposal" in attendee)
    assert proposed["proposal"] == {"start": at(15), "end": at(16)}


def test_a_spoofed_reply_changes_nothing(ana):
    ana.upsert_event(ana.calendar_id, interview())
    invitation = ana.mailbox.messages()[0]
    ana.mailbox.reply(invitation, partstat="DECLINED", spoofed=True)
    ana.mailbox.reply(invitation, partstat="TENTATIVE")
    seen = until(lambda: events(ana)[0]["participation_status"], lambda status: status != "needs_action")
    assert seen == "tentative"


def test_an_upsert_that_changes_nothing_mails_nothing(ana):
    for _ in range(3):
        ana.upsert_event(ana.calendar_id, interview())
    ana.upsert_event(ana.calendar_id, interview("another", (12, 13)))
    assert len(ana.mailbox.messages(2)) == 2


def test_a_batch_does_each_entry_by_itself(ana):
    batch = BatchBuilder()
    batch.upsert_event(ana.calendar_id, interview("one"))
    batch.upsert_event(ana.calendar_id, interview("two", (12, 13)))
    batch.delete_event(ana.calendar_id, "unknown")
    assert [entry.status() for entry in ana.batch(batch).entries] == [202, 202, 202]
    batch = BatchBuilder()
    batch.upsert_event(ana.calendar_id, {**interview("three"), "summary": None})
    batch.upsert_event(ana.calendar_id, interview("four", (13, 14)))
    with pytest.raises(PyCronofyPartialSuccessError):
        ana.batch(batch)
    assert [event["event_id"] for event in events(ana)] == ["one", "two", "four"]


def test_all_events_are_deleted_at_once(ana):
    for number in range(3):
        ana.upsert_event(ana.calendar_id, interview(f"e{number}"))
    ana.delete_all_events(calendar_ids=[ana.calendar_id])
    assert events(ana) == []
    ana.upsert_event(ana.calendar_id, interview())
    ana.delete_all_events()
    assert events(ana) == []


def test_the_persons_own_calendar_cannot_be_written(ana):
    with pytest.raises(PyCronofyRequestError) as refused:
        ana.upsert_event(ana.list_calendars()[0]["calendar_id"], interview())
    assert refused.value.response.status_code == 403


def test_nothing_is_lost_while_the_mail_service_is_in_trouble(stack, ana):
    httpx.put(f"{stack['mailbox']}/sim/faults", json={"send": {"status": 429, "times": 1}}).raise_for_status()
    ana.upsert_event(ana.calendar_id, interview())
    assert ana.mailbox.messages()
    httpx.delete(f"{stack['mailbox']}/sim/faults").raise_for_status()


def test_a_bounce_is_visible(stack, ana):
    email = f"gone-{ana.mailbox.email}"
    httpx.put(f"{stack['mailbox']}/sim/faults", json={"bounce": [email]}).raise_for_status()
    ana.upsert_event(ana.calendar_id, interview(attendees={"invite": [{"email": email}]}))
    until(lambda: events(ana)[0]["attendees"][1], lambda attendee: attendee.get("delivery_status") == "bounced")
    httpx.delete(f"{stack['mailbox']}/sim/faults").raise_for_status()


def test_many_events_come_page_by_page(ana):
    builder = [BatchBuilder() for _ in range(3)]
    for number in range(120):
        builder[number // 50].upsert_event(
            ana.calendar_id, interview(f"e{number:03}", (number / 10, number / 10 + 0.1))
        )
    for batch in builder:
        ana.batch(batch)
    pages = ana.read_events(from_date=at(0), to_date=at(24))
    assert pages.total > 1
    assert len(pages.all()) == 120
