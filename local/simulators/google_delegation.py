"""Domain-wide delegation: a service account that acts for the people of an organization (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account says how its assertions look, and what is
wrong with those that are refused.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, TypeGuard
from urllib.parse import quote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, RSAKey

from local.simulators.google_calendar import SCOPE_PREFIX
from local.simulators.grants import random_token
from local.simulators.organizations import ApplicationToken, Organization, Organizations
from local.simulators.people import HOUR, Person, fingerprint

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
LIFETIME = HOUR - 1  # seconds; Google says 3599
CLOCK_SKEW = 300
"""Seconds that the caller's clock may be ahead."""

_PROJECT = "freebusy-laptop"


class Workspace(Organization):
    """``delegated`` to our service account for these scopes; ``txt`` is what DNS says at ``_freebusy-connect``."""

    scopes: tuple[str, ...] = (SCOPE_PREFIX + "calendar.freebusy",)
    txt: tuple[str, ...] = ()


class NotGranted(Exception):
    """What the token endpoint answers instead of a token."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


class ServiceAccount:
    """The only one there is, with its keys, of which the first is the one that the laptop stack begins with."""

    email = f"freebusy-connect@{_PROJECT}.iam.gserviceaccount.com"

    def __init__(self) -> None:
        self._keys: dict[str, RSAKey] = {}
        self._first = self.add_key()

    def add_key(self) -> dict[str, str]:
        """Its key file."""
        key = RSAKey.generate_key(2048, private=True)
        key_id = fingerprint("google service account key", key.thumbprint()).hex()[:40]
        self._keys[key_id] = key
        return self._key_file(key_id)

    def delete_key(self, key_id: str) -> None:
        self._keys.pop(key_id, None)

    def key_file(self) -> dict[str, str]:
        return self._first

    def _key_file(self, key_id: str) -> dict[str, str]:
        """What the Cloud console gives to download."""
        return {
            "type": "service_account",
            "project_id": _PROJECT,
            "private_key_id": key_id,
            "private_key": self._keys[key_id].as_pem(private=True).decode(),
            "client_email": self.email,
            "client_id": f"1{int.from_bytes(fingerprint('google service account', self.email)) % 10**20:020d}",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": TOKEN_URL,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{quote(self.email, safe='')}",
            "universe_domain": "googleapis.com",
        }

    def claims(self, assertion: str) -> dict[str, Any]:
        """What an assertion says that this account signed. Raises ``NotGranted``."""
        try:
            signed = jwt.decode(assertion, self._key_of, algorithms=["RS256"])
        except (JoseError, ValueError) as error:
            raise _invalid_grant("Invalid JWT Signature.") from error
        return signed.claims

    def _key_of(self, signed: GuestProtocol) -> RSAKey:
        """Raises ``ValueError`` when there is no such key, or not any more."""
        key = self._keys.get(str(signed.headers().get("kid")))
        if key is None:
            raise ValueError("there is no such key")
        return key


@cache
def service_account() -> ServiceAccount:
    """Made anew by every process."""
    return ServiceAccount()


class Delegation:
    """Tokens for assertions, and what they open."""

    def __init__(self, organizations: Organizations[Workspace], known_scopes: Collection[str]) -> None:
        self._organizations = organizations
        self._known_scopes = known_scopes

    def token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer of the token endpoint, which never holds a refresh token. Raises ``NotGranted``."""
        if "assertion" not in form:
            raise NotGranted(400, "invalid_request", "Missing required parameter: assertion")
        claims = service_account().claims(form["assertion"])
        _check_issuer_audience_and_times(claims)
        scopes = self._scopes(claims)
        domain, subject, lifetime = "", None, LIFETIME
        if "sub" in claims:
            person = self._impersonated(claims["sub"], scopes)
            domain, subject, lifetime = person.domain, person.email, min(LIFETIME, person.token_lifetime)
        token = self._organizations.issue(random_token("ya29.c.c0", 600), domain, scopes, lifetime, subject)
        return {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}

    def access(self, token: str) -> ApplicationToken | None:
        """What a token opens, and only while administrator and person allow it; it may have expired."""
        access = self._organizations.of_token(token)
        if access is None or self._organizations.was_withdrawn(access):
            return None
        if access.subject is None:
            return access
        organization = self._organizations.get(access.domain)
        if organization is None or not access.scopes <= set(organization.scopes):
            return None
        return access if self._organizations.employee(access.subject) else None

    def visible(self, name: str, access: ApplicationToken) -> Person | None:
        """The person or room whose free/busy the impersonated person sees under this name of a calendar."""
        if access.subject is None:
            return None
        person = self._organizations.colleague(access.subject if name == "primary" else name, access.domain)
        if person and person.email != access.subject and self._organizations.is_hidden(person):
            return None
        return person

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        scope = claims.get("scope")
        if not isinstance(scope, str) or not scope.split():
            raise NotGranted(400, "invalid_scope", "Empty or missing scope not allowed.")
        scopes = frozenset(scope.split())
        if not scopes <= set(self._known_scopes):
            raise NotGranted(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return scopes

    def _impersonated(self, subject: Any, scopes: frozenset[str]) -> Person:
        """First it is looked whether there is such a person, then whether we may act for them."""
        person = self._organizations.employee(subject) if isinstance(subject, str) else None
        if person is None:
            raise _invalid_grant("Invalid email or User ID")
        organization = self._organizations.in_force(person.domain)
        if organization is None or not organization.delegated or not scopes <= set(organization.scopes):
            raise NotGranted(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any "
                "of the scopes requested.",
            )
        return person


def _check_issuer_audience_and_times(claims: Mapping[str, Any]) -> None:
    if claims.get("iss") != ServiceAccount.email:
        raise _invalid_grant("Invalid grant: account not found")
    if claims.get("aud") != TOKEN_URL:
        raise _invalid_grant(f"Invalid JWT: Failed audience check. The right audience is {TOKEN_URL}")
    issued_at, expires_at, now = claims.get("iat"), claims.get("exp"), time.time()
    if not _is_moment(issued_at) or not _is_moment(expires_at):
        raise _invalid_grant("Invalid JWT: iat and exp must be numbers of seconds.")
    if not (now < expires_at <= issued_at + HOUR and now - HOUR <= issued_at <= now + CLOCK_SKEW):
        raise _invalid_grant(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
            "and exp values in the JWT claim."
        )


def _is_moment(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _invalid_grant(description: str) -> NotGranted:
    return NotGranted(400, "invalid_grant", description)
