"""Reading calendars side by side, each with a credential that works right now.

A credential is refreshed at most once however many ask for it. The lease that one refresher holds is an economy, not
a correctness rule: Google does not rotate refresh tokens and Microsoft leaves the old one valid, so a second refresh
would only be wasted. Cronofy may rotate them; whoever comes late with the old one then fails alone, since only the
version that was refused is marked as disconnected.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from freebusy.domain.account import Account, Disconnected, Profile, ProviderCredential, ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CredentialRevoked,
    DelegationMissing,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, Period

if TYPE_CHECKING:
    from freebusy.ports import AccountStore, CalendarProvider, Clock, EventStore, Vault
    from freebusy.service.organization_reader import OrganizationReader

logger = logging.getLogger(__name__)

EXPIRY_MARGIN = 60
LEASE_SECONDS = 5
POLL_SECONDS = 0.05
PARALLEL_READS = 64

_Used = TypeVar("_Used")

Source = tuple[Account, Profile]
Reading = Sequence[FreeBusyPeriod] | ProviderError
"""What a provider said about one profile, or why it could not be read."""


@dataclass(eq=False, repr=False)
class CalendarReader:
    """Reads the free/busy of profiles, renewing their credentials where needed; the managed profile's is ours."""

    accounts: AccountStore
    events: EventStore
    vault: Vault
    providers: Mapping[ProviderName, CalendarProvider]
    clock: Clock
    organizations: Callable[[], OrganizationReader]
    """Made only when somebody is to be read through their organization."""

    def read_all(self, sources: Iterable[Source], window: Period, *, within: float) -> list[Reading]:
        """Reads every profile at once: one that fails or is late says so and holds up no other.

        Each is read for itself, but those that an organization gives access to are read together (see
        ``organization_reader``). ``within`` seconds bound the whole; the readings come in the order of ``sources``.
        """
        deadline = time.monotonic() + within
        sources = list(sources)
        colleagues = [source for source in sources if source[1].read_by_organization]
        together = (
            self.organizations().start(colleagues, window, deadline=deadline, pool=_pool()) if colleagues else None
        )
        started = {
            profile.profile_id: _pool().submit(self._reading, account, profile, window, deadline)
            for account, profile in sources
            if not profile.read_by_organization
        }
        try:
            read = together.finish() if together else {}
            wait(started.values(), timeout=max(0.0, deadline - time.monotonic()))
        finally:
            # Before any result, which may be an outage: what stayed in the queue would hold up the next request.
            missed = {profile_id for profile_id, each in started.items() if each.cancel() or not each.done()}
        late = ProviderUnavailable("the time box is over")
        read |= {profile_id: late if profile_id in missed else each.result() for profile_id, each in started.items()}
        self._note_withdrawals(colleagues, read)
        return [read[profile.profile_id] for _, profile in sources]

    def _note_withdrawals(self, colleagues: Iterable[Source], read: Mapping[str, Reading]) -> None:
        """For channels: nobody lists the colleagues of an organization, so it shows when one of them is read."""
        found = [
            (account.sub, profile.profile_id, withdrawn)
            for account, profile in colleagues
            if account.channels and profile.connected
            if (withdrawn := _is_withdrawn(read[profile.profile_id])) not in {None, profile.withdrawn}
        ]
        with suppress(StorageUnavailable):  # then the next reading notes it
            for sub, profile_id, withdrawn in found:
                self.accounts.note_withdrawn(sub, profile_id, withdrawn=bool(withdrawn))

    def _reading(self, account: Account, profile: Profile, window: Period, deadline: float) -> Reading:
        try:
            return self.read(account, profile, window, deadline=deadline)
        except ProviderError as error:
            unreadable = {"account": account.sub, "profile_id": profile.profile_id, "reason": error.reason}
            logger.log(log_level(error), "a calendar cannot be read", extra=unreadable)
            return error

    def read(self, account: Account, profile: Profile, window: Period, *, deadline: float) -> Sequence[FreeBusyPeriod]:
        """What is known about ``window``; ``deadline`` is on ``time.monotonic``'s clock.

        Of a provider's trouble it raises the ``ProviderError`` family only. A credential that turns out to be dead
        marks the profile as disconnected.
        """
        if profile.managed:
            from freebusy.service.event_times import busy_periods  # most accounts have no events

            return busy_periods(account, window, events=self.events)
        provider, mailbox = self._provider(profile), profile.identity.email if profile.identity else ""

        def read(credential: ProviderCredential) -> Sequence[FreeBusyPeriod]:
            return provider.free_busy(credential, mailbox, window, deadline=deadline)

        return self.with_credential(account, profile, read, deadline=deadline)

    def with_credential(
        self, account: Account, profile: Profile, use: Callable[[ProviderCredential], _Used], *, deadline: float
    ) -> _Used:
        """Uses a credential that works right now: it is renewed beforehand, or once, where the provider rejects it.

        Raises the ``ProviderError`` family only, and marks the profile as ``read`` does.
        """
        provider = self._provider(profile)
        if profile.identity is None or not profile.connected or not self._is_let_in(profile):
            raise CredentialRevoked(profile.profile_id)
        credential = self._unsealed(account, profile)
        if credential.expires_at - EXPIRY_MARGIN <= self.clock():
            credential = self._renewed(account, profile, credential, provider, deadline)
        try:
            return use(credential)
        except AccessTokenRejected:
            return use(self._renewed(account, profile, credential, provider, deadline))

    def renew(self, account: Account, profile: Profile, *, deadline: float) -> None:
        """Renews the credential before its time, which shows whether it works. Raises and marks as above."""
        provider = self._provider(profile)
        self._renewed(account, profile, self._unsealed(account, profile), provider, deadline)

    def _is_let_in(self, profile: Profile) -> bool:
        """Not any more, once the application revoked the organization that the mailbox belongs to."""
        if profile.service_account is None:
            return True
        giver = self.accounts.holder(profile.service_account)
        return giver is not None and not isinstance(giver, Account) and giver.connected

    def _provider(self, profile: Profile) -> CalendarProvider:
        provider = self.providers.get(profile.asked_at)
        if provider is None:
            raise ProviderMisconfigured(f"no registration for {profile.asked_at}")
        return provider

    def _renewed(
        self,
        account: Account,
        profile: Profile,
        credential: ProviderCredential,
        provider: CalendarProvider,
        deadline: float,
    ) -> ProviderCredential:
        """The credential that follows ``credential``, whether this caller or another one fetched it."""
        while not self.accounts.lease_refresh(
            account.sub, profile.profile_id, version=profile.version, now=self.clock(), seconds=LEASE_SECONDS
        ):
            if time.monotonic() >= deadline:
                raise ProviderUnavailable("the credential is being refreshed elsewhere")
            time.sleep(POLL_SECONDS)
            current = self._current(account, profile)
            if current.version != profile.version:
                renewed = self._unsealed(account, current)
                if renewed.access_token != credential.access_token:
                    return renewed
                profile = current
        return self._refreshed(account, profile, credential, provider, deadline)

    def _refreshed(
        self,
        account: Account,
        profile: Profile,
        credential: ProviderCredential,
        provider: CalendarProvider,
        deadline: float,
    ) -> ProviderCredential:
        sub, profile_id, version = account.sub, profile.profile_id, profile.version
        try:
            renewed = provider.refresh(credential, deadline=deadline)
        except CredentialRevoked:
            self.accounts.disconnect(sub, profile_id, because=Disconnected.CREDENTIAL_REVOKED, version=version)
            raise
        sealed = self.vault.seal(renewed, client_id=account.client_id, profile_id=profile.sealed_for)
        self.accounts.renew(sub, profile_id, sealed=sealed, expires_at=renewed.expires_at, version=version)
        return renewed

    def _current(self, account: Account, profile: Profile) -> Profile:
        reread = self.accounts.find(account.sub)
        everything = (*reread.profiles, *reread.moved) if reread else ()
        current = next((each for each in everything if each.profile_id == profile.profile_id), None)
        if current is None or not current.connected:
            raise CredentialRevoked(profile.profile_id)
        return current

    def _unsealed(self, account: Account, profile: Profile) -> ProviderCredential:
        if profile.sealed_credential is None:
            raise CredentialRevoked(profile.profile_id)
        try:
            return self.vault.unseal(
                profile.sealed_credential, client_id=account.client_id, profile_id=profile.sealed_for
            )
        except ValueError as error:
            # Only a new consent can mend a credential that no longer opens.
            whose = {"application": account.client_id, "account": account.sub, "profile_id": profile.profile_id}
            logger.exception("a credential does not open", extra=whose)
            raise CredentialRevoked(profile.profile_id) from error


def _is_withdrawn(reading: Reading) -> bool | None:
    """Whether the organization lets nobody in; None where that cannot be told."""
    if isinstance(reading, (DelegationMissing, CredentialRevoked)):
        return True
    return None if isinstance(reading, ProviderError) else False


def log_level(error: ProviderError) -> int:
    """Trouble with our own registration is the operator's business, and the provider's passes.

    A consent that ended is nobody's trouble: only the person, or their administrator, gives a new one.
    """
    if isinstance(error, CredentialRevoked | DelegationMissing):
        return logging.INFO
    return logging.ERROR if isinstance(error, ProviderMisconfigured) else logging.WARNING


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept while the sandbox is warm; every call in it ends by its own deadline."""
    return ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="calendar")
