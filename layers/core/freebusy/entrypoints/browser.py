"""A person's browser: what it asks, what it keeps for us, and where it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import AuthorizationRefused
from freebusy.entrypoints.http import public_url
from freebusy.entrypoints.pages import choose_provider, reconnected
from freebusy.service.authorization import ProviderChoice, Reconnected
from freebusy.service.provider_leg import trip_of
from freebusy.service.trips import Departure, Return

NOTHING: Mapping[str, str] = MappingProxyType({})


def parameters_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The query, in which no parameter comes twice (RFC 6749, 3.1). Raises AuthorizationRefused."""
    try:
        query = parse_qs(event.get("rawQueryString") or "", keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise AuthorizationRefused("malformed_request") from error
    if any(len(values) > 1 for values in query.values()):
        raise AuthorizationRefused("malformed_request")
    return {name: values[0] for name, values in query.items()}


def browser_secret(event: Mapping[str, Any], state: str) -> str | None:
    """What this browser kept for the trip or the setup that ``state`` names."""
    prefix = f"{_cookie_name(event, trip_of(state))}="
    kept = (cookie.removeprefix(prefix) for cookie in event.get("cookies") or () if cookie.startswith(prefix))
    return next(kept, None)


def depart(
    event: Mapping[str, Any], outcome: Departure | ProviderChoice | Return, parameters: Mapping[str, str] = NOTHING
) -> Response[str]:
    """Sends the browser off; ``parameters`` are those of the request, which the choice of a provider repeats."""
    if isinstance(outcome, ProviderChoice):
        links = {name: choosing("/oauth/authorize", parameters, name) for name in outcome.providers}
        return choose_provider(event, outcome.application, links)
    return redirect(event, outcome)


def arrive(event: Mapping[str, Any], outcome: Departure | Return | Reconnected, state: str) -> Response[str]:
    """The trip of ``state``, or a leg of it, is over: the browser goes on, and forgets what it kept for that."""
    if isinstance(outcome, Reconnected):
        return forgetting(event, state, reconnected(event, outcome.application))
    return forgetting(event, state, redirect(event, outcome))


def redirect(event: Mapping[str, Any], outcome: Departure | Return) -> Response[str]:
    """Addresses of trips hold codes and states, which no other site shall learn as a referrer."""
    cookies = []
    if isinstance(outcome, Departure):
        cookies = [_cookie(event, outcome.trip, outcome.browser_secret, outcome.lifetime)]
    return Response(
        status_code=HTTPStatus.FOUND.value,
        body="",
        headers={"Location": outcome.location, "Referrer-Policy": "no-referrer"},
        cookies=cookies,
    )


def forgetting(event: Mapping[str, Any], state: str, answer: Response[str]) -> Response[str]:
    """The answer that ends what the browser kept for ``state``."""
    answer.cookies.append(_cookie(event, trip_of(state), "", 0))
    return answer


def choosing(path: str, parameters: Mapping[str, str], name: ProviderName, **more: str) -> str:
    """The same request, with a provider."""
    return f"{path}?{urlencode({**parameters, 'provider_name': name.value, **more}, quote_via=quote)}"


def _cookie(event: Mapping[str, Any], trip: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        _cookie_name(event, trip),
        value,
        path="/",
        secure=_is_secure(event),
        http_only=True,
        max_age=max_age,
        same_site=SameSite.LAX_MODE,
    )


def _cookie_name(event: Mapping[str, Any], trip: str) -> str:
    """``__Host-`` keeps neighbouring hosts from planting it; browsers grant the prefix to https alone (RFC 6265bis)."""
    return f"{'__Host-' if _is_secure(event) else ''}freebusy-{trip}"


def _is_secure(event: Mapping[str, Any]) -> bool:
    """Plain http is the laptop's."""
    return public_url(event).startswith("https://")
