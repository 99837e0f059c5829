"""Organizations for tests: what administrators allowed at a fake provider, and the mailboxes that it then shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Generic, NoReturn, TypeVar
from urllib.parse import parse_qsl, urlencode

from freebusy.domain.account import Identity, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CredentialRevoked,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    ProviderError,
)
from freebusy.domain.free_busy import FreeBusyPeriod, Period
from freebusy.domain.pkce import challenge_of
from freebusy.domain.service_account import Administrator, Delegation, Organization, Resource
from tests.fakes.clock import NOW

Who = TypeVar("Who")


def no_organizations() -> NoReturn:
    """For a reader that meets none."""
    raise AssertionError("nobody here is read through an organization")


@dataclass
class FakeOrganizationCalendars:
    """Keeps calendars by mailbox, in lower case, and counts what it is asked.

    ``delegated`` are the keys of organizations that let us in. ``hidden`` mailboxes are seen by their own person alone.
    ``trouble`` maps a mailbox to the error that reading it alone raises; the next calls for several raise the errors of
    ``call_trouble``; ``rejects`` are access tokens that are no longer taken. ``speakers_have_mailboxes`` is Google's
    way: at Microsoft an application speaks for itself.
    """

    most_together: int = 20
    speakers_have_mailboxes: bool = True
    kept: dict[str, list[FreeBusyPeriod]] = field(default_factory=dict)
    delegated: set[str] = field(default_factory=lambda: {"example.com"})
    hidden: set[str] = field(default_factory=set)
    trouble: dict[str, ProviderError] = field(default_factory=dict)
    call_trouble: list[ProviderError] = field(default_factory=list)
    credential_trouble: ProviderError | None = None
    delegation_trouble: ProviderError | None = None
    rejects: set[str] = field(default_factory=set)
    rooms: list[Resource] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    """The speakers that tokens were asked for."""
    together: list[list[str]] = field(default_factory=list)
    """The mailboxes of each call for several."""
    alone: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def delegation(self) -> Delegation:
        if self.delegation_trouble:
            raise self.delegation_trouble
        return Delegation("the client id of the deployment", "scope of free/busy", "scope of rooms")

    def credential(self, organization: Organization, speaker: str, *, deadline: float) -> ProviderCredential:
        with self._lock:
            self.credentials.append(speaker)
            number = len(self.credentials)
        if self.credential_trouble:
            raise self.credential_trouble
        self._require_delegation(organization)
        if self.speakers_have_mailboxes and speaker.lower() not in self.kept:
            raise MailboxUnknown(speaker)
        return ProviderCredential(f"token {number} of {organization.key}", "", NOW + 3600)

    def free_busy(
        self, credential: ProviderCredential, mailboxes: Sequence[str], window: Period, *, deadline: float
    ) -> dict[str, list[FreeBusyPeriod] | CalendarUnreadable]:
        assert len(mailboxes) <= self.most_together
        with self._lock:
            self.together.append(list(mailboxes))
            trouble = self.call_trouble.pop(0) if self.call_trouble else None
        if trouble:
            raise trouble
        if credential.access_token in self.rejects:
            raise AccessTokenRejected(credential.access_token)
        return {
            mailbox: CalendarUnreadable(mailbox)
            if mailbox.lower() not in self.kept or mailbox.lower() in self.hidden
            else self._within(mailbox, window)
            for mailbox in mailboxes
        }

    def own_free_busy(
        self, organization: Organization, mailbox: str, window: Period, *, deadline: float
    ) -> list[FreeBusyPeriod]:
        with self._lock:
            self.alone.append(mailbox)
        self._require_delegation(organization)
        if mailbox.lower() in self.trouble:
            raise self.trouble[mailbox.lower()]
        if mailbox.lower() not in self.kept:
            raise MailboxUnknown(mailbox)
        return self._within(mailbox, window)

    def resources(self, organization: Organization, speaker: str, *, deadline: float) -> list[Resource]:
        self._require_delegation(organization)
        return self.rooms

    def _require_delegation(self, organization: Organization) -> None:
        if organization.key not in self.delegated:
            raise DelegationMissing(organization.key)

    def _within(self, mailbox: str, window: Period) -> list[FreeBusyPeriod]:
        kept = self.kept[mailbox.lower()]
        return [period for period in kept if period.start < window.end and window.start < period.end]


class FakeSignIn(Generic[Who]):
    """A sign-in as strict as the real ones about what holds a trip together.

    People come to it by ``agree``. ``trouble`` is raised by whatever is asked next, and from then on.
    """

    def __init__(self, name: str, *, issuer: str | None = None) -> None:
        self.name = name
        self.issuer = issuer
        self.trouble: ProviderError | None = None
        self._codes: dict[str, tuple[Who, dict[str, str]]] = {}

    def sign_in_url(self, *, login_hint: str | None = None, **asked: str) -> str:
        self._fail_if_told()
        hint = {"login_hint": login_hint} if login_hint else {}
        return f"https://{self.name}.test/sign-in?{urlencode({**asked, **hint})}"

    def agree(self, location: str, who: Who) -> dict[str, str]:
        """What their browser brings to the callback after they signed in at ``location``."""
        asked = dict(parse_qsl(location.partition("?")[2]))
        code = f"{self.name} code {len(self._codes)}"
        self._codes[code] = (who, asked)
        return {"code": code, "state": asked["state"], **({"iss": self.issuer} if self.issuer else {})}

    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Who:
        self._fail_if_told()
        if code not in self._codes:
            raise CredentialRevoked("the code is unknown or used")
        who, asked = self._codes.pop(code)
        if (redirect_uri, challenge_of(code_verifier)) != (asked["redirect_uri"], asked["code_challenge"]):
            raise CredentialRevoked("the code was issued for another trip")
        if nonce != asked["nonce"]:
            raise IdentityRejected("nonce")
        return who

    def _fail_if_told(self) -> None:
        if self.trouble:
            raise self.trouble


class FakeOrganizationSignIn(FakeSignIn[Administrator]):
    """``consents`` says whether the provider has a screen where an administrator agrees for the organization."""

    def __init__(self, name: str, *, consents: bool, issuer: str | None = None) -> None:
        super().__init__(name, issuer=issuer)
        self.consents = consents

    def consent_url(self, *, redirect_uri: str, state: str) -> str | None:
        self._fail_if_told()
        if not self.consents:
            return None
        return f"https://{self.name}.test/adminconsent?{urlencode({'redirect_uri': redirect_uri, 'state': state})}"


@dataclass
class FakeDomainRecords:
    """``kept`` are TXT records by name."""

    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    trouble: ProviderError | None = None

    def texts(self, name: str, *, deadline: float) -> tuple[str, ...]:
        if self.trouble:
            raise self.trouble
        return self.kept.get(name, ())


@dataclass
class FakeUpstreamOrganizations:
    """Cronofy as far as organizations go. Codes are ``agree``'s and ``let_in``'s, each good for one ``redirect_uri``.

    ``asked`` is what it was asked: mailbox, callback URL, state. ``rejects`` are access tokens that are not taken any
    more; ``trouble`` is raised by whatever is asked next, and from then on.
    """

    asked: list[tuple[str, str, str]] = field(default_factory=list)
    rooms: list[Resource] = field(default_factory=list)
    rejects: set[str] = field(default_factory=set)
    trouble: ProviderError | None = None
    refreshed: int = 0
    _codes: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _issued_codes: int = 0

    def authorization_url(self, **asked: object) -> str:
        self._fail_if_told()
        return f"https://cronofy.test/enterprise?{urlencode(asked)}"

    def agree(self, location: str, key: str = "ser_there") -> dict[str, str]:
        """What the administrator's browser brings to the callback after all was set up at ``location``."""
        asked = dict(parse_qsl(location.partition("?")[2]))
        kind, email = ProviderName.GOOGLE, "admin@example.com"
        organization = Organization(kind, key, upstream=Upstream.CRONOFY)
        administrator = Administrator(Identity(kind, key, email, upstream=Upstream.CRONOFY), organization)
        return {"code": self._issued(asked["redirect_uri"], administrator), "state": asked["state"]}

    def let_in(self, mailbox: str) -> str:
        """A code for the mailbox that was asked for last."""
        _, callback_url, _ = self.asked[-1]
        identity = Identity(ProviderName.GOOGLE, f"acc_{mailbox}", mailbox, upstream=Upstream.CRONOFY)
        return self._issued(callback_url, identity)

    def connect(self, code: str, *, redirect_uri: str) -> tuple[Administrator, ProviderCredential]:
        return self._redeemed(code, redirect_uri), ProviderCredential("service token 0", "refresh", NOW + 1800)

    def mailbox(self, code: str, *, redirect_uri: str) -> tuple[Identity, ProviderCredential]:
        return self._redeemed(code, redirect_uri), ProviderCredential(f"token for {code}", "refresh", NOW + 3600)

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        self._fail_if_told()
        self.refreshed += 1
        return replace(credential, access_token=f"service token {self.refreshed}", expires_at=NOW + 7200)

    def ask(
        self, credential: ProviderCredential, mailbox: str, *, callback_url: str, state: str, deadline: float
    ) -> None:
        self._take(credential)
        self.asked.append((mailbox, callback_url, state))

    def resources(self, credential: ProviderCredential, *, deadline: float) -> list[Resource]:
        self._take(credential)
        return self.rooms

    def _issued(self, redirect_uri: str, what: object) -> str:
        self._issued_codes += 1
        code = f"code {self._issued_codes}"
        self._codes[code] = (redirect_uri, what)
        return code

    def _redeemed(self, code: str, redirect_uri: str) -> Any:
        self._fail_if_told()
        uri, what = self._codes.pop(code, ("", None))
        if uri != redirect_uri:
            raise CredentialRevoked("the code is unknown, used or another redirect URI's")
        return what

    def _take(self, credential: ProviderCredential) -> None:
        self._fail_if_told()
        if credential.access_token in self.rejects:
            raise AccessTokenRejected(credential.access_token)

    def _fail_if_told(self) -> None:
        if self.trouble:
            raise self.trouble
