"""When enough participants are free together: the availability engine.

Pure functions on ints (epoch seconds, UTC) and half-open periods: no clock, no zones, nothing is rounded, and
nothing that is passed in is changed. The rules, which ``tests/oracle`` checks second by second:

* A member is free for the slot from s to e when no busy period of theirs starts before ``e + buffer_after`` and ends
  after ``s - buffer_before``, and s to e lies within their available periods and within their rules, and outside of
  the days and weeks that are full. A buffer is time to get there and to recover: no meeting may be in it, but it need
  not lie within anybody's hours, nor within the time the query asks about, and it may lie in a day that is full. A
  member may have buffers of their own. (A busy period without length is a moment that nothing may reach across.)
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

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.quorum import Found, Quorum, longest, with_the_free
from freebusy.domain.stretches import (
    FOREVER,
    Calendar,
    Need,
    Pair,
    Stretches,
    batches,
    between,
    enough,
    joined,
    merged,
    overlaps,
    shifted,
    stretches,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

UNREADABLE: Sequence[Pair] = ((-FOREVER, FOREVER),)
"""Busy periods of somebody whose calendar cannot be read: never free."""

DEFAULT_START_INTERVAL = 15 * 60
MAX_RESULTS = 512


class ResponseFormat(StrEnum):
    PERIODS = "periods"
    SLOTS = "slots"
    OVERLAPPING_SLOTS = "overlapping_slots"


class Member(NamedTuple):
    """One participant, known by ``key``.

    All periods come in any order and may overlap or touch, and none ends before it starts.

    ``busy`` is what a provider's calendar holds, ``managed`` are the application's own events; both make busy alike.
    ``available`` and ``rules`` limit when they may be booked (``None``: no limit), ``full`` are times in which no more
    events are wanted. ``before`` and ``after`` are buffers in place of the query's (``None``: the query's). An
    unreadable member is never free.
    """

    key: str
    busy: Sequence[Pair] = ()
    available: Sequence[Pair] | None = None
    readable: bool = True
    managed: Sequence[Pair] = ()
    rules: Sequence[Pair] | None = None
    full: Sequence[Pair] = ()
    before: int | None = None
    after: int | None = None


class Group(NamedTuple):
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


class Availability(NamedTuple):
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
    people = entries_of(query)
    search = _search(query, people)
    if not search.windows:
        return Availability(tuple(people), [])
    since = search.need.since
    found = islice(_found(query, search), query.max_results)
    return Availability(tuple(people), [(start + since, end + since, free) for start, end, free in found])


def find_openings(query: Query) -> Iterator[Pair]:
    """Where all slots lie that can be booked, and nothing but such slots; in the order of time, and may overlap."""
    search = _search(query, entries_of(query))
    last = -FOREVER
    for horizon, members in batches(search.calendars, search.need) if search.windows else ():
        part = overlaps(search.windows, [(last - query.duration, horizon - 1)], query.duration)
        yield from shifted(_openings(part, search.groups, members, query.duration), search.need.since)
        last = horizon


def entries_of(query: Query) -> dict[str, list[Member]]:
    """Every member by key with what is listed of them; who is listed more than once must be free by every entry."""
    people: dict[str, list[Member]] = {}
    for group in query.groups:
        for member in group.members:
            known = people.setdefault(member.key, [])
            if member not in known:
                known.append(member)
    return people


def need_of(member: Member, need: Need) -> Need:
    """The need with the member's own buffers."""
    if member.before is None and member.after is None:
        return need
    before = need.before if member.before is None else member.before
    after = need.after if member.after is None else member.after
    return need._replace(before=before, after=after)


def _calendar(entries: Sequence[Member], need: Need) -> Calendar:
    """What all entries of one member say together."""
    if len(entries) == 1:
        return _calendar_of(entries[0], need)
    return reduce(_both, [_calendar_of(member, need) for member in entries])


def _calendar_of(member: Member, need: Need) -> Calendar:
    own = need_of(member, need)
    return Calendar(member.busy if member.readable else UNREADABLE, _limit(member, own), own)


def _limit(member: Member, need: Need) -> Sequence[Pair] | None:
    """Where the slot must lie, whatever is in the calendars of providers.

    What managed events leave free, less buffers, is such a limit as well. They are few: sorting them in among a
    calendar's busy periods would copy all of those.
    """
    limits = [joined(limit) for limit in (member.available, member.rules) if limit is not None]
    if member.full:
        limits.append(between(merged(member.full)))
    if member.managed:
        starts, ends = stretches(member.managed, need._replace(since=0), -FOREVER, FOREVER)
        limits.append([*zip(starts, ends, strict=True)])
    return reduce(lambda ours, theirs: overlaps(ours, theirs, need.duration), limits) if limits else None


