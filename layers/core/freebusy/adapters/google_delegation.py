"""Google's domain-wide delegation: our service account speaks for the people of an organization (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account says how, and what the errors mean.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.adapters.token_endpoint import Verdict, error_of, granted, post, refusal
from freebusy.domain.errors import DelegationMissing, MailboxUnknown, ProviderMisconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.adapters.provider_http import Answer, ProviderHttp, Timing
    from freebusy.adapters.secrets import ServiceAccountKey, ServiceAccountKeySource
    from freebusy.domain.account import ProviderCredential

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LIFETIME = 3600
"""Seconds from ``iat`` to ``exp``, the most that Google takes."""
LEEWAY = 60
"""Seconds that our clock may be ahead of Google's."""

VERDICTS: Mapping[str, Verdict] = {
    # The client id is not on the administrator's list, or a scope is not, or not yet everywhere (up to a day).
    "unauthorized_client": DelegationMissing,
    "access_denied": DelegationMissing,
    "admin_policy_enforced": DelegationMissing,
    # Our key has been seen to work then, so that it is the person: unknown, suspended, or of another organization.
    "invalid_grant": MailboxUnknown,
    "deleted_client": ProviderMisconfigured,
    "disabled_client": ProviderMisconfigured,
    "invalid_client": ProviderMisconfigured,
    "invalid_request": ProviderMisconfigured,
    "invalid_scope": ProviderMisconfigured,
    "org_internal": ProviderMisconfigured,
    "unsupported_grant_type": ProviderMisconfigured,
}
"""By ``error``. One that is not listed disconnects nobody: it counts as ProviderUnavailable."""

ABOUT_US = frozenset({"invalid_grant", "invalid_client", "deleted_client", "disabled_client"})
"""Errors that may mean that the key is not ours any more, or that our clock is wrong."""


class DelegatedTokens:
    def __init__(self, http: ProviderHttp, key: ServiceAccountKeySource, *, timing: Timing) -> None:
        self._http = http
        self._key = key
        self._timing = timing

    def token(self, person: str, scope: str, *, deadline: float) -> ProviderCredential:
        """An access token of ``person`` for exactly this scope; there is no refresh token.

        ``invalid_grant`` means that the person is unknown as well as that our key is, and only prose tells the two
        apart, which changes. So we ask without a person: if that works, it was not the key. Otherwise the operator
        may have put a new key into the secret within the time that we keep it.
        Raises DelegationMissing, MailboxUnknown, ProviderMisconfigured or ProviderUnavailable.
        """
        for fresh in (False, True):
            key = self._key(fresh=fresh)
            answer = self._ask(key, {"sub": person, "scope": scope}, deadline)
            if answer.status == HTTPStatus.OK:
                return granted(answer, int(self._timing.now()), scope)
            if error_of(answer) not in ABOUT_US or self._ask(key, {"scope": scope}, deadline).ok:
                raise refusal(answer, errors=VERDICTS, codes={})
        raise ProviderMisconfigured("Google does not take our service account's key, or our clock is wrong")

    def try_out(self, scope: str, *, deadline: float) -> None:
        """Asks for a token of our own, which opens nobody's calendar. Raises ProviderMisconfigured when Google does not
        take the key, or ProviderUnavailable.
        """
        if not self._ask(self._key(), {"scope": scope}, deadline).ok:
            raise ProviderMisconfigured("Google does not take this key, or not yet: a new one may need a minute")

    def _ask(self, key: ServiceAccountKey, wanted: Mapping[str, str], deadline: float) -> Answer:
        now = int(self._timing.now()) - LEEWAY
        claims = {"iss": key.email, "aud": TOKEN_URL, "iat": now, "exp": now + LIFETIME, **wanted}
        form = {"grant_type": GRANT_TYPE, "assertion": _signed(claims, key)}
        return post(self._http, TOKEN_URL, form, deadline)


def _signed(claims: Mapping[str, Any], key: ServiceAccountKey) -> str:
    """Raises ProviderMisconfigured when the key file holds no RSA key."""
    from joserfc import jwt  # reading with a token that was kept needs no JOSE
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    try:
        private = RSAKey.import_key(key.private_key)
        return jwt.encode({"alg": "RS256", "kid": key.key_id}, dict(claims), private, algorithms=["RS256"])
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderMisconfigured(f"the service account's key cannot sign: {type(error).__name__}") from None
