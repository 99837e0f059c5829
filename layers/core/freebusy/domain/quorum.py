"""Groups of which enough must be free: for how long the same people stay, and who is free with them.

Members go by their number in the query; in a mask, bit i stands for member number i.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from heapq import heapreplace
from itertools import accumulate, compress, repeat
from operator import xor
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.stretches import FOREVER, Pair, Stretches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Found = tuple[int, int, int]
"""Start, end, and a mask of the members who are free from the one to the other."""

WORTH_A_SEARCH = 4
"""Stretches per opening; where there are fewer, taking them all is quicker than searching for the right ones."""


class Quorum(NamedTuple):
    """At least ``required`` of these members."""

    members: frozenset[int]
    required: int

    @property
    def mask(self) -> int:
        return sum(1 << number for number in self.members)


def with_the_free(periods: Sequence[Pair], members: Sequence[Stretches], always: frozenset[int]) -> list[Found]:
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
    for number, (starts, ends) in enumerate(members):
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
    members: Sequence[Stretches],
    quorums: Sequence[Quorum],
    always: frozenset[int],
    duration: int,
) -> Iterable[Found]:
    """The longest periods within openings in which the same people meet every quorum throughout, none within another.

    Those in ``always`` are free in all openings. Where openings are few, most of them are such a period themselves.
    """
    if len(openings) * len(members) > sum(len(starts) for starts, _ in members):
        return _turns(openings, members, quorums, always, duration)
    bounds = [(quorum.mask, quorum.required) for quorum in quorums]
    found: list[Found] = []
    turns: list[Pair] = []
    for start, end, free in with_the_free(openings, members, always):
        if all((free & mask).bit_count() >= required for mask, required in bounds):
            found.append((start, end, free))
        else:
            turns.append((start, end))
    found += _turns(turns, members, quorums, always, duration)
    found.sort()
    return found


def _turns(
    openings: Sequence[Pair],
    members: Sequence[Stretches],
    quorums: Sequence[Quorum],
    always: frozenset[int],
    duration: int,
) -> Iterator[Found]:
    """The longest periods of openings in which people take turns.

    Of all who are free from some moment on, enough for a quorum stay until the required-th latest of their ends;
    a heap of its members' latest ends knows it. The opening itself is one more quorum, of one.
    """
    window = [-FOREVER]
    heaps = [window, *([-FOREVER] * quorum.required for quorum in quorums)]
    heaps_of = [
        [heap for heap, quorum in zip(heaps[1:], quorums, strict=True) if number in quorum.members]
        for number in range(len(members))
    ]
    heaps_of.append([window])
    bits = [1 << number for number in range(len(members))]
    constant = sum(bits[number] for number in always)
    free_until = [-FOREVER] * len(heaps_of)
    start = end = found = -FOREVER
    for begins, stays, number in [*_in_order(openings, members, always), (FOREVER, FOREVER, -1)]:
        if stays < end:
            continue
        if begins > start:
            if end > found and end - start >= duration:
                yield start, end, sum(compress(bits, map(end.__le__, free_until))) + constant
                found = end
            start = begins
        free_until[number] = stays
        for heap in heaps_of[number]:
            if stays > heap[0]:
                heapreplace(heap, stays)
                end = min(heaps)[0]


def _in_order(
    openings: Sequence[Pair], members: Sequence[Stretches], always: frozenset[int]
) -> list[tuple[int, int, int]]:
    """Start, end and member of the stretches that may reach into an opening, and of the openings themselves."""
    events = [(start, end, len(members)) for start, end in openings]
    if not events:
        return events
    for number, (starts, ends) in enumerate(members):
        if number in always:
            continue
        low, high = bisect_right(ends, openings[0][0]), bisect_left(starts, openings[-1][1])
        if len(openings) * WORTH_A_SEARCH > high - low:
            events += zip(starts[low:high], ends[low:high], repeat(number))
            continue
        for start, end in openings:
            first = bisect_right(ends, start, low, high)
            low = bisect_left(starts, end, first, high)
            events += zip(starts[first:low], ends[first:low], repeat(number))
    events.sort()
    return events
