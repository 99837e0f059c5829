"""Times in a person's calendar, as far as an application may know them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """``free_busy_status`` of the API."""

    BUSY = "busy"
    TENTATIVE = "tentative"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Band:
    """From ``start`` (included) to ``end`` (excluded)."""

    start: datetime
    end: datetime
    kind: Kind


def moment(text: str) -> datetime:
    """A time of the API, ``2030-01-07T09:00:00Z``."""
    return datetime.fromisoformat(text)


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
