"""Reading what Lambda's pollers bring, and telling them which of it failed (ReportBatchItemFailures).

Bad records are somebody's bug. They raise UnreadableRecord, which names the record and repeats nothing of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import FreeBusyError
from freebusy.entrypoints.observing import tell_trouble
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from freebusy.ports import RetriedQueue


class UnreadableRecord(FreeBusyError):
    """The record is not what is written here."""


def batch_failures(identifiers: Iterable[str]) -> dict[str, Any]:
    """What failed, by message id or sequence number; all else is done and will not come again."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


# --- Messages of a queue ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """``received`` counts deliveries, this one included; ``receipt`` is that of this delivery.

    ``sent_at`` is a UNIX time. Only messages of a FIFO queue have a ``group``.
    """

    message_id: str
    queue_name: str
    group: str
    sent_at: int
    received: int
    receipt: str = field(repr=False)
    body: str = field(repr=False)


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    return [
        Message(
            message_id=record["messageId"],
            queue_name=record["eventSourceARN"].rpartition(":")[2],
            group=record["attributes"].get("MessageGroupId", ""),
            sent_at=int(record["attributes"]["SentTimestamp"]) // 1000,
            received=int(record["attributes"]["ApproximateReceiveCount"]),
            receipt=record["receiptHandle"],
            body=record["body"],
        )
        for record in event["Records"]
    ]


def groups_of(event: Mapping[str, Any]) -> list[list[Message]]:
    """The messages of a FIFO queue in their order, group by group."""
    groups: dict[str, list[Message]] = defaultdict(list)
    for message in messages_of(event):
        groups[message.group].append(message)
    return list(groups.values())


def postpone(messages: Iterable[Message], queue: RetriedQueue, *, received: int) -> None:
    """Lets messages that failed wait, as if each had been ``received`` so often.

    Measured here, since SQS's own age of the oldest message leaves out what was received three times:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    for message in messages:
        take(Measure.WAIT, message.queue_name, value=int(time()) - message.sent_at)
        try:
            queue.postpone(message.receipt, received=received)
        except Exception as error:  # noqa: BLE001 - then it waits for the queue's own visibility timeout
            tell_trouble("a message keeps its timeout", error, message_id=message.message_id)


def access_request_id(message: Message) -> str:
    """Raises UnreadableRecord."""
    return _text_in(message, "request_id")


def sub_to_erase(message: Message) -> str:
    """Raises UnreadableRecord."""
    return _text_in(message, "sub")


def _text_in(message: Message, name: str) -> str:
    try:
        value = json.loads(message.body)[name]
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord(f"no {name} in it") from error
    if not isinstance(value, str):
        raise UnreadableRecord(f"no {name} in it")
    return value
