"""Free stretches: what busy periods leave of somebody's time, and what several calendars have in common.

Times are ints, half-open. Starts and ends are kept in lists apart: plain ints sort and compare at C speed, and
for counting who is free it does not matter which end belongs to which start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

Pair = tuple[int, int]

Stretches = tuple[list[int], list[int]]
"""Starts and ends, in the order of time."""

FOREVER = 1 << 62
"""Later than any time asked for."""

PERIODS_AT_ONCE = 16_384
"""How many busy periods are looked at together: this bounds the memory of a query, whatever its size."""

_end = itemgetter(1)


def merged(periods: Iterable[Pair]) -> list[Pair]:
    """The same time as sorted periods that neither overlap nor touch."""
    result: list[Pair] = []
    for start, end in sorted(periods):
        if not result or start > result[-1][1]:
            result.append((start, end))
        elif end > result[-1][1]:
            result[-1] = (result[-1][0], end)
    return result


def overlaps(ours: Iterable[Pair], theirs: Iterable[Pair], shortest: int) -> Iterator[Pair]:
    """Where periods of both sides overlap for ``shortest`` seconds or longer.

    Each side is sorted by its starts and by its ends alike, as disjoint periods are; so is the result. Periods that
    overlap within a side do no harm: what is left out then lies within what is not.
    """
    ours, theirs = iter(ours), iter(theirs)
    mine, yours = next(ours, None), next(theirs, None)
    while mine and yours:
        start = mine[0] if mine[0] > yours[0] else yours[0]
        end = mine[1] if mine[1] < yours[1] else yours[1]
        if end - start >= shortest:
            yield start, end
        if mine[1] <= yours[1]:
            mine = next(ours, None)
        else:
            yours = next(theirs, None)


def joined(periods: Iterable[Pair], slot: int) -> Iterator[Pair]:
    """The same slots in disjoint periods: one follows another when a slot in between would lie within both or neither.

    The periods are sorted by their starts and by their ends.
    """
    periods = iter(periods)
    start, end = next(periods, (0, 0))
    for again, until in periods:
        if again > end - slot + 1:
            yield start, end
            start = again
        end = until
    if end > start:
        yield start, end


def between(busy: Sequence[Pair], shortest: int, since: int, until: int) -> Stretches:
    """The stretches of at least ``shortest`` seconds that ``busy`` leaves free from ``since`` to ``until``.

    ``busy`` may overlap and come in any order; sorted and disjoint, as calendars answer, is quickest. Busy periods
    outside of the time asked for do no harm, but the stretches between them are answered too.
    """
    starts: list[int] = []
    ends: list[int] = []
    cursor = min(since, busy[0][0]) if busy else since
    for start, end in busy:
        gap = start - cursor
        if gap >= shortest:
            starts.append(cursor)
            ends.append(start)
        elif gap < 0:
            return between(merged(busy), shortest, since, until)
        cursor = end
    if until - cursor >= shortest:
        starts.append(cursor)
        ends.append(until)
    return starts, ends


@dataclass(frozen=True, slots=True)
class Need:
    """What is looked for: ``duration`` seconds between ``since`` and ``until``.

    The buffers before and after must be free of busy periods as well, but may lie outside of that time.
    """

    duration: int
    before: int
    after: int
    since: int
    until: int

    def bookable(self, stretches: Stretches) -> Stretches:
        """Free stretches less the buffers at their ends."""
        starts, ends = stretches
        if self.before:
            starts = [start + self.before for start in starts]
        if self.after:
            ends = [end - self.after for end in ends]
        return starts, ends


def batches(calendars: Sequence[Sequence[Pair]], need: Need) -> Iterator[tuple[int, list[Stretches]]]:
    """Where each calendar leaves room for the need, one part of the time after the other.

    Yields a horizon and, for each calendar, its next stretches, less the buffers; those that come later begin at
    the horizon or after it. No stretch is cut in two. The last horizon is ``FOREVER``.
    """
    count = sum(map(len, calendars))
    readers = [_Reader(busy, need, whole=count <= PERIODS_AT_ONCE) for busy in calendars]
    if count > PERIODS_AT_ONCE:
        step = (need.until - need.since) * PERIODS_AT_ONCE // count + 1
        for horizon in range(need.since + step, need.until, step):
            yield horizon, [reader.up_to(horizon) for reader in readers]
    yield FOREVER, [reader.rest() for reader in readers]


class _Reader:
    """Reads the bookable stretches of one calendar in the order of time, whole or part by part."""

    def __init__(self, busy: Sequence[Pair], need: Need, *, whole: bool) -> None:
        self._need = need
        self._shortest = need.before + need.duration + need.after
        self._cursor = need.since - need.before
        self._busy = busy if whole else _tidy(busy)
        self._position = 0 if whole else bisect_right(self._busy, self._cursor, key=_end)

    def up_to(self, horizon: int) -> Stretches:
        """The next ones; afterwards none is left that begins before ``horizon``."""
        stop = bisect_left(self._busy, horizon - self._need.before, lo=self._position, key=_end) + 1
        if stop > len(self._busy):
            return self.rest()
        part = self._busy[self._position : stop]
        stretches = between(part, self._shortest, self._cursor, self._cursor)
        self._position, self._cursor = stop, part[-1][1]
        return self._need.bookable(stretches)

    def rest(self) -> Stretches:
        part = self._busy[self._position :] if self._position else self._busy
        until = self._need.until + self._need.after
        stretches = between(part, self._shortest, self._cursor, until)
        self._position, self._cursor = len(self._busy), until
        return self._need.bookable(stretches)


def _tidy(busy: Sequence[Pair]) -> Sequence[Pair]:
    """``busy`` itself when it is sorted and disjoint, else its merged form."""
    times = [*chain.from_iterable(busy)]
    return busy if times == sorted(times) else merged(busy)


def shared(calendars: Sequence[Sequence[Pair]], windows: Sequence[Pair], need: Need) -> Iterator[Pair]:
    """The longest stretches in which all calendars leave room for the need, within windows: sorted and disjoint.

    A calendar, and the windows likewise, has one stretch at a time. So with n of them, when stretches begin for the
    (n + i)-th time while only i have ended, all are free, until the next one ends: from starts[n + i - 1] to ends[i].
    """
    starts = [start for start, _ in windows]
    ends = [end for _, end in windows]
    for horizon, batch in batches(calendars, need):
        for begun, ended in batch:
            starts += begun
            ends += ended
        starts.sort()
        ends.sort()
        # What comes later begins at the horizon, and so ends after it: up to there the order is final.
        settled = bisect_left(ends, horizon)
        pairs = zip(starts[len(calendars) :], ends[:settled], strict=False)
        yield from [(start, end) for start, end in pairs if end - start >= need.duration]
        del starts[:settled], ends[:settled]
