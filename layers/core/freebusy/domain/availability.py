"""When enough participants are free together: the availability engine.

Pure functions on ints (epoch seconds, UTC) and half-open periods: no clock, no zones, nothing is rounded, and
nothing that is passed in is changed. The rules, which ``tests/oracle`` checks second by second:

* A member is free for the slot from s to e when none of their busy periods reaches into the time from
  ``s - buffer_before`` to ``e + buffer_after``, and s to e lies within their available periods. A buffer is time
  to get there and to recover: no meeting may be in it, but it need not lie within anybody's hours, nor within
  the time the query asks about.
* A slot is found when it lies within the query's time and every group has as many free members as it requires.
* Everyone who is free is named with it, whichever group they belong to, not just enough of them.

``periods``
    A found period is at least ``duration`` long; the same members, enough for every group, are free throughout, and
    they are named with all others who are. It is as long as it can be: no longer one around it would do. So each
    slot that can be booked lies within a found period. Where all members are required, these are the times
    that all have in common; where some suffice, periods may overlap, each with people of its own.
``slots``
    As early as possible, one after the other, never overlapping. With a ``start_interval`` they start on its grid.
``overlapping_slots``
    Every start on the grid of ``start_interval`` (``DEFAULT_START_INTERVAL`` if none is given) that can be booked.

The grid is that of the clock: multiples of the interval since the epoch, so that a quarter of an hour means :00, :15,
:30 and :45, wherever the query's time begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from freebusy.domain.quorum import Candidate, Found, Quorum, RollCall
from freebusy.domain.stretches import Need, Pair, merged, overlaps, shared

DEFAULT_START_INTERVAL = 15 * 60
MAX_RESULTS = 512


class ResponseFormat(StrEnum):
    PERIODS = "periods"
    SLOTS = "slots"
    OVERLAPPING_SLOTS = "overlapping_slots"


@dataclass(frozen=True, slots=True)
class Member:
    """One participant, known by ``key``.

    ``busy`` comes in any order, may overlap or touch, and no period ends before it starts. ``available`` limits
    when they may be booked (``None``: no limit). An unreadable member is never free.
    """

    key: str
    busy: Sequence[Pair] = ()
    available: Sequence[Pair] | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """``required`` of its members must be free at once; as many as are listed means all of them."""

    members: Sequence[Member]
    required: int


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for; times and durations in seconds.

    Either ``periods`` bound the search (those that overlap or touch are one), or ``starts`` are the only slots of
    interest, answered as slots whatever the format. Raises ``ValueError`` for what cannot be searched.
    """

    groups: Sequence[Group]
    duration: int
    periods: Sequence[Pair] = ()
    starts: Sequence[int] | None = None
    start_interval: int | None = None
    buffer_before: int = 0
    buffer_after: int = 0
    response_format: ResponseFormat = ResponseFormat.PERIODS
    max_results: int = MAX_RESULTS

    def __post_init__(self) -> None:
        if self.duration < 1 or (self.start_interval is not None and self.start_interval < 1):
            raise ValueError("durations and intervals are at least one second")
        if min(self.buffer_before, self.buffer_after, self.max_results) < 0:
            raise ValueError("buffers and the number of results cannot be negative")


@dataclass(frozen=True, slots=True)
class Availability:
    """``found`` holds (start, end, free): bit i of ``free`` stands for ``members[i]``, in the order of the request.

    Sorted by start. There are few different ``free`` among many results, so whatever is made of one can be kept.
    """

    members: tuple[str, ...]
    found: Sequence[Found]

    def free(self, mask: int) -> tuple[str, ...]:
        """The keys of the members that a mask stands for."""
        return tuple(key for number, key in enumerate(self.members) if mask >> number & 1)


def find_availability(query: Query) -> Availability:
    """Everything the query asks for, in the order of time, at most ``max_results`` of it."""
    people = _people(query.groups)
    bits = {key: 1 << number for number, key in enumerate(people)}
    needed = {member.key for group in query.groups if _needs_all(group) for member in group.members}
    always = sum(bits[key] for key in needed)
    found = islice(_search(query, people, bits, needed), query.max_results)
    return Availability(tuple(people), [(start, end, free | always) for start, end, free in found])


