"""A person's browser sets out: from an application, or from a profile's own address, to a provider's consent screen.

Where a redirect cannot be trusted AuthorizationRefused is raised; everything else that goes wrong is told to the
application. ``service.consenting`` receives the browser when it comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.account import ProviderName, Upstream
from freebusy.domain.authorization import AUTHORIZATION_REQUEST_LIFETIME, AuthorizationRequest, ReturnAddress
from freebusy.domain.errors import AuthorizationError, AuthorizationRefused, ProviderError
from freebusy.domain.identifiers import hashed
from freebusy.service import consent_trouble
from freebusy.service.authorization_request import checked
from freebusy.service.connecting import Connected, reconnectable
from freebusy.service.provider_leg import ProviderLeg, callback_url
from freebusy.service.trips import Departure, ProviderChoice, Return, application_of, introduction, provider_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.application import Application
    from freebusy.ports import AccountStore, ApplicationStore, TokenStore
    from freebusy.service.trips import Providers


def relink_url(public_url: str, sub: str, profile_id: str) -> str:
    """``profile_relink_url`` on the wire: where a person connects a disconnected profile again."""
    return f"{public_url}/oauth/relink/{sub}/{profile_id}"


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
        raise AuthorizationRefused(error.reason) from error  # the person reads it on a page


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
        location = provider_of(request, providers).authorization_url(
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
