"""The rules of availability, one by one. Times are hours of a day unless a test says otherwise."""

from __future__ import annotations

import pytest

from freebusy.domain import availability, stretches
from freebusy.domain.availability import Group, Member, Query, ResponseFormat, find_availability

DAY = [(9, 17)]
PERIODS, SLOTS, OVERLAPPING_SLOTS = ResponseFormat


def everyone(*members):
    return Group(members, len(members))


def ask(*groups, duration=1, periods=DAY, **options):
    """What is found, with the names of who is free."""
    answer = find_availability(Query(groups, duration, periods, **options))
    return [(start, end, "".join(answer.free(mask))) for start, end, mask in answer.found]


def when(*groups, **options):
    return [(start, end) for start, end, _ in ask(*groups, **options)]


ANA = Member("A", [(11, 12)])
BEN = Member("B", [(14, 15)])
CYD = Member("C")


@pytest.mark.parametrize(
    ("busy", "free"),
    [
        pytest.param([], [(9, 17)], id="an empty day"),
        pytest.param([(9, 17)], [], id="a full day"),
        pytest.param([(0, 24)], [], id="busy around the whole window"),
        pytest.param([(8, 9), (17, 18)], [(9, 17)], id="ends as the window opens and starts as it closes"),
        pytest.param([(8, 10), (16, 18)], [(10, 16)], id="reaches over both edges"),
        pytest.param([(10, 12), (12, 13)], [(9, 10), (13, 17)], id="back to back"),
        pytest.param([(10, 12), (11, 13)], [(9, 10), (13, 17)], id="double booked"),
        pytest.param([(10, 15), (11, 12)], [(9, 10), (15, 17)], id="one meeting within another"),
        pytest.param([(14, 15), (10, 11)], [(9, 10), (11, 14), (15, 17)], id="not in order"),
        pytest.param([(10, 11), (10, 11)], [(9, 10), (11, 17)], id="the same twice"),
        pytest.param([(2, 3), (20, 21)], [(9, 17)], id="outside of the window"),
        pytest.param([(13, 13)], [(9, 13), (13, 17)], id="a moment: nothing may reach across it"),
    ],
)
def test_free_is_what_busy_periods_leave(busy, free):
    assert when(everyone(Member("A", busy))) == free


@pytest.mark.parametrize(
    ("duration", "free"),
    [
        pytest.param(1, [(9, 10), (11, 13), (14, 17)], id="every gap will do"),
        pytest.param(2, [(11, 13), (14, 17)], id="the two hours between are enough"),
        pytest.param(3, [(14, 17)], id="exactly as long as the last gap"),
        pytest.param(4, [], id="longer than any gap"),
    ],
)
def test_a_period_is_at_least_as_long_as_required(duration, free):
    assert when(everyone(Member("A", [(10, 11), (13, 14)])), duration=duration) == free


def test_all_means_what_everybody_has_in_common():
    assert ask(everyone(ANA, BEN)) == [(9, 11, "AB"), (12, 14, "AB"), (15, 17, "AB")]


def test_everyone_free_is_named_not_just_enough():
    assert ask(Group([ANA, BEN, CYD], 1), response_format=SLOTS, periods=[(10, 13)]) == [
        (10, 11, "ABC"),
        (11, 12, "BC"),
        (12, 13, "ABC"),
    ]


def test_members_of_other_groups_are_named_in_the_order_of_the_request():
    room, studio = Member("R", [(9, 16)]), Member("S")
    assert ask(Group([studio, room], 1), everyone(CYD), periods=[(15, 17)], response_format=SLOTS) == [
        (15, 16, "SC"),
        (16, 17, "SRC"),
    ]


def test_who_is_in_two_groups_counts_in_both_and_is_named_once():
    assert ask(Group([ANA, BEN], 1), Group([ANA, CYD], 1), periods=[(9, 10)]) == [(9, 10, "ABC")]
    assert when(everyone(ANA), Group([ANA, BEN], 2)) == when(everyone(ANA, BEN))


