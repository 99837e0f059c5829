"""When enough participants are free together: the availability engine.

Pure functions on ints (epoch seconds, UTC) and half-open periods: no clock, no zones, nothing is rounded, and
nothing that is passed in is changed. The rules, which ``tests/oracle`` checks second by second:

* A member is free for the slot from s to e when no busy period of theirs starts before ``e + buffer_after`` and ends
  after ``s - buffer_before``, and s to e lies within their available periods. A buffer is time to get there and to
  recover: no meeting may be in it, but it need not lie within anybody's hours, nor within the time the query
  asks about. (A busy period without length is a moment that nothing may reach across.)
* A slot is found when it lies within the query's time and every group has as many free members as it requires.
* Everyone who is free is named with it, whichever group they belong to, not just enough of them.

``periods``
    A found period is at least ``duration`` long; the same members, enough for every group, are free throughout, and
    they are named with all others who are. It is as long as it can be: no longer one around it would do. So each
    slot that can be booked lies within a found period. Where all members are required, these are the times
    that all have in common; where some suffice, periods may overlap, each with people of its own. There is no grid.
``slots``
    As early as possible, one after the other, never overlapping. With a ``start_interval`` they start on its grid.
``overlapping_slots``
    Every start on the grid of ``start_interval`` (``DEFAULT_START_INTERVAL`` if none is given) that can be booked.

The grid is that of the clock: multiples of the interval since the epoch, so that a quarter of an hour means :00, :15,
:30 and :45, wherever the query's time begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from freebusy.domain.quorum import Found, Quorum, longest, with_the_free
from freebusy.domain.stretches import (
    FOREVER,
    Calendar,
    Need,
    Pair,
    Stretches,
    batches,
    enough,
    merged,
    overlaps,
    shifted,
)

UNREADABLE: Sequence[Pair] = ((-FOREVER, FOREVER),)
"""Busy periods of somebody whose calendar cannot be read: never free."""

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
    windows = _windows(query)
    if not windows:
        return Availability(tuple(people), [])
    need = Need(query.duration, query.buffer_before, query.buffer_after, windows[0][0], windows[-1][1])
    found = islice(_search(query, people, need, shifted(windows, -need.since)), query.max_results)
    return Availability(tuple(people), [(start + need.since, end + need.since, free) for start, end, free in found])


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
        available = overlaps(merged(one.available), merged(other.available), 1)
    return Member(one.key, [*one.busy, *other.busy], available, one.readable and other.readable)


def _search(query: Query, people: Mapping[str, Member], need: Need, windows: Sequence[Pair]) -> Iterator[Found]:
    """What is found within the windows, which are counted from ``need.since`` like all times from here on."""
    always, quorums = _requirements(query.groups, people)
    groups = [Quorum(always, len(always)), *quorums] if always else quorums
    calendars = [
        Calendar(member.busy if member.readable else UNREADABLE, member.available) for member in people.values()
    ]
    last = earliest = -FOREVER
    # Each batch answers for what ends between two horizons: everybody who can be free for that is in it.
    for horizon, members in batches(calendars, need):
        if _wants_periods(query):
            openings = _openings(windows, groups, members, query.duration)
            for found in longest(openings, members, quorums, always, query.duration):
                if last <= found[1] < horizon:
                    yield found
        else:
            part = overlaps(windows, [(last - query.duration, horizon - 1)], query.duration)
            openings = _openings(part, groups, members, query.duration)
            slots = _slots(query, openings, earliest, need.since)
            earliest = slots[-1][0] + _grid(query)[1] if slots else earliest
            yield from with_the_free(slots, members, always)
        last = horizon


def _requirements(groups: Iterable[Group], people: Mapping[str, Member]) -> tuple[frozenset[int], list[Quorum]]:
    """The numbers of those who must always be free, and how many others each group requires besides."""
    numbers = {key: number for number, key in enumerate(people)}
    always: set[int] = set()
    enough: list[tuple[set[int], int]] = []
    for group in groups:
        members = {numbers[member.key] for member in group.members}
        if group.required == len(group.members):
            always |= members
        else:
            enough.append((members, group.required))
    quorums = [Quorum(frozenset(members - always), required - len(members & always)) for members, required in enough]
    return frozenset(always), [quorum for quorum in quorums if quorum.required > 0]


def _windows(query: Query) -> list[Pair]:
    """The time asked about, sorted and disjoint, where it is long enough."""
    asked = query.periods if query.starts is None else [(start, start + query.duration) for start in query.starts]
    return [(start, end) for start, end in merged(asked) if end - start >= query.duration]


def _openings(
    windows: Sequence[Pair], quorums: Iterable[Quorum], members: Sequence[Stretches], duration: int
) -> Sequence[Pair]:
    """Where within the windows every group has enough members for a slot."""
    openings = windows
    for quorum in quorums:
        stretches = [members[number] for number in quorum.members]
        openings = overlaps(openings, enough(stretches, quorum.required, duration), duration)
    return openings


def _wants_periods(query: Query) -> bool:
    return query.starts is None and query.response_format is ResponseFormat.PERIODS


def _slots(query: Query, openings: Iterable[Pair], earliest: int, since: int) -> list[Pair]:
    """The slots that the query wants of these openings, starting at ``earliest`` or later."""
    duration = query.duration
    if query.starts is not None:
        starts = [start - since for start in sorted(set(query.starts))]
        return overlaps([(start, start + duration) for start in starts], openings, duration)
    starts = []
    interval, stride = _grid(query)
    for opens, closes in openings:
        first = max(opens, earliest)
        fitting = range(first + -(first + since) % interval, closes - duration + 1, stride)
        if fitting:
            starts += fitting
            earliest = starts[-1] + stride
    return [(start, start + duration) for start in starts[: query.max_results]]


def _grid(query: Query) -> tuple[int, int]:
    """Starts are multiples of the first, and at least the second, a multiple of it, apart."""
    if query.response_format is ResponseFormat.SLOTS:
        interval = query.start_interval or 1
        return interval, query.duration + -query.duration % interval
    interval = query.start_interval or DEFAULT_START_INTERVAL
    return interval, interval
