"""When enough people are free together, and why not: ``POST /v1/availability`` and its explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.availability import Availability, Query, ResponseFormat, find_availability
from freebusy.domain.free_busy import Period
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
    from freebusy.domain.explanation import Explanation, StartExplanation


class AvailabilityRequest(NamedTuple):
    """Durations in seconds. Exactly one of ``periods`` and ``starts`` (the query slots) is not empty."""

    groups: tuple[GroupRequest, ...]
    duration: int
    periods: tuple[Period, ...]
    starts: tuple[int, ...]
    start_interval: int | None
    before: int
    after: int
    response_format: ResponseFormat
    max_results: int
    excluded: frozenset[str] = frozenset()
    fail_if_unreadable: bool = False
    include_sources: bool = False
    explain: bool = False

    def conditions(self, *more: int) -> Conditions:
        """For the time of the query, and for slots that start at ``more``."""
        slots = [Period(start, start + self.duration) for start in (*self.starts, *more)]
        periods = [*self.periods, *slots]
        before, after = longest_buffers(self.groups, self.before, self.after)
        window = Period(min(start for start, _ in periods) - before, max(end for _, end in periods) + after)
        return Conditions(window, self.excluded, self.fail_if_unreadable)


class AvailabilityAnswer(NamedTuple):
    """``sources``, ``turns`` (whose turn it is in groups that go round robin) and ``explanation`` where asked for."""

    availability: Availability
    unreadable: Sequence[UnreadableMember]
    sources: Sequence[Sources] | None = None
    turns: Sequence[Turns] = ()
    explanation: Explanation | None = None


class StartAnswer(NamedTuple):
    """Why one start is offered or not."""

    explanation: StartExplanation
    duration: int
    unreadable: Sequence[UnreadableMember]
    sources: Sequence[Sources] | None


def query_availability(request: AvailabilityRequest, *, participants: ParticipantReader) -> AvailabilityAnswer:
    """Reads every calendar that counts, at once and each once, then asks the engine.

    A member whose calendar cannot be read is never free, and is listed with the reason.
    Raises InvalidRequest for members or calendars that are not this application's, and MembersUnreadable.
    """
    people = participants.read(request.groups, request.conditions())
    query = _query(request, people)
    availability = find_availability(query)
    explanation = None
    if request.explain:
        from freebusy.domain.explanation import explain

        explanation = explain(query, availability)
    return AvailabilityAnswer(
        availability,
        people.unreadable,
        sources=_sources(request, people),
        turns=people.turns(request.groups),
        explanation=explanation,
    )


def explain_start(request: AvailabilityRequest, start: int, *, participants: ParticipantReader) -> StartAnswer:
    """Whom each group of the same query has and lacks at one start, which need not be within the query's time.

    Raises as ``query_availability``.
    """
    from freebusy.domain import explanation

    people = participants.read(request.groups, request.conditions(start))
    explained = explanation.explain_start(_query(request, people), start)
    return StartAnswer(explained, request.duration, people.unreadable, _sources(request, people))


def _sources(request: AvailabilityRequest, people: Participants) -> Sequence[Sources] | None:
    return people.looked_at(request.groups) if request.include_sources else None


def _query(request: AvailabilityRequest, people: Participants) -> Query:
    return Query(
        groups=[people.group(group) for group in request.groups],
        duration=request.duration,
        periods=request.periods,
        starts=request.starts or None,
        start_interval=request.start_interval,
        buffer_before=request.before,
        buffer_after=request.after,
        response_format=request.response_format,
        max_results=request.max_results,
    )
