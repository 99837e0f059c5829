"""The leg of a trip that leads through the provider's consent screen, and the secrets that guard it."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from freebusy.domain.account import ProviderName
from freebusy.domain.identifiers import hashed, new_state

CALLBACK_NAMES = {
    ProviderName.GOOGLE: "google",
    ProviderName.MICROSOFT: "microsoft",
    ProviderName.MANAGED: "cronofy",
}
"""Each provider has a callback of its own, so that one cannot answer for the other (RFC 9700, 4.4.2)."""


SESSION = "connections"
"""The name of the cookie that holds the handle of a person's session; those of trips are their own (``trip_of``)."""


def callback_url(public_url: str, provider: ProviderName) -> str:
    """The redirect URI that the operator registers at the provider."""
    return f"{public_url}/oauth/callback/{CALLBACK_NAMES[provider]}"


def trip_of(state: str) -> str:
    """The name of the cookie that holds a trip's browser secret, so that trips in two tabs do not collide."""
    return hashed(state)[:8]


@dataclass(eq=False, repr=False)
class ProviderLeg:
    """``state`` travels through the provider, ``browser_secret`` stays in the browser's cookie.

    Nonce and PKCE verifier follow from both, so that neither the table nor a leaked callback URL can finish the trip.
    """

    state: str = field(default_factory=new_state)
    browser_secret: str = field(default_factory=new_state)

    @property
    def state_hash(self) -> str:
        return hashed(self.state)

    @property
    def browser_hash(self) -> str:
        return hashed(self.browser_secret)

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def code_verifier(self) -> str:
        return self._derived("code_verifier")

    @property
    def code_challenge(self) -> str:
        from freebusy.domain.pkce import challenge_of  # who comes back has set out before

        return challenge_of(self.code_verifier)

    def _derived(self, purpose: str) -> str:
        digest = hmac.digest(self.browser_secret.encode(), f"{purpose} {self.state}".encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()
