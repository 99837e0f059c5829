"""The trips of an administrator's browser: from an application through their provider to the organization's setup, or
through Cronofy, where everything is set up, and back.

Where a provider has a screen on which an administrator agrees for everybody (Microsoft), that is a leg of its own, and
what comes back from it proves nothing: only the sign-in that follows says who and which organization it is, and only a
look at a calendar that we were let in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import ProviderName, Upstream
from freebusy.domain.authorization import AUTHORIZATION_REQUEST_LIFETIME, ReturnAddress
from freebusy.domain.errors import (
    AuthorizationError,
    AuthorizationRefused,
    IdentityRejected,
    ProviderError,
    StorageUnavailable,
)
from freebusy.domain.identifiers import hashed, new_state
from freebusy.domain.organization_setup import SETUP_LIFETIME, Leg, OrganizationRequest, OrganizationTrip, Setup
from freebusy.domain.scopes import split
from freebusy.domain.service_account import MANAGE_RESOURCES, Administrator, Delegation
from freebusy.service import consent_trouble
from freebusy.service.organization_request import checked
from freebusy.service.provider_leg import CALLBACK_NAMES, ProviderLeg, trip_of
from freebusy.service.trips import (
    Departure,
    Return,
    application_of,
    code_in,
    introduction,
    issue_code,
    require_no_error,
    returning_leg,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from freebusy.domain.application import Application, Introduction
    from freebusy.ports import ApplicationStore, OrganizationCalendars, OrganizationSignIn, SetupStore, TokenStore
    from freebusy.service.upstream_organizations import OrganizationsAtCronofy

logger = logging.getLogger(__name__)


class OrganizationChoice(NamedTuple):
    """The administrator says first where their organization is; then the request is repeated with the answer."""

    application: Introduction
    resources: bool
    delegations: Mapping[ProviderName, Delegation]


def callback_url(public_url: str, provider: ProviderName) -> str:
    """The redirect URI that the operator registers at the provider, for consent and sign-in alike."""
    return f"{public_url}/enterprise_connect/callback/{CALLBACK_NAMES[provider]}"


def setup_url(public_url: str, handle: str) -> str:
    return f"{public_url}/enterprise_connect/setup/{handle}"


@dataclass(eq=False, repr=False)
class OrganizationTrips:
    """``begin`` and ``sign_in_again`` send an administrator's browser off, ``come_back`` receives it.

    ``upstream`` is the deployment's; ``cronofy`` is there where Cronofy is offered at all.
    """

    applications: ApplicationStore
    setups: SetupStore
    tokens: TokenStore
    sign_ins: Mapping[ProviderName, OrganizationSignIn]
    calendars: Mapping[ProviderName, OrganizationCalendars]
    upstream: Upstream
    cronofy: OrganizationsAtCronofy | None

    def begin(
        self, parameters: Mapping[str, str], *, public_url: str, now: int
    ) -> Departure | OrganizationChoice | Return:
        """Checks an authorization request and sends the browser to the provider that it names.

        Raises AuthorizationRefused when the application or its redirect URI is not registered.
        """
        application = application_of(parameters, self.applications)
        redirect_uri, state = parameters["redirect_uri"], parameters.get("state")
        try:
            through_cronofy = (application.upstream or self.upstream) is Upstream.CRONOFY
            asked = checked(parameters, application, self._offered(through_cronofy=through_cronofy))
            provider = ProviderName.MANAGED if through_cronofy else asked.provider
            if provider is None:
                return self._choice(application, asked.scope)
            request = OrganizationRequest(
                client_id=application.client_id,
                redirect_uri=redirect_uri,
                application_state=state,
                scope=asked.scope,
                delegated_scope=asked.delegated_scope,
                provider=provider,
                code_challenge=asked.code_challenge,
            )
            if through_cronofy:
                return self._departure_to_cronofy(request, asked.provider, public_url, now)
            return self._departure(request, Leg.SIGN_IN if asked.narrowed else Leg.CONSENT, public_url, now)
        except AuthorizationError as error:
            return Return(ReturnAddress(redirect_uri, state, public_url).with_error(error))

    def sign_in_again(self, handle: str, *, public_url: str, now: int) -> Departure:
        """For a browser that lost, or never had, what the setup is bound to. Raises AuthorizationRefused."""
        setup = self.setups.find(hashed(handle), now)
        if setup is None:
            raise AuthorizationRefused("setup_over")
        try:
            return self._departure(setup.request, Leg.SIGN_IN, public_url, now, handle)
        except AuthorizationError as error:
            raise _refused(error) from error

    def come_back(
        self,
        callback_name: str,
        answer: Mapping[str, str],
        *,
        browser_secret: str | None,
        public_url: str,
        now: int,
    ) -> Departure | Return:
        """Receives the browser from the provider: from consent it goes on to the sign-in, from there to the setup.

        Raises NotFound for a callback that no provider has, and AuthorizationRefused for anything but a trip that this
        very browser has under way.
        """
        secrets = returning_leg(callback_name, answer, browser_secret)
        trip = self.setups.consume_trip(secrets.state_hash, browser_hash=secrets.browser_hash, now=now)
        if trip is None or CALLBACK_NAMES[trip.request.provider] != callback_name:
            raise AuthorizationRefused("unknown_state")
        try:
            return self._next(trip, secrets, answer, public_url, now)
        except StorageUnavailable:
            logger.exception("a setup could not be stored", extra={"application": trip.request.client_id})
            trouble = AuthorizationError("temporarily_unavailable", "the sign-in could not be stored: try again")
        except AuthorizationError as error:
            trouble = error
        if trip.handle:
            raise _refused(trouble)
        return Return(trip.request.return_address(public_url).with_error(trouble))

    def _offered(self, *, through_cronofy: bool) -> Collection[ProviderName]:
        """Where organizations may be: at Cronofy with both kinds of calendar, otherwise those with a registration."""
        if through_cronofy:
            return (ProviderName.GOOGLE, ProviderName.MICROSOFT) if self.cronofy else ()
        return self.sign_ins.keys()

    def _choice(self, application: Application, scope: str) -> OrganizationChoice:
        """Nobody shall choose what this deployment has no registration for. Raises AuthorizationError."""
        delegations, trouble = {}, None
        for name in self.sign_ins:
            try:
                delegations[name] = self.calendars[name].delegation()
            except ProviderError as error:
                trouble = consent_trouble.raised(error, application.client_id)
        if trouble and not delegations:
            raise trouble
        return OrganizationChoice(
            introduction(application, self.applications), MANAGE_RESOURCES in split(scope), delegations
        )

    def _departure(
        self, request: OrganizationRequest, leg: Leg, public_url: str, now: int, handle: str | None = None
    ) -> Departure:
        """Stores the trip, bound to this browser. Raises AuthorizationError."""
        sign_in, secrets = self._sign_in(request), ProviderLeg()
        redirect_uri = callback_url(public_url, request.provider)
        try:
            consent = None
            if leg is Leg.CONSENT:
                consent = sign_in.consent_url(redirect_uri=redirect_uri, state=secrets.state)
            # No login_hint: whoever comes by a setup's address must not learn the administrator's.
            location = consent or sign_in.sign_in_url(
                redirect_uri=redirect_uri,
                state=secrets.state,
                nonce=secrets.nonce,
                code_challenge=secrets.code_challenge,
            )
        except ProviderError as error:
            raise consent_trouble.raised(error, request.client_id) from error
        trip = OrganizationTrip(
            request=request,
            leg=Leg.CONSENT if consent else Leg.SIGN_IN,
            browser_hash=secrets.browser_hash,
            expires_at=now + AUTHORIZATION_REQUEST_LIFETIME,
            handle=handle,
        )
        self.setups.save_trip(secrets.state_hash, trip)
        return Departure.on(secrets, location)

    def _departure_to_cronofy(
        self, request: OrganizationRequest, kind: ProviderName | None, public_url: str, now: int
    ) -> Departure:
        """As ``_departure``, for as long as a setup may take: all of it is done there. Raises AuthorizationError."""
        secrets = ProviderLeg()
        try:
            location = self._at_cronofy().cronofy.authorization_url(
                redirect_uri=callback_url(public_url, request.provider),
                state=secrets.state,
                scope=request.scope,
                kind=kind,
            )
        except ProviderError as error:
            raise consent_trouble.raised(error, request.client_id) from error
        trip = OrganizationTrip(request, Leg.SIGN_IN, secrets.browser_hash, now + SETUP_LIFETIME)
        self.setups.save_trip(secrets.state_hash, trip)
        return Departure(location, trip_of(secrets.state), secrets.browser_secret, SETUP_LIFETIME)

    def _back_from_cronofy(
        self, request: OrganizationRequest, answer: Mapping[str, str], public_url: str, now: int
    ) -> Return:
        """Raises AuthorizationError."""
        code, redirect_uri = code_in(answer, None), callback_url(public_url, request.provider)
        try:
            sub = self._at_cronofy().connect(request, code, redirect_uri=redirect_uri, now=now)
        except ProviderError as error:
            raise consent_trouble.raised(error, request.client_id) from error
        issued = issue_code(request.code_for(sub, now), self.tokens)
        return Return(request.return_address(public_url).with_code(issued))

    def _at_cronofy(self) -> OrganizationsAtCronofy:
        if self.cronofy is None:
            raise AuthorizationError("server_error", "Cronofy is no longer offered here")
        return self.cronofy

    def _next(
        self, trip: OrganizationTrip, secrets: ProviderLeg, answer: Mapping[str, str], public_url: str, now: int
    ) -> Departure | Return:
        """Raises AuthorizationError and, for a setup that is somebody else's, AuthorizationRefused."""
        if trip.request.provider is ProviderName.MANAGED:
            return self._back_from_cronofy(trip.request, answer, public_url, now)
        if trip.leg is Leg.CONSENT:
            # An error comes with admin_consent=True as well, and the tenant that is named beside it can be forged:
            # https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
            _require_consent(answer)
            return self._departure(trip.request, Leg.SIGN_IN, public_url, now)
        administrator = self._administrator(trip.request, secrets, answer, public_url)
        if trip.handle:
            return self._back_to_setup(trip.handle, administrator, public_url, now)
        handle, browser_secret = new_state(), new_state()
        setup = Setup(trip.request, administrator, hashed(browser_secret), now)
        self.setups.save(hashed(handle), setup)
        return _to_setup(handle, setup, browser_secret, public_url, now)

    def _back_to_setup(self, handle: str, administrator: Administrator, public_url: str, now: int) -> Departure:
        setup, browser_secret = self.setups.find(hashed(handle), now), new_state()
        if setup is not None and not setup.is_of(administrator):
            raise AuthorizationRefused("other_administrator")
        if setup is None or not self.setups.rebind(hashed(handle), browser_hash=hashed(browser_secret), now=now):
            raise AuthorizationRefused("setup_over")
        return _to_setup(handle, setup, browser_secret, public_url, now)

    def _administrator(
        self, request: OrganizationRequest, secrets: ProviderLeg, answer: Mapping[str, str], public_url: str
    ) -> Administrator:
        """Raises AuthorizationError."""
        sign_in = self._sign_in(request)
        code = code_in(answer, sign_in.issuer)
        try:
            return sign_in.sign_in(
                code,
                redirect_uri=callback_url(public_url, request.provider),
                code_verifier=secrets.code_verifier,
                nonce=secrets.nonce,
            )
        except IdentityRejected as error:
            raise AuthorizationError(
                "access_denied",
                "the account that signed in is of no organization: it takes one of a Google Workspace or Microsoft 365",
            ) from error
        except ProviderError as error:
            raise consent_trouble.raised(error, request.client_id) from error

    def _sign_in(self, request: OrganizationRequest) -> OrganizationSignIn:
        if request.provider not in self.sign_ins:
            raise AuthorizationError("server_error", "this provider is no longer offered here")
        return self.sign_ins[request.provider]


def _require_consent(answer: Mapping[str, str]) -> None:
    """Raises AuthorizationError, in which nobody is told to ask the administrator that they are."""
    try:
        require_no_error(answer)
    except AuthorizationError as error:
        if error.code == "access_denied":
            raise AuthorizationError(error.code, "the administrator did not agree for the organization") from error
        raise


def _to_setup(handle: str, setup: Setup, browser_secret: str, public_url: str, now: int) -> Departure:
    return Departure(setup_url(public_url, handle), trip_of(handle), browser_secret, setup.expires_at - now)


def _refused(trouble: AuthorizationError) -> AuthorizationRefused:
    """For somebody who signs in again: the application waits for the setup, and not for this trip."""
    return AuthorizationRefused("sign_in_refused" if trouble.code == "access_denied" else "sign_in_unavailable")