def test_who_is_listed_twice_must_be_free_by_both_entries():
    morning = Member("A", [(9, 10)], available=[(9, 13)])
    noon = Member("A", [(12, 13)], available=[(8, 15)])
    assert when(everyone(morning), everyone(noon)) == [(10, 12)]
    assert when(everyone(ANA, ANA)) == when(everyone(ANA))


@pytest.mark.parametrize(
    ("required", "found"),
    [
        pytest.param(3, [(9, 11, "ABC"), (12, 14, "ABC"), (15, 17, "ABC")], id="all of three"),
        pytest.param(2, [(9, 14, "BC"), (12, 17, "AC")], id="the same two stay; periods overlap where they change"),
        pytest.param(1, [(9, 17, "C")], id="one is there all day, so there is nothing longer"),
        pytest.param(4, [], id="more than there are"),
    ],
)
def test_a_period_needs_the_same_people_throughout(required, found):
    assert ask(Group([ANA, BEN, CYD], required)) == found


def test_enough_people_at_every_moment_are_not_enough_when_they_take_turns():
    early, late = Member("E", [(12, 17)]), Member("L", [(9, 12)])
    assert ask(Group([early, late], 1), duration=2) == [(9, 12, "E"), (12, 17, "L")]
    assert when(Group([early, late], 1), duration=2, response_format=OVERLAPPING_SLOTS, start_interval=1) == [
        (9, 11), (10, 12), (12, 14), (13, 15), (14, 16), (15, 17),
    ]  # fmt: skip


def test_an_unreadable_member_is_never_free():
    unreadable = Member("X", readable=False)
    assert ask(everyone(CYD, unreadable)) == []
    assert ask(Group([CYD, unreadable], 1)) == [(9, 17, "C")]
    assert ask(Group([unreadable], 0), everyone(CYD)) == [(9, 17, "C")]


@pytest.mark.parametrize(
    ("available", "free"),
    [
        pytest.param(None, [(9, 11), (12, 17)], id="no limit"),
        pytest.param([], [], id="never"),
        pytest.param([(10, 13)], [(10, 11), (12, 13)], id="cuts on both sides"),
        pytest.param([(8, 10), (10, 11)], [(9, 11)], id="two that touch are one"),
        pytest.param([(15, 20), (9, 10)], [(9, 10), (15, 17)], id="in any order"),
        pytest.param([(11, 12)], [], id="only while busy"),
    ],
)
def test_a_member_can_be_booked_within_available_periods_only(available, free):
    member = Member("A", [(11, 12)], available)
    assert when(everyone(member)) == free
    assert when(Group([member, Member("X", readable=False)], 1)) == free


@pytest.mark.parametrize(
    ("before", "after", "free"),
    [
        pytest.param(1, 0, [(9, 11), (13, 17)], id="not right after a meeting"),
        pytest.param(0, 1, [(9, 10), (12, 17)], id="not right before a meeting"),
        pytest.param(1, 1, [(9, 10), (13, 17)], id="neither"),
        pytest.param(0, 2, [(12, 17)], id="nothing left before the meeting"),
    ],
)
def test_buffers_keep_their_distance_from_meetings(before, after, free):
    assert when(everyone(ANA), buffer_before=before, buffer_after=after) == free


def test_a_buffer_may_lie_outside_of_the_window_and_of_available_periods():
    member = Member("A", available=[(10, 12)])
    assert when(everyone(member), periods=[(10, 12)], duration=2, buffer_before=3, buffer_after=3) == [(10, 12)]


def test_but_a_meeting_outside_of_the_window_counts_when_it_is_within_a_buffer():
    assert when(everyone(Member("A", [(8, 9), (17, 18)])), buffer_before=1, buffer_after=2) == [(10, 15)]


