"""How many must be free at once, and who is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import accumulate, repeat
from operator import xor

from freebusy.domain.stretches import FOREVER, Pair, Stretches


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least ``required`` of ``members``, by their numbers."""

    members: frozenset[int]
    required: int


def longest(
    openings: Sequence[Pair], stretches: Sequence[Stretches], quorums: Sequence[Quorum], duration: int
) -> Iterator[Pair]:
    """The longest periods within openings in which the same people meet every quorum throughout, none within another.

    ``stretches`` are by member number. Of all who are free from some moment on, enough for a quorum stay until the
    required-th latest of their ends; a heap of its members' latest ends knows it. The opening itself is one more
    quorum, of one.
    """
    if not openings or all(quorum.required == len(quorum.members) for quorum in quorums):
        yield from openings
        return
    heaps = [[-FOREVER] * quorum.required for quorum in quorums]
    heaps_of = [
        [heap for heap, quorum in zip(heaps, quorums, strict=True) if number in quorum.members]
        for number in range(len(stretches))
    ]
    heaps.append([-FOREVER])
    heaps_of.append(heaps[-1:])
    start = end = found = -FOREVER
    for begins, stays, number in _in_order(openings, stretches):
        if stays < end:
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
    """Start, end and member number of the stretches that may reach into an opening, and of the openings themselves."""
    opens = [start for start, _ in openings]
    closes = [end for _, end in openings]
    events = [*zip(opens, closes, repeat(len(stretches)))]
    for number, (starts, ends) in enumerate(stretches):
        if len(openings) >= len(starts):
            events += zip(starts, ends, repeat(number))
            continue
        last = 0
        for low, high in zip(map(bisect_right, repeat(ends), opens), map(bisect_left, repeat(starts), closes)):
            if high > last:
                first = max(low, last)
                events += zip(starts[first:high], ends[first:high], repeat(number))
                last = high
    events.sort()
    return events


def free_throughout(periods: Sequence[Pair], stretches: Sequence[Stretches]) -> list[int]:
    """For each period, a mask of the members (bit i for member number i) who are free from its start to its end.

    The periods are sorted by their starts and by their ends. So those within a stretch follow each other: from the
    first that starts late enough to the last that ends early enough.
    """
    switches = [0] * (len(periods) + 1)
    first = [start for start, _ in periods]
    last = [end for _, end in periods]
    for number, (starts, ends) in enumerate(stretches):
        bit = 1 << number
        if len(periods) < len(starts):
            for index, (start, end) in enumerate(periods):
                stretch = bisect_right(starts, start)
                if stretch and ends[stretch - 1] >= end:
                    switches[index] ^= bit
                    switches[index + 1] ^= bit
        else:
            for low, high in zip(map(bisect_left, repeat(first), starts), map(bisect_right, repeat(last), ends)):
                if low < high:
                    switches[low] ^= bit
                    switches[high] ^= bit
    switches.pop()
    return [*accumulate(switches, xor)]
