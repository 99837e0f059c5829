from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freebusy.adapters.provider_http import REAL_TIME
from freebusy.adapters.provider_windows import LONGEST_WINDOW, joined, read_in_pieces
from freebusy.domain.errors import ProviderUnavailable
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
