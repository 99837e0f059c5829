"""Connected people for tests, and the calendars that they keep at a fake provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from freebusy.domain.account import Account, Grant, Identity, Profile, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import AccessTokenRejected, ProviderError
from freebusy.domain.event import Attendee, Details, ManagedEvent, When
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.domain.service_account import MANAGE_ACCOUNTS, Organization, ServiceAccount, mailbox_identity
from tests.fakes.clock import NOW
from tests.fakes.vaults import FakeVault

CLIENT_ID = "client-1"


def connected(
    sub: str = "acc_1",
    *,
    client_id: str = CLIENT_ID,
    providers: Sequence[ProviderName] = (ProviderName.GOOGLE,),
    expires_at: int = NOW + 3600,
    scope: str = "free_busy_write",
) -> Account:
    """An account with a free/busy profile at each provider and its managed profile, under one grant ``g1``."""
    profiles = [_profile(sub, client_id, provider, expires_at) for provider in providers]
    managed = Profile(f"pro_m{sub}", ProviderName.MANAGED, email_of(sub), f"cal_m{sub}")
    return Account(
        sub=sub,
        client_id=client_id,
        email=email_of(sub),
        name=None,
        zone="Etc/UTC",
        profiles=(*profiles, managed),
        grants={"g1": Grant("g1", scope, NOW)},
        created_at=NOW,
    )


def organization(
    sub: str = "ser_1",
    *,
    client_id: str = CLIENT_ID,
    provider: ProviderName = ProviderName.GOOGLE,
    key: str = "example.com",
) -> ServiceAccount:
    """A connected organization, whose administrator is ``admin@example.com``; under one grant ``g1``."""
    domains = ("example.com",) if provider is ProviderName.GOOGLE else ()
    return ServiceAccount(
        sub=sub,
        client_id=client_id,
        organization=Organization(provider, key, domains),
        administrator=Identity(provider, "subject of admin", "admin@example.com", "Ada Admin"),
        delegated_scope="free_busy_write",
        grants={"g1": Grant("g1", MANAGE_ACCOUNTS, NOW)},
        created_at=NOW,
    )


def organization_at_cronofy(
    sub: str = "ser_1", *, client_id: str = CLIENT_ID, key: str = "ser_there", expires_at: int = NOW + 1800
) -> ServiceAccount:
    """As ``organization``, by way of Cronofy, where it is known as ``key``."""
    usual = organization(sub, client_id=client_id)
    credential = ProviderCredential("service token 0", f"refresh token of {sub}", expires_at)
    return replace(
        usual,
        organization=Organization(ProviderName.GOOGLE, key, upstream=Upstream.CRONOFY),
        administrator=replace(usual.administrator, subject=key, upstream=Upstream.CRONOFY),
        sealed_credential=FakeVault().seal(credential, client_id=client_id, profile_id=sub),
    )


def colleague(sub: str = "acc_1", service_account: ServiceAccount | None = None) -> Account:
    """An account that its organization gives access to, under one grant ``g1``."""
    giver = service_account or organization()
    account = connected(sub, client_id=giver.client_id, providers=[giver.organization.provider])
    free_busy, managed = account.profiles
    delegated = replace(
        free_busy,
        identity=mailbox_identity(giver.organization, email_of(sub)),
        sealed_credential=None,
        credential_expires_at=0,
        service_account=giver.sub,
    )
    return account._replace(profiles=(delegated, managed))


def email_of(sub: str) -> str:
    return f"{sub}@example.com"


def busy(*hours: tuple[float, float], status: FreeBusyStatus = FreeBusyStatus.BUSY) -> list[FreeBusyPeriod]:
    """Periods in hours from ``NOW``."""
    return [FreeBusyPeriod(int(NOW + start * 3600), int(NOW + end * 3600), status) for start, end in hours]


def _profile(sub: str, client_id: str, provider: ProviderName, expires_at: int) -> Profile:
    profile_id = f"pro_{provider.value[:2]}{sub}"
    credential = ProviderCredential(f"token 0 of {sub}", f"refresh token of {sub}", expires_at)
    return Profile(
        profile_id=profile_id,
        provider=provider,
        name=email_of(sub),
        calendar_id=f"cal_{provider.value[:2]}{sub}",
        identity=Identity(provider, f"subject of {sub}", email_of(sub)),
        sealed_credential=FakeVault().seal(credential, client_id=client_id, profile_id=profile_id),
        credential_expires_at=expires_at,
    )


@dataclass
class FakeCalendars:
    """A provider that keeps calendars by mailbox, and counts what it is asked.

    ``trouble`` maps a mailbox to the error that reading it raises; ``rejects`` are access tokens it no longer takes.
    """

    kept: dict[str, list[FreeBusyPeriod]] = field(default_factory=dict)
    trouble: dict[str, ProviderError] = field(default_factory=dict)
    refresh_trouble: ProviderError | None = None
    rejects: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)
    windows: list[Period] = field(default_factory=list)
    refreshes: int = 0
    issuer: str | None = None
    _lock: Lock = field(default_factory=Lock)

    def free_busy(
        self, credential: ProviderCredential, mailbox: str, window: Period, *, deadline: float
    ) -> list[FreeBusyPeriod]:
        with self._lock:
            self.reads.append(mailbox)
            self.windows.append(window)
        if mailbox in self.trouble:
            raise self.trouble[mailbox]
        if credential.access_token in self.rejects:
            raise AccessTokenRejected(mailbox)
        kept = self.kept.get(mailbox, [])
        return [period for period in kept if period.start < window.end and window.start < period.end]

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        with self._lock:
            self.refreshes += 1
            count = self.refreshes
        if self.refresh_trouble:
            raise self.refresh_trouble
        return ProviderCredential(f"token {count}", credential.refresh_token, NOW + 7200)

    def authorization_url(self, **_: object) -> str:
        raise AssertionError("nobody connects here")

    def exchange_code(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str):
        raise AssertionError("nobody connects here")


def managed(
    event_id: str = "e1",
    hours: tuple[float, float] = (1, 2),
    *,
    sub: str = "acc_1",
    details: Details | None = None,
    attendees: Sequence[Attendee] = (),
    **changed: object,
) -> ManagedEvent:
    """An event of that account's managed calendar, in hours from ``NOW``; its person is invited first."""
    when = When(int(NOW + hours[0] * 3600), int(NOW + hours[1] * 3600))
    event = ManagedEvent(
        client_id=CLIENT_ID,
        sub=sub,
        calendar_id=f"cal_m{sub}",
        event_id=event_id,
        uid=f"evt_{event_id}",
        organizer=f"organizer{event_id}".lower(),
        details=details or Details("Interview", when),
        attendees=(Attendee(email_of(sub)), *attendees),
        revised_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    return event._replace(**changed)  # type: ignore[arg-type]
