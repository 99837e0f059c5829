"""The engine against the bitmap oracle. ``ORACLE_SEED`` sets the seed, for another 10,000 queries or to repeat one."""

from __future__ import annotations

import os
from itertools import zip_longest
from random import Random
from textwrap import indent

import pytest

from freebusy.domain import quorum, stretches
from freebusy.domain.availability import Query, find_availability
from tests.oracle.bitmap import Answer, Bitmap
from tests.oracle.queries import RandomQuery

SEED = os.environ.get("ORACLE_SEED", "2030")
UNITS = [pytest.param(1, id="seconds"), pytest.param(60, id="minutes")]


@pytest.mark.parametrize("unit", UNITS)
def test_the_engine_and_the_oracle_answer_alike(unit, monkeypatch):
    compare(range(5_000), unit, monkeypatch)


@pytest.mark.oracle
@pytest.mark.parametrize("unit", UNITS)
def test_they_answer_alike_for_long(unit, monkeypatch):
    compare(range(5_000, 55_000), unit, monkeypatch)


def compare(numbers, unit, monkeypatch):
    for number in numbers:
        name = f"{SEED}/{unit}/{number}"
        asked = RandomQuery(name, unit)
        before = repr(asked.query)
        read_in_small_parts(Random(name), monkeypatch)  # noqa: S311 - to repeat a test, not to keep a secret
        expected = Bitmap(asked.query, low=asked.low, high=asked.high, unit=unit).answer()
        found = by_name(asked.query)
        if found != expected:
            pytest.fail(explained(name, asked.query, asked.low, expected, found), pytrace=False)
        assert repr(asked.query) == before, f"the engine changed query {name}"


def read_in_small_parts(random, monkeypatch):
    """Large queries are searched in parts of thousands of periods; here, often of a few."""
    monkeypatch.setattr(stretches, "PERIODS_AT_ONCE", random.choice([0, 4, 16_384]))
    monkeypatch.setattr(stretches, "STRETCHES_AT_ONCE", random.choice([1, 3, 10, 2048]))
    monkeypatch.setattr(stretches, "STRETCHES_EACH", random.choice([1, 1, 3]))
    monkeypatch.setattr(quorum, "WORTH_A_SEARCH", random.choice([0, 1, 4]))


def by_name(query: Query) -> Answer:
    availability = find_availability(query)
    return [(start, end, availability.free(mask)) for start, end, mask in availability.found]


def explained(name, query, low, expected, found):
    """Times are shown as seconds since the query's first instant."""
    fields = ("duration", "start_interval", "buffer_before", "buffer_after", "response_format", "max_results")
    parts = (stretches.PERIODS_AT_ONCE, stretches.STRETCHES_AT_ONCE, stretches.STRETCHES_EACH, quorum.WORTH_A_SEARCH)
    lines = [
        f"query {name} (seed/unit/number), times since {low}, read in parts of {parts}",
        *(f"  {field}: {getattr(query, field)}" for field in fields),
        f"  periods: {since(low, query.periods)}",
    ]
    lines.append(f"  starts: {query.starts and [start - low for start in query.starts]}")
    for group in query.groups:
        lines.append(f"  {group.required} of {len(group.members)}:")
        for member in group.members:
            lines.append(f"    {member.key} {'' if member.readable else 'unreadable '}busy {since(low, member.busy)}")
            lines += [
                f"       {name} {since(low, periods)}"
                for name in ("managed", "available", "rules", "full")
                if (periods := getattr(member, name)) is not None
            ]
            lines.append(f"       buffers {member.before} {member.after}")
    rows = [
        f"{'  ' if left == right else '! '}{shown(low, left):<40} {shown(low, right)}"
        for left, right in zip_longest(expected, found)
    ]
    return "\n".join([*lines, indent("\n".join([f"  {'expected':<40} found", *rows]), "  ")])


def since(low, periods):
    return " ".join(f"{start - low}-{end - low}" for start, end in periods) or "-"


def shown(low, result):
    return "-" if result is None else f"{result[0] - low}-{result[1] - low} {' '.join(result[2])}"
