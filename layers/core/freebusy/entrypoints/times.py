"""Times on the wire: UTC with whole seconds, dates, and local times with their zone.

Inside the service a moment is an int of epoch seconds; only this module and ``localized`` callers know zones.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NO_ZONE = re.compile(r"(posix|right)/.*|localtime|posixrules")
_DAY = 86400


def zone_named(tzid: str) -> ZoneInfo:
    """Raises ValueError for anything that is no zone of the IANA database.

    Operating systems keep more beside it: zones that count leap seconds (``right/``), and the machine's own one.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if _NO_ZONE.fullmatch(tzid):
        raise ValueError(f"no such zone: {tzid[:64]!r}")
    try:
        return ZoneInfo(tzid)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"no such zone: {tzid[:64]!r}") from error


def parse_time(text: str) -> int:
    """Epoch seconds of an ISO 8601 time that says its offset; a space may stand for the ``T`` (the C# SDK).

    Fractions of a second are cut off. Raises ValueError.
    """
    if not _TIME.fullmatch(text):
        raise ValueError("not a time with an offset")
    try:
        return int(datetime.fromisoformat(text).timestamp() // 1)
    except OverflowError as error:
        raise ValueError("out of range") from error


def parse_date_or_time(text: str, zone: ZoneInfo) -> int:
    """As ``parse_time``; a bare date is midnight in ``zone``. Raises ValueError."""
    if not _DATE.fullmatch(text):
        return parse_time(text)
    try:
        return int(datetime.combine(date.fromisoformat(text), time(), zone).timestamp())
    except OverflowError as error:
        raise ValueError("out of range") from error


def format_time(moment: int) -> str:
    """``2030-01-07T09:00:00Z``."""
    day, second = divmod(moment, _DAY)
    return _day(day) + _clock(second)


def format_date(moment: int) -> str:
    """``2030-01-07``; of midnight UTC, as dates are kept."""
    return _day(moment // _DAY)


@lru_cache(maxsize=1024)
def _day(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()


@lru_cache(maxsize=4096)
def _clock(second: int) -> str:
    """Kept as the days are: an answer may hold a thousand times, and most are on quarters of an hour."""
    return f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def format_local(moment: int, zone: ZoneInfo) -> dict[str, str]:
    """``{"time": "2030-01-07T10:00:00+01:00", "tzid": "Europe/Paris"}``."""
    return {"time": datetime.fromtimestamp(moment, zone).isoformat(), "tzid": zone.key}
