"""Why a start is not offered: which groups lack members, who they are, and what keeps each of them.

The same rules as in ``domain.availability``, asked the other way round; ``tests/oracle`` checks that the two never
disagree, and each cause by itself. An obstacle of somebody, such as their busy periods, leaves ranges of starts free.
So it is worked out for one start who is kept from it, and from there on only the changes are followed.

Nothing is told but the kind of an obstacle: neither how long it lasts nor anything else about it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.availability import (
    Availability,
    Member,
    Query,
    ResponseFormat,
    entries_of,
    find_availability,
    grid_of,
    need_of,
    wants_periods,
    windows_of,
)
from freebusy.domain.stretches import Need, Pair, between, merged, stretches, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_MISSING = 80
"""Rows of one explanation."""

MOST_NAMED = 2000
"""How often somebody is named in one explanation, which bounds its size and what it costs."""

PERIODS_AT_ONCE = 512
PERIODS_EACH = 12
"""About how many periods, of all obstacles and of each, are looked at together: an explanation that is long enough ends
with them.
"""

MINUTE = 60


class Cause(StrEnum):
    """What keeps a member from a slot. Each of those that are named would do so alone.

    ``BUFFER`` is named for who has nothing in the slot itself, and something too close to it.
    """

    UNREADABLE_CALENDAR = "unreadable_calendar"
    BUSY = "busy"
    MANAGED_EVENT = "managed_event"
    BUFFER = "buffer"
    PERIOD = "period"
    RULE = "rule"
    CONSTRAINT = "constraint"


class StartCause(StrEnum):
    """What is wrong with a start itself, whoever is free."""

    WINDOW = "window"  # not within the time that the query asks about
    GRID = "grid"  # not on the grid of start_interval
    EARLIER_SLOT = "earlier_slot"  # slots do not overlap, and one that starts earlier was found
    MAX_RESULTS = "max_results"  # the answer was full before


CAUSES = tuple(Cause)

Kept = tuple[int, ...]
"""For each of ``CAUSES`` a mask of the members whom it keeps from the slot."""


class Needed(NamedTuple):
    """So many of the members in the mask must be free."""

    mask: int
    required: int


class Missing(NamedTuple):
    """Starts that cannot be booked, from ``first`` to ``last``, and all of them on the grid between.

    ``kept`` holds the members of those groups that have not enough.
    """

    first: int
    last: int
    kept: Kept


class Explanation(NamedTuple):
    """Bit i of a mask stands for ``members[i]``, as in the ``Availability`` that is explained.

    Starts at ``until`` and later are not explained: there the answer, or this, had reached its limit.
    """

    members: tuple[str, ...]
    groups: Sequence[Needed]
    missing: Sequence[Missing]
    until: int | None = None


class StartExplanation(NamedTuple):
    """All there is to say about one start; it is offered when no cause is left and every group has enough members."""

    start: int
    members: tuple[str, ...]
    groups: Sequence[Needed]
    kept: Kept
    causes: Sequence[StartCause]

    @property
    def available(self) -> bool:
        return not self.causes and not unmet(self.groups, anybody(self.kept))


def unmet(groups: Sequence[Needed], away: int) -> list[int]:
    """The numbers of the groups that have not enough members without those in the mask ``away``."""
    return [number for number, group in enumerate(groups) if (group.mask & ~away).bit_count() < group.required]


def anybody(kept: Kept) -> int:
    """The mask of all who are kept from the slot, by whatever."""
    away = 0
    for mask in kept:
        away |= mask
    return away


def explain(query: Query, answer: Availability) -> Explanation:
    """Every start within the query's time that cannot be booked, in the order of time.

    Starts are those of the grid; a query without one is explained by the minute, one for given starts by these. A
    start that nothing forbids is in the answer, or overlaps an earlier slot of it.
    """
    people = _People(query)
    full = len(answer.found) == query.max_results
    until = answer.found[-1][0] if full and answer.found else None
    missing: list[Missing] = []
    named = 0
    window = -1
    for number, first, last, kept in _runs(people, _asked(query, until)):
        lacking = unmet(people.groups, anybody(kept))
        here = kept
        if len(lacking) < len(people.groups):
            here = _of_groups(kept, [people.groups[group] for group in lacking])
        if not lacking:
            window = -1
        elif number == window and missing[-1].kept == here:
            missing[-1] = Missing(missing[-1].first, last, here)
        else:
            named += anybody(here).bit_count()
            if missing and (len(missing) == MOST_MISSING or named > MOST_NAMED):
                return Explanation(answer.members, people.groups, missing, first)
            missing.append(Missing(first, last, here))
            window = number
    return Explanation(answer.members, people.groups, missing, until)


def explain_start(query: Query, start: int) -> StartExplanation:
    """Everything that keeps anybody from this start, within the query's time or not."""
    people = _People(query)
    ((_, _, kept),) = people.states(start, start + 1)
    causes = [*_wrong_with(query, start)]
    if not causes and not unmet(people.groups, anybody(kept)):
        causes += _left_out(query, find_availability(query), start)
    return StartExplanation(start, people.members, people.groups, kept, causes)


