"""The availability rules once more, instant by instant, with nothing of the engine's code.

Time is cut into instants of ``unit`` seconds, and every question is answered by looking at instants: is this one
taken, allowed, asked about? Slow, and simple enough to be believed. It answers in times and names, never in masks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from operator import or_

from freebusy.domain.availability import Member, Query, ResponseFormat

Answer = list[tuple[int, int, tuple[str, ...]]]
Reasons = dict[int, dict[str, set[str]]]
"""By the number of the group and by member."""


@dataclass
class Calendar:
    """What the instants of one entry of a member look like; a busy period without length is a barrier between two."""

    readable: bool
    busy: list[bool]
    managed: list[bool]
    barriers: set[int]
    outside: dict[str, list[bool]]
    before: int
    after: int


class Bitmap:
    """All times are multiples of ``unit`` and lie, with durations and buffers, from ``low`` to ``high``."""

    def __init__(self, query: Query, *, low: int, high: int, unit: int) -> None:
        self.query, self.low, self.unit = query, low, unit
        self.size = (high - low) // unit
        self.duration = query.duration // unit
        self.names = list(dict.fromkeys(member.key for group in query.groups for member in group.members))
        starts = query.starts or ()
        self.asked = self._instants([*query.periods, *((start, start + query.duration) for start in starts)])
        self.entries = {name: [*map(self._calendar, self._entries(name))] for name in self.names}
        self.stays = {name: self._stays(name) for name in self.names}

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

    def missing(self, until: int | None) -> dict[int, Reasons]:
        """Why each start on the grid, before ``until``, cannot be booked."""
        if self.query.starts is not None:
            starts = sorted({self._instant(start) for start in self.query.starts})
        elif self.query.response_format is ResponseFormat.PERIODS:
            starts = self._grid(60)
        elif self.query.response_format is ResponseFormat.SLOTS:
            starts = self._grid(self.query.start_interval or 60)
        else:
            starts = self._grid(self.query.start_interval or 15 * 60)
        return {
            self._time(start): self._reasons(start)
            for start in starts
            if self._within(start)
            and (until is None or self._time(start) < until)
            and not self._enough(start, start + self.duration)
        }

    def why(self, time: int) -> tuple[Reasons, set[str]]:
        """Whom each group lacks, and what is wrong with the start itself."""
        start = self._instant(time)
        if not self._within(start):
            return self._reasons(start), {"window"}
        return self._reasons(start), self._wrong_with(time, start)

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

    def _entries(self, name: str) -> list[Member]:
        return [member for group in self.query.groups for member in group.members if member.key == name]

    def _stays(self, name: str) -> list[int]:
        """For each instant: until when the member can be booked from there on, by every entry that the query has."""
        return [min(ends) for ends in zip(*map(self._free_until, self.entries[name]), strict=True)]

    def _calendar(self, entry: Member) -> Calendar:
        limits = {"period": entry.available, "rule": entry.rules}
        outside = {
            cause: [not inside for inside in self._instants(limit)]
            for cause, limit in limits.items()
            if limit is not None
        }
        before = self.query.buffer_before if entry.before is None else entry.before
        after = self.query.buffer_after if entry.after is None else entry.after
        return Calendar(
            readable=entry.readable,
            busy=self._instants(entry.busy),
            managed=self._instants(entry.managed),
            barriers={self._instant(start) for start, end in entry.busy if start == end},
            outside={**outside, "constraint": self._instants(entry.full)},
            before=before // self.unit,
            after=after // self.unit,
        )

    def _free_until(self, calendar: Calendar) -> list[int]:
        """For each instant: until when the calendar lets somebody be booked from there on; itself for not at all."""
        if not calendar.readable:
            return [*range(self.size)]
        stop_taken = self._next([*map(or_, calendar.busy, calendar.managed)])
        stop_barrier = self._next([instant in calendar.barriers for instant in range(self.size)])
        stop_outside = [min(stops) for stops in zip(*map(self._next, calendar.outside.values()), strict=True)]
        until = []
        for instant in range(self.size):
            arrives = max(instant - calendar.before, 0)
            leaves = min(stop_taken[arrives], stop_barrier[arrives + 1])
            until.append(min(leaves - calendar.after, stop_outside[instant]))
        return until

    def _next(self, marked: list[bool]) -> list[int]:
        """For each instant the first marked one from there on; the size when there is none."""
        following = [self.size] * (self.size + 1)
        for instant in reversed(range(self.size)):
            following[instant] = instant if marked[instant] else following[instant + 1]
        return following

    # --- What keeps a member from a slot ---

    def _causes(self, name: str, start: int) -> set[str]:
        end = start + self.duration
        causes: set[str] = set()
        for calendar in self.entries[name]:
            if not calendar.readable:
                causes.add("unreadable_calendar")
            if any(calendar.busy[start:end]) or any(start < barrier < end for barrier in calendar.barriers):
                causes.add("busy")
            if any(calendar.managed[start:end]):
                causes.add("managed_event")
            causes |= {cause for cause, outside in calendar.outside.items() if any(outside[start:end])}
        if not causes & {"busy", "managed_event"} and any(self._too_close(each, start) for each in self.entries[name]):
            causes.add("buffer")
        return causes

    def _too_close(self, calendar: Calendar, start: int) -> bool:
        arrives, leaves = start - calendar.before, start + self.duration + calendar.after
        near = [*calendar.busy[arrives:leaves], *calendar.managed[arrives:leaves]]
        return any(near) or any(arrives < barrier < leaves for barrier in calendar.barriers)

    def _reasons(self, start: int) -> Reasons:
        """For each group that is not met its members who are not free, with the causes."""
        causes = {name: self._causes(name, start) for name in self.names}
        free = {name for name in self.names if not causes[name]}
        return {
            number: {member.key: causes[member.key] for member in group.members if causes[member.key]}
            for number, group in enumerate(self.query.groups)
            if not self._group_is_met(group, free)
        }

    def _within(self, start: int) -> bool:
        return start + self.duration <= self.size and all(self.asked[start : start + self.duration])

    def _wrong_with(self, time: int, start: int) -> set[str]:
        """Of a start within the query's time."""
        query = self.query
        if query.starts is not None and time not in query.starts:
            return {"window"}
        interval = query.start_interval or (
            15 * 60 if query.response_format is ResponseFormat.OVERLAPPING_SLOTS else self.unit
        )
        if query.starts is None and query.response_format is not ResponseFormat.PERIODS and time % interval:
            return {"grid"}
        offered = self.answer()
        if any(opens <= time and time + query.duration <= closes for opens, closes, _ in offered):
            return set()
        if not self._enough(start, start + self.duration):
            return set()
        overlapped = any(opens < time < closes for opens, closes, _ in offered)
        only_one = query.starts is None and query.response_format is ResponseFormat.SLOTS
        return {"earlier_slot"} if overlapped and only_one else {"max_results"}

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
