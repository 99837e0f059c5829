"""Groups of which some members must be free, not all: where that is enough, and who it is.

A roll call goes once through the starts and ends of everybody's free stretches, in the order of time. Each is
packed with the member's bit into one int, ``time << width | bit``. So they sort as fast as ints do, and XOR with a
packed value switches a member on or off in a mask; what that leaves in the higher bits is never looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee

from freebusy.domain.stretches import FOREVER, Need, Pair, Stretches, batches, joined, overlaps

Found = tuple[int, int, int]
"""Start, end, and a bitmask of the members who are free from start to end."""

Part = tuple[int, list[int], list[int]]
"""A horizon, and the packed starts and ends of more stretches; all that begin before the horizon have then come."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be free: one bit of a mask. ``available`` is sorted and disjoint; ``None`` is always."""

    bit: int
    busy: Sequence[Pair]
    available: Sequence[Pair] | None


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least ``required`` of ``members``, a bitmask of candidates."""

    members: int
    required: int


class RollCall:
    """Who of the candidates is free when. One roll call serves one search, from its first moment to its last."""

    def __init__(self, candidates: Sequence[Candidate], quorums: Iterable[Quorum], need: Need) -> None:
        self._candidates = candidates
        self._quorums = [quorum for quorum in quorums if quorum.required > 0]
        self._need = need
        self._everybody = sum(candidate.bit for candidate in candidates)
        self._width = self._everybody.bit_length() + 1
        self._parts = self._read(self._everybody)
        self._horizon = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._begun = self._ended = 0
        self._free = 0

    def openings(self, windows: Iterable[Pair]) -> Iterator[Pair]:
        """Where within the windows every quorum is met by people who stay for a slot: each slot lies within one.

        Sorted by starts and by ends; openings may overlap where only shorter stretches than a slot do not fit.
        """
        openings = iter(windows)
        for quorum in self._quorums:
            if quorum.members == self._everybody:
                self._parts, parts = tee(self._parts)
            else:
                parts = self._read(quorum.members)
            openings = overlaps(openings, self._enough(parts, quorum.required), self._need.duration)
        return openings

    def slots(self, starts: Iterable[int]) -> Iterator[Found]:
        """Slots at these starts, in order, with those who are free."""
        duration = self._need.duration
        for start in starts:
            yield start, start + duration, self._call(start)

    def periods(self, openings: Iterable[Pair]) -> Iterator[Found]:
        """The longest periods in which the same people meet all quorums, with all who are free throughout.

        None lies within another, and every slot within one. From a start on, people leave until too few are left:
        there the period ends. The next one starts when enough have come who stay for longer than that.
        """
        for opens, closes in joined(openings, self._need.duration):
            start, end = opens, opens
            free = self._call(start)
            outrun: Counter[int] = Counter()
            while end < closes:
                end, present, free = self._until_too_few(free, closes, outrun)
                yield start, end, present
                if end < closes:
                    start, free = self._until_enough(free, outrun)

    # --- Calling the roll ---

    def _call(self, start: int) -> int:
        """Who is free for the slot at ``start``; later calls are for later slots."""
        moment = start - self._need.since
        while moment >= self._horizon:
            self._turn_page()
        free = self._free
        begun = bisect_left(self._starts, (moment + 1) << self._width, self._begun)
        for switch in self._starts[self._begun : begun]:
            free ^= switch
        ended = bisect_left(self._ends, (moment + self._need.duration) << self._width, self._ended)
        for switch in self._ends[self._ended : ended]:
            free ^= switch
        self._begun, self._ended, self._free = begun, ended, free
        return free & self._everybody

    def _until_too_few(self, free: int, closes: int, outrun: Counter[int]) -> tuple[int, int, int]:
        """When the quorums are no longer met, who was there until then, and who is left.

        Who leaves without having been there begins later than the period and ends within it: ``outrun`` counts them.
        """
        while True:
            moment = self._next(self._ends, self._ended)
            
    # --- Reading ---

    def _read(self, members: int) -> Iterator[Part]:
        """The stretches in which these candidates can be booked."""
        candidates = [candidate for candidate in self._candidates if candidate.bit & members]
        width, tag = self._width, 1 << (self._width - 1)
        for horizon, batch in batches([candidate.busy for candidate in candidates], self._need):
            starts: list[int] = []
            ends: list[int] = []
            for candidate, stretches in zip(candidates, batch, strict=True):
                begun, ended = self._limited(stretches, candidate.available)
                # The tag makes a start greater than an end at the same time, whoever they belong to.
                switch = candidate.bit - (self._need.since << width)
                starts += [(moment << width) + (switch + tag) for moment in begun]
                ends += [(moment << width) + switch for moment in ended]
            starts.sort()
            ends.sort()
            yield horizon - self._need.since, starts, ends
