"""``POST /v1/availability``: its request as a model, its answer from ready-made fragments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from freebusy.domain.availability import MAX_RESULTS, ResponseFormat
from freebusy.domain.errors import RefusedBecause
from freebusy.entrypoints.times import format_time
from freebusy.entrypoints.wire.participants import (
    AnyBuffer,
    Body,
    Buffer,
    Groups,
    Periods,
    PositiveDuration,
    QueryPeriod,
    check_span,
    group_requests,
)
from freebusy.entrypoints.wire.results import Participants, dumps, extensions, turns_json
from freebusy.entrypoints.wire.validation import Minutes, Time, validated
from freebusy.service.availability import AvailabilityAnswer, AvailabilityRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_SLOTS = 512
MAX_SLOTS_WITHOUT_FORMAT = 256
"""The largest answer, 512 slots naming 200 members each, stays under Lambda's 6 MB."""


class QuerySlot(BaseModel):
    start: Time


class Availability(Body):
    participants: Groups
    required_duration: PositiveDuration
    query_periods: Periods | None = None
    available_periods: Periods | None = None
    query_slots: Annotated[list[QuerySlot], Field(max_length=MAX_SLOTS)] | None = None
    start_interval: PositiveDuration | None = None
    buffer: AnyBuffer = None
    response_format: ResponseFormat | None = None
    max_results: Annotated[Minutes, Field(ge=1, le=MAX_RESULTS)] | None = None
    explain: bool | None = None

    @property
    def periods(self) -> list[QueryPeriod]:
        return self.query_periods or self.available_periods or []

    @property
    def moments(self) -> list[int]:
        """Of the time that is asked about."""
        bounds = [moment for period in self.periods for moment in (period.start, period.end)]
        return [*bounds, *(slot.start for slot in self.query_slots or ())]


def availability_request(body: Mapping[str, Any]) -> AvailabilityRequest:
    """Raises InvalidRequest whose fields are paths into the body, e.g. ``participants[0].members[1].sub``."""
    return request_of(validated(Availability, body), RefusedBecause())


def request_of(asked: Availability, refused: RefusedBecause) -> AvailabilityRequest:
    """Raises InvalidRequest, with what was ``refused`` before."""
    periods, slots = asked.periods, asked.query_slots or []
    if bool(periods) == bool(slots):
        refused.add("query_periods", "errors.required", "exactly one of query_periods and query_slots is needed")
    if len(slots) > MAX_SLOTS_WITHOUT_FORMAT and asked.response_format in {None, ResponseFormat.PERIODS}:
        refused.add("query_slots", "errors.too_many", f"more than {MAX_SLOTS_WITHOUT_FORMAT} need a response_format")
    check_span(asked.moments, "query_periods" if periods else "query_slots", refused)
    groups = group_requests(asked.participants, "participants", refused)
    refused.raise_if_any()
    before, after = (asked.buffer or Buffer()).sides
    return AvailabilityRequest(
        groups=groups,
        duration=asked.required_duration.seconds,
        periods=tuple(period.period() for period in periods),
        starts=tuple(slot.start for slot in slots),
        start_interval=asked.start_interval.seconds if asked.start_interval else None,
        before=before.shortest or 0,
        after=after.shortest or 0,
        response_format=asked.response_format or ResponseFormat.PERIODS,
        max_results=asked.max_results or MAX_RESULTS,
        excluded=asked.excluded,
        fail_if_unreadable=asked.fail_if_unreadable,
        include_sources=bool(asked.include_sources),
        explain=bool(asked.explain),
    )


def answer_keys(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Under which keys the results stand: that of the format, and for query slots always ``available_slots``.

    The Python SDK reads ``available_periods`` unless the query names a slot format, so query slots without a format
    are answered under both.
    """
    named = body.get("response_format") in {ResponseFormat.SLOTS, ResponseFormat.OVERLAPPING_SLOTS}
    slots = ("available_slots",) if named or body.get("query_slots") else ()
    return slots if named else (*slots, "available_periods")


def availability_json(answer: AvailabilityAnswer, keys: Sequence[str]) -> str:
    """The answer as JSON text, put together from ready-made fragments."""
    participants = Participants(answer.availability.members)
    found = ",".join(
        f'{{"start":"{format_time(start)}","end":"{format_time(end)}","participants":[{participants[free]}]}}'
        for start, end, free in answer.availability.found
    )
    return "{" + ",".join([*(f'"{key}":[{found}]' for key in keys), *_extensions(answer)]) + "}"


def _extensions(answer: AvailabilityAnswer) -> Iterator[str]:
    yield from extensions(answer.unreadable, answer.sources)
    if answer.turns:
        yield f'"round_robin":{dumps([turns_json(turns) for turns in answer.turns])}'
    if answer.explanation is not None:
        from freebusy.entrypoints.wire.explanation import explanation_json

        yield f'"explanation":{explanation_json(answer.explanation)}'
