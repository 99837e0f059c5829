"""When somebody may be booked at all, by what is stored about them."""

from datetime import datetime

import pytest

from freebusy.domain.bookable import bounds_of, calendars_of
from freebusy.domain.free_busy import Period
from freebusy.domain.managed_availability import (
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
    WeeklyPeriod,
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


def span(start: str, end: str) -> Period:
    return Period(at(start), at(end))


MONDAY = span("2026-11-30T00:00", "2026-12-01T00:00")
OFFICE = AvailabilityRule("office", "Europe/Berlin", (WeeklyPeriod(0, 9 * 60, 12 * 60),), ("cal_work",))
EVENING = AvailabilityRule("evening", "Etc/UTC", (WeeklyPeriod(0, 18 * 60, 20 * 60),), ("cal_home",))
ANYWHERE = AvailabilityRule("anywhere", "Etc/UTC", (WeeklyPeriod(0, 10 * 60, 14 * 60),))
INTERVIEW = AvailablePeriod(*span("2026-11-30T10:30", "2026-11-30T16:00"), "interview")


class TestBounds:
    def test_no_time_is_bookable_where_nothing_is_stored(self):
        assert bounds_of(ManagedAvailability(), None, MONDAY) == ()

    def test_rules_and_available_periods_add_up(self):
        managed = ManagedAvailability((EVENING, OFFICE), (INTERVIEW,))
        assert bounds_of(managed, None, MONDAY) == (
            span("2026-11-30T08:00", "2026-11-30T16:00"),
            span("2026-11-30T18:00", "2026-11-30T20:00"),
        )

    def test_without_rules_the_available_periods_alone_count(self):
        managed = ManagedAvailability((EVENING, OFFICE), (INTERVIEW,))
        assert bounds_of(managed, [], MONDAY) == (span("2026-11-30T10:30", "2026-11-30T16:00"),)

    def test_a_chosen_rule_that_the_person_does_not_have_adds_nothing(self):
        managed = ManagedAvailability((EVENING, OFFICE))
        assert bounds_of(managed, ["evening", "weekend"], MONDAY) == (span("2026-11-30T18:00", "2026-11-30T20:00"),)
        assert bounds_of(managed, ["weekend"], MONDAY) == ()

    def test_nothing_outside_of_the_window_is_told(self):
        managed = ManagedAvailability((OFFICE,), (INTERVIEW, AvailablePeriod(0, 60, "long ago")))
        window = span("2026-11-30T11:45", "2026-11-30T15:00")
        assert bounds_of(managed, None, window) == (window,)
        assert bounds_of(managed, None, span("2026-11-30T16:00", "2026-11-30T17:00")) == ()


class TestCalendars:
    @pytest.mark.parametrize(
        ("managed", "rule_ids", "expected"),
        [
            pytest.param(ManagedAvailability(), None, None, id="nothing stored"),
            pytest.param(ManagedAvailability((OFFICE,)), None, {"cal_work"}, id="one rule"),
            pytest.param(ManagedAvailability((EVENING, OFFICE)), None, {"cal_home", "cal_work"}, id="of all rules"),
            pytest.param(ManagedAvailability((EVENING, OFFICE)), ["office"], {"cal_work"}, id="of the chosen rule"),
            pytest.param(ManagedAvailability((EVENING, OFFICE)), [], None, id="no rule is asked about"),
            pytest.param(ManagedAvailability((ANYWHERE, OFFICE)), None, None, id="a rule that names none means all"),
            pytest.param(ManagedAvailability((OFFICE,), (INTERVIEW,)), None, {"cal_work"}, id="periods have no say"),
        ],
    )
    def test_those_count_that_the_rules_name_or_all(self, managed, rule_ids, expected):
        assert calendars_of(managed, rule_ids) == expected
