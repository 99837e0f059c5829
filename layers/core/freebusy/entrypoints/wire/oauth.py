"""Requests and answers of the token endpoints (RFC 6749, 4.1.3, 5 and 6; RFC 7009; RFC 8414)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from freebusy.domain.errors import TokenError
from freebusy.domain.identifiers import is_service_account
from freebusy.domain.pkce import METHOD
from freebusy.domain.scopes import IMPLIED
from freebusy.entrypoints.http import MalformedBody, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.service.tokens import IssuedTokens

_TRUE = (True, "true", "1")
_FLAGS = (*_TRUE, False, "false", "0", "")


@dataclass(frozen=True, slots=True)
class Client:
    """Who says to be calling. An ``Authorization`` header means nothing here: official SDKs send garbage in it."""

    client_id: str
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeGrant:
    code: str = field(repr=False)
    redirect_uri: str
    code_verifier: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    refresh_token: str = field(repr=False)


class TokenRequest(NamedTuple):
    client: Client
    grant: CodeGrant | RefreshGrant


@dataclass(frozen=True, slots=True)
class Revocation:
    """Exactly one of ``token`` (access or refresh) and ``sub``; ``erase`` asks for everything stored to be erased."""

    client: Client
    token: str | None = field(repr=False)
    sub: str | None
    erase: bool


def token_request(event: Mapping[str, Any]) -> TokenRequest:
    """Raises TokenError ``invalid_request`` or ``unsupported_grant_type``."""
    parameters = _Parameters(event)
    grant_type = parameters.required("grant_type")
    match grant_type:
        case "authorization_code":
            grant: CodeGrant | RefreshGrant = CodeGrant(
                code=parameters.required("code"),
                redirect_uri=parameters.required("redirect_uri"),
                code_verifier=parameters.optional("code_verifier"),
            )
        case "refresh_token":
            grant = RefreshGrant(parameters.required("refresh_token"))
        case _:
            raise TokenError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
    return TokenRequest(parameters.client(), grant)


def revocation(event: Mapping[str, Any]) -> Revocation:
    """Raises TokenError ``invalid_request``. The Node SDK names its token ``refresh_token``."""
    parameters = _Parameters(event)
    token = parameters.optional("token") or parameters.optional("refresh_token")
    sub = None if token else parameters.optional("sub")
    if not (token or sub):
        raise _invalid("token or sub is required")
    return Revocation(parameters.client(), token, sub, parameters.flag("request_pii_erasure"))


def tokens_json(issued: IssuedTokens) -> dict[str, Any]:
    body: dict[str, Any] = {
        "token_type": "bearer",
        "access_token": issued.access_token,
        "expires_in": issued.expires_in,
        "refresh_token": issued.refresh_token,
        "scope": issued.scope,
    }
    if is_service_account(issued.sub):
        body["service_account_id"] = issued.sub
    else:
        body |= {"account_id": issued.sub, "sub": issued.sub}
    if profile := issued.profile:
        body["linking_profile"] = {
            "provider_name": profile.provider.value,
            "provider_service": profile.provider.value,
            "profile_id": profile.profile_id,
            "profile_name": profile.name,
        }
    return body


def metadata_json(issuer: str) -> dict[str, Any]:
    """RFC 8414, 2."""
    authentication = ["client_secret_post", "none"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/token/revoke",
        "scopes_supported": list(IMPLIED),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": authentication,
        "revocation_endpoint_auth_methods_supported": authentication,
        "code_challenge_methods_supported": [METHOD],
        "authorization_response_iss_parameter_supported": True,
    }


class _Parameters:
    """What the body says. A parameter without a value counts as left out (RFC 6749, 3.2); unknown ones are ignored."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        try:
            self._values = body_of(event, repeatable=False)
        except MalformedBody as error:
            raise _invalid(error.problem) from error

    def optional(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise _invalid(f"{name} must be a string")
        return value or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise _invalid(f"{name} is required")
        return value

    def flag(self, name: str) -> bool:
        """JSON has it as a boolean, a form as a word."""
        value = self._values.get(name)
        if value is not None and value not in _FLAGS:
            raise _invalid(f"{name} must be true or false")
        return value in _TRUE

    def client(self) -> Client:
        return Client(self.required("client_id"), self.optional("client_secret"))


def _invalid(description: str) -> TokenError:
    return TokenError("invalid_request", description)
