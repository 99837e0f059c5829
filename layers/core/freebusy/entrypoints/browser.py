"""A person's browser: what it asks, what it keeps for us, and where it is sent."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

from aws_lambda_powertools.event_handler import Response

from freebusy.domain.errors import AuthorizationRefused
from freebusy.entrypoints.cookies import forgotten, keeping, kept
from freebusy.entrypoints.http import public_url
from freebusy.entrypoints.languages import locale_of
from freebusy.entrypoints.pages import choose_provider, reconnected
from freebusy.service.provider_leg import trip_of
from freebusy.service.trips import Departure, ProviderChoice, Reconnected, Return

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.account import ProviderName

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
    found = kept(event, trip_of(state))
    return found.secret if found else None


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
        locale, lifetime = locale_of(event), outcome.lifetime
        cookies = [keeping(event, outcome.trip, outcome.browser_secret, locale, seconds=lifetime)]
    return Response(
        status_code=HTTPStatus.FOUND.value,
        body="",
        headers={"Location": outcome.location, "Referrer-Policy": "no-referrer"},
        cookies=cookies,
    )


def see(event: Mapping[str, Any], path: str) -> Response[str]:
    """What comes of a form is another page, so that nobody sends the form again by reloading it or going back to it."""
    return Response(status_code=HTTPStatus.SEE_OTHER.value, body="", headers={"Location": f"{public_url(event)}{path}"})


def forgetting(event: Mapping[str, Any], state: str, answer: Response[str]) -> Response[str]:
    """The answer that ends what the browser kept for ``state``."""
    answer.cookies.append(forgotten(event, trip_of(state)))
    return answer


def choosing(path: str, parameters: Mapping[str, str], name: ProviderName, **more: str) -> str:
    """The same request, with a provider."""
    return f"{path}?{urlencode({**parameters, 'provider_name': name.value, **more}, quote_via=quote)}"
