"""When somebody is busy, and nothing else about it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Period(NamedTuple):
    """From ``start`` (included) to ``end`` (excluded), in whole seconds since the epoch, UTC."""

    start: int
    end: int


class FreeBusyStatus(StrEnum):
    """The four values of ``free_busy_status`` on the wire."""

    BUSY = "busy"
    TENTATIVE = "tentative"
    UNKNOWN = "unknown"
    FREE = "free"


class FreeBusyPeriod(NamedTuple):
    """One period of a calendar as a provider reported it, stripped of everything but times and status."""

    start: int
    end: int
    status: FreeBusyStatus