def _wrong_with(query: Query, start: int) -> Iterator[StartCause]:
    asked = query.starts
    within = any(opens <= start and start + query.duration <= closes for opens, closes in windows_of(query))
    if not within or (asked is not None and start not in asked):
        yield StartCause.WINDOW
    elif asked is None and not wants_periods(query) and start % grid_of(query)[0]:
        yield StartCause.GRID


def _left_out(query: Query, answer: Availability, start: int) -> Iterator[StartCause]:
    """Why a start that can be booked is not in the answer, if it is not."""
    if wants_periods(query):
        offered = any(opens <= start and start + query.duration <= closes for opens, closes, _ in answer.found)
    else:
        offered = any(start == opens for opens, _, _ in answer.found)
    if offered:
        return
    apart = grid_of(query)[1] if query.starts is None and query.response_format is ResponseFormat.SLOTS else 0
    if any(opens < start < opens + apart for opens, _, _ in answer.found):
        yield StartCause.EARLIER_SLOT
    else:
        yield StartCause.MAX_RESULTS


def step_of(query: Query) -> int:
    """The grid of the starts that are explained, as ``grid_of`` where the query has one."""
    anywhere = query.response_format is ResponseFormat.SLOTS and query.start_interval is None
    return MINUTE if anywhere or wants_periods(query) else grid_of(query)[0]


def _asked(query: Query, until: int | None) -> list[Sequence[int]]:
    """The starts that are looked at before ``until``: window by window, or as they were given."""
    windows = windows_of(query)
    end = windows[-1][1] if until is None and windows else until or 0
    asked: list[Sequence[int]] = []
    if query.starts is not None:
        asked = [sorted({start for start in query.starts if start < end})]
    else:
        step = step_of(query)
        for opens, closes in windows:
            asked.append(range(opens + -opens % step, min(closes - query.duration + 1, end), step))
    return [starts for starts in asked if starts]


def _runs(people: _People, asked: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int, Kept]]:
    """The starts that are asked about, in runs within which nothing changes: window, first and last of them, and who is
    kept.
    """
    if not asked:
        return
    window = 0
    for since, until, kept in people.states(asked[0][0], asked[-1][-1] + 1):
        while asked[window][-1] < since:
            window += 1
        for number in range(window, len(asked)):
            starts = asked[number]
            if starts[0] >= until:
                break
            low, high = _place(starts, since), _place(starts, until)
            if low < high:
                yield number, starts[low], starts[high - 1], kept


