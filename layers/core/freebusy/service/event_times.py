"""When managed events make their account's person busy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.domain.recurrence import occurrences

if TYPE_CHECKING:
    from freebusy.domain.account import Account
    from freebusy.domain.event import ManagedEvent
    from freebusy.ports import EventStore

ZONES_REACH = 14 * 3600
"""How far a date's beginning or end can lie from that in UTC, in seconds."""


def in_zone(dates: Period, zone: ZoneInfo) -> Period:
    """Midnights of ``zone`` for the midnights UTC that stand for dates."""
    start, end = (int(datetime.fromtimestamp(moment, UTC).replace(tzinfo=zone).timestamp()) for moment in dates)
    return Period(start, end)


def busy_periods(account: Account, window: Period, *, events: EventStore) -> list[FreeBusyPeriod]:
    """What the account's managed events take of ``window``, by start, from the moment they were stored.

    Dates of all-day events are those of the account's zone.
    """
    if not account.has_events:
        return []
    found = [
        FreeBusyPeriod(*period, FreeBusyStatus.BUSY)
        for event in events.overlapping(account.sub, window)
        if event.counts_as_busy
        for period in busy_times(event, account, window)
    ]
    return sorted(found)


def busy_times(event: ManagedEvent, account: Account, window: Period) -> list[Period]:
    """When the occurrences of one event happen within ``window``."""
    if not event.details.when.all_day:
        return occurrences(event.details, window)
    zone = ZoneInfo(account.zone)
    reach = Period(window.start - ZONES_REACH, window.end + ZONES_REACH)
    periods = (in_zone(period, zone) for period in occurrences(event.details, reach))
    return [period for period in periods if period.start < window.end and window.start < period.end]
