"""Available periods as they are written, deleted and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError

from freebusy.domain.errors import InvalidRequest
from freebusy.domain.managed_availability import AvailablePeriod
from freebusy.entrypoints.times import format_local, format_time
from freebusy.entrypoints.wire.moments import Zone, moment_of
from freebusy.entrypoints.wire.reading import ReadQuery, given, read_query
from freebusy.entrypoints.wire.validation import OwnId, validated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def _time(value: object) -> int:
    moment = moment_of(value)
    if moment.dated:
        raise PydanticCustomError("errors.invalid_format", "must be a time, not a date")
    return moment.seconds


GivenTime = Annotated[int, BeforeValidator(_time)]
"""In epoch seconds."""


class Period(BaseModel):
    available_period_id: OwnId
    start: GivenTime
    end: GivenTime
    tzid: Zone | None = None


class Deletion(BaseModel):
    available_period_id: OwnId | None = None
    delete_all: bool | None = None


def available_period(body: Mapping[str, Any]) -> AvailablePeriod:
    """Zones are checked and not kept, as a moment is the same in all of them. Raises InvalidRequest."""
    asked = validated(Period, body)
    if asked.end <= asked.start:
        raise InvalidRequest.of("end", "errors.invalid_time_pair", "end must be after start")
    return AvailablePeriod(asked.start, asked.end, asked.available_period_id)


def period_deletion(body: Mapping[str, Any]) -> str | None:
    """The id of the period that goes; None for all of them. Raises InvalidRequest."""
    asked = validated(Deletion, body)
    if bool(asked.delete_all) == (asked.available_period_id is not None):
        problem = "exactly one of available_period_id and delete_all must be specified"
        raise InvalidRequest.of("available_period_id", "errors.required", problem)
    return asked.available_period_id


def periods_query(query: Mapping[str, Sequence[str]]) -> ReadQuery:
    """``tzid`` is required only with ``from`` or ``to``. Raises InvalidRequest."""
    bounded = given(query, "from") or given(query, "to")
    return read_query(query, ("localized_times",), default_zone=None if bounded else "Etc/UTC")


def periods_json(periods: Iterable[AvailablePeriod], asked: ReadQuery) -> list[dict[str, Any]]:
    local = "localized_times" in asked.flags
    return [
        {
            "available_period_id": period_id,
            "start": format_local(start, asked.zone) if local else format_time(start),
            "end": format_local(end, asked.zone) if local else format_time(end),
        }
        for start, end, period_id in periods
    ]
