"""Who is asked about, and what is known about them: what every kind of availability query begins with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Account, Profile, ProviderName
from freebusy.domain.availability import Group, Member
from freebusy.domain.errors import MembersUnreadable, ProviderError, RefusedBecause, UnreadableMember
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.ports import AccountStore, EventStore, ManagedAvailabilityStore
from freebusy.service.calendar_reader import CalendarReader, Reading

if TYPE_CHECKING:  # only queries with such options load what these are
    from freebusy.domain.constraints import Constraint
    from freebusy.domain.event import ManagedEvent
    from freebusy.domain.managed_availability import ManagedAvailability

TIME_BOX = 10.0
"""Seconds for all provider calls of one query; a calendar that has not answered by then is unreadable."""

PARALLEL_LOOKUPS = 32

Pair = tuple[int, int]

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class MemberRequest:
    """One entry of a group; ``path`` is where errors point to.

    ``calendar_ids`` are those that count (``None``: what the rules say, or else all). ``before`` and ``after`` are
    buffers in place of the query's. ``rule_ids`` chooses among the account's rules, where ``managed_availability``
    is asked for (``None``: all of them).
    """

    sub: str
    path: str
    calendar_ids: frozenset[str] | None = None
    available: tuple[Period, ...] | None = None
    before: int | None = None
    after: int | None = None
    managed_availability: bool = False
    rule_ids: frozenset[str] | None = None
    only_managed_events: bool = False
    ignore_tentative: bool = False
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Members go by how many events with all of ``tags`` they have in the query's time and ``days`` days before."""

    days: int
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GroupRequest:
    members: tuple[MemberRequest, ...]
    required: int
    round_robin: RoundRobin | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for all who are asked about.

    ``window`` is all the time that can matter to the answer, buffers included. Neither the events named in
    ``excluded`` (by ``event_id`` or ``event_uid``) count, nor their copies in a calendar. With ``fail_if_unreadable``
    there is no answer while a calendar cannot be read.
    """

    window: Period
    excluded: frozenset[str] = frozenset()
    fail_if_unreadable: bool = False


class Load(NamedTuple):
    """What somebody already has: how many events, and when the last of them starts. Who has less comes first."""

    events: int
    last: int


class Turns(NamedTuple):
    """Whose turn it is in a group (its place in the request) that goes round robin: who comes first has the least."""

    group: int
    loads: Sequence[tuple[str, Load]]


class Source(NamedTuple):
    """One calendar that was looked at; ``reason`` says why it could not be read."""

    calendar_id: str
    provider: ProviderName
    reason: str | None


class Sources(NamedTuple):
    """What is known about one member: from which calendars, and that their data is no older than ``as_of``."""

    sub: str
    as_of: int
    calendars: Sequence[Source]


@dataclass(frozen=True, slots=True)
class ParticipantReader:
    """Looks up everybody at once: accounts, rules and events in as few reads as possible, calendars side by side.

    It looks for one application, and ``now``.
    """

    accounts: AccountStore
    events: EventStore
    managed_availability: ManagedAvailabilityStore
    calendars: CalendarReader
    client_id: str
    now: int

    def read(self, groups: Sequence[GroupRequest], conditions: Conditions) -> Participants:
        """Every calendar that counts is read once, however often its person is listed.

        A member whose calendar cannot be read is never free. Raises InvalidRequest for members or calendars that
        are not this application's, and MembersUnreadable.
        """
        members = [member for group in groups for member in group.members]
        found = self.accounts.find_many({member.sub for member in members})
        found = {sub: account for sub, account in found.items() if account.client_id == self.client_id}
        _require_known(members, found)
        managed = self._managed(members)
        events = self._events(groups, conditions, found)
        sources = {
            profile.profile_id: (found[member.sub], profile)
            for member in members
            for profile in _counting(member, found[member.sub], managed)
        }
        asked = {profile_id: source for profile_id, source in sources.items() if _must_be_asked(*source, events)}
        read = dict(
            zip(asked, self.calendars.read_all(asked.values(), conditions.window, within=TIME_BOX), strict=True)
        )
        people = Participants(conditions, self.now, found, managed, events, sources, read)
        if conditions.fail_if_unreadable and people.unreadable:
            raise MembersUnreadable(people.unreadable)
        return people

    def _managed(self, members: Iterable[MemberRequest]) -> Mapping[str, ManagedAvailability]:
        subs = {member.sub for member in members if member.managed_availability}
        return self.managed_availability.find_many(subs) if subs else {}

    def _events(
        self, groups: Iterable[GroupRequest], conditions: Conditions, found: Mapping[str, Account]
    ) -> dict[str, Sequence[ManagedEvent]]:
        """The events of those for whom it matters which event is which, from as far away as it does."""
        windows = _windows_of_events(groups, conditions)
        wanted = {sub: window for sub, window in windows.items() if found[sub].has_events}
        if not wanted:
            return {}
        return dict(zip(wanted, _lookups().map(self.events.overlapping, wanted, wanted.values()), strict=True))


@dataclass(frozen=True, slots=True)
class Participants:
    """What was found out. ``read`` and ``sources`` are by profile id, everything else by sub."""

    conditions: Conditions
    now: int
    accounts: Mapping[str, Account]
    managed: Mapping[str, ManagedAvailability]
    events: Mapping[str, Sequence[ManagedEvent]]
    sources: Mapping[str, tuple[Account, Profile]]
    read: Mapping[str, Reading]
    _busy: dict[str, Sequence[Pair] | None] = field(default_factory=dict)

    @property
    def unreadable(self) -> list[UnreadableMember]:
        return [
            UnreadableMember(self.sources[profile_id][0].sub, profile_id, reading.reason)
            for profile_id, reading in self.read.items()
            if isinstance(reading, ProviderError)
        ]

    def group(self, asked: GroupRequest) -> Group:
        """For the engine; in the order in which its members are to be named."""
        return Group([self.member(member) for member in self._in_order(asked)], asked.required)

    def member(self, asked: MemberRequest) -> Member:
        theirs: Sequence[Pair] = ()
        ours: Sequence[Pair] = ()
        readable = True
        for profile in _counting(asked, self.accounts[asked.sub], self.managed):
            times = self._times(profile, asked)
            if times is None:
                readable = False
            elif profile.managed:
                ours = times
            else:
                theirs = [*theirs, *times] if theirs else times
        return Member(
            asked.sub,
            theirs,
            asked.available,
            readable,
            managed=ours,
            rules=self._rules(asked) if asked.managed_availability else None,
            full=self._full(asked) if asked.constraints else (),
            before=asked.before,
            after=asked.after,
        )

    def turns(self, groups: Iterable[GroupRequest]) -> list[Turns]:
        """For the groups that go round robin, in which order."""
        return [
            Turns(number, sorted(self._loads(group).items(), key=itemgetter(1)))
            for number, group in enumerate(groups)
            if group.round_robin
        ]

    def looked_at(self, groups: Iterable[GroupRequest]) -> list[Sources]:
        """For each member, once, every calendar that counts."""
        found: dict[str, dict[str, Source]] = {}
        for member in chain.from_iterable(group.members for group in groups):
            calendars = found.setdefault(member.sub, {})
            for profile in _counting(member, self.accounts[member.sub], self.managed):
                reading = self.read.get(profile.profile_id)
                reason = reading.reason if isinstance(reading, ProviderError) else None
                calendars[profile.calendar_id] = Source(profile.calendar_id, profile.provider, reason)
        return [Sources(sub, self.now, [*calendars.values()]) for sub, calendars in found.items()]

    def _in_order(self, asked: GroupRequest) -> Sequence[MemberRequest]:
        """As listed, or whose turn it is first."""
        if not asked.round_robin:
            return asked.members
        loads = self._loads(asked)
        return sorted(asked.members, key=lambda member: loads[member.sub])

    def _loads(self, asked: GroupRequest) -> dict[str, Load]:
        """What each member of a round robin already has."""
        wanted = asked.round_robin or RoundRobin(0)
        window = _before(self.conditions.window, wanted.days)
        loads = {}
        for member in asked.members:
            starts = [start for start, _ in self._occurrences(member.sub, wanted.tags, window)]
            loads[member.sub] = Load(len(starts), max(starts, default=0))
        return loads

    def _times(self, profile: Profile, asked: MemberRequest) -> Sequence[Pair] | None:
        """When this calendar makes the member busy; None when nobody knows."""
        if asked.ignore_tentative:
            return self._busy_times(profile, ignored=FreeBusyStatus.TENTATIVE)
        profile_id = profile.profile_id
        if profile_id not in self._busy:
            self._busy[profile_id] = self._busy_times(profile)
        return self._busy[profile_id]

    def _busy_times(self, profile: Profile, ignored: FreeBusyStatus | None = None) -> Sequence[Pair] | None:
        reading = self.read.get(profile.profile_id)
        if isinstance(reading, ProviderError):
            return None
        account, _ = self.sources[profile.profile_id]
        if reading is None:  # the managed calendar of somebody whose events are known anyway
            return self._occurrences(account.sub, frozenset(), self.conditions.window)
        if account.sub in self.events and self.conditions.excluded:
            reading = _without(reading, self._copies(account, profile))
        if ignored:
            reading = [period for period in reading if period.status is not ignored]
        free = FreeBusyStatus.FREE  # looked up once: there may be tens of thousands of periods in all
        return [(start, end) for start, end, status in reading if status is not free]

    def _rules(self, asked: MemberRequest) -> Sequence[Pair]:
        from freebusy.service.managed_availability import bounds_of

        return bounds_of(self.managed[asked.sub], asked.rule_ids, self.conditions.window)

    def _full(self, asked: MemberRequest) -> Sequence[Pair]:
        window = self.conditions.window
        return [
            period
            for constraint in asked.constraints
            for period in constraint.full(
                self._occurrences(asked.sub, constraint.tags, constraint.reach(window)), window
            )
        ]

    def _occurrences(self, sub: str, tags: Collection[str], window: Period) -> list[Period]:
        """When events with all of these tags take place, of those that count as busy and are not excluded."""
        if sub not in self.events:
            return []
        from freebusy.service.event_times import busy_times

        return [
            period
            for event in self.events[sub]
            if event.counts_as_busy and not self._excludes(event) and set(tags) <= set(event.details.tags)
            for period in busy_times(event, self.accounts[sub], window)
        ]

    def _excludes(self, event: ManagedEvent) -> bool:
        return bool(self.conditions.excluded & {event.event_id, event.uid})

    def _copies(self, account: Account, profile: Profile) -> list[FreeBusyPeriod]:
        """The periods of this profile that are excluded events.

        In a provider's calendar, where periods have no ids, an event's copy is the period of exactly its time: busy
        once it was accepted, tentative until then. A provider that has joined it with its neighbours keeps the person
        busy.
        """
        from freebusy.service.event_times import busy_times

        return [
            FreeBusyPeriod(*period, _status_of_copy(event, profile))
            for event in self.events[account.sub]
            if event.counts_as_busy and self._excludes(event)
            for period in busy_times(event, account, self.conditions.window)
        ]


def longest_buffers(groups: Iterable[GroupRequest], before: int, after: int) -> Pair:
    """Of the query and of all members: how far beyond its time calendars matter."""
    for member in chain.from_iterable(group.members for group in groups):
        if member.before is not None or member.after is not None:
            before, after = max(before, member.before or 0), max(after, member.after or 0)
    return before, after


def _require_known(members: Iterable[MemberRequest], found: Mapping[str, Account]) -> None:
    refused = RefusedBecause()
    for member in members:
        account = found.get(member.sub)
        if account is None:
            refused.add(f"{member.path}.sub", "errors.not_recognized", "no such account of this application")
        elif member.calendar_ids and not member.calendar_ids <= {each.calendar_id for each in account.profiles}:
            refused.add(
                f"{member.path}.calendar_ids",
                "errors.invalid_calendar_ids",
                "calendar_ids must be calendars of this account",
            )
    refused.raise_if_any()


def _counting(member: MemberRequest, account: Account, managed: Mapping[str, ManagedAvailability]) -> Iterable[Profile]:
    """The profiles whose calendars count for this member; a managed one that never held an event is not looked at."""
    calendar_ids = member.calendar_ids
    if calendar_ids is None and member.managed_availability:
        from freebusy.service.managed_availability import calendars_of

        calendar_ids = calendars_of(managed[member.sub], member.rule_ids)
    return (
        profile
        for profile in account.profiles
        if (account.has_events if profile.managed else not member.only_managed_events)
        and (calendar_ids is None or profile.calendar_id in calendar_ids)
    )


def _must_be_asked(account: Account, profile: Profile, events: Mapping[str, Sequence[ManagedEvent]]) -> bool:
    return not (profile.managed and account.sub in events)


def _windows_of_events(groups: Iterable[GroupRequest], conditions: Conditions) -> dict[str, Period]:
    """Whose events are to be looked up one by one, and from when to when."""
    windows: dict[str, Period] = {}

    def widen(sub: str, window: Period) -> None:
        known = windows.get(sub, conditions.window)
        windows[sub] = Period(min(known.start, window.start), max(known.end, window.end))

    for group in groups:
        for member in group.members:
            if conditions.excluded:
                widen(member.sub, conditions.window)
            if group.round_robin:
                widen(member.sub, _before(conditions.window, group.round_robin.days))
            for constraint in member.constraints:
                widen(member.sub, constraint.reach(conditions.window))
    return windows


def _before(window: Period, days: int) -> Period:
    return Period(window.start - days * _DAY, window.end)


def _without(reading: Iterable[FreeBusyPeriod], excluded: Iterable[FreeBusyPeriod]) -> list[FreeBusyPeriod]:
    """Of every period in ``excluded`` one is left out."""
    kept = list(reading)
    for period in excluded:
        if period in kept:
            kept.remove(period)
    return kept


def _status_of_copy(event: ManagedEvent, profile: Profile) -> FreeBusyStatus:
    """Google shows whatever is in its calendar as busy, Microsoft what was not accepted as tentative."""
    from freebusy.domain.event import Participation

    answered = event.person.participation is not Participation.NEEDS_ACTION
    google = profile.provider is ProviderName.GOOGLE and answered
    accepted = event.person.participation is Participation.ACCEPTED
    return FreeBusyStatus.BUSY if google or accepted else FreeBusyStatus.TENTATIVE


@cache
def _lookups() -> ThreadPoolExecutor:
    """Kept while the sandbox is warm; the table's client has timeouts of its own."""
    return ThreadPoolExecutor(PARALLEL_LOOKUPS, thread_name_prefix="events")
