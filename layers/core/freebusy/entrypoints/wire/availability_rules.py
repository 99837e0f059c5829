"""Availability rules as they are written and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from freebusy.domain.managed_availability import (
    MOST_CALENDARS,
    MOST_WEEKLY_PERIODS,
    WEEKDAYS,
    AvailabilityRule,
    WeeklyPeriod,
)
from freebusy.entrypoints.wire.moments import Zone
from freebusy.entrypoints.wire.validation import Identifier, OwnId, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNFIT_FOR_PATHS = re.compile(r'["#%/?\\`]')
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)


def _fit_for_paths(value: str) -> str:
    """SDKs write the id of a rule into an address as it is."""
    if _UNFIT_FOR_PATHS.search(value):
        raise PydanticCustomError("errors.invalid_format", 'must not contain any of " # % / ? \\ `')
    return value


def _weekday(value: object) -> int:
    if value not in WEEKDAYS:
        raise PydanticCustomError("errors.not_recognized", f"must be one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)


def _clock(value: object) -> int:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise PydanticCustomError("errors.invalid_format", "must be a time of day such as 09:30")
    hours, minutes = value.split(":")
    return 60 * int(hours) + int(minutes)


Clock = Annotated[int, BeforeValidator(_clock)]
"""In minutes since midnight."""


class Hours(BaseModel):
    day: Annotated[int, BeforeValidator(_weekday)]
    start_time: Clock
    end_time: Clock

    def weekly_period(self) -> WeeklyPeriod:
        return WeeklyPeriod(self.day, self.start_time, self.end_time)


def _ordered(hours: Hours) -> Hours:
    if hours.weekly_period().closes <= hours.start_time:
        problem = "end_time must be after start_time; hours across midnight are two periods"
        raise PydanticCustomError("errors.invalid_time_pair", problem)
    return hours


OrderedHours = Annotated[Hours, AfterValidator(_ordered)]


class Rule(BaseModel):
    availability_rule_id: Annotated[OwnId, AfterValidator(_fit_for_paths)]
    tzid: Zone
    calendar_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_CALENDARS)] | None = None
    weekly_periods: Annotated[list[OrderedHours], Field(max_length=MOST_WEEKLY_PERIODS)]


def availability_rule(body: Mapping[str, Any]) -> AvailabilityRule:
    """Raises InvalidRequest."""
    asked = validated(Rule, body)
    return AvailabilityRule(
        rule_id=asked.availability_rule_id,
        tzid=asked.tzid,
        weekly_periods=tuple(each.weekly_period() for each in asked.weekly_periods),
        calendar_ids=tuple(dict.fromkeys(asked.calendar_ids or ())),
    )


def rule_json(rule: AvailabilityRule) -> dict[str, Any]:
    return {
        "availability_rule_id": rule.rule_id,
        "tzid": rule.tzid,
        **({"calendar_ids": list(rule.calendar_ids)} if rule.calendar_ids else {}),
        "weekly_periods": [
            {"day": WEEKDAYS[weekday], "start_time": _time_of_day(start), "end_time": _time_of_day(end)}
            for weekday, start, end in rule.weekly_periods
        ],
    }


def _time_of_day(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
