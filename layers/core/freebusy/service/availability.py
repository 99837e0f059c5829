"""When enough people are free together: ``POST /v1/availability``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from freebusy.domain.account import Account, Profile, ProviderName
from freebusy.domain.availability import Availability, Group, Member, Query, ResponseFormat, find_availability
from freebusy.domain.errors import ProviderError, RefusedBecause
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.ports import AccountStore, EventStore
from freebusy.service.calendar_reader import CalendarReader

if TYPE_CHECKING:  # excluding events is the rare query, and alone loads what events are
    from freebusy.domain.event import ManagedEvent

TIME_BOX = 10.0
"""Seconds for all provider calls of one query; a calendar that has not answered by then is unreadable."""


@dataclass(frozen=True, slots=True)
class MemberRequest:
    """``calendar_ids`` empty means all calendars of the account; ``path`` is where errors point to."""

    sub: str
    path: str
    calendar_ids: frozenset[str]
    available: tuple[Period, ...] | None


@dataclass(frozen=True, slots=True)
class GroupRequest:
    members: tuple[MemberRequest, ...]
    required: int


@dataclass(frozen=True, slots=True)
class AvailabilityRequest:
    """Durations in seconds. Exactly one of ``periods`` and ``starts`` (the query slots) is not empty."""

    groups: tuple[GroupRequest, ...]
    duration: int
    periods: tuple[Period, ...]
    starts: tuple[int, ...]
    start_interval: int | None
    before: int
    after: int
    response_format: ResponseFormat
    max_results: int
    excluded: frozenset[str] = frozenset()
    """Ids of managed events (``event_id`` or ``event_uid``) that do not count, nor does their copy in a calendar."""

    @property
    def window(self) -> Period:
        """All the time that can matter to the answer, buffers included."""
        if self.periods:
            start, end = min(period.start for period in self.periods), max(period.end for period in self.periods)
        else:
            start, end = min(self.starts), max(self.starts) + self.duration
        return Period(start - self.before, end + self.after)


@dataclass(frozen=True, slots=True)
class UnreadableMember:
    sub: str
    profile_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class AvailabilityAnswer:
    availability: Availability
    unreadable: Sequence[UnreadableMember]


def query_availability(
    request: AvailabilityRequest,
    *,
    client_id: str,
    accounts: AccountStore,
    events: EventStore,
    reader: CalendarReader,
) -> AvailabilityAnswer:
    """Reads every calendar that counts, at once and each once, then asks the engine.

    A member whose calendar cannot be read is never free, and is listed with the reason.
    Raises InvalidRequest for members or calendars that are not this application's.
    """
    members = [member for group in request.groups for member in group.members]
    found = accounts.find_many({member.sub for member in members})
    found = {sub: account for sub, account in found.items() if account.client_id == client_id}
    _require_known(members, found)
    sources = {
        profile.profile_id: (found[member.sub], profile)
        for member in members
        for profile in _counting(member, found[member.sub])
    }
    read = dict(zip(sources, reader.read_all(sources.values(), request.window, within=TIME_BOX), strict=True))
    unreadable = [
        UnreadableMember(sources[profile_id][0].sub, profile_id, reading.reason)
        for profile_id, reading in read.items()
        if isinstance(reading, ProviderError)
    ]
    excluded = _excluded(request, found.values(), events)
    busy = {
        profile_id: _busy(reading, _copies(request, *sources[profile_id], excluded))
        for profile_id, reading in read.items()
        if not isinstance(reading, ProviderError)
    }
    return AvailabilityAnswer(find_availability(_query(request, found, busy)), unreadable)


def _require_known(members: Iterable[MemberRequest], found: Mapping[str, Account]) -> None:
    refused = RefusedBecause()
    for member in members:
        account = found.get(member.sub)
        if account is None:
            refused.add(f"{member.path}.sub", "errors.not_recognized", "no such account of this application")
        elif not member.calendar_ids <= {profile.calendar_id for profile in account.profiles}:
            refused.add(
                f"{member.path}.calendar_ids",
                "errors.invalid_calendar_ids",
                "calendar_ids must be calendars of this account",
            )
    refused.raise_if_any()


def _counting(member: MemberRequest, account: Account) -> Iterable[Profile]:
    """The profiles whose calendars count for this member; a managed one that never held an event is not looked at."""
    return (
        profile
        for profile in account.profiles
        if (account.has_events or not profile.managed)
        and (not member.calendar_ids or profile.calendar_id in member.calendar_ids)
    )


def _query(
    request: AvailabilityRequest, found: Mapping[str, Account], busy: Mapping[str, list[tuple[int, int]]]
) -> Query:
    """``busy`` is by profile id; a profile that could not be read is not in it."""

    def member(asked: MemberRequest) -> Member:
        calendars = [busy.get(profile.profile_id) for profile in _counting(asked, found[asked.sub])]
        times = [*chain.from_iterable(filter(None, calendars))]
        return Member(asked.sub, times, asked.available, readable=None not in calendars)

    return Query(
        groups=[Group([member(asked) for asked in group.members], group.required) for group in request.groups],
        duration=request.duration,
        periods=request.periods,
        starts=request.starts or None,
        start_interval=request.start_interval,
        buffer_before=request.before,
        buffer_after=request.after,
        response_format=request.response_format,
        max_results=request.max_results,
    )


def _busy(reading: Iterable[FreeBusyPeriod], excluded: Iterable[FreeBusyPeriod]) -> list[tuple[int, int]]:
    """Of every period in ``excluded`` one is left out."""
    kept = list(reading)
    for period in excluded:
        if period in kept:
            kept.remove(period)
    free = FreeBusyStatus.FREE  # looked up once: there may be tens of thousands of periods in all
    return [(start, end) for start, end, status in kept if status is not free]


def _excluded(
    request: AvailabilityRequest, accounts: Iterable[Account], events: EventStore
) -> dict[str, list[ManagedEvent]]:
    """The events that do not count, by account; looked up once for all of its profiles."""
    if not request.excluded:
        return {}
    return {
        account.sub: [
            event
            for event in events.overlapping(account.sub, request.window)
            if event.counts_as_busy and request.excluded & {event.event_id, event.uid}
        ]
        for account in accounts
        if account.has_events
    }


def _copies(
    request: AvailabilityRequest, account: Account, profile: Profile, excluded: Mapping[str, Sequence[ManagedEvent]]
) -> list[FreeBusyPeriod]:
    """The periods of this profile that are excluded events.

    In a provider's calendar, where periods have no ids, an event's copy is the period of exactly its time: busy once it
    was accepted, tentative until then. A provider that has joined it with its neighbours keeps the person busy.
    """
    if account.sub not in excluded:
        return []
    from freebusy.service.event_times import busy_times

    return [
        FreeBusyPeriod(*period, _status_of_copy(event, profile))
        for event in excluded[account.sub]
        for period in busy_times(event, account, request.window)
    ]


def _status_of_copy(event: ManagedEvent, profile: Profile) -> FreeBusyStatus:
    """Google shows whatever is in its calendar as busy, Microsoft what was not accepted as tentative."""
    from freebusy.domain.event import Participation

    answered = event.person.participation is not Participation.NEEDS_ACTION
    google = profile.provider is ProviderName.GOOGLE and answered
    accepted = event.person.participation is Participation.ACCEPTED
    return FreeBusyStatus.BUSY if profile.managed or google or accepted else FreeBusyStatus.TENTATIVE
