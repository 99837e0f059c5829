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

from freebusy.domain.stretches import FOREVER, Need, Pair, Stretches, batches, joined, merged, overlaps

Found = tuple[int, int, int]
"""Start, end, and a bitmask of the members who are free from start to end."""

Part = tuple[int, list[int], list[int]]
"""A horizon, and the packed starts and ends of more stretches; all that begin before the horizon have then come."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be free: one bit of a mask. ``busy`` and ``available`` as of ``availability.Member``."""

    bit: int
    busy: Sequence[Pair]
    available: Sequence[Pair] | None


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least ``required`` of ``members``, a bitmask of candidates."""

    members: int
    required: int

    def is_attainable(self) -> bool:
        return self.members.bit_count() >= self.required


class RollCall:
    """Who of the candidates is free when. One roll call serves one search, from its first moment to its last.

    Inside, times are counted from the start of the search, which keeps the packed ints short.
    """

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
        """Where within the windows every quorum is met: each slot that can be booked lies within an opening.

        Each slot within an opening can be booked, but not by the same people throughout. Sorted by starts and by ends.
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
        """The slots at these starts, which are in order, with those who are free."""
        duration = self._need.duration
        for start in starts:
            yield start, start + duration, self._free_at(start)

    def periods(self, openings: Iterable[Pair]) -> Iterator[Found]:
        """The longest periods in which the same people meet all quorums, with those who are free throughout.

        From a start on, people leave until too few are left: there the period ends. The next one starts as soon as
        enough have come who stay for longer than that. So no period lies within another, and each slot within one.
        """
        for opens, closes in joined(openings, self._need.duration):
            start = end = opens
            free = self._free_at(start)
            outrun: Counter[int] = Counter()
            while end < closes:
                end, present, free = self._until_too_few(free, closes, outrun)
                yield start, end, present
                if end < closes:
                    start, free = self._until_enough(free, outrun)

    # --- Reading the calendars ---

    def _read(self, members: int) -> Iterator[Part]:
        """The stretches in which these candidates can be booked."""
        candidates = [candidate for candidate in self._candidates if candidate.bit & members]
        width, origin = self._width, self._need.since << self._width
        tag = 1 << (width - 1)  # makes a start greater than an end at the same time, whoever they belong to
        for horizon, batch in batches([candidate.busy for candidate in candidates], self._need):
            starts: list[int] = []
            ends: list[int] = []
            for candidate, stretches in zip(candidates, batch, strict=True):
                begun, ended = self._limited(stretches, candidate.available)
                switch = candidate.bit - origin
                ends += [(moment << width) + switch for moment in ended]
                switch += tag
                starts += [(moment << width) + switch for moment in begun]
            starts.sort()
            ends.sort()
            yield horizon - self._need.since, starts, ends

    def _limited(self, stretches: Stretches, available: Sequence[Pair] | None) -> Stretches:
        if available is None:
            return stretches
        pairs = [*overlaps(zip(*stretches, strict=True), merged(available), self._need.duration)]
        return [start for start, _ in pairs], [end for _, end in pairs]

    def _enough(self, parts: Iterable[Part], required: int) -> Iterator[Pair]:
        """Where so many of those in ``parts`` are free for a slot.

        As in ``shared``: when stretches begin for the (required + i)-th time while only i have ended.
        """
        starts: list[int] = []
        ends: list[int] = []
        width, since = self._width, self._need.since
        too_short = (self._need.duration - 1) << width
        slot = self._need.duration << width
        for horizon, begun, ended in parts:
            starts = sorted(starts + begun)
            ends = sorted(ends + ended)
            settled = bisect_left(ends, horizon << width)
            pairs = zip(starts[required - 1 :], ends[:settled], strict=False)
            openings = iter([(opens, closes) for opens, closes in pairs if closes - opens > too_short])
            opens, closes = next(openings, (0, 0))
            for again, until in openings:
                if again > closes - slot:
                    yield (opens >> width) + since, (closes >> width) + since
                    opens = again
                closes = until
            if closes:
                yield (opens >> width) + since, (closes >> width) + since
            del starts[:settled], ends[:settled]

    # --- Calling the roll ---

    def _turn_page(self) -> bool:
        """Reads on, and says whether there was anything left to read."""
        part = next(self._parts, None)
        if part is None:
            return False
        self._horizon, starts, ends = part
        self._starts = sorted(self._starts[self._begun :] + starts)
        self._ends = sorted(self._ends[self._ended :] + ends)
        self._begun = self._ended = 0
        return True

    def _free_at(self, start: int) -> int:
        """Who is free for the slot at ``start``. Each call is for a later slot than the one before."""
        moment = start - self._need.since
        while moment >= self._horizon:
            self._turn_page()
        begun = bisect_left(self._starts, (moment + 1) << self._width, self._begun)
        ended = bisect_left(self._ends, (moment + self._need.duration) << self._width, self._ended)
        for switch in self._starts[self._begun : begun]:
            self._free ^= switch
        for switch in self._ends[self._ended : ended]:
            self._free ^= switch
        self._begun, self._ended = begun, ended
        return self._free & self._everybody

    def _until_too_few(self, free: int, closes: int, outrun: Counter[int]) -> tuple[int, int, int]:
        """When the quorums are no longer met, who was there until then, and who is left after that.

        Who leaves without being there comes after the start of the period and goes before its end: ``outrun`` counts
        those for when they come.
        """
        while (moment := self._next_end()) < closes - self._need.since:
            left = free
            ended = bisect_left(self._ends, (moment + 1) << self._width, self._ended)
            for switch in self._ends[self._ended : ended]:
                self._free ^= switch
                bit = switch & self._everybody
                if bit & left:
                    left ^= bit
                else:
                    outrun[bit] += 1
            self._ended = ended
            if not self._met(left):
                return moment + self._need.since, free, left
            free = left
        return closes, free, free

    def _until_enough(self, free: int, outrun: Counter[int]) -> tuple[int, int]:
        """When the quorums are met again, and by whom; those who have gone before that do not count."""
        while not self._met(free):
            moment = self._next_start()
            begun = bisect_left(self._starts, (moment + 1) << self._width, self._begun)
            for switch in self._starts[self._begun : begun]:
                self._free ^= switch
                bit = switch & self._everybody
                if outrun[bit]:
                    outrun[bit] -= 1
                else:
                    free |= bit
            self._begun = begun
        return moment + self._need.since, free

    def _met(self, free: int) -> bool:
        return all((free & quorum.members).bit_count() >= quorum.required for quorum in self._quorums)

    def _next_start(self) -> int:
        while self._begun == len(self._starts) or self._starts[self._begun] >= self._horizon << self._width:
            if not self._turn_page():
                return FOREVER
        return self._starts[self._begun] >> self._width

    def _next_end(self) -> int:
        while self._ended == len(self._ends) or self._ends[self._ended] >= self._horizon << self._width:
            if not self._turn_page():
                return FOREVER
        return self._ends[self._ended] >> self._width