def _both(one: Calendar, other: Calendar) -> Calendar:
    """A calendar that is free where both are. It has the smaller buffers, and busy periods wide enough to make up."""
    need = one.need._replace(
        before=min(one.need.before, other.need.before), after=min(one.need.after, other.need.after)
    )
    if one.available is None or other.available is None:
        available = one.available if other.available is None else other.available
    else:
        available = overlaps(one.available, other.available, 1)
    return Calendar([*_widened(one, need), *_widened(other, need)], available, need)


def _widened(calendar: Calendar, need: Need) -> Sequence[Pair]:
    """The busy periods that keep others as far away, under the smaller buffers of this need."""
    after, before = calendar.need.after - need.after, calendar.need.before - need.before
    return [(start - after, end + before) for start, end in calendar.busy] if after or before else calendar.busy


class _Search(NamedTuple):
    """What a query comes to. Times in ``windows`` and from there on are counted from ``need.since``."""

    need: Need
    windows: Sequence[Pair]
    calendars: Sequence[Calendar]
    always: frozenset[int]
    quorums: Sequence[Quorum]

    @property
    def groups(self) -> Sequence[Quorum]:
        """All that must be met, those who must always be free included."""
        return [Quorum(self.always, len(self.always)), *self.quorums] if self.always else self.quorums


def _search(query: Query, people: Mapping[str, Sequence[Member]]) -> _Search:
    windows = windows_of(query)
    since, until = (windows[0][0], windows[-1][1]) if windows else (0, 0)
    need = Need(query.duration, query.buffer_before, query.buffer_after, since, until)
    calendars = [_calendar(entries, need) for entries in people.values()]
    return _Search(need, shifted(windows, -since), calendars, *_requirements(query.groups, people))


def _found(query: Query, search: _Search) -> Iterator[Found]:
    """What is found within the windows."""
    _, windows, calendars, always, quorums = search
    groups, since, duration = search.groups, search.need.since, query.duration
    last = earliest = -FOREVER
    # Each batch answers for what ends between two horizons: everybody who can be free for that is in it.
    for horizon, members in batches(calendars, search.need):
        if wants_periods(query):
            openings = _openings(windows, groups, members, duration)
            for found in longest(openings, members, quorums, always, duration):
                if last <= found[1] < horizon:
                    yield found
        else:
            part = overlaps(windows, [(last - duration, horizon - 1)], duration)
            openings = _openings(part, groups, members, duration)
            slots = _slots(query, openings, earliest, since)
            earliest = slots[-1][0] + grid_of(query)[1] if slots else earliest
            yield from with_the_free(slots, members, always)
        last = horizon


def _requirements(groups: Iterable[Group], people: Iterable[str]) -> tuple[frozenset[int], list[Quorum]]:
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


def windows_of(query: Query) -> list[Pair]:
    """The time asked about, sorted and disjoint, where it is long enough."""
    asked = query.periods if query.starts is None else [(start, start + query.duration) for start in query.starts]
    return [(start, end) for start, end in merged(asked) if end - start >= query.duration]


def _openings(
    windows: Sequence[Pair], quorums: Iterable[Quorum], members: Sequence[Stretches], duration: int
) -> Sequence[Pair]:
    """Where within the windows every group has enough members for a slot."""
    openings = windows
    for quorum in quorums:
        free = [members[number] for number in quorum.members]
        openings = overlaps(openings, enough(free, quorum.required, duration), duration)
    return openings


def wants_periods(query: Query) -> bool:
    return query.starts is None and query.response_format is ResponseFormat.PERIODS


def _slots(query: Query, openings: Iterable[Pair], earliest: int, since: int) -> list[Pair]:
    """The slots that the query wants of these openings, starting at ``earliest`` or later."""
    duration = query.duration
    if query.starts is not None:
        starts = [start - since for start in sorted(set(query.starts))]
        return overlaps([(start, start + duration) for start in starts], openings, duration)
    starts = []
    interval, stride = grid_of(query)
    for opens, closes in openings:
        first = max(opens, earliest)
        fitting = range(first + -(first + since) % interval, closes - duration + 1, stride)
        if fitting:
            starts += fitting
            earliest = starts[-1] + stride
    return [(start, start + duration) for start in starts[: query.max_results]]


def grid_of(query: Query) -> tuple[int, int]:
    """Starts are multiples of the first, and at least the second, a multiple of it, apart."""
    if query.response_format is ResponseFormat.SLOTS:
        interval = query.start_interval or 1
        return interval, query.duration + -query.duration % interval
    interval = query.start_interval or DEFAULT_START_INTERVAL
    return interval, interval
