"""Google Calendar of one person: OpenID Connect, and ``freeBusy.query`` on their own calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.google_calendar import CALENDAR_SCOPE, FreeBusyQueries
from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing, measured
from freebusy.adapters.provider_sign_in import ProviderSignIn
from freebusy.adapters.provider_windows import read_in_pieces
from freebusy.adapters.token_endpoint import TokenEndpoint
from freebusy.domain.account import Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import IdentityRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from freebusy.adapters.identity_token import Claims
    from freebusy.adapters.secrets import RegistrationSource
    from freebusy.domain.free_busy import FreeBusyPeriod, Period

ISSUER = "https://accounts.google.com"
ISSUERS = (ISSUER, "accounts.google.com")
AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
KEYS_URL = "https://www.googleapis.com/oauth2/v3/certs"

SCOPE = f"openid email {CALENDAR_SCOPE}"


class Google:
    issuer: str | None = ISSUER

    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._timing = timing
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._tokens = TokenEndpoint(self._http, TOKEN_URL, registration, timing, covers=_covers)
        self._sign_in = sign_in(self._tokens)

    def authorization_url(
        self,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,
        code_challenge: str,
        kind: ProviderName | None = None,  # noqa: ARG002 - there is one kind of calendar here
    ) -> str:
        """``prompt=consent``, since only a shown consent screen yields a refresh token each time."""
        return self._sign_in.url(
            scope=SCOPE,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            access_type="offline",
            prompt="consent",
        )

    @measured("google")
    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        claims, credential = self._sign_in.exchange(
            code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce
        )
        return identity(claims), credential

    @measured("google")
    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        return self._tokens.refresh(credential, deadline=deadline)

    @measured("google")
    def free_busy(
        self,
        credential: ProviderCredential,
        mailbox: str,  # noqa: ARG002 - the person's own calendar is "primary", whatever its address
        window: Period,
        *,
        deadline: float,
    ) -> Sequence[FreeBusyPeriod]:
        queries = FreeBusyQueries(self._http, credential.access_token, deadline)
        return read_in_pieces(window, queries.own, deadline=deadline, timing=self._timing)


def sign_in(tokens: TokenEndpoint) -> ProviderSignIn:
    return ProviderSignIn(tokens, AUTHORIZE_URL, KEYS_URL, issuers=lambda _: ISSUERS)


def identity(claims: Claims) -> Identity:
    """An address that Google did not verify could be anybody's, and applications would take it for theirs."""
    match claims:
        case {"sub": str(subject), "email": str(email), "email_verified": True} if subject and email:
            name = claims.get("name")
            return Identity(ProviderName.GOOGLE, subject, email, name if isinstance(name, str) and name else None)
    raise IdentityRejected("the id_token names no verified address")


def _covers(scope: str) -> bool:
    """People can untick single permissions; an answer without ``scope`` granted what was asked."""
    return not scope or CALENDAR_SCOPE in scope.split()
