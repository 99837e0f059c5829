"""Trips of a browser through the authorization service, over fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from freebusy.domain.account import Account, Grant, Identity, Profile, ProviderName, Upstream
from freebusy.domain.application import Application
from freebusy.domain.authorization import AuthorizationCode
from freebusy.domain.identifiers import hashed
from freebusy.domain.service_account import ServiceAccount
from freebusy.ports import CalendarProvider
from freebusy.service.authorization import begin_authorization, begin_reconnection
from freebusy.service.consenting import finish_authorization
from freebusy.service.tokens import IssuedTokens, exchange_code
from freebusy.service.trips import Departure, ProviderChoice, Reconnected, Return
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import FakeClock
from tests.fakes.providers import FakeProvider
from tests.fakes.tokens import FakeTokens
from tests.fakes.vaults import FakeVault

PUBLIC_URL = "https://calendar.example.com"
REDIRECT_URI = "https://app.example/callback"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""The example of RFC 7636, appendix B."""

APP = Application("app", "Scheduler", (REDIRECT_URI, "https://app.example/cb?tenant=1"))
OTHER_APP = Application("other-app", "Rival", (REDIRECT_URI,))
FRONT_END = Application("front", "Front end", ("http://127.0.0.1/cb",), public=True)

ANA = Identity(ProviderName.GOOGLE, "ana", "ana@example.com", "Ana")
BEN = Identity(ProviderName.GOOGLE, "ben", "ben@example.com")
ANA_AT_CRONOFY = Identity(ProviderName.GOOGLE, "acc_ana", "ana@example.com", upstream=Upstream.CRONOFY)
ANA_AT_WORK = Identity(ProviderName.MICROSOFT, "tenant.ana", "ana@work.example")

REQUEST = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": REDIRECT_URI,
    "scope": "free_busy_write",
    "state": "s t&te",
    "provider_name": "google_free_busy",
}


def brought(location: str) -> dict[str, str]:
    """The parameters that a redirect carries."""
    return dict(parse_qsl(location.partition("?")[2], keep_blank_values=True))


def callback_of(identity: Identity) -> str:
    """Under which name the person comes back."""
    if identity.upstream is Upstream.CRONOFY:
        return "cronofy"
    return "google" if identity.provider is ProviderName.GOOGLE else "microsoft"


def redeemed(
    code: str, *, application: Application = APP, code_verifier: str | None = None, **stores: Any
) -> IssuedTokens:
    """What the application gets for its code."""
    return exchange_code(application, code, redirect_uri=REDIRECT_URI, code_verifier=code_verifier, **stores)


@dataclass
class World:
    """A deployment in memory, and the browsers of the people in it."""

    clock: FakeClock = field(default_factory=FakeClock)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    vault: FakeVault = field(default_factory=FakeVault)
    google: FakeProvider = field(
        default_factory=lambda: FakeProvider(ProviderName.GOOGLE, issuer="https://accounts.google.com")
    )
    microsoft: FakeProvider = field(default_factory=lambda: FakeProvider(ProviderName.MICROSOFT))
    cronofy: FakeProvider = field(default_factory=lambda: FakeProvider(ProviderName.MANAGED))
    upstream: Upstream = Upstream.DIRECT
    ended: list[tuple[str, str | None]] = field(default_factory=list)
    """What was ended at Cronofy: (sub, profile id), without one for an organization."""

    def __post_init__(self) -> None:
        self.tokens = FakeTokens(self.accounts)
        self.applications = FakeApplications(APP, OTHER_APP, FRONT_END, tokens=self.tokens, accounts=self.accounts)
        self.providers: dict[ProviderName, CalendarProvider] = {
            ProviderName.GOOGLE: self.google,
            ProviderName.MICROSOFT: self.microsoft,
            ProviderName.MANAGED: self.cronofy,
        }

    def end_upstream(self, holder: Account | ServiceAccount, profile: Profile | None = None) -> None:
        self.ended.append((holder.sub, profile.profile_id if profile else None))

    def begin(self, **changed: str | None) -> Departure | ProviderChoice | Return:
        """``REQUEST`` with some parameters changed, or left out where they are ``None``."""
        parameters = {name: value for name, value in (REQUEST | changed).items() if value is not None}
        return begin_authorization(
            parameters,
            public_url=PUBLIC_URL,
            applications=self.applications,
            tokens=self.tokens,
            providers=self.providers,
            upstream=self.upstream,
            now=self.clock(),
        )

    def depart(self, **changed: str | None) -> Departure:
        departure = self.begin(**changed)
        assert isinstance(departure, Departure), departure
        return departure

    def depart_again(self, sub: str, profile_id: str) -> Departure:
        return begin_reconnection(
            sub,
            profile_id,
            public_url=PUBLIC_URL,
            accounts=self.accounts,
            tokens=self.tokens,
            providers=self.providers,
            now=self.clock(),
        )

    def arrive(
        self, departure: Departure, answer: Mapping[str, str], *, callback: str = "google", **more: Any
    ) -> Return | Reconnected:
        return finish_authorization(
            callback,
            answer,
            **{
                "browser_secret": departure.browser_secret,
                "public_url": PUBLIC_URL,
                "applications": self.applications,
                "accounts": self.accounts,
                "tokens": self.tokens,
                "vault": self.vault,
                "providers": self.providers,
                "now": self.clock(),
                **more,
            },
        )

    def answer(self, departure: Departure, identity: Identity) -> dict[str, str]:
        """What the provider sends the browser back with once the person agreed."""
        direct = self.google if identity.provider is ProviderName.GOOGLE else self.microsoft
        provider = self.cronofy if identity.upstream is Upstream.CRONOFY else direct
        return provider.agree(departure.location, identity)

    def refusal(self, departure: Departure, **parameters: str) -> dict[str, str]:
        return {"state": brought(departure.location)["state"], **parameters}

    def trip(self, identity: Identity, **changed: str | None) -> dict[str, str]:
        """A whole trip of somebody who agrees; what the application's redirect URI gets."""
        departure = self.depart(**{"provider_name": identity.provider.value, **changed})
        arrival = self.arrive(departure, self.answer(departure, identity), callback=callback_of(identity))
        assert isinstance(arrival, Return)
        return brought(arrival.location)

    def connect(self, identity: Identity, **changed: str | None) -> IssuedTokens:
        """A whole trip, and the application redeems the code that it gets."""
        return self.redeem(self.trip(identity, **changed)["code"])

    def redeem(self, code: str) -> IssuedTokens:
        return redeemed(code, tokens=self.tokens, accounts=self.accounts, now=self.clock())

    def code(self, identity: Identity, **changed: str | None) -> AuthorizationCode:
        code = self.tokens.find_code(hashed(self.trip(identity, **changed)["code"]), self.clock())
        assert code
        return code

    def account_of(self, identity: Identity, client_id: str = "app") -> Account:
        account = self.accounts.find(self.accounts.sub_of(client_id, identity) or "")
        assert account
        return account

    def profile_of(self, identity: Identity, client_id: str = "app") -> Profile:
        profiles = self.account_of(identity, client_id).free_busy_profiles
        return next(profile for profile in profiles if profile.identity == identity)

    def grant(self, sub: str) -> None:
        """As redeeming a code does."""
        self.accounts.add_grant(sub, Grant(f"grant of {sub}", "free_busy_write", self.clock()))
