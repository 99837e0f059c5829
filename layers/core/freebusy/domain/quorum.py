"""Groups of which some members must be free, not all: who is free when, and where that is enough.

Both searches go once over the free stretches of all members, in the order of time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import chain, compress, repeat

from freebusy.domain.stretches import FOREVER, Need, Pair, Stretches, batches, overlaps

Found = tuple[int, int, int]
"""Start, end, and a bitmask of the members who are free from start to end."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be free: one bit of a mask. ``available`` is sorted and disjoint; ``None`` is always."""

    bit: int
    busy: Sequence[Pair]
    available: Sequence[Pair] | None


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least ``required`` of ``members``, a bitmask."""

    members: int
    required: int


@dataclass(frozen=True, slots=True)
class Panel:
    """Who is to come together: those of ``always`` (a bitmask), free wherever one looks, and quorums of candidates."""

    always: int
    candidates: Sequence[Candidate]
    quorums: Sequence[Quorum]


def _free(candidates: Sequence[Candidate], need: Need) -> Iterator[tuple[int, list[Stretches]]]:
    """The stretches in which each candidate can be booked, in batches (as of ``batches``)."""
    for horizon, batch in batches([candidate.busy for candidate in candidates], need):
        yield (
            horizon,
            [
                stretches if candidate.available is None else _within(candidate.available, stretches, need.duration)
                for candidate, stretches in zip(candidates, batch, strict=True)
            ],
        )


def _within(available: Sequence[Pair], stretches: Stretches, duration: int) -> Stretches:
    pairs = [*overlaps(zip(*stretches, strict=True), available, duration)]
    return [start for start, _ in pairs], [end for _, end in pairs]


def slots(windows: Iterable[Pair], panel: Panel, need: Need, *, interval: int, stride: int) -> Iterator[Found]:
    """Slots within windows that start on multiples of ``interval``, ``stride`` (a multiple of it) or more apart.

    The windows are sorted by their starts and by their ends. A start or an end of a stretch is packed with its member
    as ``time << width | bit``: XOR with the packed value switches the member on or off, and what that leaves in the
    higher bits is never looked at. Times are counted from ``epoch`` to keep the packed ints short.
    """
    width = max(candidate.bit for candidate in panel.candidates).bit_length()
    everybody = (1 << width) - 1
    epoch = need.since - need.since % interval
    parts = _free(panel.candidates, need)
    starts = ends = [FOREVER << width]
    begun = ended = free = moment = horizon = 0
    for opens, closes in windows:
        moment = max(moment, opens - epoch)
        moment += -moment % interval
        latest = closes - epoch - need.duration
        while moment <= latest:
            if moment >= horizon:
                until, batch = next(parts)
                horizon = until - epoch
                switches = [candidate.bit - (epoch << width) for candidate in panel.candidates]
                starts = _packed(starts[begun:-1], [stretches[0] for stretches in batch], switches, width)
                ends = _packed(ends[ended:-1], [stretches[1] for stretches in batch], switches, width)
                begun = ended = 0
            reached = (moment + 1) << width
            while starts[begun] < reached:
                free ^= starts[begun]
                begun += 1
            reached = (moment + need.duration) << width
            while ends[ended] < reached:
                free ^= ends[ended]
                ended += 1
            missing = 0
            for quorum in panel.quorums:
                short = quorum.required - (free & quorum.members).bit_count()
                if short > missing:  # noqa: PLR1730 - max() takes twice the time of all the rest
                    missing = short
            if missing:
                # It cannot be enough before that many more have begun to be free.
                begins = starts[min(begun + missing, len(starts)) - 1] >> width
                moment = min(begins, horizon)
                moment += -moment % interval
            else:
                start = epoch + moment
                yield start, start + need.duration, free & everybody | panel.always
                moment += stride


def _packed(kept: list[int], times: Sequence[Sequence[int]], switches: Sequence[int], width: int) -> list[int]:
    """What is still to come, in order, closed by what never comes."""
    for moments, switch in zip(times, switches, strict=True):
        kept += [(moment << width) + switch for moment in moments]
    kept.sort()
    kept.append(FOREVER << width)
    return kept


def periods(windows: Iterable[Pair], panel: Panel, need: Need) -> Iterator[Found]:
    """The periods within windows in which the same people meet the quorums throughout, and no longer one would do.

    Of all who are free from some moment on, enough for a quorum stay until the required-th latest of their ends;
    a heap of its members' latest ends knows it. The window is one more quorum, of one.
    """
    bits = [candidate.bit for candidate in panel.candidates]
    quorums = [quorum for quorum in panel.quorums if quorum.required > 0]
    heaps = [[-FOREVER] * quorum.required for quorum in quorums]
    heaps_of = [[heap for heap, quorum in zip(heaps, quorums, strict=True) if quorum.members & bit] for bit in bits]
    heaps.append([-FOREVER])
    heaps_of.append(heaps[-1:])
    free_until = [-FOREVER] * len(heaps_of)
    start = end = found = -FOREVER
    for begins, ends, index in chain(_in_order(windows, panel.candidates, need), [(FOREVER, FOREVER, -1)]):
        if ends < end:
            continue
        if begins > start:
            if end > found and end - start >= need.duration:
                yield start, end, sum(compress(bits, map(end.__le__, free_until))) | panel.always
                found = end
            start = begins
        free_until[index] = ends
        for heap in heaps_of[index]:
            if ends > heap[0]:
                heapreplace(heap, ends)
        end = min([heap[0] for heap in heaps])


def _in_order(windows: Iterable[Pair], candidates: Sequence[Candidate], need: Need) -> Iterator[tuple[int, int, int]]:
    """Start, end and index of every stretch of a candidate, and of every window, whose index is the last."""
    windows = iter(windows)
    window = next(windows, None)
    events: list[tuple[int, int, int]] = []
    for horizon, batch in _free(candidates, need):
        while window and window[0] < horizon:
            events.append((*window, len(candidates)))
            window = next(windows, None)
        for index, (starts, ends) in enumerate(batch):
            events += zip(starts, ends, repeat(index))
        events.sort()
        settled = bisect_left(events, (horizon,))
        yield from events[:settled]
        del events[:settled]
