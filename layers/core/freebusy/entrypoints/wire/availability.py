"""``POST /v1/availability``: its request as a model, its answer from ready-made fragments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from freebusy.domain.availability import MAX_RESULTS, ResponseFormat
from freebusy.domain.errors import RefusedBecause
from freebusy.domain.free_busy import Period
from freebusy.entrypoints.times import format_time
from freebusy.entrypoints.wire.validation import Identifier, Minutes, Time, validated
from freebusy.service.availability import AvailabilityAnswer, AvailabilityRequest, GroupRequest, MemberRequest

MAX_MEMBERS = 200
MAX_PERIODS = 50
MAX_SLOTS = 512
MAX_SLOTS_WITHOUT_FORMAT = 256
MAX_EXCLUDED = 100
MAX_SPAN_DAYS = 35
MAX_DURATION_MINUTES = 1440
"""Limits of one query. The largest answer, 512 slots naming 200 members each, stays under Lambda's 6 MB."""

_DAY = 86400


class Duration(BaseModel):
    """``{"minutes": 30}``; ``{"hours": 2}`` is understood too."""

    minutes: Annotated[Minutes, Field(ge=0, le=MAX_DURATION_MINUTES)] | None = None
    hours: Annotated[Minutes, Field(ge=0, le=MAX_DURATION_MINUTES // 60)] | None = None

    @property
    def seconds(self) -> int:
        return 60 * (self.minutes or 0) + 3600 * (self.hours or 0)


def _positive(duration: Duration) -> Duration:
    if not 1 <= duration.seconds // 60 <= MAX_DURATION_MINUTES:
        raise PydanticCustomError("invalid_duration", f"must be between 1 and {MAX_DURATION_MINUTES} minutes")
    return duration


PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


class BufferSide(Duration):
    """``{"minutes": 15}`` or the C# SDK's ``{"minimum": {…}, "maximum": {…}}``; only sequences know a maximum."""

    minimum: Duration | None = None
    maximum: Duration | None = None

    @property
    def seconds(self) -> int:
        return self.minimum.seconds if self.minimum else super().seconds


class Buffer(BaseModel):
    before: BufferSide | None = None
    after: BufferSide | None = None


class QueryPeriod(BaseModel):
    start: Time
    end: Time

    def period(self) -> Period:
        return Period(self.start, self.end)


def _ordered(period: QueryPeriod) -> QueryPeriod:
    if period.end <= period.start:
        raise PydanticCustomError("invalid_time_pair", "end must be after start")
    return period


OrderedPeriod = Annotated[QueryPeriod, AfterValidator(_ordered)]


class QuerySlot(BaseModel):
    start: Time


class Member(BaseModel):
    sub: Identifier
    calendar_ids: Annotated[list[Identifier], Field(max_length=100)] | None = None
    available_periods: Annotated[list[OrderedPeriod], Field(max_length=MAX_PERIODS)] | None = None
    managed_availability: bool | None = None
    only_managed_events: bool | None = None
    ignore_tentative: bool | None = None
    availability_rule_ids: list[Any] | None = None
    availability_constraints: list[Any] | None = None
    buffer: dict[str, Any] | None = None


class Group(BaseModel):
    members: Annotated[list[Member], Field(min_length=1, max_length=MAX_MEMBERS)]
    required: Literal["all"] | Annotated[Minutes, Field(ge=1)] = "all"


class EventName(BaseModel):
    """``{"event_id": …}`` or ``{"event_uid": …}``."""

    event_id: Annotated[str, StringConstraints(max_length=500)] | None = None
    event_uid: Identifier | None = None

    @property
    def names(self) -> list[str]:
        return [name for name in (self.event_id, self.event_uid) if name]


def _not_empty(event: EventName) -> EventName:
    if not event.names:
        raise PydanticCustomError("errors.required", "event_id or event_uid must be specified")
    return event


ExcludedEvent = Annotated[EventName, AfterValidator(_not_empty)]


def _not_too_many(groups: object) -> object:
    """Counted before anybody is looked at, so that what a query costs has a limit, too."""
    listed = [group.get("members") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    # A group that alone has too many is refused by its own limit.
    if sum(min(len(members), MAX_MEMBERS) for members in listed if isinstance(members, list)) > MAX_MEMBERS:
        raise PydanticCustomError("too_long", f"at most {MAX_MEMBERS} members in one query")
    return groups


class Availability(BaseModel):
    participants: Annotated[list[Group], Field(min_length=1, max_length=MAX_MEMBERS), BeforeValidator(_not_too_many)]
    required_duration: PositiveDuration
    query_periods: Annotated[list[OrderedPeriod], Field(max_length=MAX_PERIODS)] | None = None
    available_periods: Annotated[list[OrderedPeriod], Field(max_length=MAX_PERIODS)] | None = None
    query_slots: Annotated[list[QuerySlot], Field(max_length=MAX_SLOTS)] | None = None
    start_interval: PositiveDuration | None = None
    buffer: Buffer | None = None
    response_format: ResponseFormat | None = None
    max_results: Annotated[Minutes, Field(ge=1, le=MAX_RESULTS)] | None = None
    excluded_events: Annotated[list[ExcludedEvent], Field(max_length=MAX_EXCLUDED)] | None = None


_NOT_YET = (
    "managed_availability",
    "only_managed_events",
    "ignore_tentative",
    "availability_rule_ids",
    "availability_constraints",
    "buffer",
)
"""Per-member options that would change the answer; ignoring one silently would offer slots that are none."""


def availability_request(body: Mapping[str, Any]) -> AvailabilityRequest:
    """Raises InvalidRequest whose fields are paths into the body, e.g. ``participants[0].members[1].sub``."""
    asked = validated(Availability, body)
    refused = RefusedBecause()
    periods = asked.query_periods or asked.available_periods or []
    slots = asked.query_slots or []
    if bool(periods) == bool(slots):
        refused.add("query_periods", "errors.required", "exactly one of query_periods and query_slots is needed")
    if len(slots) > MAX_SLOTS_WITHOUT_FORMAT and asked.response_format in {None, ResponseFormat.PERIODS}:
        refused.add("query_slots", "errors.too_many", f"more than {MAX_SLOTS_WITHOUT_FORMAT} need a response_format")
    _check_span(periods, slots, refused)
    groups = tuple(_group(group, f"participants[{number}]", refused) for number, group in enumerate(asked.participants))
    refused.raise_if_any()
    buffer = asked.buffer or Buffer()
    return AvailabilityRequest(
        groups=groups,
        duration=asked.required_duration.seconds,
        periods=tuple(period.period() for period in periods),
        starts=tuple(slot.start for slot in slots),
        start_interval=asked.start_interval.seconds if asked.start_interval else None,
        before=buffer.before.seconds if buffer.before else 0,
        after=buffer.after.seconds if buffer.after else 0,
        response_format=asked.response_format or ResponseFormat.PERIODS,
        max_results=asked.max_results or MAX_RESULTS,
        excluded=frozenset(name for event in asked.excluded_events or () for name in event.names),
    )


def _check_span(periods: Sequence[QueryPeriod], slots: Sequence[QuerySlot], refused: RefusedBecause) -> None:
    moments = [moment for period in periods for moment in (period.start, period.end)]
    moments += [slot.start for slot in slots]
    if moments and max(moments) - min(moments) > MAX_SPAN_DAYS * _DAY:
        name = "query_periods" if periods else "query_slots"
        refused.add(name, "errors.too_long", f"the query must lie within {MAX_SPAN_DAYS} days")


def _group(group: Group, path: str, refused: RefusedBecause) -> GroupRequest:
    count = len(group.members)
    required = count if group.required == "all" else group.required
    if required > count:
        refused.add(f"{path}.required", "errors.too_many", "required must not exceed the number of members")
    return GroupRequest(
        members=tuple(
            _member(member, f"{path}.members[{number}]", refused) for number, member in enumerate(group.members)
        ),
        required=required,
    )


def _member(member: Member, path: str, refused: RefusedBecause) -> MemberRequest:
    for name in _NOT_YET:
        if getattr(member, name):
            refused.add(f"{path}.{name}", "errors.not_supported", f"{name} is not supported")
    available = member.available_periods
    return MemberRequest(
        sub=member.sub,
        path=path,
        calendar_ids=frozenset(member.calendar_ids or ()),
        available=None if available is None else tuple(period.period() for period in available),
    )


_TRUTH_OF_DIGITS = bytes.maketrans(b"01", b"\x00\x01")


def answer_keys(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Under which keys the results stand: that of the format, and for query slots always ``available_slots``.

    The Python SDK reads ``available_periods`` unless the query names a slot format, so query slots without a format
    are answered under both.
    """
    named = body.get("response_format") in {ResponseFormat.SLOTS, ResponseFormat.OVERLAPPING_SLOTS}
    slots = ("available_slots",) if named or body.get("query_slots") else ()
    return slots if named else (*slots, "available_periods")


def availability_json(answer: AvailabilityAnswer, keys: Sequence[str]) -> str:
    """The answer as JSON text, put together from ready-made fragments.

    Most slots name the same people, so each distinct set of free members is spelled out once.
    """
    subs = [f'{{"sub":{json.dumps(sub)}}}' for sub in answer.availability.members]
    fragments: dict[int, str] = {}
    results = []
    for start, end, free in answer.availability.found:
        participants = fragments.get(free)
        if participants is None:
            participants = fragments[free] = ",".join(_chosen(subs, free))
        results.append(f'{{"start":"{format_time(start)}","end":"{format_time(end)}","participants":[{participants}]}}')
    found = ",".join(results)
    return "{" + ",".join(f'"{key}":[{found}]' for key in keys) + _unreadable(answer) + "}"


def _chosen(subs: Sequence[str], mask: int) -> Iterable[str]:
    """Those whose bits are set, the first sub's being the lowest; without a step in Python for each."""
    digits = f"{mask:0{len(subs)}b}"[::-1].encode()
    return compress(subs, digits.translate(_TRUTH_OF_DIGITS))


def _unreadable(answer: AvailabilityAnswer) -> str:
    """An extension of the contract, present only when there is something to tell."""
    if not answer.unreadable:
        return ""
    listed = [
        {"sub": member.sub, "profile_id": member.profile_id, "reason": member.reason} for member in answer.unreadable
    ]
    return f',"unreadable_members":{json.dumps(listed, separators=(",", ":"))}'
