"""What is queued is taken exactly once from where it was left off, and waits longer the more often it failed."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from freebusy.adapters import queue
from freebusy.adapters.queue import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SqsAccessRequests,
    SqsDeadLetters,
    SqsInvitations,
    pause,
)
from freebusy.domain.access_request import LONGEST_DELAY
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.invitation import InvitationDue
from tests.template.deployment import RESOURCES


def due(number: int = 1, *, version: int = 1) -> InvitationDue:
    return InvitationDue("acc_1", f"event {number}", "recipient", version)


class Sqs:
    """A FIFO queue of moto's behind a client whose next batches are taken only in part."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "sqs", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        attributes = {"FifoQueue": "true", "DeduplicationScope": "messageGroup"}
        attributes["FifoThroughputLimit"] = "perMessageGroupId"
        self.url = self.client.create_queue(QueueName="invitations.fifo", Attributes=attributes)["QueueUrl"]
        self.queue = SqsInvitations(self.client, self.url)
        self.batches: list[int] = []
        self.not_taken: list[int] = []
        self._send_message_batch = self.client.send_message_batch
        self.client.send_message_batch = self._in_part

    def _in_part(self, **request: Any) -> Any:
        entries = request["Entries"]
        self.batches.append(len(entries))
        missing = self.not_taken.pop(0) if self.not_taken else 0
        taken, left = entries[missing:], entries[:missing]
        answer: dict[str, Any] = {"Successful": []}
        if taken:
            answer = self._send_message_batch(QueueUrl=request["QueueUrl"], Entries=taken)
        failed = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in left]
        return {**answer, "Failed": failed}

    def received(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            found += messages
            for message in messages:
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def sqs(monkeypatch):
    monkeypatch.setattr(queue, "sleep", lambda _: None)
    with mock_aws():
        yield Sqs()


def test_ten_at_a_time_are_queued_and_all_of_them(sqs):
    sqs.queue.put([due(number) for number in range(23)])
    assert sqs.batches == [10, 10, 3]
    assert len(sqs.received()) == 23


def test_nothing_is_asked_of_the_queue_for_nothing(sqs):
    sqs.queue.put([])
    assert sqs.batches == []


def test_what_was_not_taken_is_put_again_and_nothing_else(sqs):
    sqs.not_taken = [4, 1]
    sqs.queue.put([due(number) for number in range(10)])
    assert sqs.batches == [10, 4, 1]
    assert len(sqs.received()) == 10


def test_a_queue_that_goes_on_refusing_is_unavailable(sqs):
    sqs.not_taken = [1] * 20
    with pytest.raises(StorageUnavailable):
        sqs.queue.put([due()])


def test_the_same_change_is_queued_once_and_the_next_one_again(sqs):
    sqs.queue.put([due(), due(version=2)])
    sqs.queue.put([due(), due(version=2)])
    assert len(sqs.received()) == 2


def test_one_attendee_of_one_event_is_a_group_and_names_nobody(sqs):
    sqs.queue.put([due(1), due(2), due(1, version=2), InvitationDue("acc_1", "event 1", "another", 1)])
    groups = [message["Attributes"]["MessageGroupId"] for message in sqs.received()]
    assert len(set(groups)) == 3
    assert not [group for group in groups if "acc_1" in group or "event" in group]


def test_the_longest_event_id_makes_no_key_that_sqs_refuses(sqs):
    sqs.queue.put([InvitationDue("acc_1", "é" * 500, "recipient", 1)])
    assert len(sqs.received()) == 1


def test_a_broken_network_is_waited_out(sqs, monkeypatch):
    def unreachable(**_):
        raise EndpointConnectionError(endpoint_url="https://sqs")

    monkeypatch.setattr(sqs.client, "send_message_batch", unreachable)
    with pytest.raises(StorageUnavailable):
        sqs.queue.put([due()])


def test_each_failure_doubles_the_pause_up_to_an_hour():
    pauses = [pause(received) for received in range(1, 60)]
    longest = [min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(59)]
    assert all(round(0.75 * most) <= waited <= most for waited, most in zip(pauses, longest, strict=True))


@pytest.mark.parametrize("name", ["InvitationQueue", "AccessRequests"])
def test_all_tries_together_last_longer_than_a_day(name):
    """The quota of SES comes round once a day, and so do people who look after an application's server."""
    tries = RESOURCES[name]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    assert sum(0.75 * min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(tries - 1)) > 86_400


def test_a_postponed_message_stays_hidden(sqs):
    sqs.queue.put([due()])
    (message,) = sqs.client.receive_message(QueueUrl=sqs.url, VisibilityTimeout=0)["Messages"]
    sqs.queue.postpone(message["ReceiptHandle"], received=3)
    assert sqs.received() == []


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.MessageNotInflight", "ReceiptHandleIsInvalid"])
def test_postponing_what_is_gone_is_no_error(sqs, monkeypatch, code):
    monkeypatch.setattr(sqs.client, "change_message_visibility", failing(code))
    sqs.queue.postpone("gone", received=1)


def test_other_errors_of_ours_are_not_hidden(sqs, monkeypatch):
    monkeypatch.setattr(sqs.client, "change_message_visibility", failing("AccessDenied"))
    with pytest.raises(ClientError):
        sqs.queue.postpone("mine", received=1)


def failing(code):
    def fail(**_):
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "ChangeMessageVisibility")

    return fail


def test_dead_letters_are_kept_as_json(sqs):
    url = sqs.client.create_queue(QueueName="dead")["QueueUrl"]
    SqsDeadLetters(sqs.client, url).put({"eventID": "1", "Keys": None})
    (message,) = sqs.client.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == '{"eventID": "1", "Keys": null}'


class TestAccessRequests:
    @pytest.fixture
    def requests(self, sqs):
        return SqsAccessRequests(sqs.client, sqs.client.create_queue(QueueName="access")["QueueUrl"])

    def received(self, requests) -> list[str]:
        found, receive = [], partial(requests._client.receive_message, QueueUrl=requests._url, MaxNumberOfMessages=10)
        while messages := receive().get("Messages"):
            found += [json.loads(message["Body"])["request_id"] for message in messages]
        return sorted(found)

    def test_one_can_be_kept_back(self, requests):
        requests.put(["req_later"], delay=LONGEST_DELAY)
        requests.put(["req_now"])
        assert self.received(requests) == ["req_now"]

    def test_each_is_a_message_of_its_own(self, requests):
        ids = [f"req_{number:02}" for number in range(50)]
        requests.put(ids)
        assert self.received(requests) == ids

    def test_what_was_not_taken_is_put_again(self, sqs, requests):
        sqs.not_taken = [4, 1]
        ids = [f"req_{number}" for number in range(10)]
        requests.put(ids)
        assert self.received(requests) == ids

    def test_a_postponed_message_stays_hidden(self, requests):
        requests.put(["req_1"])
        (message,) = requests._client.receive_message(QueueUrl=requests._url, VisibilityTimeout=0)["Messages"]
        requests.postpone(message["ReceiptHandle"], received=3)
        assert self.received(requests) == []
