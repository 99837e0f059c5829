"""Groups of which some members must be free, not all: who is free when, and where that is enough.

Both searches go once over the free stretches of all members, in the order of time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import repeat

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


def slots(  # noqa: PLR0913 - what is searched, for whom, and how starts are laid out
    windows: Iterable[Pair],
    candidates: Sequence[Candidate],
    quorums: Sequence[Quorum],
    need: Need,
    *,
    interval: int,
    stride: int,
) -> Iterator[Found]:
    """Slots within windows that start on multiples of ``interval``, ``stride`` (a multiple of it) or more apart.

    The windows are sorted by their starts and by their ends. A start or an end of a stretch is packed with its member
    as ``time << width | bit``: XOR with the packed value switches the member on or off, and what that leaves in the
    higher bits is never looked at. Times are counted from ``epoch`` to keep the packed ints short.
    """
    width = max(candidate.bit for candidate in candidates).bit_length()
    everybody = (1 << width) - 1
    epoch = need.since - need.since % interval
    parts = _free(candidates, need)
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
                starts = _packed(starts[begun:-1], 0, batch, candidates, epoch, width)
                ends = _packed(ends[ended:-1], 1, batch, candidates, epoch, width)
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
            for quorum in quorums:
                short = quorum.required - (free & quorum.members).bit_count()
                if short > missing:
                    missing = short
            if missing:
                # It cannot be enough before that many more have begun to be free.
                begins = starts[min(begun + missing, len(starts)) - 1] >> width
                moment = min(begins, horizon)
                moment += -moment % interval
            else:
                start = epoch + moment
                yield start, start + need.duration, free & everybody
                moment += stride


def _packed(  # noqa: PLR0913 - one step of slots(), with its variables
    kept: list[int], side: int, batch: Sequence[Stretches], candidates: Sequence[Candidate], epoch: int, width: int
) -> list[int]:
    """The starts (side 0) or ends (side 1) that are still to come, closed by one that never comes."""
    for candidate, stretches in zip(candidates, batch, strict=True):
        shift = candidate.bit - (epoch << width)
        kept += [(moment << width) + shift for moment in stretches[side]]
    kept.sort()
    kept.append(FOREVER << width)
    return kept


def periods(
    windows: Iterable[Pair], candidates: Sequence[Candidate], quorums: Sequence[Quorum], need: Need
) -> Iterator[Found]:
    """The periods within windows in which the same people meet the quorums throughout, and no longer one would do.

    Of all who are free from some moment on, enough for one quorum stay until the required-th latest of their ends;
    a heap of the latest ends of its members knows it. The windows are a quorum of one that everybody waits for.
    """
    heaps = [[-FOREVER] * quorum.required for quorum in quorums if quorum.required > 0]
    members = [quorum.members for quorum in quorums if quorum.required > 0]
    window: list[int] = [-FOREVER]
    heaps_of = [[heap for heap, mask in zip(heaps, members, strict=True) if mask & c.bit] for c in candidates]
    heaps_of.append([window])
    heaps.append(window)
    free_until = [-FOREVER] * len(candidates)
    bits = [candidate.bit for candidate in candidates]
    start = 0
    end = reported = -FOREVER

    def found() -> Found:
        return start, end, sum(bit for bit, until in zip(bits, free_until, strict=True) if until >= end)

    for begins, ends, index in _in_order(windows, candidates, need):
        if ends < end:
            continue
        if begins > start:
            if end > reported and end - start >= need.duration:
                yield found()
                reported = end
            start = begins
        if index < len(bits):
            free_until[index] = ends
        for heap in heaps_of[index]:
            if ends > heap[0]:
                heapreplace(heap, ends)
        end = min([heap[0] for heap in heaps])
    if end > reported and end - start >= need.duration:
        yield found()


def _in_order(
    windows: Iterable[Pair], candidates: Sequence[Candidate], need: Need
) -> Iterator[tuple[int, int, int]]:
    """Start, end and index of every stretch of a candidate, and of every window with the index after the last."""
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
