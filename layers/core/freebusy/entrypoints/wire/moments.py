"""Moments and zones as events and available periods have them on the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from freebusy.entrypoints.times import parse_time, zone_named
from freebusy.entrypoints.wire.validation import EARLIEST, LATEST

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Moment(NamedTuple):
    """A time in epoch seconds, or a date: its midnight in UTC. ``zone`` is the one that was said with it."""

    seconds: int
    dated: bool
    zone: str | None = None


def moment_of(value: object) -> Moment:
    """A time, a date, or ``{"time": either, "tzid": zone}``."""
    zone = None
    if isinstance(value, Mapping):
        zone = None if value.get("tzid") is None else _zone(value["tzid"])
        value = value.get("time")
    if value is None:
        raise PydanticCustomError("errors.required", "must be specified")
    dated = isinstance(value, str) and bool(_DATE.fullmatch(value))
    try:
        seconds = parse_time(f"{value}T00:00:00Z" if dated else str(value))
    except ValueError as error:
        raise PydanticCustomError("errors.invalid_format", "must be a date, or a time with an offset or Z") from error
    if not EARLIEST <= seconds < LATEST:
        raise PydanticCustomError("errors.invalid_format", "must be between 1970 and 2200")
    return Moment(seconds, dated, zone)


def _zone(value: object) -> str:
    try:
        return zone_named(value).key if isinstance(value, str) else zone_named("").key
    except ValueError as error:
        raise PydanticCustomError("errors.tzid_unrecognized", "must be a zone of the IANA database") from error


GivenMoment = Annotated[Moment, BeforeValidator(moment_of)]
Zone = Annotated[str, BeforeValidator(_zone)]
