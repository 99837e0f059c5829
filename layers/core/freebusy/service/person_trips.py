"""The trip of a person's browser to their provider's sign-in, and back with a session: no application takes part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freebusy.domain.authorization import AUTHORIZATION_REQUEST_LIFETIME
from freebusy.domain.errors import AuthorizationError, AuthorizationRefused, NotFound, ProviderError
from freebusy.domain.identifiers import hashed, new_state
from freebusy.domain.person import SESSION_LIFETIME, Person, PersonSession, PersonTrip
from freebusy.service import consent_trouble
from freebusy.service.provider_leg import CALLBACK_NAMES, SESSION, ProviderLeg, callback_url
from freebusy.service.trips import Departure, code_in, returning_leg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.account import ProviderName
    from freebusy.ports import PersonSessionStore, PersonSignIn

_STATE = "person."
"""What the ``state`` of such a trip begins with. It comes back at the callback that calendars are connected by, so that
the operator registers no other, and says there which of the two it is; what it may do, the stored trip alone says.
"""


def is_of_person(state: str) -> bool:
    return state.startswith(_STATE)


def connections_url(public_url: str) -> str:
    return f"{public_url}/connections"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``handle`` is what the browser of this session shows."""

    person: Person
    handle: str = field(repr=False)


@dataclass(eq=False, repr=False)
class PersonTrips:
    """``begin`` sends a person's browser off, ``come_back`` receives it; ``signed_in`` recognises it from then on."""

    sessions: PersonSessionStore
    sign_ins: Mapping[ProviderName, PersonSignIn]

    def begin(self, callback_name: str, *, public_url: str, now: int) -> Departure:
        """Raises NotFound for a provider that this deployment does not offer, and AuthorizationRefused."""
        provider = next((name for name in self.sign_ins if CALLBACK_NAMES[name] == callback_name), None)
        if provider is None:
            raise NotFound("no such provider")
        leg = ProviderLeg(f"{_STATE}{new_state()}")
        try:
            location = self.sign_ins[provider].sign_in_url(
                redirect_uri=callback_url(public_url, provider),
                state=leg.state,
                nonce=leg.nonce,
                code_challenge=leg.code_challenge,
            )
        except ProviderError as error:
            raise _refused(consent_trouble.raised(error)) from error
        trip = PersonTrip(provider, leg.browser_hash, now + AUTHORIZATION_REQUEST_LIFETIME)
        self.sessions.save_trip(leg.state_hash, trip)
        return Departure.on(leg, location)

    def come_back(
        self, callback_name: str, answer: Mapping[str, str], *, browser_secret: str | None, public_url: str, now: int
    ) -> Departure:
        """Receives the browser from the provider, and begins a session in it.

        Raises NotFound for a callback that no provider has, and AuthorizationRefused for anything but the sign-in that
        this very browser has under way.
        """
        leg = returning_leg(callback_name, answer, browser_secret)
        trip = self.sessions.consume_trip(leg.state_hash, browser_hash=leg.browser_hash, now=now)
        if trip is None or CALLBACK_NAMES[trip.provider] != callback_name:
            raise AuthorizationRefused("unknown_state")
        try:
            person = self._person(trip.provider, leg, answer, public_url)
        except AuthorizationError as error:
            raise _refused(error) from error
        handle = new_state()
        self.sessions.save(hashed(handle), PersonSession(person, now + SESSION_LIFETIME))
        return Departure(connections_url(public_url), SESSION, handle, SESSION_LIFETIME)

    def signed_in(self, handle: str, *, now: int) -> SignedIn | None:
        session = self.sessions.find(hashed(handle), now)
        return None if session is None else SignedIn(session.person, handle)

    def sign_out(self, signed_in: SignedIn) -> None:
        self.sessions.end(hashed(signed_in.handle))

    def _person(self, provider: ProviderName, leg: ProviderLeg, answer: Mapping[str, str], public_url: str) -> Person:
        """Raises AuthorizationError."""
        if provider not in self.sign_ins:
            raise AuthorizationError("server_error", "this provider is no longer offered here")
        sign_in = self.sign_ins[provider]
        code = code_in(answer, sign_in.issuer)
        try:
            return sign_in.sign_in(
                code,
                redirect_uri=callback_url(public_url, provider),
                code_verifier=leg.code_verifier,
                nonce=leg.nonce,
            )
        except ProviderError as error:
            raise consent_trouble.raised(error) from error


def _refused(trouble: AuthorizationError) -> AuthorizationRefused:
    return AuthorizationRefused("not_signed_in" if trouble.code == "access_denied" else "cannot_sign_in")
