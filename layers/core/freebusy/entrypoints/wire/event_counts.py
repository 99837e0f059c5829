"""The options of a query that count events: ``availability_constraints`` and ``round_robin``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from freebusy.domain.constraints import Constraint, Recurs
from freebusy.entrypoints.wire.event_fields import Tags
from freebusy.entrypoints.wire.moments import Zone
from freebusy.entrypoints.wire.validation import AS_OBJECT, Minutes, validated
from freebusy.service.participants import RoundRobin

MAX_LIMIT = 1000
MAX_DAYS_BACK = 90
DEFAULT_ZONE = "Etc/UTC"
DEFAULT_DAYS_BACK = 30


class AvailabilityConstraint(BaseModel):
    limit: Annotated[Minutes, Field(ge=1, le=MAX_LIMIT)]
    period: Recurs
    tzid: Zone | None = None
    tags: Annotated[Tags | None, AS_OBJECT] = None


class Turns(BaseModel):
    days: Annotated[Minutes, Field(ge=0, le=MAX_DAYS_BACK)] | None = None
    tags: Annotated[Tags | None, AS_OBJECT] = None


def constraints_of(listed: list[Any], path: str) -> tuple[Constraint, ...]:
    """Raises InvalidRequest with paths below ``path``."""
    asked = [
        validated(AvailabilityConstraint, constraint, under=f"{path}[{number}]")
        for number, constraint in enumerate(listed)
    ]
    return tuple(
        Constraint(each.limit, each.period, each.tzid or DEFAULT_ZONE, frozenset((each.tags or Tags()).names))
        for each in asked
    )


def round_robin_of(said: Any, path: str) -> RoundRobin:
    """``true``, or an object that says more."""
    asked = Turns() if said is True else validated(Turns, said, under=path)
    days = DEFAULT_DAYS_BACK if asked.days is None else asked.days
    return RoundRobin(days, frozenset((asked.tags or Tags()).names))
