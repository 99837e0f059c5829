"""What an explanation says, cause by cause. Times are hours of a day, and every hour is a start."""

from __future__ import annotations

import pytest

from freebusy.domain import explanation
from freebusy.domain.availability import Group, Member, Query, ResponseFormat, find_availability
from freebusy.domain.explanation import Cause, StartCause, anybody, explain, explain_start, unmet

DAY = [(9, 17)]
PERIODS, SLOTS, OVERLAPPING_SLOTS = ResponseFormat
HOURLY = {"response_format": OVERLAPPING_SLOTS, "start_interval": 1}


def everyone(*members):
    return Group(members, len(members))


def ask(*groups, duration=1, periods=DAY, **options):
    return Query(groups, duration, periods, **{**HOURLY, **options})


def named(kept, members):
    """Who is kept from the slot, with the causes."""
    causes = dict(zip(Cause, kept, strict=True))
    found = {name: [c.value for c in Cause if causes[c] >> place & 1] for place, name in enumerate(members)}
    return {name: because for name, because in found.items() if because}


def missing(*groups, **options):
    query = ask(*groups, **options)
    explained = explain(query, find_availability(query))
    return [(row.first, row.last, named(row.kept, explained.members)) for row in explained.missing]


ANA = Member("A", [(11, 13)])


@pytest.mark.parametrize(
    ("member", "options", "rows"),
    [
        pytest.param(ANA, {}, [(11, 12, {"A": ["busy"]})], id="busy"),
        pytest.param(Member("A", managed=[(11, 13)]), {}, [(11, 12, {"A": ["managed_event"]})], id="a managed event"),
        pytest.param(
            Member("A", [(11, 12)], managed=[(11, 13)]),
            {},
            [(11, 11, {"A": ["busy", "managed_event"]}), (12, 12, {"A": ["managed_event"]})],
            id="everything that keeps somebody is said",
        ),
        pytest.param(
            ANA,
            {"buffer_after": 1},
            [(10, 10, {"A": ["buffer"]}), (11, 12, {"A": ["busy"]})],
            id="too close, but not in the way",
        ),
        pytest.param(
            Member("A", [(11, 13)], before=1, after=1),
            {},
            [(10, 10, {"A": ["buffer"]}), (11, 12, {"A": ["busy"]}), (13, 13, {"A": ["buffer"]})],
            id="their own buffers",
        ),
        pytest.param(
            Member("A", available=[(9, 12), (13, 17)]), {}, [(12, 12, {"A": ["period"]})], id="no available period"
        ),
        pytest.param(Member("A", rules=[(10, 17)]), {}, [(9, 9, {"A": ["rule"]})], id="outside of the rules"),
        pytest.param(Member("A", full=[(0, 12)]), {}, [(9, 11, {"A": ["constraint"]})], id="a day that is full"),
        pytest.param(
            Member("A", readable=False), {}, [(9, 16, {"A": ["unreadable_calendar"]})], id="an unreadable calendar"
        ),
        pytest.param(Member("A", [(0, 9), (17, 24)]), {}, [], id="nothing within the query's time"),
        pytest.param(ANA, {"periods": [(9, 11), (14, 17)]}, [], id="only the query's time is explained"),
        pytest.param(
            ANA, {"periods": [(11, 12), (12, 13)]}, [(11, 12, {"A": ["busy"]})], id="periods that touch are one"
        ),
    ],
)
def test_a_start_is_missing_for_a_reason(member, options, rows):
    assert missing(everyone(member), **options) == rows


def test_only_groups_that_lack_somebody_are_named():
    ben, cem = Member("B", [(9, 12)]), Member("C", [(12, 15)])
    query = ask(Group([ANA, cem], 1), everyone(ben))
    explained = explain(query, find_availability(query))
    rows = [(row.first, row.last, unmet(explained.groups, anybody(row.kept))) for row in explained.missing]
    assert rows == [(9, 11, [1]), (12, 12, [0])]
    assert missing(Group([ANA, cem], 1), everyone(ben))[0] == (9, 11, {"B": ["busy"]})


def test_who_is_in_two_groups_is_kept_from_both():
    query = ask(Group([ANA, Member("B")], 2), everyone(ANA))
    explained = explain(query, find_availability(query))
    assert [unmet(explained.groups, anybody(row.kept)) for row in explained.missing] == [[0, 1]]


