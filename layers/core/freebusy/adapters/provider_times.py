"""Times as providers write them, in whole epoch seconds.

A busy period that is not on whole seconds grows outwards: it may never become shorter than it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DIGITS = "0123456789"


def first_second(text: str) -> int:
    """The second in which an RFC 3339 time lies. Raises ValueError."""
    return _second(text)[0]


def last_second(text: str) -> int:
    """The first whole second that is not before an RFC 3339 time. Raises ValueError."""
    second, fraction = _second(text)
    return second + fraction


def first_second_in(zone: ZoneInfo, text: str) -> int:
    """The same for a wall-clock time; of an hour that occurs twice, the earlier one. Raises ValueError."""
    return min(first_second(f"{text}{offset}") for offset in _offsets(zone, text))


def last_second_in(zone: ZoneInfo, text: str) -> int:
    """The same for a wall-clock time; of an hour that occurs twice, the later one. Raises ValueError."""
    return max(last_second(f"{text}{offset}") for offset in _offsets(zone, text))


def _second(text: str) -> tuple[int, bool]:
    """The whole second, and whether there is a fraction. Split by hand: Python drops digits beyond the sixth."""
    whole, point, rest = text.partition(".")
    offset = rest.lstrip(_DIGITS)
    moment = datetime.fromisoformat(whole + offset)
    if moment.tzinfo is None:
        raise ValueError("a time without its offset")
    return int(moment.timestamp()), bool(point) and rest.removesuffix(offset).strip("0") != ""


def _offsets(zone: ZoneInfo, text: str) -> set[str]:
    """The offsets that a wall-clock time may have: one, or two around a change of the clocks."""
    wall = datetime.fromisoformat(text.partition(".")[0])
    return {_offset(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)}


def _offset(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")[len("2000-01-01T00:00:00") :]


def rfc3339(second: int) -> str:
    """As ``2026-12-01T09:00:00Z``."""
    return f"{wall_clock(second)}Z"


def wall_clock(second: int) -> str:
    """UTC without an offset, as Microsoft's ``dateTimeTimeZone`` has it. Raises ValueError or OverflowError."""
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
