"""Periods as values: joining and intersecting them, and what busy periods leave of somebody's time.

Times are ints, half-open. Stretches, the free time of one person, come as a list of starts and a list of ends: plain
ints sort and compare at C speed, and for counting who is free it does not matter which end belongs to which start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain
from operator import itemgetter, lt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Pair = tuple[int, int]

Stretches = tuple[list[int], list[int]]
"""Starts and ends, both in the order of time; disjoint. Counted from ``Need.since``: short ints are quicker still."""

FOREVER = 1 << 62
"""Later than any time asked for."""

PERIODS_AT_ONCE = 16_384
"""How many busy periods are turned into stretches at once: this bounds the memory of a query, whatever its size."""

STRETCHES_AT_ONCE = 2048
STRETCHES_EACH = 80
"""About how many stretches, of all calendars and of each, make a batch: a search that has found enough ends with it."""

SAMPLES_EACH = 16
"""Periods that are looked at, for each batch, to find out where it should end."""

_start, _end = itemgetter(0), itemgetter(1)


def merged(periods: Iterable[Pair]) -> list[Pair]:
    """The same time as sorted periods that neither overlap nor touch."""
    result: list[Pair] = []
    for period in sorted(periods):
        if not result or period[0] > result[-1][1]:
            result.append(period)
        elif period[1] > result[-1][1]:
            result[-1] = (result[-1][0], period[1])
    return result


def joined(periods: Sequence[Pair]) -> Sequence[Pair]:
    """As ``merged``, and quicker for what is so already."""
    times = [*chain.from_iterable(periods)]
    return periods if all(map(lt, times, times[1:])) else merged(periods)


def between(periods: Sequence[Pair]) -> list[Pair]:
    """All other time: before, between and after sorted, disjoint periods."""
    starts = [-FOREVER, *(end for _, end in periods)]
    ends = [*(start for start, _ in periods), FOREVER]
    return [*zip(starts, ends, strict=True)]


def shifted(periods: Iterable[Pair], by: int) -> list[Pair]:
    return [(start + by, end + by) for start, end in periods]


def overlaps(ours: Iterable[Pair], theirs: Iterable[Pair], shortest: int) -> list[Pair]:
    """Where periods of both sides overlap for ``shortest`` seconds or longer.

    Each side is sorted by its starts and by its ends alike, as disjoint periods are; so is the result. Periods that
    overlap within a side do no harm: what is left out then lies within what is not.
    """
    found: list[Pair] = []
    windows = iter(ours)
    opens, closes = next(windows, (FOREVER, FOREVER))
    for start, end in theirs:
        while closes < end:
            if closes - shortest >= start and closes - shortest >= opens:
                found.append((max(start, opens), closes))
            opens, closes = next(windows, (FOREVER, FOREVER))
        if opens <= start:
            if end - start >= shortest:
                found.append((start, end))
        elif end - opens >= shortest:
            found.append((opens, end))
    return found


class Need(NamedTuple):
    """What is looked for in a calendar: ``duration`` seconds between ``since`` and ``until``, which are epoch seconds.

    The buffers must be free of busy periods as well, but may lie outside of that time.
    """

    duration: int
    before: int
    after: int
    since: int
    until: int


class Calendar(NamedTuple):
    """The busy periods of somebody who may be booked in one of the ``available`` periods only, or always (``None``).

    ``busy`` is in any order, and may overlap; none ends before it starts. ``available`` is sorted and disjoint. All
    calendars that are read together look for the same ``duration`` in the same time, each with buffers of its own.
    """

    busy: Sequence[Pair]
    available: Sequence[Pair] | None
    need: Need


def stretches(busy: Sequence[Pair], need: Need, since: int, until: int) -> Stretches:
    """What ``busy`` leaves free from ``since`` to ``until``, where the need fits, less its buffers at both ends.

    ``busy`` may overlap and come in any order; sorted and disjoint, as calendars answer, is quickest. Busy periods
    outside of the time asked for do no harm, but the stretches between them are answered too.
    """
    shortest = need.before + need.duration + need.after
    to_start = need.before - need.since
    to_end = -need.after - need.since
    starts: list[int] = []
    ends: list[int] = []
    cursor = min(since, busy[0][0]) if busy else since
    for start, end in busy:
        gap = start - cursor
        if gap >= shortest:
            starts.append(cursor + to_start)
            ends.append(start + to_end)
        elif gap < 0:
            break
        cursor = end
    else:
        if until - cursor >= shortest:
            starts.append(cursor + to_start)
            ends.append(until + to_end)
        return starts, ends
    # Some overlap, or come before others: once more, sorted, and looking out for those that others reach beyond.
    starts, ends = [], []
    in_order = [*sorted(busy), (until, until)]
    cursor = min(since, in_order[0][0])
    for start, end in in_order:
        if start - cursor >= shortest:
            starts.append(cursor + to_start)
            ends.append(start + to_end)
        if end > cursor:  # noqa: PLR1730 - as max() would do, at twice the time
            cursor = end
    return starts, ends


def batches(calendars: Sequence[Calendar], need: Need) -> Iterator[tuple[int, list[Stretches]]]:
    """Where each calendar leaves room for the need, one part of the time after the other.

    Yields a horizon and, for each calendar, all stretches (less buffers) that begin before it and end at the last
    horizon or later: whoever is free for something that ends between the two horizons is so by one of these. A
    stretch is never cut. The last horizon is ``FOREVER``.
    """
    count = sum(len(calendar.busy) for calendar in calendars)
    readers = [_Reader(calendar, whole=count <= PERIODS_AT_ONCE) for calendar in calendars]
    at_once = max(STRETCHES_AT_ONCE, STRETCHES_EACH * len(calendars))
    for horizon in [*_horizons(calendars, need, count // at_once), FOREVER]:
        yield horizon, [reader.up_to(horizon) for reader in readers]


def _horizons(calendars: Sequence[Calendar], need: Need, number: int) -> list[int]:
    """Moments between which about as many stretches begin, where ``number`` are wanted.

    They are quantiles of a sample, since there may be ten times as much in the daytime as in the night.
    """
    if not number:
        return []
    stride = sum(len(calendar.busy) for calendar in calendars) // (SAMPLES_EACH * number) + 1
    sample = sorted(
        end - need.since
        for place, calendar in enumerate(calendars)
        for _, end in calendar.busy[place * stride // len(calendars) :: stride]  # not always the first ones
    )
    chosen = sample[:: len(sample) // (number + 1) + 1][1:]
    return sorted({moment for moment in chosen if 0 < moment < need.until - need.since})


class _Reader:
    """Reads where one calendar leaves room for the need, in the order of time."""

    def __init__(self, calendar: Calendar, *, whole: bool) -> None:
        self._need = need = calendar.need
        self._busy = calendar.busy if whole else tidy(calendar.busy)
        self._available = None if calendar.available is None else shifted(calendar.available, -need.since)
        self._cursor = need.since - need.before
        self._starts: list[int] = []
        self._ends: list[int] = []
        if whole:
            self._take(self._busy, need.until + need.after)
            self._position = len(self._busy) + 1
        else:
            self._position = bisect_right(self._busy, self._cursor, key=_end)

    def up_to(self, horizon: int) -> Stretches:
        if self._position <= len(self._busy):
            self._read(horizon + self._need.since - self._need.before)
        stop = bisect_left(self._starts, horizon)
        part = self._starts[:stop], self._ends[:stop]
        done = bisect_left(self._ends, horizon)
        del self._starts[:done], self._ends[:done]
        return part

    def _read(self, until: int) -> None:
        """Takes all stretches that begin before ``until``, and perhaps one more."""
        stop = bisect_left(self._busy, until, lo=self._position, key=_end) + 1
        part = self._busy[self._position : stop]
        self._take(part, self._need.until + self._need.after if stop > len(self._busy) else self._cursor)
        self._position = stop
        self._cursor = part[-1][1] if part else self._cursor

    def _take(self, busy: Sequence[Pair], until: int) -> None:
        starts, ends = stretches(busy, self._need, self._cursor, until)
        if self._available is not None:
            starts, ends = _within(self._available, starts, ends, self._need.duration)
        self._starts += starts
        self._ends += ends


def _within(limits: Sequence[Pair], starts: list[int], ends: list[int], shortest: int) -> Stretches:
    """What the limits leave of stretches, as ``overlaps``. They cut few of them, so all between are taken at once."""
    if not starts:
        return starts, ends
    kept_starts: list[int] = []
    kept_ends: list[int] = []
    low = 0
    since = bisect_left(limits, starts[0] + shortest, key=_end)
    until = bisect_right(limits, ends[-1] - shortest, key=_start)
    for opens, closes in limits[since:until]:
        low = bisect_left(ends, opens + shortest, low)
        high = bisect_right(starts, closes - shortest, low)
        if low < high and closes - opens >= shortest:
            first, last = max(starts[low], opens), min(ends[high - 1], closes)
            kept_starts.append(first)
            kept_starts += starts[low + 1 : high]
            kept_ends += ends[low : high - 1]
            kept_ends.append(last)
    return kept_starts, kept_ends


def tidy(busy: Sequence[Pair]) -> Sequence[Pair]:
    """``busy`` itself when it is sorted and disjoint, else its merged form."""
    times = [*chain.from_iterable(busy)]
    return busy if times == sorted(times) else merged(busy)


def enough(members: Iterable[Stretches], required: int, duration: int) -> list[Pair]:
    """Where so many are free for a slot at once: every such slot, and no other, lies within one of these openings.

    Nobody has two stretches at a time. So when stretches begin for the (required + i)-th time while only i have ended,
    so many are free, until the next one ends: from starts[required + i - 1] to ends[i], where a slot fits when this
    is long enough. Those that have a slot in common are joined. The openings are sorted by starts and by ends; two may
    overlap for less than a slot.
    """
    starts: list[int] = []
    ends: list[int] = []
    for begun, ended in members:
        starts += begun
        ends += ended
    starts.sort()
    ends.sort()
    pairs = zip(starts[required - 1 :], ends, strict=False)
    fitting = iter([(opens, closes) for opens, closes in pairs if closes - opens >= duration])
    openings: list[Pair] = []
    opens, closes = next(fitting, (0, 0))
    for again, until in fitting:
        if again > closes - duration:
            openings.append((opens, closes))
            opens = again
        closes = until
    if closes > opens:
        openings.append((opens, closes))
    return openings
