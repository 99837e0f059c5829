"""Checking what an application asks for at ``/oauth/authorize`` (RFC 6749, 4.1.1; RFC 7636, 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import AuthorizationError
from freebusy.domain.pkce import METHOD, is_well_formed
from freebusy.domain.scopes import grantable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from freebusy.domain.application import Application

LONGEST_STATE = 4096


class Asked(NamedTuple):
    """``scope`` is what will be granted; ``provider`` is ``None`` while the person has to choose."""

    scope: str
    code_challenge: str | None
    provider: ProviderName | None


def checked(parameters: Mapping[str, str], application: Application, offered: Collection[ProviderName]) -> Asked:
    """What does not concern us is ignored, ``avoid_linking`` too: nothing is ever linked behind a person's back.

    Raises AuthorizationError.
    """
    check_form(parameters)
    return Asked(
        scope=granted(grantable, parameters.get("scope", "")),
        code_challenge=challenge_in(parameters, application),
        provider=provider_named(parameters.get("provider_name"), offered),
    )


def check_form(parameters: Mapping[str, str]) -> None:
    """What every kind of authorization request has. Raises AuthorizationError."""
    response_type = parameters.get("response_type")
    if not response_type:
        raise AuthorizationError("invalid_request", "response_type is required: send code")
    if response_type != "code":
        raise AuthorizationError("unsupported_response_type", "response_type must be code")
    if len(parameters.get("state", "")) > LONGEST_STATE:
        raise AuthorizationError("invalid_request", f"state has at most {LONGEST_STATE} characters")


def granted(grant: Callable[[str], str], scope: str) -> str:
    """What ``grant`` makes of the scope. Raises AuthorizationError where that raises ``ValueError``."""
    try:
        return grant(scope)
    except ValueError as error:
        raise AuthorizationError("invalid_scope", str(error)) from error


def challenge_in(parameters: Mapping[str, str], application: Application) -> str | None:
    """A challenge without a method would be ``plain``, which protects nobody (RFC 9700, 2.1.1).

    Raises AuthorizationError.
    """
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if not challenge:
        if method or application.public:
            raise AuthorizationError("invalid_request", "code_challenge is required, with method S256")
        return None
    if method != METHOD:
        raise AuthorizationError("invalid_request", "code_challenge_method must be S256")
    if not is_well_formed(challenge):
        raise AuthorizationError("invalid_request", "code_challenge must be 43 to 128 unreserved characters")
    return challenge


def provider_named(name: str | None, offered: Collection[ProviderName]) -> ProviderName | None:
    """Official SDKs send ``provider_name`` empty when the person shall choose. Raises AuthorizationError."""
    if not offered:
        raise AuthorizationError("temporarily_unavailable", "no calendar provider is set up here yet")
    if not name:
        return None
    if name not in set(ProviderName) - {ProviderName.MANAGED}:
        raise AuthorizationError("invalid_request", "provider_name must be google_free_busy or ms_graph_free_busy")
    if name not in offered:
        raise AuthorizationError("invalid_request", "this provider_name is not offered here: leave it out")
    return ProviderName(name)
