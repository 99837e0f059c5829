"""The key that signs id_tokens: made anew by every process, and published as the provider does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


class SigningKey:
    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, private=True, auto_kid=True)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact RS256 JWT."""
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": self._key.kid}, dict(claims), self._key)

    def public(self, **more: str) -> dict[str, Any]:
        """The JWK without its private parts."""
        return {**self._key.as_dict(private=False), "use": "sig", **more}


@cache
def signing_key(_provider: str) -> SigningKey:
    return SigningKey()
