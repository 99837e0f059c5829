"""Reading what Lambda's pollers bring, and telling them which of it failed (ReportBatchItemFailures).

Bad records are somebody's bug. They raise UnreadableRecord, which names the record and repeats nothing of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from freebusy.domain.errors import FreeBusyError
from freebusy.domain.event import InvitationDue
from freebusy.entrypoints.observing import tell_trouble
from freebusy.ports import RetriedQueue
from freebusy.service.invitations import EventState, recipient_of

_PARTITION = "EVENTS#"


class UnreadableRecord(FreeBusyError):
    """The record is not what is written here."""


def batch_failures(identifiers: Iterable[str]) -> dict[str, Any]:
    """What failed, by message id or sequence number; all else is done and will not come again."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


# --- Records of the table's stream -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventChange:
    before: EventState | None
    after: EventState


def sequence_number(record: Mapping[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def name_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where the record and its item are to be found; keys hold ids and hashes alone."""
    change = record.get("dynamodb", {})
    return {"eventID": record.get("eventID"), **{name: change.get(name) for name in ("SequenceNumber", "Keys")}}


def event_change(record: Mapping[str, Any]) -> EventChange:
    """One write of one event, from its images before and after. Raises UnreadableRecord."""
    try:
        change = record["dynamodb"]
        old = change.get("OldImage")
        return EventChange(old and _event_state(old), _event_state(change["NewImage"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord("no images of an event") from error


def _event_state(image: Mapping[str, Any]) -> EventState:
    """Nothing but what is needed: a record may hold hundreds of attendees and a long description, twice."""
    pk = image["pk"]["S"]
    if not pk.startswith(_PARTITION):
        raise ValueError("not an event")
    attendees = (attendee["M"] for attendee in image["attendees"]["L"])
    return EventState(
        sub=pk.removeprefix(_PARTITION),
        event_id=image["event_id"]["S"],
        version=int(image["version"]["N"]),
        revision=int(image["revision"]["N"]),
        carrier=image["carrier"]["S"] if "carrier" in image else None,
        uninvited={recipient_of(each["email"]["S"]): bool(each["uninvited"]["BOOL"]) for each in attendees},
    )


# --- Messages of a queue ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """``received`` counts deliveries, this one included; ``receipt`` is that of this delivery.

    Only messages of a FIFO queue have a ``group``.
    """

    message_id: str
    group: str
    received: int
    receipt: str = field(repr=False)
    body: str = field(repr=False)


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    return [
        Message(
            message_id=record["messageId"],
            group=record["attributes"].get("MessageGroupId", ""),
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
    """Lets messages that failed wait, as if each had been ``received`` so often."""
    for message in messages:
        try:
            queue.postpone(message.receipt, received=received)
        except Exception as error:  # noqa: BLE001 - then it waits for the queue's own visibility timeout
            tell_trouble("a message keeps its timeout", error, message_id=message.message_id)


def invitation_due(message: Message) -> InvitationDue:
    """Raises UnreadableRecord."""
    try:
        body = json.loads(message.body)
        due = InvitationDue(**body)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord("no invitation that is due") from error
    texts = (due.sub, due.event_id, due.recipient)
    if not all(isinstance(text, str) and text for text in texts) or type(due.version) is not int:
        raise UnreadableRecord("no invitation that is due")
    return due


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
