"""A person's browser at a provider's sign-in and back (OpenID Connect Core, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from freebusy.adapters.identity_token import Claims, IdentityTokens
    from freebusy.adapters.token_endpoint import TokenAnswer, TokenEndpoint
    from freebusy.domain.account import ProviderCredential

EXCHANGE_SECONDS = 15.0
"""How long everything may take that follows on the browser's return."""


@dataclass(frozen=True)
class ProviderSignIn:
    """``issuers`` are the values of ``iss`` that an id_token with these claims may have."""

    tokens: TokenEndpoint
    authorize_url: str
    keys_url: str
    issuers: Callable[[Claims], Collection[str]]

    def url(
        self, *, scope: str, redirect_uri: str, state: str, nonce: str, code_challenge: str, **more: str | None
    ) -> str:
        """Where to send the browser; of ``more``, what is None is left out."""
        query = {
            "client_id": self.tokens.registration().client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            **{name: value for name, value in more.items() if value is not None},
        }
        return f"{self.tokens.http.address(self.authorize_url)}?{urlencode(query)}"

    def exchange(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Claims, ProviderCredential]:
        """Who consented, and what they consented to. Raises as ``TokenEndpoint.exchange``, and IdentityRejected."""
        deadline = self._deadline()
        answer = self.tokens.exchange(code, redirect_uri=redirect_uri, code_verifier=code_verifier, deadline=deadline)
        return self._claims(answer, nonce, deadline), answer.credential

    def identify(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Claims:
        """Who signed in, and no more. Raises as ``TokenEndpoint.redeem``, and IdentityRejected."""
        deadline = self._deadline()
        answer = self.tokens.redeem(code, redirect_uri=redirect_uri, code_verifier=code_verifier, deadline=deadline)
        return self._claims(answer, nonce, deadline)

    def _deadline(self) -> float:
        return self.tokens.timing.monotonic() + EXCHANGE_SECONDS

    def _claims(self, answer: TokenAnswer, nonce: str, deadline: float) -> Claims:
        return self._identity_tokens.claims(answer.id_token, client_id=answer.client_id, nonce=nonce, deadline=deadline)

    @cached_property
    def _identity_tokens(self) -> IdentityTokens:
        from freebusy.adapters.identity_token import IdentityTokens  # only the sign-in needs JOSE

        return IdentityTokens(self.tokens.http, self.keys_url, issuers=self.issuers, timing=self.tokens.timing)
