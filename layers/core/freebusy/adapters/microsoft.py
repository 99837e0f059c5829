"""Microsoft 365 of one person: the Microsoft identity platform, and Graph's ``getSchedule`` on their own mailbox."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import UUID

from freebusy.adapters.graph_schedule import GRAPH, GraphSchedules
from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing, measured
from freebusy.adapters.provider_sign_in import ProviderSignIn
from freebusy.adapters.provider_windows import read_in_pieces
from freebusy.adapters.token_endpoint import TokenEndpoint, Verdict
from freebusy.domain.account import Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import (
    ConsentRefused,
    CredentialRevoked,
    IdentityRejected,
    ProviderMisconfigured,
    ProviderUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from freebusy.adapters.identity_token import Claims
    from freebusy.adapters.secrets import RegistrationSource
    from freebusy.domain.free_busy import FreeBusyPeriod, Period

SIGN_IN = "https://login.microsoftonline.com"

CALENDAR_SCOPE = f"{GRAPH}/Calendars.ReadBasic"
SCOPE = f"openid email profile offline_access {CALENDAR_SCOPE}"

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal accounts (id-token claims reference, ``tid``)."""

WRONG_SECRET = frozenset({7000215, 7000222})

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
VERDICTS_BY_CODE: Mapping[int, Verdict] = {
    **dict.fromkeys((*WRONG_SECRET, 700016, 7000112, 50011, 50194, 90002), ProviderMisconfigured),
    # 50196 is throttling, although it comes as invalid_grant: "a loop while processing a request".
    50196: ProviderUnavailable,
    # The consent is missing or declined, an administrator must give it, multi-factor or Conditional Access
    # asks for the person, or the account may not use this application.
    **dict.fromkeys((65001, 65004, 90094, 90095), ConsentRefused),
    **dict.fromkeys((50074, 50076, 50078, 50079, 53003), ConsentRefused),
    **dict.fromkeys((50020, 50034, 50057, 50105, 500208), ConsentRefused),
    # The code or the refresh token is used up, expired, revoked or not ours.
    **dict.fromkeys((50173, 54005, 70000, 70008, 70043, 700082, 700084, 501481), CredentialRevoked),
}


class Microsoft:
    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        tenant: str,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._timing = timing
        self._tenant = tenant
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._tokens = TokenEndpoint(
            self._http,
            address(tenant, "oauth2/v2.0/token"),
            registration,
            timing,
            covers=_covers,
            extra={"scope": SCOPE},
            codes=VERDICTS_BY_CODE,
            wrong_secret=WRONG_SECRET,
        )
        self._sign_in = sign_in(self._tokens, tenant)

    @property
    def issuer(self) -> str | None:
        return known_issuer(self._tenant)

    def authorization_url(
        self,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,
        code_challenge: str,
        kind: ProviderName | None = None,  # noqa: ARG002 - there is one kind of calendar here
    ) -> str:
        return self._sign_in.url(
            scope=SCOPE, redirect_uri=redirect_uri, state=state, nonce=nonce, code_challenge=code_challenge, **SHOWN
        )

    @measured("microsoft")
    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        claims, credential = self._sign_in.exchange(
            code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce
        )
        return identity(claims, tenant=self._tenant), credential

    @measured("microsoft")
    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        return self._tokens.refresh(credential, deadline=deadline)

    @measured("microsoft")
    def free_busy(
        self, credential: ProviderCredential, mailbox: str, window: Period, *, deadline: float
    ) -> Sequence[FreeBusyPeriod]:
        schedules = GraphSchedules(self._http, "me", credential.access_token, deadline)

        return read_in_pieces(window, partial(schedules.read, mailbox), deadline=deadline, timing=self._timing)


SHOWN = {"response_mode": "query", "prompt": "select_account"}
"""``prompt=select_account``, since a browser that is signed in would otherwise choose for the person.

``response_mode=query``, since a cross-site form post carries no SameSite=Lax cookie.
"""


def address(tenant: str, path: str) -> str:
    return f"{SIGN_IN}/{quote(tenant, safe='')}/{path}"


def sign_in(tokens: TokenEndpoint, tenant: str) -> ProviderSignIn:
    return ProviderSignIn(
        tokens,
        address(tenant, "oauth2/v2.0/authorize"),
        address(tenant, "discovery/v2.0/keys"),
        issuers=lambda claims: [_issuer(str(claims.get("tid")))],
    )


def known_issuer(tenant: str) -> str | None:
    """Known beforehand only where one tenant's people sign in; the id_token is checked in any case."""
    return _issuer(tenant) if _is_uuid(tenant) else None


def identity(claims: Claims, *, tenant: str) -> Identity:
    """Of somebody of any organization, or of ``tenant`` where it is the id of one."""
    match claims:
        case {"tid": str(theirs), "oid": str(oid)} if theirs and oid:
            pass
        case _:
            raise IdentityRejected("the id_token does not say who signed in")
    if theirs == PERSONAL_ACCOUNTS:
        raise IdentityRejected("personal Microsoft accounts have no free/busy to ask for")
    if _is_uuid(tenant) and theirs != tenant.lower():
        raise IdentityRejected("this deployment serves another tenant")
    email = _text(claims, "email") or _text(claims, "preferred_username")
    if not email:
        raise IdentityRejected("the id_token names no mailbox")
    return Identity(
        ProviderName.MICROSOFT,
        f"{theirs}.{oid}",
        email,
        _text(claims, "name"),
        proven=_domain(email) == _domain(proven_name(claims) or ""),
    )


def proven_name(claims: Claims) -> str | None:
    """The sign-in name, whose domain Microsoft has a tenant prove; the claim ``email`` may say anything.

    A guest (claim ``idp``) has one that their own tenant gave them.
    https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
    """
    match claims:
        case {"iss": str(issuer), "preferred_username": str(name)} if "@" in name:
            return name if claims.get("idp", issuer) == issuer else None
    return None


def _domain(address: str) -> str:
    return address.rpartition("@")[2].casefold()


def _covers(scope: str) -> bool:
    """Graph's scopes come back with or without its address, in any case; an answer without ``scope`` granted all."""
    granted = {name.removeprefix(f"{GRAPH}/") for name in scope.lower().split()}
    return not scope or CALENDAR_SCOPE.removeprefix(f"{GRAPH}/").lower() in granted


def _issuer(tenant: str) -> str:
    return f"{SIGN_IN}/{tenant.lower()}/v2.0"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
