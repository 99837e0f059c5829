"""Time zones under either of their names: IANA's (Google) or Windows' (Microsoft)."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

_OF_WINDOWS = {
    "UTC": "UTC",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "W. Europe Standard Time": "Europe/Berlin",
    "Romance Standard Time": "Europe/Paris",
    "Central European Standard Time": "Europe/Warsaw",
    "Central Europe Standard Time": "Europe/Budapest",
    "GTB Standard Time": "Europe/Bucharest",
    "FLE Standard Time": "Europe/Kiev",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Israel Standard Time": "Asia/Jerusalem",
    "Egypt Standard Time": "Africa/Cairo",
    "South Africa Standard Time": "Africa/Johannesburg",
    "Arabian Standard Time": "Asia/Dubai",
    "India Standard Time": "Asia/Kolkata",
    "Nepal Standard Time": "Asia/Kathmandu",
    "Singapore Standard Time": "Asia/Singapore",
    "China Standard Time": "Asia/Shanghai",
    "Tokyo Standard Time": "Asia/Tokyo",
    "Korea Standard Time": "Asia/Seoul",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "New Zealand Standard Time": "Pacific/Auckland",
    "E. South America Standard Time": "America/Sao_Paulo",
    "Newfoundland Standard Time": "America/St_Johns",
    "Atlantic Standard Time": "America/Halifax",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "US Mountain Standard Time": "America/Phoenix",
    "Pacific Standard Time": "America/Los_Angeles",
    "Alaskan Standard Time": "America/Anchorage",
    "Hawaiian Standard Time": "Pacific/Honolulu",
}
"""The usual ones of CLDR's windowsZones; a zone that is missing here goes by its IANA name."""

_WINDOWS_OF = {iana: windows for windows, iana in _OF_WINDOWS.items()}


@cache
def zone(name: str) -> ZoneInfo:
    """Raises ``ValueError`` when there is no zone of that name, of either kind."""
    try:
        return ZoneInfo(_OF_WINDOWS.get(name, name))
    except (KeyError, ValueError, OSError) as error:  # OSError: the name of a folder of zones, such as "America"
        raise ValueError(f"there is no time zone {name!r}") from error


def windows_name(name: str) -> str:
    return _WINDOWS_OF.get(name, name)