def _place(starts: Sequence[int], moment: int) -> int:
    """How many come before; of a grid that is reckoned, not searched for."""
    if isinstance(starts, range):
        return min(max(-((starts.start - moment) // starts.step), 0), len(starts))
    return bisect_left(starts, moment)


def _of_groups(kept: Kept, groups: Sequence[Needed]) -> Kept:
    """Only their members."""
    members = 0
    for group in groups:
        members |= group.mask
    return tuple(mask & members for mask in kept)


# --- What keeps whom, from start to start ------------------------------------------------------------------

_CLOSE = len(CAUSES)
"""In what is followed, one more than the causes: something in the slot or its buffers."""


class _Obstacle(NamedTuple):
    """``blocked`` are sorted, disjoint periods from which the slot must keep its distance (``need``)."""

    cause: int
    bit: int
    blocked: Sequence[Pair]
    need: Need

    def free(self, since: int, until: int) -> Iterator[Pair]:
        """Which starts it leaves free, half-open; those between ``since`` and ``until`` are among them."""
        before, duration, after = self.need.before, self.need.duration, self.need.after
        low = bisect_right(self.blocked, since - before, key=_end)
        high = bisect_left(self.blocked, until + duration + after, lo=low, key=_start)
        part = self.blocked[low:high]
        starts, ends = stretches(part, self.need, since - before, until + duration + after)
        return zip(starts, [end - duration + 1 for end in ends], strict=True)


_start, _end = itemgetter(0), itemgetter(1)


class _People:
    """Everybody in the query, each entry of theirs with a bit of its own: first one of each, as in answers."""

    def __init__(self, query: Query) -> None:
        people = entries_of(query)
        self.members = tuple(people)
        numbers = {key: number for number, key in enumerate(people)}
        self.groups = [
            _needed({numbers[member.key] for member in group.members}, group.required, len(group.members))
            for group in query.groups
        ]
        self._unreadable = 0
        self._obstacles: list[_Obstacle] = []
        self._more: list[tuple[int, int]] = []
        need = Need(query.duration, query.buffer_before, query.buffer_after, 0, 0)
        bit = 1
        for entries in people.values():
            self._add(entries[0], bit, need)
            bit <<= 1
        for key, entries in people.items():
            for entry in entries[1:]:
                self._add(entry, bit, need)
                self._more.append((bit, 1 << numbers[key]))
                bit <<= 1

    def _add(self, member: Member, bit: int, need: Need) -> None:
        if not member.readable:
            self._unreadable |= bit
        apart = need_of(member, need)
        alone = Need(need.duration, 0, 0, 0, 0)
        busy = tidy(member.busy)
        blocked = {Cause.BUSY: busy, Cause.MANAGED_EVENT: tidy(member.managed), Cause.CONSTRAINT: tidy(member.full)}
        if member.available is not None:
            blocked[Cause.PERIOD] = between(merged(member.available))
        if member.rules is not None:
            blocked[Cause.RULE] = between(merged(member.rules))
        self._obstacles += [
            _Obstacle(CAUSES.index(cause), bit, periods, alone) for cause, periods in blocked.items() if periods
        ]
        if apart.before or apart.after:
            together = merged([*busy, *member.managed]) if member.managed else busy
            self._obstacles.append(_Obstacle(_CLOSE, bit, together, apart))

    def states(self, since: int, until: int) -> Iterator[tuple[int, int, Kept]]:
        """What keeps whom: from a start to another one, as long as nothing changes, from ``since`` to ``until``."""
        count = sum(len(obstacle.blocked) for obstacle in self._obstacles)
        at_once = max(PERIODS_AT_ONCE, PERIODS_EACH * len(self._obstacles))
        step = (until - since) * at_once // max(count, at_once) + 1
        for opens in range(since, until, step):
            yield from self._part(opens, min(opens + step, until))

    def _part(self, since: int, until: int) -> Iterator[tuple[int, int, Kept]]:
        masks = [0] * (_CLOSE + 1)
        masks[0] = self._unreadable
        changes: list[tuple[int, int, int]] = []
        for obstacle in self._obstacles:
            cause, bit = obstacle.cause, obstacle.bit
            masks[cause] |= bit
            for opens, closes in obstacle.free(since, until):
                if closes > since:
                    changes.append((opens, cause, bit))
                    changes.append((closes, cause, bit))
        changes.sort()
        here = since
        for start, cause, bit in changes:  # what was free before ``since`` is so from there on
            if start > here:
                if start >= until:
                    break
                yield here, start, self._kept(masks)
                here = start
            masks[cause] ^= bit
        yield here, until, self._kept(masks)

    def _kept(self, masks: Sequence[int]) -> Kept:
        kept = masks
        for bit, member in self._more:
            kept = [mask ^ bit | member if mask & bit else mask for mask in kept]
        return (*kept[:_BUFFER], kept[_CLOSE] & ~(kept[_BUSY] | kept[_MANAGED]), *kept[_BUFFER + 1 : _CLOSE])


_BUSY, _MANAGED, _BUFFER = (CAUSES.index(cause) for cause in (Cause.BUSY, Cause.MANAGED_EVENT, Cause.BUFFER))


def _needed(members: set[int], required: int, listed: int) -> Needed:
    mask = sum(1 << number for number in members)
    return Needed(mask, len(members) if required == listed else required)
