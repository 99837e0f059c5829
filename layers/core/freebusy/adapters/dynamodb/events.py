"""Managed events: one item each in their account's partition, beside the marks of what was mailed about them.

``starts_at`` and ``ends_at`` are the event's span, by which the index ``by_end`` finds it. What the application
wrote is JSON in ``details``; what decides about mail (``revision``, ``deleted``, ``attendees``) are attributes of
their own, so that the table's stream shows when it has changed.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from freebusy.adapters.dynamodb.table import Item, Key, Table, Value, attributes, may_be_ours, number, text
from freebusy.domain.event import (
    DELETED_KEPT,
    Answered,
    Attendee,
    Conferencing,
    Delivery,
    Details,
    ExtendedTransparency,
    Location,
    ManagedEvent,
    Participation,
    Proposal,
    RecurrenceRule,
    SentMark,
    Transparency,
    When,
)
from freebusy.domain.event_span import span
from freebusy.domain.identifiers import hashed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from freebusy.domain.free_busy import Period

EVENT_PREFIX = "EVENT#"
"""How the sort keys of events begin, in the table's stream too."""


class DynamoEvents:
    """Implements ``ports.EventStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def find(self, sub: str, event_id: str) -> ManagedEvent | None:
        item = self._table.get(_event_key(sub, event_id)) if may_be_ours(sub) else None
        return None if item is None else managed_event(item)

    def find_by_organizer(self, organizer: str) -> ManagedEvent | None:
        key = _organizer_key(organizer)
        item = self._table.get(key) if may_be_ours(organizer) else None
        event = None if item is None else self.find(item["sub"]["S"], item["event_id"]["S"])
        return event if event and _organizer_key(event.organizer) == key else None

    def save(self, event: ManagedEvent, *, over: int | None) -> bool:
        version = 1 if over is None else over + 1
        if over is None:
            storing = self._table.putting(_event_item(event, version), condition="attribute_not_exists(pk)")
        else:
            storing = self._table.putting(
                _event_item(event, version), condition="#version = :over", values={"over": over}
            )
        # The organizer's item lives as long as the event, so it is written when an event begins or ends.
        if event.deleted or event.updated_at == event.created_at:
            return not self._table.transact([storing, self._table.putting(_organizer_item(event))])
        return self._table.write(storing)

    def overlapping(self, sub: str, window: Period) -> Sequence[ManagedEvent]:
        items = self._table.query_window(event_partition(sub), start=window.start, end=window.end)
        return sorted(map(managed_event, items), key=lambda event: event.details.when.start)

    def all_of(self, sub: str) -> Iterator[ManagedEvent]:
        return map(managed_event, self._table.query_prefix(event_partition(sub), EVENT_PREFIX))


class DynamoInvitationLog:
    """Implements ``ports.InvitationLog``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def sent(self, event: ManagedEvent, recipient: str) -> SentMark | None:
        item = self._table.get(_mark_key(event, recipient))
        if item is None:
            return None
        return SentMark(int(item["revision"]["N"]), item["cancelled"]["BOOL"], int(item["version"]["N"]))

    def mark(self, event: ManagedEvent, recipient: str, sent: SentMark) -> None:
        """A cancelled mark is kept no longer than the deleted event: nothing is left to be mailed."""
        pk, sk = _mark_key(event, recipient)
        item: dict[str, Value] = {
            "pk": pk,
            "sk": sk,
            "application": event.client_id,
            "revision": sent.revision,
            "cancelled": sent.cancelled,
            "version": sent.version,
            "expires_at": event.revised_at + DELETED_KEPT if sent.cancelled else None,
        }
        self._table.write(
            self._table.putting(
                attributes(item),
                condition="attribute_not_exists(pk) OR #revision <= :revision",
                values={"revision": sent.revision},
            )
        )


