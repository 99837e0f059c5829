"""When several meetings can follow each other: ``POST /v1/sequenced_availability``."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.availability import Query
from freebusy.domain.free_busy import Period
from freebusy.domain.sequence import Sequences, Step, find_sequences
from freebusy.service.participants import (
    Conditions,
    GroupRequest,
    ParticipantReader,
    Participants,
    Sources,
    Turns,
    longest_buffers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freebusy.domain.errors import UnreadableMember


class StepRequest(NamedTuple):
    """Durations in seconds. ``longest_before`` and ``longest_after`` are gaps to the neighbours (``None``: any)."""

    sequence_id: str
    groups: tuple[GroupRequest, ...]
    duration: int
    periods: tuple[Period, ...]
    start_interval: int | None
    before: int
    after: int
    longest_before: int | None
    longest_after: int | None


class SequenceRequest(NamedTuple):
    """``stages`` are the numbers of the steps: one stage after the other, within a stage in any order.

    ``window`` holds all periods of the query and its steps.
    """

    steps: tuple[StepRequest, ...]
    stages: tuple[tuple[int, ...], ...]
    window: Period
    max_results: int
    excluded: frozenset[str] = frozenset()
    fail_if_unreadable: bool = False
    include_sources: bool = False

    @property
    def groups(self) -> list[GroupRequest]:
        """Of all steps, in their order."""
        return [*chain.from_iterable(step.groups for step in self.steps)]

    @property
    def conditions(self) -> Conditions:
        before, after = longest_buffers(
            self.groups, max(step.before for step in self.steps), max(step.after for step in self.steps)
        )
        window = Period(self.window.start - before, self.window.end + after)
        return Conditions(window, self.excluded, self.fail_if_unreadable)


class SequenceAnswer(NamedTuple):
    """``turns`` are those of each step, by its number."""

    sequences: Sequences
    unreadable: Sequence[UnreadableMember]
    sources: Sequence[Sources] | None
    turns: Sequence[Sequence[Turns]]


def query_sequences(request: SequenceRequest, *, participants: ParticipantReader) -> SequenceAnswer:
    """Reads every calendar that counts in any of the steps, at once and each once, then searches.

    A member whose calendar cannot be read is never free, and is listed with the reason.
    Raises InvalidRequest for members or calendars that are not this application's, and MembersUnreadable.
    """
    people = participants.read(request.groups, request.conditions)
    steps = [_step(step, people) for step in request.steps]
    return SequenceAnswer(
        find_sequences(steps, request.stages, request.max_results),
        people.unreadable,
        people.looked_at(request.groups) if request.include_sources else None,
        [people.turns(step.groups) for step in request.steps],
    )


def _step(asked: StepRequest, people: Participants) -> Step:
    query = Query(
        groups=[people.group(group) for group in asked.groups],
        duration=asked.duration,
        periods=asked.periods,
        start_interval=asked.start_interval,
        buffer_before=asked.before,
        buffer_after=asked.after,
    )
    return Step(query, asked.longest_before, asked.longest_after)