@pytest.mark.parametrize(
    ("periods", "free"),
    [
        pytest.param([(9, 10), (10, 11)], [(9, 11)], id="those that touch are one"),
        pytest.param([(9, 11), (10, 12)], [(9, 12)], id="those that overlap are one"),
        pytest.param([(14, 15), (9, 10)], [(9, 10), (14, 15)], id="in any order"),
        pytest.param([(9, 10), (12, 12)], [(9, 10)], id="an empty one holds nothing"),
        pytest.param([], [], id="none"),
    ],
)
def test_query_periods_bound_the_search(periods, free):
    assert when(everyone(CYD), periods=periods) == free
    assert when(Group([CYD, ANA], 0), periods=periods) == free


def test_a_query_period_shorter_than_the_slot_holds_nothing_even_when_nobody_is_required():
    assert ask(Group([CYD], 0), periods=[(9, 10), (12, 15)], duration=2) == [(12, 15, "C")]


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        pytest.param({}, [9, 12, 14], id="back to back, as early as possible"),
        pytest.param({"start_interval": 2}, [12, 14], id="on the grid of the clock, not of the window"),
        pytest.param({"start_interval": 3}, [9, 12, 15], id="an interval longer than the slot spaces them"),
        pytest.param({"max_results": 2}, [9, 12], id="the first ones"),
    ],
)
def test_slots_do_not_overlap(options, starts):
    slots = when(everyone(ANA), duration=2, response_format=SLOTS, **options)
    assert slots == [(start, start + 2) for start in starts]


@pytest.mark.parametrize(
    ("interval", "starts"),
    [
        pytest.param(1, [9, 12, 13, 14, 15], id="every hour"),
        pytest.param(2, [12, 14], id="every even hour"),
        pytest.param(5, [15], id="whatever divides the time since the epoch"),
    ],
)
def test_overlapping_slots_start_at_every_interval_of_the_clock(interval, starts):
    slots = when(everyone(ANA), duration=2, response_format=OVERLAPPING_SLOTS, start_interval=interval)
    assert slots == [(start, start + 2) for start in starts]


def test_without_an_interval_overlapping_slots_start_every_quarter_of_an_hour():
    slots = when(everyone(CYD), duration=1800, periods=[(3601, 3600 * 2)], response_format=OVERLAPPING_SLOTS)
    assert slots == [(4500, 6300), (5400, 7200)]


def test_times_are_exact_to_the_second():
    member = Member("A", [(1_900_000_001, 1_900_000_061)])
    window = [(1_900_000_000, 1_900_000_122)]
    assert when(everyone(member), duration=61, periods=window) == [(1_900_000_061, 1_900_000_122)]
    assert when(everyone(member), duration=62, periods=window) == []


def test_query_slots_are_tested_exactly_and_answered_in_order():
    group = Group([ANA, BEN], 1)
    assert ask(group, duration=2, periods=(), starts=[14, 10, 11, 10, 13], response_format=PERIODS) == [
        (10, 12, "B"),
        (11, 13, "B"),
        (13, 15, "A"),
        (14, 16, "A"),
    ]
    assert when(everyone(ANA, BEN), duration=2, periods=(), starts=[9, 10, 15]) == [(9, 11), (15, 17)]
    assert when(everyone(CYD), periods=(), starts=[]) == []


@pytest.mark.parametrize("form", ResponseFormat)
def test_results_are_cut_in_the_order_of_time(form):
    groups = [Group([ANA, BEN, CYD], 2)]
    everything = ask(*groups, response_format=form, start_interval=1)
    assert everything == sorted(everything)
    assert ask(*groups, response_format=form, start_interval=1, max_results=2) == everything[:2]


@pytest.mark.parametrize("form", ResponseFormat)
@pytest.mark.parametrize("required", [20, 10, 3])
def test_reading_calendars_part_by_part_changes_nothing(form, required, monkeypatch):
    members = [Member(f"{number:02}", [(t, t + 20 + number) for t in range(number, 9000, 90)]) for number in range(20)]
    query = Query([Group(members, required)], 30, [(0, 4000), (4100, 9000)], response_format=form, start_interval=10)
    whole = find_availability(query)
    for limit in ("PERIODS_AT_ONCE", "STRETCHES_AT_ONCE", "STRETCHES_EACH"):
        monkeypatch.setattr(stretches, limit, 2)
    assert find_availability(query) == whole
    assert whole.found or required == len(members)


