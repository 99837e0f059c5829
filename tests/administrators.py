"""Administrators who connect their organizations with their browsers, over fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freebusy.domain.account import Identity, ProviderName, Upstream
from freebusy.domain.application import Application
from freebusy.domain.identifiers import hashed
from freebusy.domain.organization_setup import OrganizationRequest, ProofRecord, Setup
from freebusy.domain.service_account import MANAGE_ACCOUNTS, Administrator, Organization, ServiceAccount
from freebusy.service.organization_setups import Locked, OrganizationConnected, OrganizationSetups, Progress
from freebusy.service.organization_trips import OrganizationChoice, OrganizationTrips
from freebusy.service.tokens import IssuedTokens
from freebusy.service.trips import Departure, Return
from freebusy.service.upstream_organizations import OrganizationsAtCronofy
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.setups import FakeSetups
from tests.fakes.tokens import FakeTokens
from tests.fakes.vaults import FakeVault
from tests.organizations import (
    FakeDomainRecords,
    FakeOrganizationCalendars,
    FakeOrganizationSignIn,
    FakeUpstreamOrganizations,
)
from tests.trips import APP, CHALLENGE, FRONT_END, OTHER_APP, PUBLIC_URL, REDIRECT_URI, brought, redeemed

GOOGLE, MICROSOFT = ProviderName.GOOGLE, ProviderName.MICROSOFT

WORKSPACE = Organization(GOOGLE, "example.com", ("example.com",))
TENANT = Organization(MICROSOFT, "tenant-1")

ADA = Administrator(Identity(GOOGLE, "ada", "ada@example.com", "Ada"), WORKSPACE)
EMPLOYEE = Administrator(Identity(GOOGLE, "eve", "eve@example.com"), WORKSPACE)
"""Google does not say that she is no administrator."""
STRANGER = Administrator(
    Identity(GOOGLE, "sam", "sam@elsewhere.example"), Organization(GOOGLE, "elsewhere.example", ("elsewhere.example",))
)
MAX = Administrator(Identity(MICROSOFT, "tenant-1.max", "max@work.example", "Max"), TENANT)

REQUEST = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": REDIRECT_URI,
    "scope": MANAGE_ACCOUNTS,
    "delegated_scope": "free_busy_write",
    "state": "s t&te",
    "provider_name": "google_free_busy",
}


def a_request(**changes: Any) -> OrganizationRequest:
    usual = OrganizationRequest(
        "app", REDIRECT_URI, "where I was ⏰", MANAGE_ACCOUNTS, "free_busy_write", GOOGLE, CHALLENGE
    )
    return usual._replace(**changes)


def a_setup(**changes: Any) -> Setup:
    return Setup(a_request(), ADA, "browser", NOW)._replace(**changes)


@dataclass
class Tab:
    """An administrator's browser at a setup: the handle of its address, and the secret of its cookie."""

    handle: str
    secret: str

    @classmethod
    def at(cls, departure: Departure) -> Tab:
        prefix = f"{PUBLIC_URL}/enterprise_connect/setup/"
        assert departure.location.startswith(prefix), departure
        return cls(departure.location.removeprefix(prefix), departure.browser_secret)


