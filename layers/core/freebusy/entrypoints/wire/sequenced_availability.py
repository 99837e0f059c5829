"""``POST /v1/sequenced_availability``: its request as a model, and its answer."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from freebusy.domain.availability import MAX_RESULTS
from freebusy.domain.errors import RefusedBecause
from freebusy.domain.free_busy import Period
from freebusy.domain.sequence import MOST_IN_A_STAGE, MOST_STEPS
from freebusy.domain.stretches import merged, overlaps
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
    count_members,
    group_requests,
    refuse_too_many,
)
from freebusy.entrypoints.wire.results import Participants, dumps, extensions, turns_json
from freebusy.entrypoints.wire.validation import Minutes, validated
from freebusy.service.sequenced_availability import SequenceAnswer, SequenceRequest, StepRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_ORDINAL = 1000


def _spelled_out(value: object) -> object:
    """The Ruby SDK's users also call their steps by number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Asked(BaseModel):
    """The time that the query, or one of its steps, asks about."""

    query_periods: Periods | None = None
    available_periods: Periods | None = None

    @property
    def periods(self) -> list[QueryPeriod]:
        """An empty list is none: the Python and the C# SDK send one where there is nothing to say."""
        return self.query_periods or self.available_periods or []


class SequenceStep(Asked):
    sequence_id: Annotated[str, StringConstraints(min_length=1, max_length=128), BeforeValidator(_spelled_out)]
    ordinal: Annotated[Minutes, Field(ge=0, le=MAX_ORDINAL)] | None = None
    participants: Groups
    required_duration: PositiveDuration
    start_interval: PositiveDuration | None = None
    buffer: AnyBuffer = None


def _not_too_many(steps: object) -> object:
    listed = steps if isinstance(steps, list) else []
    refuse_too_many(sum(count_members(step.get("participants")) for step in listed if isinstance(step, dict)))
    return steps


class SequencedAvailability(Body, Asked):
    sequence: Annotated[list[SequenceStep], Field(min_length=1, max_length=MOST_STEPS), BeforeValidator(_not_too_many)]
    max_results: Annotated[Minutes, Field(ge=1, le=MAX_RESULTS)] | None = None


def sequence_request(body: Mapping[str, Any]) -> SequenceRequest:
    """Raises InvalidRequest whose fields are paths into the body, e.g. ``sequence[0].required_duration``."""
    asked = validated(SequencedAvailability, body)
    refused = RefusedBecause()
    periods = [period for each in (asked, *asked.sequence) for period in each.periods]
    moments = [moment for period in periods for moment in (period.start, period.end)]
    check_span(moments, "query_periods", refused)
    stages = _stages([step.ordinal for step in asked.sequence])
    if max(map(len, stages)) > MOST_IN_A_STAGE:
        refused.add("sequence", "errors.too_many", f"at most {MOST_IN_A_STAGE} steps may have the same ordinal")
    if len({step.sequence_id for step in asked.sequence}) < len(asked.sequence):
        refused.add("sequence", "errors.must_be_unique", "every step needs a sequence_id of its own")
    steps = tuple(_step(step, number, asked, refused) for number, step in enumerate(asked.sequence))
    refused.raise_if_any()
    return SequenceRequest(
        steps,
        stages,
        window=Period(min(moments), max(moments)),
        max_results=asked.max_results or MAX_RESULTS,
        excluded=asked.excluded,
        fail_if_unreadable=asked.fail_if_unreadable,
        include_sources=bool(asked.include_sources),
    )


def _stages(ordinals: Sequence[int | None]) -> tuple[tuple[int, ...], ...]:
    """The numbers of the steps, in order of their ordinals; those of the same one together.

    A step without an ordinal has a stage of its own, after the step that is listed before it.
    """
    places: list[tuple[tuple[int, int], int]] = []
    last = -1
    for number, ordinal in enumerate(ordinals):
        last = last if ordinal is None else ordinal
        places.append(((last, number + 1 if ordinal is None else 0), number))
    return tuple(tuple(number for _, number in stage) for _, stage in groupby(sorted(places), key=itemgetter(0)))


def _step(step: SequenceStep, number: int, asked: SequencedAvailability, refused: RefusedBecause) -> StepRequest:
    path = f"sequence[{number}]"
    if not step.periods and not asked.periods:
        refused.add(f"{path}.query_periods", "errors.required", "the query or the step needs query_periods")
    before, after = (step.buffer or Buffer()).sides
    for name, side in (("before", before), ("after", after)):
        if side.longest is not None and side.longest < (side.shortest or 0):
            problem = "maximum must not be shorter than minimum"
            refused.add(f"{path}.buffer.{name}.maximum", "errors.invalid_format", problem)
    return StepRequest(
        sequence_id=step.sequence_id,
        groups=group_requests(step.participants, f"{path}.participants", refused),
        duration=step.required_duration.seconds,
        periods=_within(step.periods, asked.periods),
        start_interval=step.start_interval.seconds if step.start_interval else None,
        before=before.shortest or 0,
        after=after.shortest or 0,
        longest_before=before.longest,
        longest_after=after.longest,
    )


def _within(own: Sequence[QueryPeriod], all_steps: Sequence[QueryPeriod]) -> tuple[Period, ...]:
    """A step's own periods narrow down those of the query."""
    if not own or not all_steps:
        return tuple(period.period() for period in own or all_steps)
    ours, theirs = (merged(period.period() for period in periods) for periods in (own, all_steps))
    return tuple(Period(*period) for period in overlaps(ours, theirs, 1))


def sequences_json(answer: SequenceAnswer, request: SequenceRequest) -> str:
    """The answer as JSON text, put together from ready-made fragments."""
    names = [f'"sequence_id":{dumps(step.sequence_id)}' for step in request.steps]
    participants = [Participants(members) for members in answer.sequences.members]

    def placed(step: int, start: int, end: int, free: int) -> str:
        when = f'"start":"{format_time(start)}","end":"{format_time(end)}"'
        return f'{{{names[step]},{when},"participants":[{participants[step][free]}]}}'

    found = ",".join(
        f'{{"sequence":[{",".join(placed(*each) for each in sequence)}]}}' for sequence in answer.sequences.found
    )
    return "{" + ",".join([f'"sequences":[{found}]', *_extensions(answer, request)]) + "}"


def _extensions(answer: SequenceAnswer, request: SequenceRequest) -> Iterator[str]:
    yield from extensions(answer.unreadable, answer.sources)
    turns = [
        {"sequence_id": step.sequence_id, **turns_json(each)}
        for step, turns in zip(request.steps, answer.turns, strict=True)
        for each in turns
    ]
    if turns:
        yield f'"round_robin":{dumps(turns)}'
