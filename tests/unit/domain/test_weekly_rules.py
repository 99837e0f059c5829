"""Hours that follow the clock on the wall. ``tests/oracle`` looks at every zone, minute by minute."""

from datetime import UTC, datetime

import pytest

from freebusy.domain.free_busy import Period
from freebusy.domain.managed_availability import WeeklyPeriod
from freebusy.domain.weekly_rules import hours

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


def found(zone: str, start: str, end: str, *weekly: WeeklyPeriod) -> list[str]:
    """Day and time in UTC, as ``29 01:00-02:30``; with the day of the end where it is another one."""
    window = Period(*(int(datetime.fromisoformat(f"{day}T00:00Z").timestamp()) for day in (start, end)))
    return [_told(*period) for period in hours(zone, weekly, window)]


def _told(start: int, end: int) -> str:
    opens, closes = (datetime.fromtimestamp(moment, UTC) for moment in (start, end))
    return (
        f"{opens:%d %H:%M}-{closes:%H:%M}" if opens.date() == closes.date() else f"{opens:%d %H:%M}-{closes:%d %H:%M}"
    )


def daily(start: str, end: str) -> list[WeeklyPeriod]:
    return [weekly(day, start, end) for day in range(7)]


def weekly(day: int, start: str, end: str) -> WeeklyPeriod:
    return WeeklyPeriod(day, *(int(text[:2]) * 60 + int(text[3:]) for text in (start, end)))


def test_hours_come_every_week_on_their_day():
    assert found("Etc/UTC", "2026-11-01", "2026-11-30", weekly(WED, "09:30", "17:00")) == [
        f"{day:02} 09:30-17:00" for day in (4, 11, 18, 25)
    ]


@pytest.mark.parametrize(
    ("zone", "start", "end", "period", "expected"),
    [
        pytest.param(
            "Europe/Berlin", "2026-03-22", "2026-04-06", weekly(SUN, "09:00", "17:00"),
            ["22 08:00-16:00", "29 07:00-15:00", "05 07:00-15:00"], id="the clock goes forward, the hours stay",
        ),
        pytest.param(
            "Europe/Berlin", "2026-10-18", "2026-11-02", weekly(SUN, "09:00", "17:00"),
            ["18 07:00-15:00", "25 08:00-16:00", "01 08:00-16:00"], id="the clock goes back, the hours stay",
        ),
        pytest.param(
            "Europe/Berlin", "2026-03-29", "2026-03-30", weekly(SUN, "02:30", "03:30"),
            ["29 01:00-01:30"], id="of a period that begins in the gap, the rest is left",
        ),
        pytest.param(
            "Europe/Berlin", "2026-03-29", "2026-03-30", weekly(SUN, "01:30", "02:30"),
            ["29 00:30-01:00"], id="a period that ends in the gap ends as the clock jumps",
        ),
        pytest.param(
            "Europe/Berlin", "2026-03-29", "2026-03-30", weekly(SUN, "02:00", "03:00"),
            [], id="what lies within the gap never comes",
        ),
        pytest.param(
            "Europe/Berlin", "2026-03-29", "2026-03-30", weekly(SUN, "00:00", "24:00"),
            ["29 00:00-22:00"], id="a day of 23 hours, as far as it is asked about",
        ),
        pytest.param(
            "Europe/Berlin", "2026-10-25", "2026-10-26", weekly(SUN, "02:15", "02:45"),
            ["25 00:15-00:45", "25 01:15-01:45"], id="an hour that comes twice counts twice",
        ),
        pytest.param(
            "Europe/Berlin", "2026-10-25", "2026-10-26", weekly(SUN, "02:00", "03:00"),
            ["25 00:00-02:00"], id="twice without a break is one period",
        ),
        pytest.param(
            "Europe/Berlin", "2026-10-24", "2026-10-26", weekly(SUN, "01:00", "02:30"),
            ["24 23:00-25 00:30", "25 01:00-01:30"], id="again from the clock's second two o'clock on",
        ),
        pytest.param(
            "Asia/Kathmandu", "2026-11-30", "2026-12-01", weekly(MON, "09:00", "17:00"),
            ["30 03:15-11:15"], id="three quarters of an hour",
        ),
        pytest.param(
            "Australia/Lord_Howe", "2026-10-03", "2026-10-04", weekly(SUN, "01:45", "02:45"),
            ["03 15:15-15:45"], id="clocks that go forward by half an hour",
        ),
        pytest.param(
            "Australia/Lord_Howe", "2026-04-04", "2026-04-05", weekly(SUN, "01:45", "02:15"),
            ["04 14:45-15:00", "04 15:15-15:45"], id="clocks that go back by half an hour",
        ),
        pytest.param(
            "Africa/Casablanca", "2026-02-14", "2026-02-16", weekly(SUN, "09:00", "10:00"),
            ["15 09:00-10:00"], id="summer time rests in Ramadan",
        ),
        pytest.param(
            "Asia/Pyongyang", "2018-05-03", "2018-05-07", weekly(FRI, "23:00", "24:00"),
            ["04 14:30-15:00"], id="a zone that moved by half an hour, at the end of a Friday",
        ),
    ],
)  # fmt: skip
def test_hours_follow_the_clock_on_the_wall(zone, start, end, period, expected):
    assert found(zone, start, end, period) == expected


def test_a_date_that_a_zone_skipped_has_no_hours():
    """In Samoa, Thursday the 29th of December 2011 was followed by Saturday the 31st."""
    assert found("Pacific/Apia", "2011-12-29", "2012-01-01", *daily("09:00", "17:00")) == [
        "29 00:00-03:00",
        "29 19:00-30 03:00",
        "30 19:00-31 03:00",
        "31 19:00-01 00:00",
    ]
    assert found("Pacific/Apia", "2011-12-29", "2012-01-01", weekly(FRI, "00:00", "24:00")) == []


@pytest.mark.parametrize("midnight", ["24:00", "00:00"])
def test_either_midnight_may_end_a_day(midnight):
    assert found("Etc/UTC", "2026-11-30", "2026-12-02", weekly(MON, "22:00", midnight)) == ["30 22:00-01 00:00"]


def test_hours_around_the_clock_are_one_period():
    assert found("America/New_York", "2026-10-01", "2026-12-01", *daily("00:00", "24:00")) == ["01 00:00-01 00:00"]


def test_hours_that_overlap_or_touch_are_one():
    periods = [weekly(MON, "13:00", "15:00"), weekly(MON, "09:00", "12:00"), weekly(MON, "12:00", "13:00")]
    assert found("Etc/UTC", "2026-11-30", "2026-12-01", *periods, weekly(MON, "14:00", "14:30")) == ["30 09:00-15:00"]


def test_nothing_is_told_of_the_time_outside_of_the_window():
    window = Period(*(int(datetime(2026, 11, 30, hour, tzinfo=UTC).timestamp()) for hour in (10, 11)))
    assert hours("Etc/UTC", daily("09:00", "17:00"), window) == [window]
    assert hours("Etc/UTC", daily("11:00", "17:00"), window) == []


def test_no_periods_are_no_hours():
    assert found("Europe/Berlin", "2026-01-01", "2027-01-01") == []
