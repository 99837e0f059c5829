"""Reading the mailboxes of organizations together: many in one call, with the token that they share.

Whoever hides their calendar from colleagues is read alone, in their own name. One mailbox's trouble is that mailbox's
alone; only an organization that lets us in nowhere is marked as withdrawn.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import Executor, Future, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CredentialRevoked,
    DelegationMissing,
    MailboxUnknown,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.service.calendar_reader import Reading, Source, log_level
from freebusy.service.organization_access import OrganizationAccess
from freebusy.service.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from freebusy.domain.free_busy import FreeBusyPeriod, Period
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import Clock, OrganizationCalendars, ServiceAccountStore, Vault

logger = logging.getLogger(__name__)

RETRY_SECONDS = 300
"""So long an organization that withdrew its access is left alone, and one that was found to stand is not doubted."""
ALONE_SECONDS = 3600
"""How long it is remembered that a mailbox has to be read alone."""


class Mailbox(NamedTuple):
    """``service_account`` is the ``sub`` of the organization it belongs to."""

    service_account: str
    address: str


# --- What is asked of whom -----------------------------------------------------------------------------------


class Plan(NamedTuple):
    """``asked`` says by profile id which mailbox is asked for, or why none is; ``together`` has one entry a call."""

    asked: dict[str, Mailbox | ProviderError]
    together: list[Sequence[Mailbox]]
    alone: list[Mailbox]

    def addresses(self) -> dict[str, list[str]]:
        """By service account."""
        asked: dict[str, list[str]] = defaultdict(list)
        for mailbox in self.asked.values():
            if isinstance(mailbox, Mailbox):
                asked[mailbox.service_account].append(mailbox.address)
        return asked


def plan(
    sources: Iterable[Source],
    service_accounts: Mapping[str, ServiceAccount],
    most_together: Mapping[ProviderName, int],
    *,
    known_alone: Container[tuple[Mailbox, int]],
    now: int,
) -> Plan:
    """``most_together`` are the providers at which this deployment reads organizations, and how many a call may name.

    ``known_alone`` holds mailboxes with the version of the service account whose credential does not see them.
    """
    asked = {source[1].profile_id: _asked(source, service_accounts, most_together, now) for source in sources}
    together: dict[str, list[Mailbox]] = defaultdict(list)
    alone: list[Mailbox] = []
    for mailbox in asked.values():
        if isinstance(mailbox, ProviderError):
            continue
        if (mailbox, service_accounts[mailbox.service_account].version) in known_alone:
            alone.append(mailbox)
        else:
            together[mailbox.service_account].append(mailbox)
    calls = [
        chunk
        for sub, mailboxes in together.items()
        for chunk in _chunks(mailboxes, most_together[service_accounts[sub].organization.provider])
    ]
    return Plan(asked, calls, alone)


def _asked(
    source: Source, service_accounts: Mapping[str, ServiceAccount], known: Iterable[ProviderName], now: int
) -> Mailbox | ProviderError:
    account, profile = source
    giver = service_accounts.get(profile.service_account or "")
    if profile.identity is None or not profile.connected or giver is None or giver.client_id != account.client_id:
        return CredentialRevoked(profile.profile_id)
    if giver.disconnected is Disconnected.WITHDRAWN:
        if now < giver.disconnected_at + RETRY_SECONDS:
            return DelegationMissing(giver.sub)
    elif not giver.connected:
        return CredentialRevoked(giver.sub)
    if giver.organization.provider not in known:
        return ProviderMisconfigured(f"no registration for organizations at {giver.organization.provider}")
    return Mailbox(giver.sub, profile.identity.email)


def _chunks(mailboxes: Sequence[Mailbox], most: int) -> Iterator[Sequence[Mailbox]]:
    return (mailboxes[first : first + most] for first in range(0, len(mailboxes), most))


# --- Asking --------------------------------------------------------------------------------------------------


class OrganizationReader:
    """Kept while the sandbox is warm, and remembers for a while what would be asked in vain."""

    def __init__(
        self,
        *,
        service_accounts: ServiceAccountStore,
        calendars: Mapping[ProviderName, OrganizationCalendars],
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._service_accounts = service_accounts
        self._calendars = calendars
        self._vault = vault
        self._clock = clock
        self._known_alone = Remembered(seconds=ALONE_SECONDS, clock=clock)
        self._standing = Remembered(seconds=RETRY_SECONDS, clock=clock)

    def start(self, sources: Sequence[Source], window: Period, *, deadline: float, pool: Executor) -> ReadingUnderWay:
        """Looks up all service accounts in one read and asks for everything at once; ``finish`` has what comes of it.

        ``deadline``, on ``time.monotonic``'s clock, bounds the whole.
        """
        givers = self._service_accounts.find_many({sub for _, profile in sources if (sub := profile.service_account)})
        planned = plan(
            sources,
            givers,
            {provider: calendars.most_together for provider, calendars in self._calendars.items()},
            known_alone=self._known_alone,
            now=self._clock(),
        )
        accesses = {
            sub: OrganizationAccess(
                givers[sub],
                addresses,
                deadline,
                calendars=self._calendars[givers[sub].organization.provider],
                service_accounts=self._service_accounts,
                vault=self._vault,
                clock=self._clock,
                standing=self._standing,
            )
            for sub, addresses in planned.addresses().items()
        }
        return ReadingUnderWay(planned, accesses, window, deadline, pool, self._known_alone)


@dataclass(eq=False)
class ReadingUnderWay:
    """One query. None of its tasks waits for a task that has not begun, so that a small pool is slower and no more."""

    planned: Plan
    accesses: Mapping[str, OrganizationAccess]
    window: Period
    deadline: float
    pool: Executor
    known_alone: Remembered

    def __post_init__(self) -> None:
        self._together = [self.pool.submit(self._read_together, mailboxes) for mailboxes in self.planned.together]
        self._alone: dict[Mailbox, Future[Reading]] = {}
        self._ask_alone(self.planned.alone)

    def finish(self) -> dict[str, Reading]:
        """By profile id; what has not answered by the deadline is unreadable. Raises StorageUnavailable."""
        read: dict[Mailbox, Reading] = {}
        try:
            with suppress(TimeoutError):
                for future in as_completed(self._together, timeout=self._seconds_left()):
                    answers = future.result()
                    self._ask_alone([mailbox for mailbox, reading in answers.items() if reading is None])
                    read |= {mailbox: reading for mailbox, reading in answers.items() if reading is not None}
            wait(self._alone.values(), timeout=self._seconds_left())
        finally:
            # What stayed in the queue, also when there was an outage, would hold up the next request.
            started: list[Future[Any]] = [*self._together, *self._alone.values()]
            for each in started:
                each.cancel()
        read |= {
            mailbox: future.result()
            for mailbox, future in self._alone.items()
            if future.done() and not future.cancelled()
        }
        readings = {profile_id: self._reading(asked, read) for profile_id, asked in self.planned.asked.items()}
        _log(readings)
        return readings

    def _reading(self, asked: Mailbox | ProviderError, read: Mapping[Mailbox, Reading]) -> Reading:
        if isinstance(asked, ProviderError):
            return asked
        if self.accesses[asked.service_account].withdrawn:
            return DelegationMissing(asked.service_account)
        return read.get(asked, ProviderUnavailable("the time box is over"))

    def _seconds_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def _read_together(self, mailboxes: Sequence[Mailbox]) -> dict[Mailbox, Reading | None]:
        """None for whoever has to be read alone."""
        access = self.accesses[mailboxes[0].service_account]
        try:
            answers = self._answers(access, [mailbox.address for mailbox in mailboxes])
        except ProviderError as error:
            alone = isinstance(error, MailboxUnknown | DelegationMissing) and not access.withdrawn
            return dict.fromkeys(mailboxes, None if alone else error)
        hidden = [mailbox for mailbox in mailboxes if isinstance(answers[mailbox.address], CalendarUnreadable)]
        for mailbox in hidden:
            self.known_alone.add((mailbox, access.version))
        return {mailbox: answers[mailbox.address] for mailbox in mailboxes} | dict.fromkeys(hidden)

    def _answers(
        self, access: OrganizationAccess, addresses: Sequence[str]
    ) -> Mapping[str, Sequence[FreeBusyPeriod] | CalendarUnreadable]:
        credential = access.credential()
        try:
            return access.calendars.free_busy(credential, addresses, self.window, deadline=self.deadline)
        except AccessTokenRejected:
            fresh = access.credential(instead_of=credential)
        except DelegationMissing:
            access.doubt()
            fresh = access.credential()
            if fresh == credential:
                raise
        return access.calendars.free_busy(fresh, addresses, self.window, deadline=self.deadline)

    def _ask_alone(self, mailboxes: Iterable[Mailbox]) -> None:
        self._alone |= {mailbox: self.pool.submit(self._read_alone, mailbox) for mailbox in mailboxes}

    def _read_alone(self, mailbox: Mailbox) -> Reading:
        access = self.accesses[mailbox.service_account]
        try:
            return access.calendars.own_free_busy(
                access.service_account.organization, mailbox.address, self.window, deadline=self.deadline
            )
        except DelegationMissing as error:
            with suppress(DelegationMissing):
                access.doubt()
                self.known_alone.add((mailbox, access.version))
            return error
        except ProviderError as error:
            return error


def _log(readings: Mapping[str, Reading]) -> None:
    """A line for each reason: a whole organization may be unreadable at once."""
    profile_ids: dict[tuple[int, str], list[str]] = defaultdict(list)
    for profile_id, reading in readings.items():
        if isinstance(reading, ProviderError):
            profile_ids[log_level(reading), reading.reason].append(profile_id)
    for (level, reason), unreadable in profile_ids.items():
        logger.log(level, "colleagues cannot be read", extra={"profile_ids": unreadable, "reason": reason})
