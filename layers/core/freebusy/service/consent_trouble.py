"""What went wrong between a person and their provider, in the words of RFC 6749 (4.1.2.1) for the application."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from freebusy.domain.errors import (
    AuthorizationError,
    ConsentIncomplete,
    ConsentRefused,
    IdentityRejected,
    NotAnAdministrator,
    OtherAccessMode,
    ProviderError,
    ProviderUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

_DECLINED = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_declined",
        "interaction_required",
        "login_required",
        "permission_denied",
    }
)
_ADMINISTRATOR_DECIDES = frozenset({"admin_policy_enforced", "org_internal", "consent_required"})
_REGISTRATION_IS_WRONG = frozenset(
    {
        "invalid_client",
        "invalid_request",
        "invalid_resource",
        "invalid_scope",
        "redirect_uri_mismatch",
        "server_error",
        "unauthorized_client",
        "unsupported_response_type",
    }
)
"""RFC 6749, 4.1.2.1, and what Google and Microsoft have beside it."""
_ADMINISTRATOR_CODES = re.compile(r"AADSTS(90094|90095|50105)\b")
"""https://learn.microsoft.com/entra/identity-platform/reference-error-codes. A redirect has them in its text alone."""

_TOLD: Mapping[type[ProviderError], tuple[str, str, str]] = {
    ConsentIncomplete: (
        "access_denied",
        "the calendar permission was not ticked at the consent screen: send the person there again",
        "scope_unticked",
    ),
    OtherAccessMode: (
        "access_denied",
        "the person chose another access than free/busy at Cronofy: send them there again, with a provider_name",
        "consent_refused",
    ),
    ConsentRefused: ("access_denied", "the person, or a policy of their organization, refused", "consent_refused"),
    IdentityRejected: (
        "access_denied",
        "the account that signed in cannot be used: Microsoft's must be for work or school, Google's address verified",
        "wrong_account",
    ),
    NotAnAdministrator: (
        "access_denied",
        "whoever signed in may not speak for the organization: an administrator has to",
        "wrong_account",
    ),
    ProviderUnavailable: (
        "temporarily_unavailable",
        "the calendar provider does not answer: try again",
        "provider_trouble",
    ),
}


def answered(error: str, description: str) -> AuthorizationError:
    """For the ``error`` that the provider's consent screen sent back."""
    if error in _ADMINISTRATOR_DECIDES or _ADMINISTRATOR_CODES.search(description):
        return AuthorizationError(
            "access_denied",
            "an administrator of the person's organization must allow this at the provider first",
            "administrator_decides",
        )
    if error in _DECLINED:
        return AuthorizationError("access_denied", "the person did not agree at the consent screen", "consent_refused")
    if error == "temporarily_unavailable":
        return AuthorizationError(*_TOLD[ProviderUnavailable])
    if error in _REGISTRATION_IS_WRONG:
        logger.error("the consent screen refused our request", extra={"provider_error": error})
    else:
        # A browser brings the word, and could bring any.
        logger.warning("the consent screen came back with an error that nobody knows")
    return _misconfigured()


def raised(error: ProviderError, client_id: str | None = None) -> AuthorizationError:
    """For what the provider's adapter raised. Trouble that only the operator can mend is logged for them."""
    told = next((_TOLD[kind] for kind in type(error).__mro__ if kind in _TOLD), None)
    if told is None:
        logger.error("the provider refused our request", exc_info=error, extra={"application": client_id})
        return _misconfigured()
    return AuthorizationError(*told)


def _misconfigured() -> AuthorizationError:
    return AuthorizationError(
        "server_error", "the calendar provider refused the request of this deployment", "provider_misconfigured"
    )
