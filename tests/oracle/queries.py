"""Random availability queries, small and nasty: every query follows from a seed and a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from freebusy.domain.availability import Group, Member, Query, ResponseFormat

INSTANTS = 96
MARGIN = 40
"""Instants on either side of the query's time: room for durations, buffers and busy periods that reach over."""

Pair = tuple[int, int]


class RandomQuery:
    """A query whose times are multiples of ``unit`` seconds; ``low`` and ``high`` are its first and last instant."""

    def __init__(self, seed: str, unit: int) -> None:
        self._random = Random(seed)  # noqa: S311 - to repeat a test, not to keep a secret
        self._unit = unit
        self.low = self._random.randrange(1_900_000_000 // unit) * unit
        self.high = self.low + (INSTANTS + 2 * MARGIN) * unit
        self.query = self._query()

    def _query(self) -> Query:
        r = self._random
        people: list[Member] = []
        for number in range(r.choice([1, 2, 3, 3, 4, 4, 5, 7])):
            people.append(self._member(f"m{number}", like=people))
        groups = [self._group(people) for _ in range(r.choice([1, 1, 1, 1, 2, 3]))]
        slots_asked = r.random() < 0.15
        interval = r.choice([None, 1, 2, 3, 4, 5, 7, 10])
        return Query(
            groups=groups,
            duration=r.choice([1, 1, 2, 2, 3, 4, 6, 8, 15]) * self._unit,
            periods=() if slots_asked else self._periods(r.choice([1, 1, 1, 2, 3, 5]), longest=INSTANTS),
            starts=[self._inside() for _ in range(r.randrange(12))] if slots_asked else None,
            start_interval=interval and interval * self._unit,
            buffer_before=r.choice([0, 0, 0, 1, 2, 5, 9]) * self._unit,
            buffer_after=r.choice([0, 0, 0, 1, 2, 5, 9]) * self._unit,
            response_format=r.choice(list(ResponseFormat)),
            max_results=r.choice([512, 512, 512, 512, 1, 2, 5]),
        )

    def _group(self, people: list[Member]) -> Group:
        r = self._random
        members = r.sample(people, r.randint(1, len(people)))
        if r.random() < 0.05:
            members.append(r.choice(members))
        if r.random() < 0.05:
            members.append(self._member(r.choice(members).key))
        required = (
            len(members) if r.random() < 0.3 else r.randint(0 if r.random() < 0.1 else 1, max(len(members) - 1, 1))
        )
        return Group(members, required + (r.random() < 0.02))

    def _member(self, key: str, like: Sequence[Member] = ()) -> Member:
        """Some have meetings in common, or all of them."""
        r = self._random
        busy = self._busy()
        if like and r.random() < 0.3:
            common = r.choice(like).busy
            busy = [*common] if r.random() < 0.4 else [*r.sample(common, len(common) // 2), *busy]
        return Member(
            key,
            busy,
            available=self._sometimes(0.25, [0, 1, 1, 2, 3, 6]),
            readable=r.random() > 0.03,
            managed=self._sometimes(0.2, [1, 2, 4], longest=8) or (),
            rules=self._sometimes(0.2, [0, 1, 2, 5]),
            full=self._sometimes(0.1, [1, 2], longest=INSTANTS // 2) or (),
            before=r.choice([0, 1, 4, 11]) * self._unit if r.random() < 0.15 else None,
            after=r.choice([0, 1, 4, 11]) * self._unit if r.random() < 0.15 else None,
        )

    def _sometimes(self, chance: float, numbers: Sequence[int], longest: int = INSTANTS) -> list[Pair] | None:
        r = self._random
        return self._periods(r.choice(numbers), longest=longest) if r.random() < chance else None

    def _busy(self) -> list[Pair]:
        r = self._random
        kind = r.random()
        if kind < 0.05:
            return []
        if kind < 0.08:
            return [(self.low, self.high)]
        if kind < 0.5:
            return self._calendar()
        busy = self._periods(r.choice([1, 2, 3, 5, 8, 14]), longest=r.choice([1, 3, 6, 12, 25]))
        if r.random() < 0.1:
            moment = self._inside()
            busy.append((moment, moment))
        if r.random() < 0.6:
            busy.sort()
        return busy

    def _calendar(self) -> list[Pair]:
        """Sorted and disjoint, as providers answer; periods may touch."""
        r = self._random
        busy: list[Pair] = []
        moment = self.low + r.randrange(MARGIN) * self._unit
        while True:
            start = moment + r.choice([0, 1, 2, 3, 5, 8, 13, 21, 30]) * self._unit
            moment = start + r.choice([1, 1, 2, 3, 4, 5, 8, 20]) * self._unit
            if moment > self.high:
                return busy
            busy.append((start, moment))

    def _periods(self, number: int, *, longest: int) -> list[Pair]:
        """In any order; they may touch, overlap and repeat."""
        r = self._random
        periods: list[Pair] = []
        for _ in range(number):
            start = r.choice(periods)[1] if periods and r.random() < 0.2 else self._inside()
            end = start + r.randint(1, longest) * self._unit
            periods.append((start, min(end, self.window[1])))
        return [(start, end) for start, end in periods if start < end]

    @property
    def window(self) -> Pair:
        return self.low + MARGIN * self._unit, self.high - MARGIN * self._unit

    def another(self) -> Query:
        """About the same time, and about periods."""
        query = self._query()
        return replace(query, starts=None, periods=query.periods or self._periods(1, longest=INSTANTS))

    def anywhere(self) -> int:
        """A start in the query's time or somewhat outside of it."""
        return self._inside() + self._random.choice([-9, 0, 0, 0, 9]) * self._unit

    def _inside(self) -> int:
        return self.low + (MARGIN + self._random.randrange(INSTANTS)) * self._unit
