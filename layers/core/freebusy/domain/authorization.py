"""The values of an authorization round trip (RFC 6749, 4.1; RFC 7636)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from freebusy.domain.account import Profile, ProviderName
    from freebusy.domain.errors import AuthorizationError

AUTHORIZATION_REQUEST_LIFETIME = 600
AUTHORIZATION_CODE_LIFETIME = 300
LINK_TOKEN_LIFETIME = 300
"""All in seconds."""


class AuthorizationRequest(NamedTuple):
    """One trip through ``/oauth/authorize``, kept under the hash of the ``state`` we sent to the provider.

    ``browser_hash`` is the hash of a random value that only the browser's cookie holds; the PKCE verifier
    and the nonce of the provider leg are derived from that value, so the table alone cannot finish the trip.
    ``provider`` is ``MANAGED`` on a trip to Cronofy.
    ``relink_sub``/``relink_profile_id`` are set when a disconnected profile is being connected again from its
    ``profile_relink_url``: then only the same person at the provider may finish.
    """

    client_id: str
    redirect_uri: str
    scope: str
    application_state: str | None
    code_challenge: str | None
    provider: ProviderName
    browser_hash: str
    expires_at: int
    link_token_hash: str | None = None
    relink_sub: str | None = None
    relink_profile_id: str | None = None


class ReturnAddress(NamedTuple):
    """Where a trip ends: the application's redirect URI, with its own ``state`` and our ``iss`` (RFC 9207)."""

    redirect_uri: str
    state: str | None
    issuer: str

    def with_code(self, code: str) -> str:
        return self._with({"code": code})

    def with_error(self, error: AuthorizationError) -> str:
        return self._with({"error": error.code, "error_description": error.description})

    def _with(self, parameters: dict[str, str]) -> str:
        """A query that the redirect URI has already stays (RFC 6749, 3.1.2)."""
        state = {} if self.state is None else {"state": self.state}
        query = urlencode({**parameters, **state, "iss": self.issuer}, quote_via=quote)
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{query}"


class AuthorizationCode(NamedTuple):
    """What a code stands for; bound to the application, its redirect URI and, with PKCE, its challenge.

    ``sub`` is an account, or a service account, which has no ``profile_id``.
    ``joining`` is a profile that a link token adds to the account, not before the application redeems the code: only
    the application can tell, by its ``state``, that the person who consented is the one who set out from it.
    ``reconnecting`` is set where the profile was disconnected on purpose: redeeming the code connects it again, through
    its organization, and nothing before that does.
    """

    client_id: str
    sub: str
    profile_id: str
    redirect_uri: str
    scope: str
    code_challenge: str | None
    expires_at: int
    joining: Profile | None = None
    reconnecting: bool = False
