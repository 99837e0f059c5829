"""When several meetings can follow each other, each with people of its own.

* The steps of a stage come before those of the next stage; within a stage they may come in any order. They never
  overlap, and each lies within its own time, where every group of its own has enough free members.
* From the end of a step to the start of the one that follows it in time, at least the longer of the two shortest gaps
  must pass (``after`` of the one, ``before`` of the other), and at most the shorter of the two longest, where there are
  any. So the same people may be in several steps: their buffers towards each other are these gaps.
* Steps start on whole minutes, on the grid of their ``start_interval`` where they have one. The first step of a
  sequence, if it has none, starts on a quarter of an hour.
* One sequence is found for each start of a first step from which all steps can be done: each next step is the one that
  can start earliest (of those that can at the same time, the one listed first) and leaves the remaining steps possible.

There are far more ways to combine starts than these, and none is tried. The starts of a step are a number in which bit
i stands for the i-th minute. From the last step backwards, it is worked out from which starts of a step the steps
that remain can be done: all starts at once, in a few shifts of that number, since "some start of the next step within
a gap of this to that" is the same question for each of them. There is one such question for each pair of neighbouring
stages of one step; within a stage of n steps there are at most n² · 2ⁿ⁻², which is why a stage has a limit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.availability import (
    DEFAULT_START_INTERVAL,
    Availability,
    Query,
    ResponseFormat,
    find_availability,
    find_openings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_STEPS = 10
MOST_IN_A_STAGE = 5
"""Steps that may come in any order."""

_MINUTE = 60


class Step(NamedTuple):
    """What is asked of one step: its groups, duration, time, grid and buffers, as of any query.

    ``longest_before`` and ``longest_after`` are the longest gaps to the neighbouring steps (``None``: any).
    """

    query: Query
    longest_before: int | None = None
    longest_after: int | None = None


class Placed(NamedTuple):
    """Step number ``step`` of the request, where it takes place; ``free`` is a mask as in ``Availability``."""

    step: int
    start: int
    end: int
    free: int


class Sequences(NamedTuple):
    """``found`` in the order of their first starts, each in the order of time. ``members`` are those of each step."""

    members: Sequence[tuple[str, ...]]
    found: Sequence[Sequence[Placed]]


def find_sequences(steps: Sequence[Step], stages: Sequence[Sequence[int]], max_results: int) -> Sequences:
    """``stages`` holds the number of every step once. Raises ``ValueError`` for more steps than can be searched."""
    if len(steps) > MOST_STEPS or any(len(stage) > MOST_IN_A_STAGE for stage in stages):
        raise ValueError("too many steps, or too many in any order")
    plan = _Plan(steps, stages)
    found = [*islice(plan.sequences(), max_results)]
    answers = [_who(step, number, found) for number, step in enumerate(steps)]
    free = [{start: mask for start, _, mask in answer.found} for answer in answers]
    placed = [
        [Placed(number, start, start + steps[number].query.duration, free[number][start]) for number, start in sequence]
        for sequence in found
    ]
    return Sequences([answer.members for answer in answers], placed)


_Start = tuple[int, int]
"""The number of a step, and its start."""


def _who(step: Step, number: int, found: Sequence[Sequence[_Start]]) -> Availability:
    """Who is free for a step, at all the starts that were found for it."""
    starts = {start for each, start in chain.from_iterable(found) if each == number}
    query = replace(step.query, periods=(), starts=sorted(starts), response_format=ResponseFormat.OVERLAPPING_SLOTS)
    return find_availability(replace(query, max_results=len(starts)))


class _Gap(NamedTuple):
    """Between the starts of two steps, in whole minutes; ``longest`` of ``None`` is any."""

    shortest: int
    longest: int | None


class _Plan:
    """Sets of starts are ints: bit i stands for minute number i from ``since`` on. So do sets of steps, by number."""

    def __init__(self, steps: Sequence[Step], stages: Sequence[Sequence[int]]) -> None:
        self._steps = steps
        self._stages = [sum(1 << number for number in stage) for stage in stages]
        bounds = [bound for step in steps for period in step.query.periods for bound in period]
        self._since = min(bounds, default=0) // _MINUTE
        self._until = max(bounds, default=0) // _MINUTE + 1
        self._possible: dict[_Start, int] = {}
        self._gaps = {
            (one, other): _gap(step, follower) for one, step in enumerate(steps) for other, follower in enumerate(steps)
        }

    def sequences(self) -> Iterator[list[_Start]]:
        """In the order of their first starts, each as steps and starts (epoch seconds) in the order of time."""
        everything = sum(self._stages)
        firsts = {
            number: self._then(number, everything & ~(1 << number)) & self._first_grid(number)
            for number in self._next(everything)
        }
        starts = 0
        for possible in firsts.values():
            starts |= possible
        while starts:
            start = _lowest(starts)
            starts &= starts - 1
            number = next(number for number, possible in firsts.items() if possible >> start & 1)
            yield [(step, (minute + self._since) * _MINUTE) for step, minute in self._follow(number, start, everything)]

    def _follow(self, number: int, start: int, steps: int) -> Iterator[_Start]:
        """The sequence of these steps that begins with step ``number`` at ``start``."""
        while True:
            yield number, start
            steps &= ~(1 << number)
            if not steps:
                return
            earliest: list[tuple[int, int]] = []
            for follower in self._next(steps):
                shortest, longest = self._gaps[number, follower]
                possible = self._then(follower, steps & ~(1 << follower)) >> start + shortest
                after = shortest + _lowest(possible)
                if possible and (longest is None or after <= longest):
                    earliest.append((start + after, follower))
            start, number = min(earliest)

    def _next(self, steps: int) -> list[int]:
        """Which of these steps may come first: those of the first stage, as they are listed."""
        stage = next(stage & steps for stage in self._stages if stage & steps)
        return [number for number in range(len(self._steps)) if stage >> number & 1]

    def _then(self, number: int, steps: int) -> int:
        """From which starts of step ``number`` all of ``steps`` can follow."""
        known = self._possible.get((number, steps))
        if known is None:
            known = self._starts[number]
            if steps:
                before = 0
                for follower in self._next(steps):
                    after = self._then(follower, steps & ~(1 << follower))
                    before |= _earlier(after, self._gaps[number, follower])
                known &= before
            self._possible[number, steps] = known
        return known

    @cached_property
    def _starts(self) -> list[int]:
        """Where each step alone can start."""
        return [self._starts_of(step) for step in self._steps]

    def _starts_of(self, step: Step) -> int:
        bits = bytearray(self._until - self._since)
        for opens, closes in find_openings(step.query):
            first = -(-opens // _MINUTE) - self._since
            last = (closes - step.query.duration) // _MINUTE - self._since
            bits[first : last + 1] = b"\x01" * (last - first + 1)
        starts = _number(bits)
        return starts & self._grid(step.query.start_interval) if step.query.start_interval else starts

    def _first_grid(self, number: int) -> int:
        return self._grid(self._steps[number].query.start_interval or DEFAULT_START_INTERVAL)

    def _grid(self, interval: int) -> int:
        """Minutes at multiples of ``interval`` seconds since the epoch."""
        bits = bytearray(self._until - self._since)
        step = interval // gcd(interval, _MINUTE)
        marks = range(-self._since % step, len(bits), step)
        bits[marks.start :: step] = b"\x01" * len(marks)
        return _number(bits)


def _gap(one: Step, other: Step) -> _Gap:
    """Between the starts of a step and the one that follows it."""
    duration = one.query.duration
    shortest = max(one.query.buffer_after, other.query.buffer_before)
    limits = [limit for limit in (one.longest_after, other.longest_before) if limit is not None]
    longest = (duration + min(limits)) // _MINUTE if limits else None
    return _Gap(-(-(duration + shortest) // _MINUTE), longest)


def _earlier(starts: int, gap: _Gap) -> int:
    """All minutes that have one of ``starts`` as far ahead as the gap says."""
    if gap.longest is None:
        latest = starts.bit_length() - 1 - gap.shortest
        return (1 << latest + 1) - 1 if latest >= 0 else 0
    width = gap.longest - gap.shortest + 1
    if width < 1:
        return 0
    reached, covered = starts >> gap.shortest, 1
    while covered < width:
        step = min(covered, width - covered)
        reached |= reached >> step
        covered += step
    return reached


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


_DIGITS = bytes.maketrans(b"\x00\x01", b"01")


def _number(bits: bytes | bytearray) -> int:
    """With the i-th of these as its bit i. Text of ones and zeros becomes a number fastest."""
    return int(bits[::-1].translate(_DIGITS), 2) if bits else 0
