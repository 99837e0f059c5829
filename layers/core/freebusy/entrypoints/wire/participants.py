"""Who is asked about, as every kind of availability query has it: groups of members, their options, durations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from freebusy.domain.free_busy import Period
from freebusy.entrypoints.wire.validation import AS_OBJECT, Identifier, Minutes, Time
from freebusy.service.participants import GroupRequest, MemberRequest

if TYPE_CHECKING:
    from freebusy.domain.constraints import Constraint
    from freebusy.domain.errors import RefusedBecause

MAX_MEMBERS = 200
MAX_PERIODS = 50
MAX_EXCLUDED = 100
MAX_CALENDARS = 100
MAX_RULES = 50
MAX_CONSTRAINTS = 10
MAX_SPAN_DAYS = 35
MAX_DURATION_MINUTES = 1440

_DAY = 86400


# --- Durations and periods -------------------------------------------------------------------------


class Duration(BaseModel):
    """``{"minutes": 30}``; ``{"hours": 2}`` is understood too."""

    minutes: Annotated[Minutes, Field(ge=0, le=MAX_DURATION_MINUTES)] | None = None
    hours: Annotated[Minutes, Field(ge=0, le=MAX_DURATION_MINUTES // 60)] | None = None

    @property
    def said(self) -> bool:
        return self.minutes is not None or self.hours is not None

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

    minimum: Annotated[Duration | None, AS_OBJECT] = None
    maximum: Annotated[Duration | None, AS_OBJECT] = None

    @property
    def shortest(self) -> int | None:
        """In seconds; None when nothing is said about it."""
        said = self.minimum if self.minimum and self.minimum.said else self
        return said.seconds if said.said else None

    @property
    def longest(self) -> int | None:
        return self.maximum.seconds if self.maximum and self.maximum.said else None


class Buffer(BaseModel):
    before: Annotated[BufferSide | None, AS_OBJECT] = None
    after: Annotated[BufferSide | None, AS_OBJECT] = None

    @property
    def sides(self) -> tuple[BufferSide, BufferSide]:
        return self.before or BufferSide(), self.after or BufferSide()


AnyBuffer = Annotated[Buffer | None, AS_OBJECT]


class QueryPeriod(BaseModel):
    start: Time
    end: Time

    def period(self) -> Period:
        return Period(self.start, self.end)


def _ordered(period: QueryPeriod) -> QueryPeriod:
    if period.end <= period.start:
        raise PydanticCustomError("invalid_time_pair", "end must be after start")
    return period


Periods = Annotated[list[Annotated[QueryPeriod, AfterValidator(_ordered)]], Field(max_length=MAX_PERIODS)]


def check_span(moments: list[int], field: str, refused: RefusedBecause) -> None:
    if moments and max(moments) - min(moments) > MAX_SPAN_DAYS * _DAY:
        refused.add(field, "errors.too_long", f"the query must lie within {MAX_SPAN_DAYS} days")


# --- Members and groups ----------------------------------------------------------------------------


class Member(BaseModel):
    sub: Identifier
    calendar_ids: Annotated[list[Identifier], Field(max_length=MAX_CALENDARS)] | None = None
    available_periods: Periods | None = None
    managed_availability: bool | None = None
    availability_rule_ids: Annotated[list[Identifier], Field(max_length=MAX_RULES)] | None = None
    only_managed_events: bool | None = None
    ignore_tentative: bool | None = None
    availability_constraints: Annotated[list[Any], Field(max_length=MAX_CONSTRAINTS)] | None = None
    buffer: AnyBuffer = None


class Group(BaseModel):
    members: Annotated[list[Member], Field(min_length=1, max_length=MAX_MEMBERS)]
    required: Literal["all"] | Annotated[Minutes, Field(ge=1)] = "all"
    round_robin: StrictBool | dict[str, Any] | None = None


def count_members(groups: object) -> int:
    """Before anybody is looked at, so that what a query costs has a limit, too."""
    listed = [group.get("members") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    # A group that alone has too many is refused by its own limit.
    return sum(min(len(members), MAX_MEMBERS) for members in listed if isinstance(members, list))


def refuse_too_many(count: int) -> None:
    if count > MAX_MEMBERS:
        raise PydanticCustomError("too_long", f"at most {MAX_MEMBERS} members in one query")


def _not_too_many(groups: object) -> object:
    refuse_too_many(count_members(groups))
    return groups


Groups = Annotated[list[Group], Field(min_length=1, max_length=MAX_MEMBERS), BeforeValidator(_not_too_many)]


def group_requests(groups: list[Group], path: str, refused: RefusedBecause) -> tuple[GroupRequest, ...]:
    """``path`` is that of the list of groups."""
    return tuple(_group(group, f"{path}[{number}]", refused) for number, group in enumerate(groups))


def _group(group: Group, path: str, refused: RefusedBecause) -> GroupRequest:
    count = len(group.members)
    required = count if group.required == "all" else group.required
    if required > count:
        refused.add(f"{path}.required", "errors.too_many", "required must not exceed the number of members")
    members = [_member(member, f"{path}.members[{number}]") for number, member in enumerate(group.members)]
    if group.round_robin is None or group.round_robin is False:
        return GroupRequest(tuple(members), required)
    from freebusy.entrypoints.wire.event_counts import round_robin_of

    return GroupRequest(tuple(members), required, round_robin_of(group.round_robin, f"{path}.round_robin"))


def _member(member: Member, path: str) -> MemberRequest:
    available, rule_ids = member.available_periods, member.availability_rule_ids
    before, after = (side.shortest for side in member.buffer.sides) if member.buffer else (None, None)
    constraints: tuple[Constraint, ...] = ()
    if member.availability_constraints:
        from freebusy.entrypoints.wire.event_counts import constraints_of

        constraints = constraints_of(member.availability_constraints, f"{path}.availability_constraints")
    return MemberRequest(
        sub=member.sub,
        path=path,
        calendar_ids=None if member.calendar_ids is None else frozenset(member.calendar_ids),
        available=None if available is None else tuple(period.period() for period in available),
        before=before,
        after=after,
        managed_availability=bool(member.managed_availability),
        rule_ids=None if rule_ids is None else frozenset(rule_ids),
        only_managed_events=bool(member.only_managed_events),
        ignore_tentative=bool(member.ignore_tentative),
        constraints=constraints,
    )


# --- What holds for the whole query ----------------------------------------------------------------


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


class Body(BaseModel):
    """What every availability query may say besides."""

    excluded_events: (
        Annotated[list[Annotated[EventName, AfterValidator(_not_empty)]], Field(max_length=MAX_EXCLUDED)] | None
    ) = None
    on_unreadable: Literal["unavailable", "fail"] | None = None
    include_sources: bool | None = None

    @property
    def excluded(self) -> frozenset[str]:
        return frozenset(name for event in self.excluded_events or () for name in event.names)

    @property
    def fail_if_unreadable(self) -> bool:
        return self.on_unreadable == "fail"