def managed_event(item: Item) -> ManagedEvent:
    """The event of an item or of a stream record's image."""
    return ManagedEvent(
        client_id=item["application"]["S"],
        sub=item["pk"]["S"].removeprefix("EVENTS#"),
        calendar_id=item["calendar_id"]["S"],
        event_id=item["event_id"]["S"],
        uid=item["uid"]["S"],
        organizer=item["organizer"]["S"],
        details=_details(json.loads(item["details"]["S"])),
        attendees=tuple(_attendee(each["M"]) for each in item["attendees"]["L"]),
        sequence=int(item["sequence"]["N"]),
        timed_sequence=int(item["timed_sequence"]["N"]),
        revision=int(item["revision"]["N"]),
        revised_at=int(item["revised_at"]["N"]),
        created_at=int(item["created_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        deleted=item["deleted"]["BOOL"],
        version=int(item["version"]["N"]),
        earlier=tuple((int(start), int(end)) for start, end in json.loads(item["earlier"]["S"])),
        carrier=text(item, "carrier"),
    )


# --- Keys ------------------------------------------------------------------------------------------


def event_partition(sub: str) -> str:
    return f"EVENTS#{sub}"


def _event_key(sub: str, event_id: str) -> Key:
    """Hashed, since an event id is the application's own: of any length, in any script, perhaps telling."""
    return event_partition(sub), f"{EVENT_PREFIX}{hashed(event_id)}"


def _mark_key(event: ManagedEvent, recipient: str) -> Key:
    """By UID: an event that is made anew under an old event id begins with nothing sent."""
    return event_partition(event.sub), f"SENT#{event.uid}#{recipient}"


def _organizer_key(organizer: str) -> Key:
    return f"ORGANIZER#{organizer.lower()}", "ORGANIZER"


# --- Items -----------------------------------------------------------------------------------------


def _event_item(event: ManagedEvent, version: int) -> Item:
    pk, sk = _event_key(event.sub, event.event_id)
    reach = span(event.details)
    return attributes(
        {
            "pk": pk,
            "sk": sk,
            "application": event.client_id,
            "calendar_id": event.calendar_id,
            "event_id": event.event_id,
            "uid": event.uid,
            "organizer": event.organizer,
            "starts_at": reach.start,
            "ends_at": reach.end,
            "details": json.dumps(_details_values(event.details), ensure_ascii=False, separators=(",", ":")),
            "attendees": [_attendee_values(attendee) for attendee in event.attendees],
            "earlier": json.dumps(event.earlier),
            "carrier": event.carrier,
            "sequence": event.sequence,
            "timed_sequence": event.timed_sequence,
            "revision": event.revision,
            "revised_at": event.revised_at,
            "created_at": event.created_at,
            "updated_at": event.updated_at,
            "deleted": event.deleted,
            "version": version,
            "expires_at": _expiry(event),
        }
    )


def _organizer_item(event: ManagedEvent) -> Item:
    pk, sk = _organizer_key(event.organizer)
    return attributes(
        {
            "pk": pk,
            "sk": sk,
            "application": event.client_id,
            "sub": event.sub,
            "event_id": event.event_id,
            "expires_at": _expiry(event),
        }
    )


def _expiry(event: ManagedEvent) -> int | None:
    return event.updated_at + DELETED_KEPT if event.deleted else None


def _attendee_values(attendee: Attendee) -> dict[str, Value]:
    proposal, answered = attendee.proposal, attendee.answered
    return {
        "email": attendee.email,
        "name": attendee.name,
        "participation": attendee.participation,
        "comment": attendee.comment,
        "proposal": {"start": proposal.start, "end": proposal.end} if proposal else None,
        "answered": {"sequence": answered.sequence, "stamp": answered.stamp} if answered else None,
        "uninvited": attendee.uninvited,
        "delivery": attendee.delivery,
    }


def _attendee(values: Item) -> Attendee:
    proposal, answered = values.get("proposal"), values.get("answered")
    return Attendee(
        email=values["email"]["S"],
        name=text(values, "name"),
        participation=Participation(values["participation"]["S"]),
        comment=text(values, "comment"),
        proposal=Proposal(_number(proposal, "start"), _number(proposal, "end")) if proposal else None,
        answered=Answered(_number(answered, "sequence"), _number(answered, "stamp")) if answered else None,
        uninvited=values["uninvited"]["BOOL"],
        delivery=Delivery(values["delivery"]["S"]),
    )


def _number(item: Item, name: str) -> int:
    return number(item["M"], name) or 0


def _details_values(details: Details) -> dict[str, Any]:
    """For JSON, which would write what is in it as lists without names."""
    return {
        **details._asdict(),
        "when": details.when._asdict(),
        "location": details.location and details.location._asdict(),
        "conferencing": details.conferencing and details.conferencing._asdict(),
        "recurrence": [asdict(rule) for rule in details.recurrence],
    }


def _details(values: dict[str, Any]) -> Details:
    location, conferencing = values["location"], values["conferencing"]
    extended = values["extended_transparency"]
    return Details(
        **values
        | {
            "when": When(**values["when"]),
            "location": Location(**location) if location else None,
            "conferencing": Conferencing(**conferencing) if conferencing else None,
            "reminders": tuple(values["reminders"]),
            "transparency": Transparency(values["transparency"]),
            "recurrence": tuple(map(_rule, values["recurrence"])),
            "tags": tuple(values["tags"]),
            "extended_transparency": ExtendedTransparency(extended) if extended else None,
        }
    )


def _rule(values: dict[str, Any]) -> RecurrenceRule:
    return RecurrenceRule(**values | {name: tuple(values[name]) for name in ("by_day", "exceptions")})
