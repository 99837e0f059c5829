"""Reading what pollers bring: all of it, or nothing."""

from __future__ import annotations

import pytest

from freebusy.domain.event import InvitationDue
from freebusy.entrypoints import records
from freebusy.entrypoints.invitations import invitation_due
from freebusy.entrypoints.records import UnreadableRecord, access_request_id, groups_of, messages_of, postpone
from freebusy.entrypoints.stream import EventChange, change_of
from freebusy.measures import Measure, taken
from freebusy.service.due_invitations import recipient_of
from tests.fakes.queues import FakeAccessQueue
from tests.records import access_record, due_record, queue_record, stream_record


def message(body: str):
    ((read,),) = groups_of({"Records": [queue_record(body, "group", "id")]})
    return read


def test_a_message_says_whom_a_change_concerns():
    due = InvitationDue("acc_1", "événement", "recipient", 7)
    ((read,),) = groups_of({"Records": [due_record(due, message_id="id", received=3, receipt="receipt")]})
    assert invitation_due(read) == due
    assert (read.message_id, read.received, read.receipt) == ("id", 3, "receipt")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="no JSON"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param("null", id="null"),
        pytest.param('["acc_1"]', id="a list"),
        pytest.param('{"sub": "acc_1"}', id="half of it"),
        pytest.param('{"sub": 1, "event_id": "e", "recipient": "r", "version": 1}', id="a number for an id"),
        pytest.param('{"sub": "acc_1", "event_id": "e", "recipient": "", "version": 1}', id="an empty name"),
        pytest.param('{"sub": "acc_1", "event_id": "e", "recipient": "r", "version": "1"}', id="text for a number"),
        pytest.param('{"sub": "acc_1", "event_id": "e", "recipient": "r", "version": true}', id="a truth value"),
        pytest.param('{"sub": "a", "event_id": "e", "recipient": "r", "version": 1, "to": "b"}', id="too much"),
    ],
)
def test_a_message_that_says_anything_else_is_unreadable(body):
    with pytest.raises(UnreadableRecord) as raised:
        invitation_due(message(body))
    assert not body or body not in str(raised.value)


def test_messages_stay_in_order_within_their_group():
    records = [queue_record("", group, name) for group, name in (("a", "1"), ("b", "2"), ("a", "3"))]
    names = [[each.message_id for each in group] for group in groups_of({"Records": records})]
    assert names == [["1", "3"], ["2"]]


def test_a_message_names_a_request_for_access():
    (read,) = messages_of({"Records": [access_record("req_1", message_id="id", received=3)]})
    assert access_request_id(read) == "req_1"
    assert (read.message_id, read.received, read.receipt) == ("id", 3, "receipt of id")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[" * 100_000, "null", "1", '"req_1"', '["req_1"]', "{}", '{"request_id": null}', '{"request_id": 1}'],
)
def test_a_message_that_names_none_is_unreadable(body):
    with pytest.raises(UnreadableRecord):
        access_request_id(message(body))


def test_what_has_to_wait_is_measured_by_its_queue_since_it_was_sent(monkeypatch):
    """Whatever it was received for, and also where the queue cannot be told."""
    taken()
    monkeypatch.setattr(records, "time", lambda: 1_893_488_400 + 5000.9)
    queue = FakeAccessQueue()
    monkeypatch.setattr(queue, "postpone", lambda *_, **__: 1 / 0)
    often = messages_of({"Records": [access_record("req_1", message_id="id", received=9)]})
    postpone(often, queue, received=1)
    assert taken() == {(("QueueName", "invitations.fifo"),): {Measure.WAIT: [5000]}}


def image(revision: int = 1, **uninvited: bool):
    attendees = [{"M": {"email": {"S": name}, "uninvited": {"BOOL": value}}} for name, value in uninvited.items()]
    return {
        "pk": {"S": "EVENTS#acc_1"},
        "sk": {"S": "EVENT#hash"},
        "event_id": {"S": "e"},
        "calendar_id": {"S": "cal"},
        "version": {"N": "7"},
        "revision": {"N": str(revision)},
        "sequence": {"N": "0"},
        "updated_at": {"N": "9"},
        "attendees": {"L": attendees},
    }


def test_a_change_is_read_from_its_images_and_carries_no_address():
    change = change_of(stream_record(image(ana=False), image(2, ana=False, ben=True)))
    ana, ben = recipient_of("ana"), recipient_of("ben")
    assert isinstance(change, EventChange)
    assert change.before is not None
    assert (change.before.revision, change.before.uninvited) == (1, {ana: False})
    assert (change.after.revision, change.after.uninvited) == (2, {ana: False, ben: True})


def test_a_new_event_has_no_image_of_before():
    change = change_of(stream_record(None, image(ana=False)))
    assert isinstance(change, EventChange)
    assert change.before is None


def test_an_item_that_is_gone_is_no_change_of_an_event():
    with pytest.raises(UnreadableRecord):
        change_of(stream_record(image(ana=False), None))
