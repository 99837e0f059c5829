"""A person's sign-in at Google and at Microsoft that asks who they are, and for nothing of their calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters import google, microsoft
from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing, measured
from freebusy.adapters.token_endpoint import TokenEndpoint
from freebusy.domain.account import Identity, ProviderName
from freebusy.domain.person import Person
from freebusy.domain.service_account import Organization, mailbox_identity

if TYPE_CHECKING:
    import httpx

    from freebusy.adapters.identity_token import Claims
    from freebusy.adapters.secrets import RegistrationSource

GOOGLE_SCOPE = "openid email"
MICROSOFT_SCOPE = "openid profile email"


class GooglePersonSignIn:
    issuer: str | None = google.ISSUER

    def __init__(
        self, http: httpx.Client, registration: RegistrationSource, *, origin: str | None, timing: Timing = REAL_TIME
    ) -> None:
        provider_http = ProviderHttp(http, origin=origin, timing=timing)
        self._sign_in = google.sign_in(TokenEndpoint(provider_http, google.TOKEN_URL, registration, timing))

    def sign_in_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        return self._sign_in.url(
            scope=GOOGLE_SCOPE,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            prompt="select_account",
        )

    @measured("google")
    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Person:
        claims = self._sign_in.identify(code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce)
        identity = google.identity(claims)
        return Person(identity, _workspace_mailbox(claims, identity))


class MicrosoftPersonSignIn:
    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        tenant: str,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._tenant = tenant
        tokens = TokenEndpoint(
            ProviderHttp(http, origin=origin, timing=timing),
            microsoft.address(tenant, "oauth2/v2.0/token"),
            registration,
            timing,
            extra={"scope": MICROSOFT_SCOPE},
            codes=microsoft.VERDICTS_BY_CODE,
            wrong_secret=microsoft.WRONG_SECRET,
        )
        self._sign_in = microsoft.sign_in(tokens, tenant)

    @property
    def issuer(self) -> str | None:
        return microsoft.known_issuer(self._tenant)

    def sign_in_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        return self._sign_in.url(
            scope=MICROSOFT_SCOPE,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            **microsoft.SHOWN,
        )

    @measured("microsoft")
    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Person:
        claims = self._sign_in.identify(code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce)
        return Person(microsoft.identity(claims, tenant=self._tenant), _tenant_mailbox(claims))


def _workspace_mailbox(claims: Claims, identity: Identity) -> Identity | None:
    """Of a verified address in a Workspace, which Google answers for: it hosts the mailbox itself (claim ``hd``).

    https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
    """
    match claims:
        case {"hd": str(hosted)} if hosted:
            return mailbox_identity(Organization(ProviderName.GOOGLE, hosted.lower()), identity.email)
    return None


def _tenant_mailbox(claims: Claims) -> Identity | None:
    """Of the sign-in name, which can only ever be matched within the tenant that signed the person in: administrators
    give out names there.
    """
    match claims, microsoft.proven_name(claims):
        case {"tid": str(tenant)}, str(name):
            return mailbox_identity(Organization(ProviderName.MICROSOFT, tenant), name)
    return None