@dataclass
class Office:
    """A deployment in memory; at both providers the administrator's own calendar could be read, were we let in."""

    prove_domains: bool = False
    upstream: Upstream = Upstream.DIRECT
    offers_cronofy: bool = True
    cronofy: FakeUpstreamOrganizations = field(default_factory=FakeUpstreamOrganizations)
    clock: FakeClock = field(default_factory=FakeClock)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    setups: FakeSetups = field(default_factory=FakeSetups)
    records: FakeDomainRecords = field(default_factory=FakeDomainRecords)
    google: FakeOrganizationSignIn = field(
        default_factory=lambda: FakeOrganizationSignIn("google", consents=False, issuer="https://accounts.google.com")
    )
    microsoft: FakeOrganizationSignIn = field(
        default_factory=lambda: FakeOrganizationSignIn("microsoft", consents=True)
    )
    workspaces: FakeOrganizationCalendars = field(
        default_factory=lambda: FakeOrganizationCalendars(kept={"ada@example.com": []}, delegated=set())
    )
    tenants: FakeOrganizationCalendars = field(
        default_factory=lambda: FakeOrganizationCalendars(
            kept={"max@work.example": []}, delegated=set(), speakers_have_mailboxes=False
        )
    )

    def __post_init__(self) -> None:
        self.tokens = FakeTokens(self.accounts)
        self.applications = FakeApplications(APP, OTHER_APP, FRONT_END, tokens=self.tokens, accounts=self.accounts)
        self.sign_ins = {GOOGLE: self.google, MICROSOFT: self.microsoft}
        self.calendars = {GOOGLE: self.workspaces, MICROSOFT: self.tenants}
        at_cronofy = OrganizationsAtCronofy(self.accounts.service_accounts, self.cronofy, FakeVault(), self.clock)
        self.trips = OrganizationTrips(
            applications=self.applications,
            setups=self.setups,
            tokens=self.tokens,
            sign_ins=self.sign_ins,
            calendars=self.calendars,
            upstream=self.upstream,
            cronofy=at_cronofy if self.offers_cronofy else None,
        )
        self.desk = OrganizationSetups(
            applications=self.applications,
            setups=self.setups,
            service_accounts=self.accounts.service_accounts,
            tokens=self.tokens,
            vault=FakeVault(),
            calendars=self.calendars,
            records=self.records,
            prove_domains=self.prove_domains,
        )

    # Setting out and coming back.

    def begin(self, **changed: str | None) -> Departure | OrganizationChoice | Return:
        """``REQUEST`` with some parameters changed, or left out where they are ``None``."""
        parameters = {name: value for name, value in (REQUEST | changed).items() if value is not None}
        return self.trips.begin(parameters, public_url=PUBLIC_URL, now=self.clock())

    def depart(self, **changed: str | None) -> Departure:
        departure = self.begin(**changed)
        assert isinstance(departure, Departure), departure
        return departure

    def come_back(
        self, departure: Departure, answer: Mapping[str, str], *, callback: str = "google", **more: Any
    ) -> Departure | Return:
        usual = {"browser_secret": departure.browser_secret, "public_url": PUBLIC_URL, "now": self.clock()}
        return self.trips.come_back(callback, answer, **usual | more)

    def sign_in(self, departure: Departure, who: Administrator) -> Departure | Return:
        """Signs in at the provider; the browser follows its redirect."""
        provider = self.google if who.organization.provider is GOOGLE else self.microsoft
        return self.come_back(departure, provider.agree(departure.location, who), callback=provider.name)

    def consent(self, departure: Departure, **answer: str) -> Departure | Return:
        """Agrees at Microsoft's consent screen, or what else the screen answers."""
        state = brought(departure.location)["state"]
        agreed = {"admin_consent": "True", "tenant": "tenant-1", "state": state}
        return self.come_back(departure, agreed | answer, callback="microsoft")

    def tab(self, who: Administrator = ADA, **changed: str | None) -> Tab:
        """The whole way to a setup."""
        provider = who.organization.provider
        departure = self.depart(**{"provider_name": provider.value, **changed})
        if provider is MICROSOFT and "narrowed" not in changed:
            onward = self.consent(departure)
            assert isinstance(onward, Departure), onward
            departure = onward
        arrival = self.sign_in(departure, who)
        assert isinstance(arrival, Departure), arrival
        return Tab.at(arrival)

    # At the setup.

    def check(
        self, tab: Tab, *, mailbox: str | None = None, secret: str | None = None
    ) -> Progress | Locked | OrganizationConnected:
        return self.desk.check(
            tab.handle,
            browser_secret=tab.secret if secret is None else secret,
            mailbox=mailbox,
            public_url=PUBLIC_URL,
            now=self.clock(),
        )

    def progress(self, tab: Tab, **more: Any) -> Progress:
        progress = self.check(tab, **more)
        assert isinstance(progress, Progress), progress
        return progress

    def connected(self, tab: Tab, **more: Any) -> dict[str, str]:
        """What the application's redirect URI gets."""
        outcome = self.check(tab, **more)
        assert isinstance(outcome, OrganizationConnected), outcome
        assert outcome.location.startswith(f"{REDIRECT_URI}?")
        return brought(outcome.location)

    def delegate(self, who: Administrator) -> None:
        """The administrator lets us in."""
        calendars = self.calendars[who.organization.provider]
        calendars.delegated.add(who.organization.key)

    def publish(self, who: Administrator, client_id: str = "app") -> None:
        """Whoever keeps the domain's DNS adds the record."""
        record = ProofRecord.of(client_id, who)
        self.records.kept[record.name] = (*self.records.kept.get(record.name, ()), record.value)

    def redeem(self, code: str, application: Application = APP, **proof: str) -> IssuedTokens:
        stores = {"tokens": self.tokens, "accounts": self.accounts, "now": self.clock()}
        return redeemed(code, application=application, **proof, **stores)

    def service_account(self, sub: str) -> ServiceAccount:
        found = self.accounts.service_accounts.find(sub)
        assert found
        return found

    def sub_of(self, code: str) -> str:
        found = self.tokens.find_code(hashed(code), self.clock())
        assert found
        return found.sub
