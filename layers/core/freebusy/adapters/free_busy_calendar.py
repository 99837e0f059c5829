"""Free/busy as calendar programs read it: VFREEBUSY (RFC 5545, 3.6.4), and VAVAILABILITY (RFC 7953) for stored rules.

Both say something about one window and nothing beyond it. Rules are written as they are meant, weekly in their zone.
Only on days on which its clocks change does RFC 5545 read them otherwise: it puts a time that is skipped an hour
later, counts an hour that comes twice once, and keeps the length (3.3.5, 3.3.10). Those days are exceptions, and
their hours are written out.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import chain, count
from typing import TYPE_CHECKING

from icalendar import Availability, Available, Calendar, FreeBusy, vRecur

from freebusy.adapters.imip.zones import in_zone, is_utc, moment, vtimezone, zone_named
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.domain.identifiers import hashed
from freebusy.domain.managed_availability import AvailabilityRule, ManagedAvailability, WeeklyPeriod
from freebusy.domain.stretches import Pair, merged, overlaps
from freebusy.domain.weekly_rules import clock_changes, hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from freebusy.domain.account import Account

PRODID = "-//Free/Busy Connect//Free/Busy//EN"

_TYPES = {
    FreeBusyStatus.BUSY: "BUSY",
    FreeBusyStatus.UNKNOWN: "BUSY-UNAVAILABLE",
    FreeBusyStatus.TENTATIVE: "BUSY-TENTATIVE",
    FreeBusyStatus.FREE: "FREE",
}
"""FBTYPE (3.2.9). Where calendars differ, the first of these is told, so that nothing looks free that is not."""

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY, _WEEK = 86_400, 604_800
_REACH = 15 * 3600
"""No zone is further from UTC, in seconds."""


def free_busy_calendar(
    account: Account, window: Period, periods: Iterable[FreeBusyPeriod], managed: ManagedAvailability, *, now: int
) -> bytes:
    """Where no rules or periods are stored, there is no VAVAILABILITY: one without hours would say never."""
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODID)
    calendar.add("CALSCALE", "GREGORIAN")
    years = moment(window.start).year, moment(window.end).year
    for tzid in sorted({rule.tzid for rule in managed.rules}):
        if not is_utc(zone := zone_named(tzid)):
            calendar.add_component(vtimezone(zone, *years))
    calendar.add_component(_free_busy(account, window, periods, now))
    if managed != ManagedAvailability():
        calendar.add_component(_availability(account, window, managed, now))
    written: bytes = calendar.to_ical()
    return written


def _free_busy(account: Account, window: Period, periods: Iterable[FreeBusyPeriod], now: int) -> FreeBusy:
    component = FreeBusy()
    _bound(component, f"{account.sub}/free_busy", window, now)
    for name, told in _by_type(periods, window):
        if told:
            times = [(moment(start), moment(end)) for start, end in told]
            component.add("FREEBUSY", times, parameters={"FBTYPE": name})
    return component


def _bound(component: FreeBusy | Availability, name: str, window: Period, now: int) -> None:
    component.add("UID", hashed(name))
    component.add("DTSTAMP", moment(now))
    component.add("DTSTART", moment(window.start))
    component.add("DTEND", moment(window.end))


def _by_type(periods: Iterable[FreeBusyPeriod], window: Period) -> Iterator[tuple[str, Sequence[Pair]]]:
    """Disjoint over all types, and within the window."""
    of_status = defaultdict(list)
    for start, end, status in periods:
        if start < window.end and window.start < end:
            of_status[status].append((max(start, window.start), min(end, window.end)))
    told: list[Pair] = []
    for status, name in _TYPES.items():
        found = merged(of_status[status])
        edges = [window.start, *chain.from_iterable(told), window.end]
        yield name, overlaps(found, zip(edges[::2], edges[1::2], strict=True), 1)
        told = merged([*told, *found])


def _availability(account: Account, window: Period, managed: ManagedAvailability, now: int) -> Availability:
    component = Availability()
    _bound(component, f"{account.sub}/availability", window, now)
    component.add("BUSYTYPE", "BUSY-UNAVAILABLE")
    for rule in managed.rules:
        for number, available in enumerate(_weekly(rule, window)):
            component.add_component(_named(available, f"{account.sub}/rule/{rule.rule_id}/{number}", rule.rule_id, now))
    for start, end, period_id in managed.periods:
        if start < window.end and window.start < end:
            available = _available(moment(start), moment(end))
            component.add_component(_named(available, f"{account.sub}/period/{period_id}", period_id, now))
    return component


def _weekly(rule: AvailabilityRule, window: Period) -> Iterator[Available]:
    """One for all days that have the same hours, and one for each period on a day of change."""
    zone = zone_named(rule.tzid)
    today = in_zone(window.start, zone).date()
    changed = list(_days_of_change(zone, window))
    weekdays_of: dict[tuple[int, int], set[int]] = defaultdict(set)
    for period in rule.weekly_periods:
        weekdays_of[period.start, period.closes].add(period.weekday)
    for (start, end), weekdays in sorted(weekdays_of.items()):
        excepted = [day for day in changed if day.weekday() in weekdays]
        days = (today + timedelta(days=number) for number in count())
        first = next(day for day in days if day.weekday() in weekdays and day not in changed)
        available = _available(_local(first, start, zone), _local(first, end, zone))
        available.add("RRULE", vRecur(FREQ="WEEKLY", BYDAY=[_WEEKDAYS[weekday] for weekday in sorted(weekdays)]))
        if skipped := [_local(day, start, zone) for day in excepted if day > first]:
            available.add("EXDATE", skipped)
        yield available
        for day in excepted:
            yield from _on(day, start, end, zone)


def _days_of_change(zone: ZoneInfo, window: Period) -> Iterator[date]:
    """Local dates on which the clocks are changed, those that they skip included."""
    for change in clock_changes(zone.key, Period(window.start - _WEEK, window.end + _WEEK)):
        first, last = sorted(in_zone(second, zone).date() for second in (change - 1, change))
        yield from (first + timedelta(days=number) for number in range((last - first).days + 1))


def _on(day: date, start: int, end: int, zone: ZoneInfo) -> Iterator[Available]:
    """The hours of one day, in UTC."""
    midnight = int(_local(day, 0, UTC).timestamp())
    around = Period(midnight - _REACH, midnight + _DAY + _REACH)
    for opens, closes in hours(zone.key, [WeeklyPeriod(day.weekday(), start, end)], around):
        yield _available(moment(opens), moment(closes))


def _local(day: date, minutes: int, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone) + timedelta(minutes=minutes)


def _available(start: datetime, end: datetime) -> Available:
    component = Available()
    component.add("DTSTART", start)
    component.add("DTEND", end)
    return component


def _named(component: Available, name: str, summary: str, now: int) -> Available:
    component.add("UID", hashed(name))
    component.add("DTSTAMP", moment(now))
    component.add("SUMMARY", summary)
    return component
