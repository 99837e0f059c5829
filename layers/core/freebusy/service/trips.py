"""What every trip of a browser has in common, a person's and an administrator's: how it begins, comes back and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.application import Application, Introduction
from freebusy.domain.authorization import AUTHORIZATION_REQUEST_LIFETIME, AuthorizationCode
from freebusy.domain.errors import AuthorizationError, AuthorizationRefused, NotFound
from freebusy.domain.identifiers import hashed, new_authorization_code
from freebusy.service import consent_trouble
from freebusy.service.provider_leg import CALLBACK_NAMES, ProviderLeg, trip_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.account import ProviderName
    from freebusy.domain.authorization import AuthorizationRequest
    from freebusy.ports import ApplicationStore, CalendarProvider, TokenStore

    Providers = Mapping[ProviderName, CalendarProvider]


@dataclass(eq=False, repr=False)
class Departure:
    """The browser goes to ``location``. It must bring ``browser_secret`` back, kept under the name of the ``trip`` for
    ``lifetime`` seconds.
    """

    location: str
    trip: str
    browser_secret: str
    lifetime: int = AUTHORIZATION_REQUEST_LIFETIME

    @classmethod
    def on(cls, leg: ProviderLeg, location: str) -> Departure:
        return cls(location, trip_of(leg.state), leg.browser_secret)


class Return(NamedTuple):
    """The browser goes back to the application, with a code or with an error."""

    location: str


class ProviderChoice(NamedTuple):
    """The person says first which of these calendars is theirs; then the request is repeated with the answer."""

    application: Introduction
    providers: tuple[ProviderName, ...]


class Reconnected(NamedTuple):
    """A profile works again, and that is all: no application waits for the browser. It may even be gone."""

    application: Introduction | None


def application_of(parameters: Mapping[str, str], applications: ApplicationStore) -> Application:
    """The application that a request names, if its ``redirect_uri`` can be trusted. Raises AuthorizationRefused."""
    application = applications.find(parameters.get("client_id", ""))
    if application is None:
        raise AuthorizationRefused("unknown_application")
    if not application.allows_redirect_to(parameters.get("redirect_uri", "")):
        raise AuthorizationRefused("unregistered_redirect_uri")
    return application


def introduction(application: Application, applications: ApplicationStore) -> Introduction:
    """How a page introduces the application to whoever decides about it."""
    shown = applications.appearance(application.client_id)
    return Introduction(application.name, shown.home_page, shown.logo)


def provider_of(request: AuthorizationRequest, providers: Providers) -> CalendarProvider:
    """Raises AuthorizationError."""
    if request.provider not in providers:
        raise AuthorizationError("server_error", "this provider is no longer offered here", "provider_misconfigured")
    return providers[request.provider]


def returning_leg(callback_name: str, answer: Mapping[str, str], browser_secret: str | None) -> ProviderLeg:
    """The leg that a provider's ``answer`` ends. Raises NotFound and AuthorizationRefused."""
    if callback_name not in CALLBACK_NAMES.values():
        raise NotFound("no such callback")
    state = answer.get("state", "")
    if not state:
        raise AuthorizationRefused("unknown_state")
    if not browser_secret:
        raise AuthorizationRefused("other_browser")
    return ProviderLeg(state, browser_secret)


def code_in(answer: Mapping[str, str], issuer: str | None) -> str:
    """The code that the provider sent the browser back with. Raises AuthorizationError."""
    if issuer is not None and answer.get("iss", issuer) != issuer:
        raise AuthorizationError("server_error", "another provider answered than the one that was asked (RFC 9207)")
    require_no_error(answer)
    code = answer.get("code")
    if not code:
        raise AuthorizationError("server_error", "the calendar provider sent neither a code nor an error")
    return code


def require_no_error(answer: Mapping[str, str]) -> None:
    """Raises AuthorizationError when the provider sent one."""
    if refusal := answer.get("error"):
        raise consent_trouble.answered(refusal, answer.get("error_description", ""))


def issue_code(bound: AuthorizationCode, tokens: TokenStore) -> str:
    code = new_authorization_code()
    tokens.save_code(hashed(code), bound)
    return code
