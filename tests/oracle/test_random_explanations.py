"""Explanations against the oracle: nothing is missing without a reason, and each reason is one that the oracle sees."""

from __future__ import annotations

import os
from random import Random

import pytest

from freebusy.domain import explanation
from freebusy.domain.availability import Query, find_availability
from freebusy.domain.explanation import Cause, explain, explain_start, unmet
from tests.oracle.bitmap import Bitmap, Reasons
from tests.oracle.queries import RandomQuery

SEED = os.environ.get("ORACLE_SEED", "2030")
UNITS = [pytest.param(1, id="seconds"), pytest.param(60, id="minutes")]


@pytest.mark.parametrize("unit", UNITS)
def test_answer_and_explanation_never_disagree(unit, monkeypatch):
    compare(range(1_500), unit, monkeypatch)


@pytest.mark.oracle
@pytest.mark.parametrize("unit", UNITS)
def test_they_never_disagree_for_long(unit, monkeypatch):
    compare(range(5_000, 20_000), unit, monkeypatch)


def compare(numbers, unit, monkeypatch):
    for number in numbers:
        name = f"{SEED}/{unit}/{number}"
        asked = RandomQuery(name, unit)
        explain_in_small_parts(Random(name), monkeypatch)  # noqa: S311 - to repeat a test, not to keep a secret
        oracle = Bitmap(asked.query, low=asked.low, high=asked.high, unit=unit)
        answer = find_availability(asked.query)
        explained = explain(asked.query, answer)
        assert by_start(asked.query, explained) == oracle.missing(explained.until), name
        assert reaches_its_limits(asked.query, answer, explained), name
        start = asked.anywhere()
        one = explain_start(asked.query, start)
        reasons, causes = oracle.why(start)
        assert (reasons_of(one.groups, one.kept, one.members), set(one.causes)) == (reasons, causes), (name, start)
        assert one.available == (not reasons and not causes), (name, start)


def reaches_its_limits(query, answer, explained) -> bool:
    """What is not explained is too much for the answer or for the explanation."""
    rows = len(explained.missing)
    named = sum(explanation.anybody(row.kept).bit_count() for row in explained.missing)
    if explained.until is None:
        return len(answer.found) < query.max_results
    if len(answer.found) == query.max_results and explained.until == answer.found[-1][0]:
        return True
    return rows == explanation.MOST_MISSING or named + len(explained.members) > explanation.MOST_NAMED


def explain_in_small_parts(random, monkeypatch):
    monkeypatch.setattr(explanation, "PERIODS_AT_ONCE", random.choice([1, 7, 512]))
    monkeypatch.setattr(explanation, "PERIODS_EACH", random.choice([0, 1, 12]))
    monkeypatch.setattr(explanation, "MOST_MISSING", random.choice([2, 7, 80]))
    monkeypatch.setattr(explanation, "MOST_NAMED", random.choice([3, 20, 2000]))


def by_start(query: Query, explained: explanation.Explanation) -> dict[int, Reasons]:
    starts = sorted(set(query.starts)) if query.starts is not None else None
    found: dict[int, Reasons] = {}
    for row in explained.missing:
        reasons = reasons_of(explained.groups, row.kept, explained.members)
        row_starts = (
            range(row.first, row.last + 1, explanation.step_of(query))
            if starts is None
            else [start for start in starts if row.first <= start <= row.last]
        )
        for start in row_starts:
            assert start not in found
            found[start] = reasons
    return found


def reasons_of(groups, kept, members) -> Reasons:
    causes = dict(zip(Cause, kept, strict=True))
    return {
        number: {
            member: {str(cause) for cause, mask in causes.items() if mask >> place & 1}
            for place, member in enumerate(members)
            if groups[number].mask >> place & 1 and any(mask >> place & 1 for mask in kept)
        }
        for number in unmet(groups, explanation.anybody(kept))
    }
