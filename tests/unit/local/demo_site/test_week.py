"""Which days and hours are shown, wherever the browser is."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from local.demo_site.week import FUTURE_WEEKS, Reach, TooFarAway, week_of

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("day", [date(2030, 1, 7), date(2030, 1, 9), date(2030, 1, 13)])
def test_a_week_is_monday_to_friday(day):
    week = week_of(day, BERLIN)
    assert [each.date.isoformat() for each in week.days] == [f"2030-01-{number:02}" for number in range(7, 12)]


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        pytest.param("Europe/Berlin", "2030-03-29", "2030-03-29T07:00", id="before summer time"),
        pytest.param("Europe/Berlin", "2030-04-01", "2030-04-01T06:00", id="in summer time"),
        pytest.param("Asia/Kathmandu", "2030-01-07", "2030-01-07T02:15", id="a zone of three quarters of an hour"),
        pytest.param("Pacific/Auckland", "2030-01-07", "2030-01-06T19:00", id="Sunday still in Greenwich"),
    ],
)
def test_hours_are_those_of_the_zone(zone, day, start):
    found = next(each for each in week_of(date.fromisoformat(day), ZoneInfo(zone)).days if each.date.isoformat() == day)
    assert found.start == utc(start)
    assert (found.end - found.start).total_seconds() == 10 * 3600


def test_a_day_has_a_start_every_half_hour():
    starts = list(week_of(date(2030, 1, 7), ZoneInfo("Etc/UTC")).days[0].starts())
    assert starts[:2] == [utc("2030-01-07T08:00"), utc("2030-01-07T08:30")]
    assert starts[-1] == utc("2030-01-07T17:30")


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        pytest.param("2030-01-07T00:00", "2030-01-07", id="Monday"),
        pytest.param("2030-01-11T16:59", "2030-01-07", id="Friday, while there are hours left"),
        pytest.param("2030-01-11T17:00", "2030-01-14", id="Friday evening"),
        pytest.param("2030-01-13T12:00", "2030-01-14", id="Sunday"),
        pytest.param("2030-01-13T23:30", "2030-01-14", id="Sunday in Greenwich, Monday in Berlin"),
    ],
)
def test_the_current_week_is_the_one_that_has_hours_left(now, monday):
    reach = Reach.at(utc(now), BERLIN)
    assert reach.current == date.fromisoformat(monday)
    assert reach.week_of(None, BERLIN).monday == reach.current


def test_one_can_leaf_as_far_as_free_busy_reaches():
    reach = Reach.at(utc("2030-01-07T12:00"), BERLIN)
    assert (reach.last - reach.current).days == FUTURE_WEEKS * 7 < 201
    assert reach.week_of(reach.last, BERLIN).monday == reach.last


@pytest.mark.parametrize("day", ["0001-01-01", "2029-12-09", "2030-07-15", "9999-12-31"])
def test_no_further(day):
    with pytest.raises(TooFarAway):
        Reach.at(utc("2030-01-07T12:00"), BERLIN).week_of(date.fromisoformat(day), BERLIN)
