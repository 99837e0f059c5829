"""The availability rules once more, instant by instant, with nothing of the engine's code.

Time is cut into instants of ``unit`` seconds, and every question is answered by looking at instants: is this one
taken, allowed, asked about? Slow, and simple enough to be believed. It answers in times and names, never in masks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from freebusy.domain.availability import Query, ResponseFormat

Answer = list[tuple[int, int, tuple[str, ...]]]


@dataclass
class Calendar:
    """What one member's instants look like; a busy period without length is a barrier between two instants."""

    readable: bool
    taken: list[bool]
    barriers: set[int]
    allowed: list[bool]


class Bitmap:
    """All times are multiples of ``unit`` and lie, with durations and buffers, from ``low`` to ``high``."""

    def __init__(self, query: Query, *, low: int, high: int, unit: int) -> None:
        self.query, self.low, self.unit = query, low, unit
        self.size = (high - low) // unit
        self.duration = query.duration // unit
        self.before, self.after = query.buffer_before // unit, query.buffer_after // unit
        self.names = list(dict.fromkeys(member.key for group in query.groups for member in group.members))
        self.asked = self._instants(query.periods)
        self.stays = {name: self._free_until(self._calendar(name)) for name in self.names}

    def answer(self) -> Answer:
        if self.query.starts is not None:
            found = self._slots(sorted({self._instant(start) for start in self.query.starts}), overlapping=True)
        elif self.query.response_format is ResponseFormat.PERIODS:
            found = self._periods()
        elif self.query.response_format is ResponseFormat.SLOTS:
            found = self._slots(self._grid(self.query.start_interval or self.unit), overlapping=False)
        else:
            found = self._slots(self._grid(self.query.start_interval or 15 * 60), overlapping=True)
        return [(self._time(a), self._time(b), self._free(a, b)) for a, b in found][: self.query.max_results]

    # --- What the instants say ---

    def _instant(self, time: int) -> int:
        assert (time - self.low) % self.unit == 0
        return (time - self.low) // self.unit

    def _time(self, instant: int) -> int:
        return self.low + instant * self.unit

    def _instants(self, periods: Iterable[Sequence[int]]) -> list[bool]:
        inside = [False] * self.size
        for start, end in periods:
            for instant in range(self._instant(start), self._instant(end)):
                inside[instant] = True
        return inside

    def _calendar(self, name: str) -> Calendar:
        """Of everything the query says about this member, whatever forbids counts."""
        entries = [member for group in self.query.groups for member in group.members if member.key == name]
        limits = [self._instants(entry.available) for entry in entries if entry.available is not None]
        busy = [period for entry in entries for period in entry.busy]
        return Calendar(
            readable=all(entry.readable for entry in entries),
            taken=self._instants(busy),
            barriers={self._instant(start) for start, end in busy if start == end},
            allowed=[all(limit[instant] for limit in limits) for instant in range(self.size)],
        )

    def _free_until(self, calendar: Calendar) -> list[int]:
        """For each instant: until when the member can be booked from there on; the instant itself for not at all."""
        if not calendar.readable:
            return [*range(self.size)]
        stop_taken = self._next(calendar.taken)
        stop_barrier = self._next([instant in calendar.barriers for instant in range(self.size)])
        stop_allowed = self._next([not allowed for allowed in calendar.allowed])
        until = []
        for instant in range(self.size):
            arrives = max(instant - self.before, 0)
            leaves = min(stop_taken[arrives], stop_barrier[arrives + 1])
            until.append(min(leaves - self.after, stop_allowed[instant]))
        return until

    def _next(self, marked: list[bool]) -> list[int]:
        """For each instant the first marked one from there on; the size when there is none."""
        following = [self.size] * (self.size + 1)
        for instant in reversed(range(self.size)):
            following[instant] = instant if marked[instant] else following[instant + 1]
        return following

    # --- What that means for the query ---

    def _free(self, start: int, end: int) -> tuple[str, ...]:
        return tuple(name for name in self.names if self.stays[name][start] >= end)

    def _enough(self, start: int, end: int) -> bool:
        if start < 0 or end > self.size or not all(self.asked[start:end]):
            return False
        free = set(self._free(start, end))
        return all(self._group_is_met(group, free) for group in self.query.groups)

    @staticmethod
    def _group_is_met(group, free: set[str]) -> bool:
        listed = {member.key for member in group.members}
        if group.required == len(group.members):
            return listed <= free
        return len(listed & free) >= group.required

    def _grid(self, interval: int) -> list[int]:
        return [instant for instant in range(self.size) if self._time(instant) % interval == 0]

    def _slots(self, starts: Iterable[int], *, overlapping: bool) -> list[tuple[int, int]]:
        if self.query.starts is not None:
            for start in starts:
                self.asked[start : start + self.duration] = [True] * self.duration
        found: list[tuple[int, int]] = []
        for start in starts:
            clear = overlapping or not found or found[-1][1] <= start
            if clear and self._enough(start, start + self.duration):
                found.append((start, start + self.duration))
        return found

    def _periods(self) -> list[tuple[int, int]]:
        """Those that cannot be made longer, neither to the left nor to the right."""
        found = []
        for start in range(self.size):
            if not self._enough(start, start + self.duration):
                continue
            end = next(end for end in count(start + self.duration) if not self._enough(start, end + 1))
            if not self._enough(start - 1, end):
                found.append((start, end))
        return found
