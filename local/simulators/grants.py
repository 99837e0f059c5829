"""What people granted: codes, refresh tokens and access tokens, in memory and gone with the process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

CODE_LIFETIME = 600  # seconds, at both providers


@dataclass(frozen=True, slots=True)
class Consent:
    """One trip through the consent screen; ``offline`` is whether it buys a refresh token."""

    email: str
    scopes: tuple[str, ...]
    offline: bool
    redirect_uri: str
    nonce: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str = "plain"

    def proven_by(self, verifier: str | None) -> bool:
        """Whether the verifier is the one that the challenge was made from (RFC 7636, 4.6)."""
        if self.code_challenge is None:
            return verifier is None
        if verifier is None:
            return False
        if self.code_challenge_method == "S256":
            digest = hashlib.sha256(verifier.encode()).digest()
            verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(self.code_challenge.encode(), verifier.encode())


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token opens, until ``expires_at`` (epoch seconds)."""

    email: str
    scopes: frozenset[str]
    expires_at: float


class Lasting(Protocol):
    """Until ``expires_at`` (epoch seconds)."""

    @property
    def expires_at(self) -> float: ...


class CodeUnusable(Exception):
    """The code was never issued, or was withdrawn."""


class CodeSpent(CodeUnusable):
    """The code was used before."""


class CodeExpired(CodeUnusable):
    """The code is older than ``CODE_LIFETIME``."""


class Grants:
    """The person at the consent screen, not the client, is whose grants these are: there is one client."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._codes: dict[str, tuple[Consent, float]] = {}
        self._spent: set[str] = set()
        self._refresh: dict[str, Consent] = {}
        self._holders: set[str] = set()
        self._access: dict[str, Access] = {}

    def issue_code(self, consent: Consent, code: str) -> str:
        self._codes[code] = (consent, self._clock() + CODE_LIFETIME)
        return code

    def redeem_code(self, code: str) -> Consent:
        """A code is spent by its first use, whatever comes of it (RFC 6749, 4.1.2)."""
        if code in self._spent:
            raise CodeSpent
        if code not in self._codes:
            raise CodeUnusable
        consent, expires_at = self._codes.pop(code)
        self._spent.add(code)
        if expires_at <= self._clock():
            raise CodeExpired
        return consent

    def issue_refresh_token(self, consent: Consent, token: str) -> str:
        self._refresh[token] = consent
        self._holders.add(consent.email)
        return token

    def of_refresh_token(self, token: str) -> Consent | None:
        return self._refresh.get(token)

    def has_refresh_token(self, email: str) -> bool:
        return email in self._holders

    def issue_access_token(self, email: str, scopes: tuple[str, ...], lifetime: int, token: str) -> str:
        self._access[token] = Access(email, frozenset(scopes), self._clock() + lifetime)
        return token

    def of_access_token(self, token: str) -> Access | None:
        """An expired token is still known here: see ``is_alive``."""
        return self._access.get(token)

    def is_alive(self, access: Lasting) -> bool:
        return access.expires_at > self._clock()

    def owner_of(self, token: str) -> str | None:
        """Whose refresh or access token this is."""
        found = self._refresh.get(token) or self._access.get(token)
        return found.email if found else None

    def revoke(self, email: str) -> None:
        """Withdraws everything this person granted."""
        self._holders.discard(email)
        self._codes = {code: kept for code, kept in self._codes.items() if kept[0].email != email}
        self._refresh = {token: consent for token, consent in self._refresh.items() if consent.email != email}
        self._access = {token: access for token, access in self._access.items() if access.email != email}


def random_token(prefix: str, size: int) -> str:
    """``size`` random bytes behind a prefix; the sizes are those of the real ones, since stores must hold them."""
    return prefix + secrets.token_urlsafe(size)
