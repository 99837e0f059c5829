"""Sequences against an oracle that tries every order and every minute, with nothing of the search's own code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from random import Random

import pytest

from freebusy.domain.availability import Query
from freebusy.domain.sequence import Step, find_sequences
from tests.oracle.bitmap import Bitmap
from tests.oracle.queries import RandomQuery

SEED = os.environ.get("ORACLE_SEED", "2030")
UNITS = [pytest.param(30, id="half-minutes"), pytest.param(60, id="minutes")]

Placed = tuple[int, int, int, tuple[str, ...]]


@pytest.mark.parametrize("unit", UNITS)
def test_the_search_and_the_oracle_find_the_same_sequences(unit):
    compare(range(400), unit)


@pytest.mark.oracle
@pytest.mark.parametrize("unit", UNITS)
def test_they_find_the_same_for_long(unit):
    compare(range(400, 5_000), unit)


def compare(numbers, unit):
    for number in numbers:
        name = f"{SEED}/{unit}/{number}"
        asked = RandomSequence(name, unit)
        found = find_sequences(asked.steps, asked.stages, asked.max_results)
        named = [
            [
                (step, start, end, tuple(key for place, key in enumerate(found.members[step]) if free >> place & 1))
                for step, start, end, free in sequence
            ]
            for sequence in found.found
        ]
        assert named == [*EveryOrder(asked).sequences()][: asked.max_results], (name, asked.steps, asked.stages)


class RandomSequence:
    """A few steps in stages, all about the same two hours or so."""

    def __init__(self, seed: str, unit: int) -> None:
        self.unit = unit
        self._random = r = Random(seed)  # noqa: S311 - to repeat a test, not to keep a secret
        self._asked = RandomQuery(seed, unit)
        self.low, self.high = self._asked.low, self._asked.high
        self.steps = [self._step() for _ in range(r.choice([1, 2, 2, 3, 3, 4]))]
        ordinals = [r.randrange(3) for _ in self.steps]
        self.stages = [[n for n, each in enumerate(ordinals) if each == o] for o in sorted(set(ordinals))]
        self.max_results = r.choice([512, 512, 1, 3])

    def _step(self) -> Step:
        r = self._random
        query = self._asked.another()
        if r.random() < 0.8:  # so that there is something to be found
            query = replace(query, groups=[group._replace(required=1) for group in query.groups[:1]])
        if r.random() < 0.6:
            query = replace(query, periods=[self._asked.window])
        interval = r.choice([None, None, 60, 120, 300])
        long_before, long_after = (r.choice([None, None, 0, 2, 7, 20]) for _ in range(2))
        return Step(
            replace(query, start_interval=interval, buffer_before=r.choice([0, 0, query.buffer_before])),
            None if long_before is None else long_before * self.unit,
            None if long_after is None else long_after * self.unit,
        )


class EveryOrder:
    def __init__(self, asked: RandomSequence) -> None:
        self.steps = asked.steps
        self.stage_of = {number: place for place, stage in enumerate(asked.stages) for number in stage}
        self.days = [Bitmap(step.query, low=asked.low, high=asked.high, unit=asked.unit) for step in asked.steps]
        self.starts = [[*starts(day, step.query)] for day, step in zip(self.days, asked.steps, strict=True)]
        self.rest = cache(self._rest)

    def sequences(self) -> Iterator[list[Placed]]:
        everything = frozenset(self.stage_of)
        last_first = -1
        for start, number in sorted((s, n) for n in self.first_of(everything) for s in self.starts[n]):
            first_grid = self.steps[number].query.start_interval or 15 * 60
            if start == last_first or start % first_grid:
                continue
            rest = self.rest(number, start, everything - {number})
            if rest is not None:
                last_first = start
                yield [self.placed(*each) for each in ((number, start), *rest)]

    def first_of(self, steps: frozenset[int]) -> list[int]:
        stage = min(self.stage_of[number] for number in steps)
        return sorted(number for number in steps if self.stage_of[number] == stage)

    def _rest(self, number: int, start: int, steps: frozenset[int]) -> tuple[tuple[int, int], ...] | None:
        """The other steps, as early as they go; None where they do not."""
        if not steps:
            return ()
        followers = sorted(
            (s, n) for n in self.first_of(steps) for s in self.starts[n] if self.fits(number, start, n, s)
        )
        for then, follower in followers:
            rest = self.rest(follower, then, steps - {follower})
            if rest is not None:
                return ((follower, then), *rest)
        return None

    def fits(self, number: int, start: int, follower: int, then: int) -> bool:
        one, other = self.steps[number], self.steps[follower]
        gap = then - (start + one.query.duration)
        return (
            gap >= one.query.buffer_after
            and gap >= other.query.buffer_before
            and (one.longest_after is None or gap <= one.longest_after)
            and (other.longest_before is None or gap <= other.longest_before)
        )

    def placed(self, number: int, start: int) -> Placed:
        day, end = self.days[number], start + self.steps[number].query.duration
        return number, start, end, day._free(day._instant(start), day._instant(end))


def starts(day: Bitmap, query: Query) -> Iterator[int]:
    for instant in range(day.size):
        start = day._time(instant)
        if start % (query.start_interval or 60) == 0 and day._enough(instant, instant + day.duration):
            yield start
