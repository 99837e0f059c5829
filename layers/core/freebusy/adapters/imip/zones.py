"""Time zones for calendar objects: moments as local times, and the VTIMEZONE that explains them (RFC 5545, 3.6.5)."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_OBSERVED_YEARS = 12
"""A rule is taken for one when it held for as long: fewer years may not tell the fourth Sunday from the last."""

_LONGEST = 20
"""Years for which the onsets of a zone without such a rule (Morocco: the moon's) are listed one by one."""


def moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def in_zone(seconds: int, zone: ZoneInfo) -> datetime:
    """Local time; at the far ends of the calendar, where no zone can reach beyond, UTC."""
    try:
        return moment(seconds).astimezone(zone)
    except OverflowError:
        return moment(seconds)


@lru_cache(maxsize=1024)
def zone_named(tzid: str) -> ZoneInfo:
    """UTC for a zone that is not, or no longer, in the IANA database: an invitation must be written even so."""
    try:
        return ZoneInfo(tzid)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return ZoneInfo("UTC")


def is_utc(zone: ZoneInfo) -> bool:
    return zone.key in {"UTC", "Etc/UTC"}


@dataclass(frozen=True, slots=True)
class _Onset:
    """A change of the clocks: when, by the clocks before it, and what it changes."""

    local: datetime
    before: timedelta
    after: timedelta
    name: str


@lru_cache(maxsize=256)
def vtimezone(zone: ZoneInfo, first_year: int, last_year: int) -> Timezone:
    """What a series within these years needs; one that goes on is explained for ``_LONGEST`` years at least.

    Where the clocks change by a yearly rule, the rule is written: Outlook reads no other form (MS-STANXICAL, V0226),
    and it holds for ever. icalendar's own generator lists every onset, and says it by the clocks after the change.
    """
    since = datetime(max(first_year - 1, 1), 1, 1, tzinfo=UTC)
    final_year = min(max(min(last_year, first_year + _LONGEST) + 1, first_year + _OBSERVED_YEARS), MAXYEAR - 1)
    onsets = list(_onsets(zone, since, datetime(final_year + 1, 1, 1, tzinfo=UTC)))
    component = Timezone()
    component.add("TZID", zone.key)
    if not onsets or onsets[0].local.year >= first_year:
        component.add_component(_observance([_at_rest(zone, since)], None))
    for same in _grouped(onsets):
        component.add_component(_observance(same, _yearly_rule(same, final_year)))
    return component


def _onsets(zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[_Onset]:
    """In order. Clocks that change twice within a week are not known to any zone of today."""
    week = timedelta(days=7)
    while since < until:
        start, end = since, since + week
        before, after = _offset(start, zone), _offset(end, zone)
        if before != after:
            while end - start > timedelta(seconds=1):
                middle = start + (end - start) // 2
                middle = middle.replace(microsecond=0)
                start, end = (middle, end) if _offset(middle, zone) == before else (start, middle)
            name = end.astimezone(zone).tzname() or zone.key
            yield _Onset((end + before).replace(tzinfo=None), before, after, name)
        since += week


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _at_rest(zone: ZoneInfo, since: datetime) -> _Onset:
    local = since.astimezone(zone)
    offset = _offset(since, zone)
    return _Onset(local.replace(tzinfo=None), offset, offset, local.tzname() or zone.key)


def _grouped(onsets: Sequence[_Onset]) -> list[list[_Onset]]:
    groups = defaultdict(list)
    for onset in onsets:
        groups[onset.before, onset.after, onset.name].append(onset)
    return list(groups.values())


def _yearly_rule(onsets: Sequence[_Onset], final_year: int) -> vRecur | None:
    """Same month, hour and n-th weekday, every year; None when these onsets cannot be said so, or end."""
    first = onsets[0].local
    if [onset.local.year for onset in onsets] != list(range(first.year, final_year + 1)):
        return None
    if len({(onset.local.month, onset.local.weekday(), onset.local.time()) for onset in onsets}) > 1:
        return None
    ordinals = {(onset.local.day - 1) // 7 + 1 for onset in onsets}
    if len(ordinals) == 1:
        ordinal = ordinals.pop()
    elif all(onset.local.day + 7 > monthrange(onset.local.year, onset.local.month)[1] for onset in onsets):
        ordinal = -1
    else:
        return None
    return vRecur(FREQ="YEARLY", BYMONTH=first.month, BYDAY=f"{ordinal}{_WEEKDAYS[first.weekday()]}")


def _observance(onsets: Sequence[_Onset], rule: vRecur | None) -> TimezoneStandard | TimezoneDaylight:
    """Called daylight when the clocks go forward: zones that shorten winter or Ramadan instead are read alike."""
    first = onsets[0]
    component = TimezoneDaylight() if first.after > first.before else TimezoneStandard()
    component.add("DTSTART", first.local)
    component.add("TZOFFSETFROM", first.before)
    component.add("TZOFFSETTO", first.after)
    component.add("TZNAME", first.name)
    if rule:
        component.add("RRULE", rule)
    elif len(onsets) > 1:
        # The first one too, and a property each: ical.js (Thunderbird) overlooks DTSTART beside RDATE, and all
        # values of an RDATE but the first.
        for onset in onsets:
            component.add("RDATE", [onset.local])
    return component
