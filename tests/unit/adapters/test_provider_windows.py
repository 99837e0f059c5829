from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freebusy.adapters.provider_http import REAL_TIME
from freebusy.adapters.provider_windows import (
    LONGEST_WINDOW,
    each_alone,
    joined,
    read_in_pieces,
    read_together_in_pieces,
)
from freebusy.domain.errors import CalendarUnreadable, MailboxUnknown, ProviderMisconfigured, ProviderUnavailable
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

BUSY, TENTATIVE = FreeBusyStatus.BUSY, FreeBusyStatus.TENTATIVE

# Tens of days on a grid that is not the seams' own.
moments = st.integers(0, 40).map(lambda step: step * LONGEST_WINDOW // 10)
periods = st.builds(
    lambda start, length, status: FreeBusyPeriod(start, start + length * LONGEST_WINDOW // 10, status),
    moments,
    st.integers(1, 30),
    st.sampled_from([BUSY, TENTATIVE]),
)
calendars = st.lists(periods, max_size=8)
windows = st.builds(lambda start, length: Period(start, start + length), moments, st.integers(1, 4 * LONGEST_WINDOW))


def overlapping(calendar, window):
    return [each for each in calendar if each.start < window.end and each.end > window.start]


def read(calendar, window, cut):
    def piece(asked):
        seen = overlapping(calendar, asked)
        if not cut:
            return seen
        return [each._replace(start=max(each.start, asked.start), end=min(each.end, asked.end)) for each in seen]

    return read_in_pieces(window, piece, deadline=time.monotonic() + 60, timing=REAL_TIME)


@given(calendars, windows)
def test_pieces_reported_whole_add_up_to_what_one_call_would_have_said(calendar, window):
    # Where a period ends exactly at a seam and another begins there, the two may have become one.
    seams = set(range(window.start + LONGEST_WINDOW, window.end, LONGEST_WINDOW))
    kept = [each for each in calendar if each.start not in seams and each.end not in seams]
    assert read(kept, window, cut=False) == sorted(overlapping(kept, window))


@given(calendars, windows)
def test_no_busy_second_is_lost_or_won_where_pieces_meet(calendar, window):
    for cut in (False, True):
        for status in (BUSY, TENTATIVE):
            asked = [each for each in overlapping(calendar, window) if each.status is status]
            told = [each for each in read(calendar, window, cut) if each.status is status]
            assert covered(told, window) == covered(asked, window)


@given(calendars, windows)
def test_the_answer_is_sorted_by_start(calendar, window):
    starts = [each.start for each in read(calendar, window, cut=True)]
    assert starts == sorted(starts)


def covered(rows, window):
    """The union of the rows within the window, as a list of pairs."""
    union: list[list[int]] = []
    for row in sorted(rows):
        start, end = max(row.start, window.start), min(row.end, window.end)
        if union and start <= union[-1][1]:
            union[-1][1] = max(union[-1][1], end)
        else:
            union.append([start, end])
    return union


def test_only_what_meets_at_a_seam_with_the_same_status_is_joined():
    rows = [FreeBusyPeriod(0, 10, BUSY), FreeBusyPeriod(10, 20, BUSY), FreeBusyPeriod(20, 30, BUSY)]
    assert joined([rows[:2], rows[2:]], seams={20}) == [FreeBusyPeriod(0, 10, BUSY), FreeBusyPeriod(10, 30, BUSY)]
    other = FreeBusyPeriod(20, 30, TENTATIVE)
    assert joined([rows[:2], [other]], seams={20}) == [*rows[:2], other]


def test_a_period_that_goes_backwards_from_a_seam_spoils_the_answer_and_shortens_nothing():
    before, backwards = FreeBusyPeriod(0, 20, BUSY), FreeBusyPeriod(20, 10, BUSY)
    with pytest.raises(ProviderUnavailable):
        joined([[before], [backwards]], seams={20})


def test_parts_of_two_periods_cut_at_the_same_seam_stay_two():
    before, after = FreeBusyPeriod(0, 20, BUSY), FreeBusyPeriod(20, 30, BUSY)
    assert joined([[before, before], [after, after]], seams={20}) == [FreeBusyPeriod(0, 30, BUSY)] * 2
    assert joined([[before, before], [after]], seams={20}) == [before, FreeBusyPeriod(0, 30, BUSY)]


@given(st.dictionaries(st.sampled_from(["ana", "ben", "cat"]), calendars), windows)
def test_several_calendars_read_together_are_each_what_they_are_alone(kept, window):
    def piece(asked):
        return {name: overlapping(calendar, asked) for name, calendar in kept.items()}

    together = read_together_in_pieces(window, list(kept), piece, deadline=time.monotonic() + 60, timing=REAL_TIME)
    assert together == {name: read(calendar, window, cut=False) for name, calendar in kept.items()}


def test_a_calendar_that_is_unreadable_in_one_piece_is_unreadable():
    unreadable = MailboxUnknown("no")
    window = Period(0, 3 * LONGEST_WINDOW)

    def piece(asked):
        return {"ana": unreadable if asked.start == LONGEST_WINDOW else [], "ben": []}

    found = read_together_in_pieces(window, ["ana", "ben"], piece, deadline=time.monotonic() + 60, timing=REAL_TIME)
    assert found == {"ana": unreadable, "ben": []}


def test_only_what_is_about_one_calendar_is_kept_to_it():
    def found(mailbox):
        if mailbox == "ana":
            raise ProviderUnavailable("not understood")
        if mailbox == "ben":
            raise MailboxUnknown("no")
        return []

    readings = each_alone(["ana", "ben", "cat"], found)
    assert [type(reading) for reading in readings.values()] == [CalendarUnreadable, MailboxUnknown, list]

    def misconfigured(_):
        raise ProviderMisconfigured("ours")

    with pytest.raises(ProviderMisconfigured):
        each_alone(["ana"], misconfigured)