def _people(groups: Iterable[Group]) -> dict[str, Member]:
    """Every member once, by key. Who is listed more than once must be free by every entry."""
    people: dict[str, Member] = {}
    for group in groups:
        for member in group.members:
            known = people.setdefault(member.key, member)
            if known is not member and known != member:
                people[member.key] = _both(known, member)
    return people


def _both(one: Member, other: Member) -> Member:
    if one.available is None or other.available is None:
        available = one.available if other.available is None else other.available
    else:
        available = [*overlaps(merged(one.available), merged(other.available), 1)]
    return Member(one.key, [*one.busy, *other.busy], available, one.readable and other.readable)


def _needs_all(group: Group) -> bool:
    return group.required == len(group.members)


def _search(
    query: Query, people: Mapping[str, Member], bits: Mapping[str, int], needed: AbstractSet[str]
) -> Iterator[Found]:
    """What is found, with those who are free and not needed anyway."""
    members = [people[key] for key in people if key in needed]
    others = {key: member for key, member in people.items() if key not in needed and member.readable}
    quorums = [_quorum(group, bits, needed, others) for group in query.groups if not _needs_all(group)]
    windows = _windows(query, members)
    if not (windows and all(member.readable for member in members) and all(map(Quorum.is_attainable, quorums))):
        return iter(())
    need = Need(query.duration, query.buffer_before, query.buffer_after, windows[0][0], windows[-1][1])
    openings = shared([member.busy for member in members], windows, need)
    if not others:
        return ((start, end, 0) for start, end in _laid_out(query, openings))
    candidates = [Candidate(bits[key], member.busy, member.available) for key, member in others.items()]
    roll = RollCall(candidates, quorums, need)
    openings = roll.openings(openings)
    if _wants_periods(query):
        return roll.periods(openings)
    return roll.slots(start for start, _ in _laid_out(query, openings))


def _windows(query: Query, needed: Iterable[Member]) -> list[Pair]:
    """The time asked about in which all who are needed let themselves be booked: sorted and disjoint."""
    if query.starts is None:
        windows = merged(query.periods)
    else:
        windows = merged((start, start + query.duration) for start in query.starts)
    for member in needed:
        if member.available is not None:
            windows = [*overlaps(windows, merged(member.available), query.duration)]
    return windows


def _quorum(group: Group, bits: Mapping[str, int], needed: AbstractSet[str], others: Mapping[str, Member]) -> Quorum:
    """What a group still requires besides those who are needed anyway."""
    keys = {member.key for member in group.members}
    return Quorum(sum(bits[key] for key in keys & others.keys()), group.required - len(keys & needed))


def _wants_periods(query: Query) -> bool:
    return query.starts is None and query.response_format is ResponseFormat.PERIODS


def _laid_out(query: Query, openings: Iterable[Pair]) -> Iterator[Pair]:
    """What the query wants of the openings, which are sorted by their starts and by their ends."""
    if _wants_periods(query):
        return iter(openings)
    if query.starts is not None:
        asked = [(start, start + query.duration) for start in sorted(set(query.starts))]
        return overlaps(asked, openings, query.duration)
    if query.response_format is ResponseFormat.SLOTS:
        interval = query.start_interval or 1
        return _slots(openings, query.duration, interval, stride=query.duration + -query.duration % interval)
    interval = query.start_interval or DEFAULT_START_INTERVAL
    return _slots(openings, query.duration, interval, stride=interval)


def _slots(openings: Iterable[Pair], duration: int, interval: int, stride: int) -> Iterator[Pair]:
    """Slots that start on multiples of ``interval``, ``stride`` (a multiple of it) or more apart."""
    earliest: int | None = None
    for opens, closes in openings:
        start = opens if earliest is None or opens > earliest else earliest
        start += -start % interval
        while start + duration <= closes:
            yield start, start + duration
            start += stride
        earliest = start