def test_nothing_that_is_passed_in_is_changed():
    busy, available = [(14, 15), (10, 12), (11, 13)], [(12, 17), (9, 12)]
    periods = [(13, 17), (9, 14)]
    ask(Group([Member("A", busy, available), BEN], 1), everyone(CYD), periods=periods)
    assert (busy, available, periods) == ([(14, 15), (10, 12), (11, 13)], [(12, 17), (9, 12)], [(13, 17), (9, 14)])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"duration": 0}, id="no duration"),
        pytest.param({"start_interval": 0}, id="no interval"),
        pytest.param({"buffer_before": -1}, id="a negative buffer before"),
        pytest.param({"buffer_after": -1}, id="a negative buffer after"),
        pytest.param({"max_results": -1}, id="fewer than no results"),
    ],
)
def test_what_cannot_be_searched_is_refused(options):
    with pytest.raises(ValueError, match=r"at least one second|negative"):
        ask(everyone(CYD), **options)


def test_a_mask_stands_for_members_in_the_order_of_the_request():
    answer = availability.Availability(("acc_2", "acc_1", "acc_3"), [])
    assert answer.free(0b101) == ("acc_2", "acc_3")
    assert answer.free(0) == ()


def test_managed_events_make_busy_like_any_other():
    member = Member("A", [(11, 12)], managed=[(12, 13), (9, 10)])
    assert when(everyone(member)) == [(10, 11), (13, 17)]


@pytest.mark.parametrize(
    ("limits", "free"),
    [
        pytest.param({"rules": [(9, 13)]}, [(9, 11), (12, 13)], id="rules"),
        pytest.param({"rules": []}, [], id="rules that never apply"),
        pytest.param({"rules": [(10, 15)], "available": [(12, 17)]}, [(12, 15)], id="rules and available periods"),
        pytest.param({"full": [(12, 15)]}, [(9, 11), (15, 17)], id="a time that is full"),
        pytest.param({"full": [(0, 24)]}, [], id="a full day"),
        pytest.param({"full": [(13, 14)], "rules": [(12, 16)]}, [(12, 13), (14, 16)], id="full within the rules"),
        pytest.param({"full": [(9, 10)], "available": [(8, 17)]}, [(10, 11), (12, 17)], id="full and available"),
    ],
)
def test_a_slot_lies_within_all_that_limits_a_member(limits, free):
    assert when(everyone(Member("A", [(11, 12)], **limits))) == free


@pytest.mark.parametrize(
    ("own", "free"),
    [
        pytest.param({}, [(9, 10), (13, 17)], id="the query's"),
        pytest.param({"before": 0}, [(9, 10), (12, 17)], id="their own before, the query's after"),
        pytest.param({"after": 0}, [(9, 11), (13, 17)], id="their own after, the query's before"),
        pytest.param({"before": 0, "after": 0}, [(9, 11), (12, 17)], id="none at all"),
        pytest.param({"before": 3, "after": 2}, [(15, 17)], id="longer ones"),
    ],
)
def test_a_member_may_have_buffers_of_their_own(own, free):
    assert when(everyone(Member("A", [(11, 12)], **own)), buffer_before=1, buffer_after=1) == free


def test_a_buffer_may_lie_in_a_time_that_is_full():
    member = Member("A", full=[(9, 12), (14, 17)])
    assert when(everyone(member), duration=2, buffer_before=3, buffer_after=3) == [(12, 14)]


def test_who_is_listed_twice_with_different_buffers_keeps_both():
    hurried, calm = Member("A", [(10, 11)], after=0), Member("A", [(14, 15)], before=2, after=1)
    assert when(everyone(hurried), everyone(calm)) == [(9, 10), (11, 13)]
