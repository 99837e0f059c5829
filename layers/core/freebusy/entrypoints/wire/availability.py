"""``POST /v1/availability``: its request as a model, its answer from ready-made fragments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, islice
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from freebusy.domain.availability import MAX_RESULTS, ResponseFormat
from freebusy.domain.errors import FieldError, InvalidRequest, RefusedBecause
from freebusy.domain.free_busy import Period
from freebusy.entrypoints.times import format_time, parse_time
from freebusy.service.availability import AvailabilityAnswer, AvailabilityRequest, GroupRequest, MemberRequest

MAX_MEMBERS = 200
MAX_PERIODS = 50
MAX_SLOTS = 512
MAX_SLOTS_WITHOUT_FORMAT = 256
MAX_SPAN_DAYS = 35
MAX_DURATION_MINUTES = 1440
"""Limits of one query. The largest answer, 512 slots naming 200 members each, stays under Lambda's 6 MB."""

MAX_ERRORS = 100
"""A refusal lists no more: complaining about everything in a large request would be larger than it."""

_DAY = 86400
EARLIEST, LATEST = 0, parse_time("2200-01-01T00:00:00Z")
"""No calendar reaches further, and there is room for durations and buffers on either side."""


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("must_be_integer", "must be a whole number")
    return value


def _time(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("invalid_format", "must be a time such as 2030-01-07T09:00:00Z")
    try:
        moment = parse_time(value)
    except ValueError as error:
        raise PydanticCustomError("invalid_format", "must be a time with an offset or Z") from error
    if not EARLIEST <= moment < LATEST:
        raise PydanticCustomError("invalid_format", "must be between 1970 and 2200")
    return moment


Minutes = Annotated[int, BeforeValidator(_not_a_boolean)]
Time = Annotated[int, BeforeValidator(_time)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]


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
    excluded_events: list[Any] | None = None


_NOT_YET = (
    "managed_availability",
    "only_managed_events",
    "ignore_tentative",
    "availability_rule_ids",
    "availability_constraints",
    "buffer",
)
"""Per-member options that would change the answer; ignoring one silently would offer slots that are none."""

_Model = TypeVar("_Model", bound=BaseModel)


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
    if asked.excluded_events:
        refused.add("excluded_events", "errors.not_supported", "excluded_events is not supported")
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


_KEY_OF = {
    "missing": "errors.required",
    "bool_parsing": "errors.must_be_boolean",
    "bool_type": "errors.must_be_boolean",
    "invalid_time_pair": "errors.invalid_time_pair",
    "too_short": "errors.required",
    "too_long": "errors.too_many",
}


def validated(model: type[_Model], body: Mapping[str, Any]) -> _Model:
    """The body as a model. Raises InvalidRequest with the contract's keys."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors: dict[str, list[FieldError]] = {}
        for entry in islice(error.errors(include_url=False, include_context=False), MAX_ERRORS):
            absent = entry["input"] is None
            key = "errors.required" if absent else _KEY_OF.get(entry["type"], "errors.invalid_format")
            errors.setdefault(_path(entry["loc"]), []).append(FieldError(key, entry["msg"]))
        raise InvalidRequest(errors) from error


def _path(location: tuple[int | str, ...]) -> str:
    """``("participants", 0, "members")`` → ``participants[0].members``; names of union branches are left out."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.isidentifier() and step not in {"int", "str"}:
            path += f".{step}" if path else step
    return path


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
