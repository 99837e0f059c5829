"""The trip of a person's browser: from an application through a provider's consent screen, and back with a code.

``begin_authorization`` and ``begin_reconnection`` send it off, ``finish_authorization`` receives it. Where a redirect
cannot be trusted they raise AuthorizationRefused; everything else that goes wrong is told to the application.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import ProviderName, Upstream
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
from freebusy.domain.identifiers import hashed
from freebusy.ports import AccountStore, ApplicationStore, CalendarProvider, TokenStore, Vault
from freebusy.service import consent_trouble
from freebusy.service.audit import By, note, note_caller
from freebusy.service.authorization_request import checked
from freebusy.service.connecting import (
    Connected,
    Consent,
    connect,
    link,
    reconnect_profile,
    reconnectable,
)
from freebusy.service.provider_leg import CALLBACK_NAMES, ProviderLeg, callback_url
from freebusy.service.trips import Departure, Return, application_of, code_in, introduction, issue_code, returning_leg

if TYPE_CHECKING:
    from freebusy.domain.application import Application, Introduction

logger = logging.getLogger(__name__)

Providers = Mapping[ProviderName, CalendarProvider]


class ProviderChoice(NamedTuple):
    """The person says first which of these calendars is theirs; then the request is repeated with the answer."""

    application: Introduction
    providers: tuple[ProviderName, ...]


class Reconnected(NamedTuple):
    """A profile works again, and that is all: no application waits for the browser. It may even be gone."""

    application: Introduction | None


def relink_url(public_url: str, sub: str, profile_id: str) -> str:
    """``profile_relink_url`` on the wire: where a person connects a disconnected profile again."""
    return f"{public_url}/oauth/relink/{sub}/{profile_id}"


# --- Setting out -------------------------------------------------------------------------------------------


def begin_authorization(  # noqa: PLR0913 - a request and the ports that it needs
    parameters: Mapping[str, str],
    *,
    public_url: str,
    applications: ApplicationStore,
    tokens: TokenStore,
    providers: Providers,
    upstream: Upstream,
    now: int,
) -> Departure | ProviderChoice | Return:
    """Checks an authorization request (RFC 6749, 4.1.1) and sends the browser to the provider that it names.

    ``upstream`` is the deployment's; at Cronofy, people choose their calendar there unless the request names it.
    Raises AuthorizationRefused when the application or its redirect URI is not registered.
    """
    application = application_of(parameters, applications)
    redirect_uri, state = parameters["redirect_uri"], parameters.get("state")
    try:
        through_cronofy = (application.upstream or upstream) is Upstream.CRONOFY
        offered = _offered(providers, through_cronofy=through_cronofy)
        asked = checked(parameters, application, offered)
        link_token_hash = _known_link_token(parameters, application, tokens, now)
        provider = ProviderName.MANAGED if through_cronofy else asked.provider
        if provider is None:
            return ProviderChoice(introduction(application, applications), offered)
        request = AuthorizationRequest(
            client_id=application.client_id,
            redirect_uri=redirect_uri,
            scope=asked.scope,
            application_state=state,
            code_challenge=asked.code_challenge,
            provider=provider,
            browser_hash="",
            expires_at=now + AUTHORIZATION_REQUEST_LIFETIME,
            link_token_hash=link_token_hash,
        )
        return _depart(request, asked.provider, public_url, tokens, providers)
    except AuthorizationError as error:
        return Return(ReturnAddress(redirect_uri, state, public_url).with_error(error))


def begin_reconnection(  # noqa: PLR0913 - a profile and the ports that it needs
    sub: str,
    profile_id: str,
    *,
    public_url: str,
    accounts: AccountStore,
    tokens: TokenStore,
    providers: Providers,
    now: int,
) -> Departure:
    """Sends the browser off to connect this very profile again: a moving one at the provider itself.

    Raises NotFound and AuthorizationRefused.
    """
    account, profile = reconnectable(Connected(sub, profile_id), accounts=accounts)
    request = AuthorizationRequest(
        client_id=account.client_id,
        redirect_uri="",
        scope="",
        application_state=None,
        code_challenge=None,
        provider=profile.provider if profile.moving else profile.asked_at,
        browser_hash="",
        expires_at=now + AUTHORIZATION_REQUEST_LIFETIME,
        relink_sub=sub,
        relink_profile_id=profile_id,
    )
    try:
        return _depart(request, profile.provider, public_url, tokens, providers)
    except AuthorizationError as error:
        raise _refused(error) from error


def _offered(providers: Providers, *, through_cronofy: bool) -> tuple[ProviderName, ...]:
    """The kinds of calendar that people can connect: at Cronofy both, otherwise those with a registration."""
    direct = {ProviderName.GOOGLE, ProviderName.MICROSOFT}
    if through_cronofy:
        return tuple(sorted(direct)) if ProviderName.MANAGED in providers else ()
    return tuple(name for name in providers if name in direct)


def _known_link_token(
    parameters: Mapping[str, str], application: Application, tokens: TokenStore, now: int
) -> str | None:
    link_token = parameters.get("link_token")
    if not link_token:
        return None
    link_token_hash = hashed(link_token)
    if tokens.find_link_token(link_token_hash, client_id=application.client_id, now=now) is None:
        raise AuthorizationError("invalid_request", "link_token is unknown, used or expired: ask for a new one")
    return link_token_hash


def _depart(
    request: AuthorizationRequest,
    kind: ProviderName | None,
    public_url: str,
    tokens: TokenStore,
    providers: Providers,
) -> Departure:
    """Stores the request, bound to this browser; ``kind`` of calendar is for Cronofy. Raises AuthorizationError."""
    leg = ProviderLeg()
    try:
        location = _provider(request, providers).authorization_url(
            redirect_uri=callback_url(public_url, request.provider),
            state=leg.state,
            nonce=leg.nonce,
            code_challenge=leg.code_challenge,
            kind=kind,
        )
    except ProviderError as error:
        raise consent_trouble.raised(error, request.client_id) from error
    tokens.save_authorization_request(leg.state_hash, request._replace(browser_hash=leg.browser_hash))
    return Departure.on(leg, location)


# --- Coming back ------------------------------------------------------------------------------------------


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
        raise _refused(trouble)
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
    provider = _provider(request, providers)
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


# --- What both share -----------------------------------------------------------------------------------------


def _provider(request: AuthorizationRequest, providers: Providers) -> CalendarProvider:
    if request.provider not in providers:
        raise AuthorizationError("server_error", "this provider is no longer offered here", "provider_misconfigured")
    return providers[request.provider]


def _return_address(request: AuthorizationRequest, public_url: str) -> ReturnAddress:
    return ReturnAddress(request.redirect_uri, request.application_state, public_url)


def _refused(trouble: AuthorizationError) -> AuthorizationRefused:
    """For a trip that leads back to no application: the person reads it on a page."""
    return AuthorizationRefused(trouble.reason)
