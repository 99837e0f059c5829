"""Who signed in, by the provider's id_token (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from freebusy.domain.errors import IdentityRejected, ProviderUnavailable

if TYPE_CHECKING:
    from freebusy.adapters.provider_http import ProviderHttp, Timing

Claims = Mapping[str, Any]

LEEWAY = 60
"""Seconds that the provider's clock and ours may differ."""

KEYS_KEPT_SECONDS = 6 * 3600
"""A key that the provider withdrew is not believed for longer, however long this process lives; by the clock on the
wall, since the monotonic one stands still while Lambda has a sandbox frozen."""

# Headers that the registry does not know are no reason to refuse; critical ones (RFC 7515, 4.1.11) still are.
_RS256_ONLY = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)


class IdentityTokens:
    """Checks id_tokens against the keys that the provider publishes, which are kept between sign-ins.

    ``issuers`` are the values of ``iss`` that a token with these claims may have.
    """

    def __init__(
        self, http: ProviderHttp, keys_url: str, *, issuers: Callable[[Claims], Collection[str]], timing: Timing
    ) -> None:
        self._http = http
        self._keys_url = keys_url
        self._issuers = issuers
        self._timing = timing
        self._keys: dict[str, RSAKey] = {}
        self._fetched_at = float("-inf")

    def claims(self, token: str, *, client_id: str, nonce: str, deadline: float) -> Claims:
        """What the token says, once all of it checks out. Raises IdentityRejected or ProviderUnavailable."""
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            if not isinstance(kid, str) or (key := self._key(kid, deadline)) is None:
                raise IdentityRejected("the id_token is signed by an unknown key")
            claims = jwt.decode(token, key, registry=_RS256_ONLY).claims
            self._registry(claims, nonce).validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise IdentityRejected(f"the id_token does not check out: {type(error).__name__}") from None
        if claims["aud"] not in (client_id, [client_id]):
            raise IdentityRejected("the id_token is addressed to somebody else")
        if not _may_sign(key, claims):
            raise IdentityRejected("the id_token is signed by another issuer's key")
        return claims

    def _registry(self, claims: Claims, nonce: str) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._timing.now()),
            leeway=LEEWAY,
            iss={"essential": True, "values": list(self._issuers(claims))},
            sub={"essential": True},
            aud={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )

    def _key(self, kid: str, deadline: float) -> RSAKey | None:
        """Providers publish a new key before they sign with it, so an unknown ``kid`` is worth one look."""
        kept = 0 <= self._timing.now() - self._fetched_at < KEYS_KEPT_SECONDS
        if not kept or kid not in self._keys:
            self._keys = self._fetch(deadline)
            self._fetched_at = self._timing.now()
        return self._keys.get(kid)

    def _fetch(self, deadline: float) -> dict[str, RSAKey]:
        answer = self._http.send("GET", self._keys_url, deadline=deadline)
        keys = answer.body.get("keys")
        if answer.status != HTTPStatus.OK or not isinstance(keys, list):
            raise ProviderUnavailable("the provider's keys cannot be read")
        try:
            return {key["kid"]: RSAKey.import_key(key) for key in keys if _signs(key)}
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderUnavailable(f"the provider's keys cannot be read: {type(error).__name__}") from None


def _signs(key: Any) -> bool:
    """Keys of kinds we do not use are passed over (RFC 7517, 5)."""
    match key:
        case {"kty": "RSA", "kid": str()}:
            return bool(key.get("use", "sig") == "sig")
    return False


def _may_sign(key: RSAKey, claims: Claims) -> bool:
    """Microsoft's key sets say for which issuer a key is good, with ``{tenantid}`` for any tenant."""
    issuer = key.get("issuer")
    return issuer is None or str(issuer).replace("{tenantid}", str(claims.get("tid"))) == claims["iss"]
