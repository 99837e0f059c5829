"""Amazon SQS: the queues of what is due, of requests for access and of erasures; and of records that nobody could read.

Of the invitations' FIFO queue, a group is one attendee of one event, of the channels' one channel, and of that of what
is due at Cronofy one account, so that whoever cannot be reached holds up nobody else.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from time import sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from freebusy.adapters.aws import aws_errors, code_of
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.identifiers import hashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from freebusy.domain.channel import ChannelDue
    from freebusy.domain.event import InvitationDue
    from freebusy.domain.upstream_due import UpstreamDue

_MOST_AT_ONCE = 10
_PAUSES = (0.1, 0.2, 0.4)

FIRST_PAUSE = 5
LONGEST_PAUSE = 3600
"""Seconds. With the queue's maxReceiveCount of 45, a message is tried for more than a day before it is given up, which
outlasts a daily sending quota."""

_GONE = frozenset({"InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid"})


class _SqsQueue:
    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def postpone(self, receipt: str, *, received: int) -> None:
        try:
            with aws_errors():
                self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=pause(received)
                )
        except ClientError as error:
            if code_of(error).rpartition(".")[2] not in _GONE:
                raise

    def _put(self, entries: Sequence[SendMessageBatchRequestEntryTypeDef]) -> None:
        for first in range(0, len(entries), _MOST_AT_ONCE):
            self._send(entries[first : first + _MOST_AT_ONCE])

    def _send(self, entries: Sequence[SendMessageBatchRequestEntryTypeDef]) -> None:
        """Those that SQS did not take are sent again; what it took twice is recognised, or does no harm."""
        for seconds in (*_PAUSES, None):
            with aws_errors():
                failed = self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", [])
            if not failed:
                return
            names = {failure["Id"] for failure in failed}
            entries = [entry for entry in entries if entry["Id"] in names]
            if seconds is not None:
                sleep(random.uniform(0, seconds))  # noqa: S311 - jitter keeps callers apart, nothing is guessed
        raise StorageUnavailable(f"SQS did not take {len(entries)} messages")


class SqsInvitations(_SqsQueue):
    """Implements ``ports.InvitationQueue``."""

    def put(self, due: Sequence[InvitationDue]) -> None:
        self._put([_entry(str(number), each) for number, each in enumerate(due)])


class SqsChannels(_SqsQueue):
    """Implements ``ports.ChannelQueue``."""

    def put(self, due: Sequence[ChannelDue]) -> None:
        self._put([_in_group(str(number), each.channel_id, each) for number, each in enumerate(due)])


class SqsUpstream(_SqsQueue):
    """Implements ``ports.UpstreamQueue``."""

    def put(self, due: Sequence[UpstreamDue]) -> None:
        self._put([_in_group(str(number), each.sub, each) for number, each in enumerate(due)])


class SqsAccessRequests(_SqsQueue):
    """Implements ``ports.AccessRequestQueue``."""

    def put(self, request_ids: Sequence[str], *, delay: int = 0) -> None:
        bodies = [json.dumps({"request_id": request_id}) for request_id in request_ids]
        self._put(
            [{"Id": str(number), "MessageBody": body, "DelaySeconds": delay} for number, body in enumerate(bodies)]
        )


class SqsErasures(_SqsQueue):
    """Implements ``ports.ErasureQueue``."""

    def put(self, subs: Sequence[str], *, after: int = 0) -> None:
        bodies = [json.dumps({"sub": sub}) for sub in subs]
        self._put(
            [{"Id": str(number), "MessageBody": body, "DelaySeconds": after} for number, body in enumerate(bodies)]
        )


class SqsDeadLetters:
    """Implements ``ports.DeadLetters``."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, record: Mapping[str, Any]) -> None:
        with aws_errors():
            self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps(record))


def pause(received: int) -> int:
    """Seconds until a message is tried again that was ``received`` so often; a quarter is left to chance."""
    longest: float = min(FIRST_PAUSE * 2.0 ** min(received - 1, 30), LONGEST_PAUSE)
    return round(random.uniform(0.75, 1) * longest)  # noqa: S311 - as above


def _entry(number: str, due: InvitationDue) -> SendMessageBatchRequestEntryTypeDef:
    group = hashed(f"{due.sub}\n{due.event_id}\n{due.recipient}")
    return _in_group(number, group, due)


def _in_group(
    number: str, group: str, due: InvitationDue | ChannelDue | UpstreamDue
) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": number,
        "MessageBody": json.dumps(asdict(due)),
        "MessageGroupId": group,
        "MessageDeduplicationId": f"{group}.{due.version}",
    }
