"""The real handler, from records of the table's stream to messages in the queue."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.event import InvitationDue, ManagedEvent, Participation
from freebusy.domain.identifiers import hashed
from freebusy.settings import settings
from tests.api import Context, handler
from tests.invitations import KIM, Attendee, an_event
from tests.records import stream_record

LEE = Attendee("lee@example.test")


class Changes:
    """Writes events as the service does, and brings what the table's stream then holds to the function."""

    def __init__(self, wired: Any, sqs: Any) -> None:
        self.wired = wired
        self.sqs = sqs
        self.records: list[dict[str, Any]] = []

    def write(self, event: ManagedEvent) -> None:
        before = self._item(event)
        assert self.wired.events.save(event, over=int(before["version"]["N"]) if before else None)
        self.records.append(stream_record(before, self._item(event), number=len(self.records) + 1))

    def _item(self, event: ManagedEvent) -> Any:
        key = {"pk": {"S": f"EVENTS#{event.sub}"}, "sk": {"S": f"EVENT#{hashed(event.event_id)}"}}
        return self.wired.dynamodb.get_item(TableName=self.wired.settings.table_name, Key=key).get("Item")

    def carry(self) -> dict[str, Any]:
        """All records since the last time; what the function answers."""
        records, self.records = self.records, []
        return handler("on_event_changed")({"Records": records}, Context())

    def queued(self) -> list[InvitationDue]:
        return [InvitationDue(**json.loads(body)) for body in self._bodies(settings().invitation_queue_url)]

    def dead(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self._bodies(settings().dead_letter_queue_url)]

    def _bodies(self, url: str) -> list[str]:
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@pytest.fixture
def changes(wired, monkeypatch) -> Changes:
    sqs = boto3.client("sqs")
    fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    monkeypatch.setenv("INVITATION_QUEUE_URL", sqs.create_queue(QueueName="due.fifo", Attributes=fifo)["QueueUrl"])
    monkeypatch.setenv("CHANNEL_QUEUE_URL", sqs.create_queue(QueueName="channels.fifo", Attributes=fifo)["QueueUrl"])
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", sqs.create_queue(QueueName="dead")["QueueUrl"])
    settings.cache_clear()
    wired.settings = settings()
    return Changes(wired, sqs)


def due(event: ManagedEvent, attendee: Attendee, version: int) -> InvitationDue:
    return InvitationDue(event.sub, event.event_id, hashed(attendee.email), version)


def test_everybody_who_is_invited_is_queued_by_a_hash(changes):
    event = an_event(attendees=(KIM, LEE))
    changes.write(event)
    assert changes.carry() == {"batchItemFailures": []}
    assert changes.queued() == [due(event, KIM, 1), due(event, LEE, 1)]


def test_a_record_that_comes_twice_is_queued_once(changes):
    changes.write(an_event())
    record = changes.records[0]
    changes.carry()
    changes.records = [record]
    changes.carry()
    assert len(changes.queued()) == 1


def test_each_change_is_queued_for_those_whom_it_concerns(changes):
    event = an_event(attendees=(KIM, LEE))
    changes.write(event)
    changes.write(event._replace(attendees=(KIM._replace(participation=Participation.ACCEPTED), LEE)))
    changes.write(event._replace(attendees=(KIM, LEE._replace(uninvited=True)), sequence=1))
    changes.write(event._replace(attendees=(KIM, LEE._replace(uninvited=True)), sequence=2, revision=2, deleted=True))
    assert changes.carry() == {"batchItemFailures": []}
    assert changes.queued() == [due(event, KIM, 1), due(event, LEE, 1), due(event, LEE, 3), due(event, KIM, 4)]


def test_an_event_with_many_attendees_is_queued_whole(changes):
    guests = tuple(Attendee(f"guest-{number}@example.test") for number in range(24))
    changes.write(an_event(attendees=(KIM, *guests)))
    assert changes.carry() == {"batchItemFailures": []}
    assert len(changes.queued()) == 25


def unreadable(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The record, spoilt in ways that only a fault of somebody's could bring about."""
    change = record["dynamodb"]
    image = change["NewImage"]
    return [
        {**record, "dynamodb": {**change, "NewImage": spoilt}}
        for spoilt in (
            {},
            None,
            {name: value for name, value in image.items() if name != "revision"},
            {**image, "revision": {"S": "1"}},
            {**image, "revision": {"N": "one"}},
            {**image, "attendees": {"L": [{"S": "kim"}]}},
            {**image, "attendees": None},
            {**image, "pk": {"S": "ACCOUNT#acc_1"}},
        )
    ]


def test_records_that_nobody_can_read_are_set_aside_and_hold_up_no_others(changes, logged):
    changes.write(an_event())
    (good,) = changes.records
    spoilt = unreadable(good)
    changes.records = [*spoilt, good]
    assert changes.carry() == {"batchItemFailures": []}
    assert len(changes.queued()) == 1
    letters = changes.dead()
    assert len(letters) == len(spoilt)
    for letter in letters:
        assert letter["condition"] == "UnreadableRecord"
        assert letter["Keys"]["sk"] == {"S": f"EVENT#{hashed(an_event().event_id)}"}
    assert KIM.email not in json.dumps(letters) + logged.getvalue()


@pytest.mark.parametrize("error", [StorageUnavailable("SQS"), RuntimeError("kim@example.test")])
def test_trouble_with_the_queue_fails_the_batch_from_its_first_record(changes, monkeypatch, logged, error):
    def put(_due):
        raise error

    monkeypatch.setattr(changes.wired.invitation_queue, "put", put)
    changes.write(an_event())
    changes.write(an_event(revision=2))
    assert changes.carry() == {"batchItemFailures": [{"itemIdentifier": f"{1:021d}"}]}
    assert logged.getvalue().count("not queued yet") == 2
    assert "acc_1" in logged.getvalue()
    assert "kim@" not in logged.getvalue()


def test_what_cannot_be_set_aside_comes_again(changes, monkeypatch):
    def put(_record):
        raise StorageUnavailable("SQS")

    monkeypatch.setattr(changes.wired.unread_changes, "put", put)
    changes.write(an_event())
    changes.records = unreadable(changes.records[0])[:1]
    assert changes.carry()["batchItemFailures"]
