"""Groups of which enough must be free: for how long the same people stay, and who is free with them.

Members go by their number in the query; in a mask, bit i stands for member number i.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import accumulate, repeat
from operator import xor

from freebusy.domain.stretches import FOREVER, Pair, Stretches

Found = tuple[int, int, int]
"""Start, end, and a mask of the members who are free from the one to the other."""

OPENINGS_AT_ONCE = 64
"""How many openings are looked into at a time: a search that has found enough stops there."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least ``required`` of these members."""

    members: frozenset[int]
    required: int

    @property
    def mask(self) -> int:
        return sum(1 << number for number in self.members)


def with_the_free(periods: Sequence[Pair], stretches: Sequence[Stretches], always: frozenset[int]) -> list[Found]:
    """Each period with all who are free throughout; those in ``always`` are known to be.

    The periods are sorted by their starts and by their ends. So those within a stretch follow each other, from the
    first that starts late enough to the last that ends early enough: there the member is switched on, and off again.
    """
    if not periods:
        return []
    switches = [0] * (len(periods) + 1)
    switches[0] = sum(1 << number for number in always)
    first = [start for start, _ in periods]
    last = [end for _, end in periods]
    for number, (starts, ends) in enumerate(stretches):
        if number in always:
            continue
        bit = 1 << number
        low, high = bisect_left(ends, last[0]), bisect_right(starts, first[-1])
        if len(periods) < high - low:
            for index, (start, end) in enumerate(periods):
                stretch = bisect_right(starts, start, low, high)
                if stretch > low and ends[stretch - 1] >= end:
                    switches[index] ^= bit
                    switches[index + 1] ^= bit
        else:
            since = map(bisect_left, repeat(first), starts[low:high])
            until = map(bisect_right, repeat(last), ends[low:high])
            for on, off in zip(since, until, strict=True):
                if on < off:
                    switches[on] ^= bit
                    switches[off] ^= bit
    return [*zip(first, last, accumulate(switches, xor), strict=False)]


def longest(
    openings: Sequence[Pair],
    stretches: Sequence[Stretches],
    quorums: Sequence[Quorum],
    always: frozenset[int],
    duration: int,
) -> Iterator[Found]:
    """The longest periods within openings in which the same people meet every quorum throughout, none within another.

    Most openings are such a period; in the others, people take turns.
    """
    bounds = [(quorum.mask, quorum.required) for quorum in quorums if not quorum.members <= always]
    for index in range(0, len(openings), OPENINGS_AT_ONCE):
        found: list[Found] = []
        turns: list[Pair] = []
        for start, end, free in with_the_free(openings[index : index + OPENINGS_AT_ONCE], stretches, always):
            if all((free & mask).bit_count() >= required for mask, required in bounds):
                found.append((start, end, free))
            else:
                turns.append((start, end))
        if turns:
            found += with_the_free([*_turns(turns, stretches, quorums, duration)], stretches, always)
            found.sort()
        yield from found


def _turns(
    openings: Sequence[Pair], stretches: Sequence[Stretches], quorums: Sequence[Quorum], duration: int
) -> Iterator[Pair]:
    """The longest periods of openings in which people take turns.

    Of all who are free from some moment on, enough for a quorum stay until the required-th latest of their ends;
    a heap of its members' latest ends knows it. The opening itself is one more quorum, of one.
    """
    heaps = [[-FOREVER] * quorum.required for quorum in quorums]
    heaps_of = [
        [heap for heap, quorum in zip(heaps, quorums, strict=True) if number in quorum.members]
        for number in range(len(stretches))
    ]
    heaps.append([-FOREVER])
    heaps_of.append(heaps[-1:])
    start = end = found = -FOREVER
    for begins, stays, number in _in_order(openings, stretches):
        if stays <= end:
            continue
        if begins > start:
            if end > found and end - start >= duration:
                yield start, end
                found = end
            start = begins
        for heap in heaps_of[number]:
            if stays > heap[0]:
                heapreplace(heap, stays)
        end = min(heaps)[0]
    if end > found and end - start >= duration:
        yield start, end


def _in_order(openings: Sequence[Pair], stretches: Sequence[Stretches]) -> list[tuple[int, int, int]]:
    """Start, end and member of the stretches that may reach into an opening, and of the openings themselves."""
    opens = [start for start, _ in openings]
    closes = [end for _, end in openings]
    events = [(start, end, len(stretches)) for start, end in openings]
    for number, (starts, ends) in enumerate(stretches):
        low, high = bisect_right(ends, opens[0]), bisect_left(starts, closes[-1])
        if len(openings) >= high - low:
            events += zip(starts[low:high], ends[low:high], repeat(number))
            continue
        for start, end in openings:
            first = bisect_right(ends, start, low, high)
            low = max(low, bisect_left(starts, end, first, high))
            events += zip(starts[first:low], ends[first:low], repeat(number))
    events.sort()
    return events
