"""A person's browser comes back from the consent screen, from where ``service.authorization`` sent it.

Where a redirect cannot be trusted AuthorizationRefused is raised; everything else that goes wrong is told to the
application.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from freebusy.domain.authorization import (
    AUTHORIZATION_CODE_LIFETIME,
    AUTHORIZATION_REQUEST_LIFETIME,
    AuthorizationCode,
    AuthorizationRequest,
    ReturnAddress,
)
from freebusy.domain.errors import (
    AuthorizationError,
    AuthorizationRefused,
    NotFound,
    ProviderError,
    StorageUnavailable,
)
from freebusy.service import consent_trouble
from freebusy.service.audit import By, note, note_caller
from freebusy.service.connecting import Connected, Consent, connect, link, reconnect_profile
from freebusy.service.provider_leg import CALLBACK_NAMES, ProviderLeg, callback_url
from freebusy.service.trips import Reconnected, Return, code_in, introduction, issue_code, provider_of, returning_leg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import AccountStore, ApplicationStore, TokenStore, Vault
    from freebusy.service.trips import Providers

logger = logging.getLogger(__name__)


def finish_authorization(  # noqa: PLR0913 - an answer, its browser, and the ports that it needs
    callback_name: str,
    answer: Mapping[str, str],
    *,
    browser_secret: str | None,
    public_url: str,
    applications: ApplicationStore,
    accounts: AccountStore,
    tokens: TokenStore,
    vault: Vault,
    providers: Providers,
    now: int,
) -> Return | Reconnected:
    """Receives the browser from a provider's consent screen. Unless all went well, nothing is created or changed.

    Raises NotFound for a callback that no provider has, and AuthorizationRefused for anything but a trip that
    this very browser has under way.
    """
    leg, request = _consumed(callback_name, answer, browser_secret, tokens, now)
    try:
        consent = _consent(request, leg, answer, public_url, providers)
        if request.relink_sub and request.relink_profile_id:
            at = Connected(request.relink_sub, request.relink_profile_id)
            reconnect_profile(consent, at, accounts=accounts, vault=vault)
            _note(request.client_id, at)
            application = applications.find(request.client_id)
            return Reconnected(introduction(application, applications) if application else None)
        if request.link_token_hash:
            began = request.expires_at - AUTHORIZATION_REQUEST_LIFETIME
            at = link(consent, request.link_token_hash, began=began, accounts=accounts, tokens=tokens, vault=vault)
        else:
            at = connect(consent, accounts=accounts, vault=vault, now=now)
        _note(request.client_id, at)
        code = issue_code(_code(request, at, now), tokens)
    except (StorageUnavailable, NotFound):
        logger.exception("an authorization could not be stored", extra={"application": request.client_id})
        trouble = AuthorizationError("temporarily_unavailable", "the authorization could not be stored: try again")
    except AuthorizationError as error:
        trouble = error
    else:
        return Return(_return_address(request, public_url).with_code(code))
    if request.relink_sub:
        raise AuthorizationRefused(trouble.reason)  # the person reads it on a page
    return Return(_return_address(request, public_url).with_error(trouble))


def _note(client_id: str, at: Connected) -> None:
    note_caller(client_id, By.PERSON)
    note(at.sub)


def _consumed(
    callback_name: str, answer: Mapping[str, str], browser_secret: str | None, tokens: TokenStore, now: int
) -> tuple[ProviderLeg, AuthorizationRequest]:
    """Only the browser that began the trip can use it up, so nobody gains or breaks anything by a leaked address."""
    leg = returning_leg(callback_name, answer, browser_secret)
    request = tokens.consume_authorization_request(leg.state_hash, browser_hash=leg.browser_hash, now=now)
    if request is None or CALLBACK_NAMES[request.provider] != callback_name:
        raise AuthorizationRefused("unknown_state")
    return leg, request


def _consent(
    request: AuthorizationRequest, leg: ProviderLeg, answer: Mapping[str, str], public_url: str, providers: Providers
) -> Consent:
    """Raises AuthorizationError."""
    provider = provider_of(request, providers)
    code = code_in(answer, provider.issuer)
    try:
        identity, credential = provider.exchange_code(
            code,
            redirect_uri=callback_url(public_url, request.provider),
            code_verifier=leg.code_verifier,
            nonce=leg.nonce,
        )
    except ProviderError as error:
        raise consent_trouble.raised(error, request.client_id) from error
    return Consent(request.client_id, identity, credential)


def _code(request: AuthorizationRequest, at: Connected, now: int) -> AuthorizationCode:
    return AuthorizationCode(
        client_id=request.client_id,
        sub=at.sub,
        profile_id=at.profile_id,
        redirect_uri=request.redirect_uri,
        scope=request.scope,
        code_challenge=request.code_challenge,
        expires_at=now + AUTHORIZATION_CODE_LIFETIME,
        joining=at.joining,
    )


def _return_address(request: AuthorizationRequest, public_url: str) -> ReturnAddress:
    return ReturnAddress(request.redirect_uri, request.application_state, public_url)
