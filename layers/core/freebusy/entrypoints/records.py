"""Reading what Lambda's pollers bring, and telling them which of it failed (ReportBatchItemFailures).

Bad records are somebody's bug. They raise UnreadableRecord, which names the record and repeats nothing of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from freebusy.domain.account import MOVED, Upstream
from freebusy.domain.channel import ChannelDue, NotificationType
from freebusy.domain.errors import FreeBusyError
from freebusy.domain.event import InvitationDue
from freebusy.domain.upstream_due import UpstreamDue
from freebusy.entrypoints.observing import tell_trouble
from freebusy.ports import RetriedQueue
from freebusy.service.invitations import EventState, recipient_of
from freebusy.service.news import AccountState

_LOST = {"disconnected", "withdrawn"}
_SAID = ("participation", "comment", "proposal", "answered", "delivery")


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


@dataclass(frozen=True, slots=True)
class AccountChange:
    before: AccountState
    after: AccountState


def sequence_number(record: Mapping[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def name_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where the record and its item are to be found; keys hold ids and hashes alone."""
    change = record.get("dynamodb", {})
    return {"eventID": record.get("eventID"), **{name: change.get(name) for name in ("SequenceNumber", "Keys")}}


def change_of(record: Mapping[str, Any]) -> EventChange | AccountChange | ChannelDue | None:
    """One write of an event, an account or a channel, from its images before and after. Raises UnreadableRecord.

    None for a channel in which nothing was noted.
    """
    try:
        change = record["dynamodb"]
        old, new = change.get("OldImage"), change["NewImage"]
        match new["pk"]["S"].partition("#"):
            case ("EVENTS", _, _):
                return EventChange(old and _event_state(old), _event_state(new))
            case ("ACCOUNT", _, _):
                return AccountChange(_account_state(old), _account_state(new))
            case ("CHANNELS", _, sub):
                return _channel_due(sub, old, new)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord("no images of what is followed") from error
    raise UnreadableRecord("no images of what is followed")


def _event_state(image: Mapping[str, Any]) -> EventState:
    """Nothing but what is needed: a record may hold hundreds of attendees and a long description, twice."""
    attendees = {recipient_of(each["M"]["email"]["S"]): each["M"] for each in image["attendees"]["L"]}
    return EventState(
        sub=_sub(image),
        event_id=image["event_id"]["S"],
        version=int(image["version"]["N"]),
        revision=int(image["revision"]["N"]),
        carrier=image["carrier"]["S"] if "carrier" in image else None,
        uninvited={recipient: bool(each["uninvited"]["BOOL"]) for recipient, each in attendees.items()},
        calendar_id=image["calendar_id"]["S"],
        sequence=int(image["sequence"]["N"]),
        updated_at=int(image["updated_at"]["N"]),
        said={recipient: [each.get(name) for name in _SAID] for recipient, each in attendees.items()},
    )


def _account_state(image: Mapping[str, Any]) -> AccountState:
    disconnected = {name: not _LOST.isdisjoint(each["M"]) for name, each in image["profiles"]["M"].items()}
    at_cronofy = {name for name, each in image["profiles"]["M"].items() if _is_at_cronofy(each["M"])}
    return AccountState(
        sub=_sub(image),
        disconnected={name: lost for name, lost in disconnected.items() if not name.endswith(MOVED)},
        at_cronofy=frozenset(name for name in at_cronofy if not disconnected[name]),
        channels=int(image["channels"]["N"]) if "channels" in image else 0,
    )


def _is_at_cronofy(profile: Mapping[str, Any]) -> bool:
    identity = profile["identity"]["M"] if "identity" in profile else {}
    return "upstream" in identity and identity["upstream"]["S"] == Upstream.CRONOFY


def _channel_due(sub: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> ChannelDue | None:
    version = int(new["version"]["N"])
    if old and int(old["version"]["N"]) >= version:
        return None
    return ChannelDue(sub, new["sk"]["S"].removeprefix("CHANNEL#"), version)


def _sub(image: Mapping[str, Any]) -> str:
    sub: str = image["pk"]["S"].partition("#")[2]
    return sub


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


def channel_due(message: Message) -> ChannelDue:
    """Raises UnreadableRecord."""
    try:
        due = ChannelDue(**json.loads(message.body))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord("no channel that is due") from error
    if not all(isinstance(text, str) and text for text in (due.sub, due.channel_id)):
        raise UnreadableRecord("no channel that is due")
    return due


def upstream_due(message: Message) -> UpstreamDue:
    """Raises UnreadableRecord."""
    try:
        due = UpstreamDue(**json.loads(message.body))
        due = replace(due, told=None if due.told is None else NotificationType(due.told))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord("nothing that is due at Cronofy") from error
    if not (isinstance(due.sub, str) and isinstance(due.profile_id, str)) or type(due.since) is not int:
        raise UnreadableRecord("nothing that is due at Cronofy")
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
