"""Reading records of the table's stream: what an event, an account or a channel was before a write, and is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from freebusy.domain.account import MOVED, Upstream
from freebusy.domain.channel import ChannelDue
from freebusy.entrypoints.records import UnreadableRecord
from freebusy.service.due_invitations import EventState, recipient_of
from freebusy.service.news import AccountState

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOST = {"disconnected", "withdrawn"}
_SAID = ("participation", "comment", "proposal", "answered", "delivery")


class EventChange(NamedTuple):
    before: EventState | None
    after: EventState


class AccountChange(NamedTuple):
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
