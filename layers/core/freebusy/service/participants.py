"""Who is asked about, and what is known about them: what every kind of availability query begins with."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.availability import Group, Member
from freebusy.domain.errors import MembersUnreadable, ProviderError, RefusedBecause, UnreadableMember
from freebusy.domain.free_busy import FreeBusyStatus, Period
from freebusy.service.audit import note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freebusy.domain.account import Account, Profile, ProviderName
    from freebusy.domain.constraints import Constraint
    from freebusy.domain.managed_availability import ManagedAvailability
    from freebusy.ports import AccountStore, EventStore, ManagedAvailabilityStore
    from freebusy.service.calendar_reader import CalendarReader, Reading
    from freebusy.service.counted_events import CountedEvents

TIME_BOX = 10.0
"""Seconds for all provider calls of one query; a calendar that has not answered by then is unreadable."""

Pair = tuple[int, int]

_DAY = 86_400


class MemberRequest(NamedTuple):
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


class RoundRobin(NamedTuple):
    """Members go by how many events with all of ``tags`` they have in the query's time and ``days`` days before."""

    days: int
    tags: frozenset[str] = frozenset()


class GroupRequest(NamedTuple):
    members: tuple[MemberRequest, ...]
    required: int
    round_robin: RoundRobin | None = None


class Conditions(NamedTuple):
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


@dataclass(eq=False, repr=False)
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
        note(*found)
        _require_known(members, found)
        managed = self._managed(members)
        events = self._counted(groups, conditions, found)
        sources = {
            profile.profile_id: (found[member.sub], profile)
            for member in members
            for profile in _counting(member, found[member.sub], managed)
        }
        asked = {
            profile_id: (account, profile)
            for profile_id, (account, profile) in sources.items()
            if not (profile.managed and events and account.sub in events)
        }
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

    def _counted(
        self, groups: Iterable[GroupRequest], conditions: Conditions, found: Mapping[str, Account]
    ) -> CountedEvents | None:
        """The events of those for whom it matters which event is which; None when it matters for nobody."""
        windows = _windows_of_events(groups, conditions)
        windows = {sub: window for sub, window in windows.items() if found[sub].has_events}
        if not windows:
            return None
        from freebusy.service.counted_events import look_up

        return look_up(windows, accounts=found, excluded=conditions.excluded, events=self.events)


@dataclass(frozen=True, slots=True)
class Participants:
    """What was found out: ``accounts`` and ``managed`` by sub, ``sources`` and ``read`` by profile id."""

    conditions: Conditions
    now: int
    accounts: Mapping[str, Account]
    managed: Mapping[str, ManagedAvailability]
    events: CountedEvents | None
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
            times = self.events.times(member.sub, window, wanted.tags) if self.events else []
            starts = [start for start, _ in times]
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
        if self.events:
            sub = self.sources[profile.profile_id][0].sub
            if reading is None:  # the managed calendar of somebody whose events are known anyway
                return self.events.times(sub, self.conditions.window)
            if self.conditions.excluded and sub in self.events:
                reading = self.events.without_copies(reading, sub, profile)
        if ignored:
            reading = [period for period in reading or () if period.status is not ignored]
        free = FreeBusyStatus.FREE  # looked up once: there may be tens of thousands of periods in all
        return [(start, end) for start, end, status in reading or () if status is not free]

    def _rules(self, asked: MemberRequest) -> Sequence[Pair]:
        from freebusy.domain.bookable import bounds_of

        return bounds_of(self.managed[asked.sub], asked.rule_ids, self.conditions.window)

    def _full(self, asked: MemberRequest) -> Sequence[Pair]:
        window, events = self.conditions.window, self.events
        if not events:
            return ()
        return [
            period
            for constraint in asked.constraints
            for period in constraint.full(events.times(asked.sub, constraint.reach(window), constraint.tags), window)
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
        from freebusy.domain.bookable import calendars_of

        calendar_ids = calendars_of(managed[member.sub], member.rule_ids)
    return (
        profile
        for profile in account.profiles
        if (account.has_events if profile.managed else not member.only_managed_events)
        and (calendar_ids is None or profile.calendar_id in calendar_ids)
    )


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
