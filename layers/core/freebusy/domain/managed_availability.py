"""When a person may be booked at all, as the application has stored it: hours of every week, and single periods."""

from __future__ import annotations

from typing import NamedTuple

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The wire's names; a weekday is its place in here."""

MOST_RULES = 50
MOST_AVAILABLE_PERIODS = 2000
MOST_WEEKLY_PERIODS = 50
MOST_CALENDARS = 50
"""Of an account the first two, of a rule the others: all of one account must fit an item of the table."""

FORGOTTEN_AT_ONCE = 50
"""How many periods of the past make room when there is none: deleting all would be much to wait for."""


class WeeklyPeriod(NamedTuple):
    """On ``weekday`` (0 is Monday), from ``start`` until before ``end``, in minutes since midnight by the local clock.

    An end of 0 or 1440, as it was written, is the midnight that ends the day: ``closes`` is 1440.
    """

    weekday: int
    start: int
    end: int

    @property
    def closes(self) -> int:
        return self.end or 24 * 60


class AvailabilityRule(NamedTuple):
    """Hours of every week in the zone ``tzid``, known by the application's own ``rule_id``.

    ``calendar_ids`` are the calendars that count where the rule is used; empty means all.
    """

    rule_id: str
    tzid: str
    weekly_periods: tuple[WeeklyPeriod, ...]
    calendar_ids: tuple[str, ...] = ()


class AvailablePeriod(NamedTuple):
    """One period in epoch seconds, known by the application's own ``period_id``."""

    start: int
    end: int
    period_id: str


class ManagedAvailability(NamedTuple):
    """All of one account: rules by id, periods by start."""

    rules: tuple[AvailabilityRule, ...] = ()
    periods: tuple[AvailablePeriod, ...] = ()
