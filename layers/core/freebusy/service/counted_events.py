"""Managed events one by one: for queries that leave some out, limit how many there may be, or spread them evenly.

Most queries need none of this, and read managed calendars as they read any other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from freebusy.domain.account import Account, Profile, ProviderName
from freebusy.domain.event import ManagedEvent, Participation
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.service.event_times import busy_times

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from freebusy.ports import EventStore

PARALLEL_LOOKUPS = 32


@dataclass(frozen=True, slots=True)
class CountedEvents:
    """The events of some accounts, each in its own window, by sub; ``excluded`` names those that do not count."""

    accounts: Mapping[str, Account]
    windows: Mapping[str, Period]
    found: Mapping[str, Sequence[ManagedEvent]]
    excluded: frozenset[str]
    _times: dict[str, list[tuple[ManagedEvent, Period]]] = field(default_factory=dict)

    def __contains__(self, sub: str) -> bool:
        return sub in self.found

    def times(self, sub: str, window: Period, tags: Collection[str] = ()) -> list[Period]:
        """When events that have all of these tags take place, of those that make busy and are not excluded."""
        if sub not in self.found:
            return []
        if sub not in self._times:
            self._times[sub] = [each for each in self._all_times(sub) if not self._excludes(each[0])]
        return [
            period
            for event, period in self._times[sub]
            if period.start < window.end
            and window.start < period.end
            and all(tag in event.details.tags for tag in tags)
        ]

    def without_copies(self, reading: Iterable[FreeBusyPeriod], sub: str, profile: Profile) -> list[FreeBusyPeriod]:
        """What is left of a provider's calendar without the copies of excluded events.

        Periods have no ids there, so that a copy is the period of exactly the event's time: busy once it was
        accepted, tentative until then. A provider that has joined it with its neighbours keeps the person busy.
        """
        kept = list(reading)
        for event, period in self._all_times(sub):
            copy = FreeBusyPeriod(*period, _status_of_copy(event, profile))
            if self._excludes(event) and copy in kept:
                kept.remove(copy)
        return kept

    def _all_times(self, sub: str) -> list[tuple[ManagedEvent, Period]]:
        account, window = self.accounts[sub], self.windows[sub]
        return [
            (event, period)
            for event in self.found[sub]
            if event.counts_as_busy
            for period in busy_times(event, account, window)
        ]

    def _excludes(self, event: ManagedEvent) -> bool:
        return bool(self.excluded & {event.event_id, event.uid})


def look_up(
    windows: Mapping[str, Period], *, accounts: Mapping[str, Account], excluded: frozenset[str], events: EventStore
) -> CountedEvents:
    """The events of these accounts, each in one query, all at the same time."""
    found = dict(zip(windows, _pool().map(events.overlapping, windows, windows.values()), strict=True))
    return CountedEvents(accounts, windows, found, excluded)


def _status_of_copy(event: ManagedEvent, profile: Profile) -> FreeBusyStatus:
    """Google shows whatever is in its calendar as busy, Microsoft what was not accepted as tentative."""
    answered = event.person.participation is not Participation.NEEDS_ACTION
    google = profile.provider is ProviderName.GOOGLE and answered
    accepted = event.person.participation is Participation.ACCEPTED
    return FreeBusyStatus.BUSY if google or accepted else FreeBusyStatus.TENTATIVE


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept while the sandbox is warm; the table's client has timeouts of its own."""
    return ThreadPoolExecutor(PARALLEL_LOOKUPS, thread_name_prefix="events")