def test_who_is_listed_twice_is_kept_by_either_entry():
    twice = [everyone(Member("A", [(9, 10)])), everyone(Member("A", rules=[(9, 16)], after=1))]
    assert missing(*twice) == [(9, 9, {"A": ["busy"]}), (16, 16, {"A": ["rule"]})]


def test_each_window_has_rows_of_its_own():
    gone = everyone(Member("A", readable=False))
    assert missing(gone, periods=[(9, 11), (13, 15)]) == [
        (9, 10, {"A": ["unreadable_calendar"]}),
        (13, 14, {"A": ["unreadable_calendar"]}),
    ]


def test_given_starts_are_explained_one_by_one():
    assert missing(everyone(ANA), periods=(), starts=[15, 12, 9, 11, 10]) == [(11, 12, {"A": ["busy"]})]


def test_without_a_grid_starts_are_explained_by_the_minute():
    member = Member("A", [(36_030, 37_200)])
    rows = missing(
        everyone(member), duration=600, periods=[(36_000, 39_600)], response_format=PERIODS, start_interval=None
    )
    assert rows == [(36_000, 37_140, {"A": ["busy"]})]


def test_where_the_answer_is_full_the_explanation_ends():
    query = ask(everyone(ANA), max_results=2, periods=[(8, 17)])
    explained = explain(query, find_availability(query))
    assert (explained.until, explained.missing) == (9, [])
    query = ask(everyone(Member("A", [(8, 9), (10, 12)])), max_results=2, periods=[(8, 17)])
    explained = explain(query, find_availability(query))
    assert (explained.until, [row.first for row in explained.missing]) == (12, [8, 10])


@pytest.mark.parametrize("limit", ["MOST_MISSING", "MOST_NAMED"])
def test_an_explanation_ends_when_it_is_long_enough(limit, monkeypatch):
    monkeypatch.setattr(explanation, limit, 2)
    query = ask(everyone(Member("A", [(hour, hour + 1) for hour in range(9, 17, 2)])))
    explained = explain(query, find_availability(query))
    assert ([row.first for row in explained.missing], explained.until) == ([9, 11], 13)


def test_however_many_are_kept_the_first_row_is_explained(monkeypatch):
    monkeypatch.setattr(explanation, "MOST_NAMED", 1)
    query = ask(everyone(*(Member(name, readable=False) for name in "ABC")))
    assert len(explain(query, find_availability(query)).missing) == 1


def why(start, *groups, **options):
    query = ask(*groups, **options)
    explained = explain_start(query, start)
    return explained.available, explained.causes, named(explained.kept, explained.members)


@pytest.mark.parametrize(
    ("start", "options", "causes"),
    [
        pytest.param(10, {}, [], id="offered"),
        pytest.param(8, {}, [StartCause.WINDOW], id="before the window"),
        pytest.param(16, {"duration": 2}, [StartCause.WINDOW], id="reaches out of the window"),
        pytest.param(12, {"periods": (), "starts": [10, 13]}, [StartCause.WINDOW], id="not among the given starts"),
        pytest.param(13, {"start_interval": 2}, [StartCause.GRID], id="between two marks of the grid"),
        pytest.param(13, {"start_interval": 2, "response_format": PERIODS}, [], id="periods have no grid"),
        pytest.param(14, {"max_results": 3}, [StartCause.MAX_RESULTS], id="after the last result"),
        pytest.param(
            14, {"max_results": 1, "response_format": PERIODS}, [StartCause.MAX_RESULTS], id="period left out"
        ),
        pytest.param(
            10, {"duration": 2, "response_format": SLOTS}, [StartCause.EARLIER_SLOT], id="an earlier slot overlaps"
        ),
        pytest.param(
            15,
            {"duration": 2, "response_format": SLOTS, "max_results": 1},
            [StartCause.MAX_RESULTS],
            id="nothing overlaps, the answer was full",
        ),
    ],
)
def test_a_start_itself_may_be_the_reason(start, options, causes):
    member = everyone(Member("A", [(12, 13)] if options.get("response_format") is PERIODS else []))
    assert why(start, member, **options) == (not causes, causes, {})


def test_one_start_is_explained_wherever_it_is():
    assert why(12, everyone(ANA)) == (False, [], {"A": ["busy"]})
    assert why(20, everyone(Member("A", [(18, 24)]))) == (False, [StartCause.WINDOW], {"A": ["busy"]})


def test_of_one_start_all_are_named_also_where_the_group_has_enough():
    assert why(12, Group([ANA, Member("B")], 1)) == (True, [], {"A": ["busy"]})
