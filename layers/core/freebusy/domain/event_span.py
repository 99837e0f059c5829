"""How far an event reaches in time, all its occurrences together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.free_busy import Period
from freebusy.domain.recurrence import ends_at

if TYPE_CHECKING:
    from freebusy.domain.event import Details

_EARLIEST_DAWN, _LATEST_DUSK = 14 * 3600, 12 * 3600
"""A date begins first at UTC+14 and ends last at UTC-12; an all-day event may be read in any zone."""


def span(details: Details) -> Period:
    """From the first start to the last end; for all-day events, wherever on earth their dates are read."""
    when = details.when
    if when.all_day:
        return Period(when.start - _EARLIEST_DAWN, ends_at(details) + _LATEST_DUSK)
    return Period(when.start, ends_at(details))
