"""Organizations: an administrator, people and rooms, and what the administrator gave the application."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from local.simulators.people import Model, People, Person, address_of

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def domain_of(text: str) -> str:
    """In lower case. Raises ``ValueError`` when it is no domain."""
    domain = text.strip().lower()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"{text!r} is not a domain")
    return domain


Domain = Annotated[str, AfterValidator(domain_of)]
Address = Annotated[str, AfterValidator(address_of)]


class Room(Model):
    """A calendar of the organization's own, which everybody there sees and nobody signs in to."""

    email: Address
    name: str


class Organization(Model):
    """What ``PUT`` says about one. Whoever has an address of the domain belongs to it, listed here or not."""

    domain: Domain
    admin: Address
    delegated: bool = False
    users: tuple[Address, ...] = ()
    hidden: tuple[Address, ...] = ()
    """Colleagues do not see their calendars."""
    suspended: tuple[Address, ...] = ()
    rooms: tuple[Room, ...] = ()
    propagation_ms: Annotated[float, Field(ge=0)] = 0
    """How long it takes from now until what the administrator set up works."""

    @property
    def people(self) -> set[str]:
        return {self.admin, *self.users, *self.hidden, *self.suspended}

    @model_validator(mode="after")
    def _names_its_own_people(self) -> Self:
        if strangers := sorted(each for each in self.people if not each.endswith(f"@{self.domain}")):
            raise ValueError(f"not of {self.domain}: {', '.join(strangers)}")
        return self


Kind = TypeVar("Kind", bound=Organization)


@dataclass(frozen=True, slots=True)
class ApplicationToken:
    """What the application itself may do at an organization, in the name of ``subject`` where it impersonates.

    ``withdrawals`` counts those that there had been: a token does not outlive the delegation that it comes from.
    """

    domain: str
    subject: str | None
    scopes: frozenset[str]
    withdrawals: int
    expires_at: float


class Organizations(Generic[Kind]):
    """By domain, ``called`` domains or tenants; and how their people find each other.

    People stay as they are when their organization is replaced or forgotten.
    """

    def __init__(
        self, model: type[Kind], people: People, *, called: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.called = called
        self._model = model
        self._people = people
        self._clock = clock
        self._of: dict[str, Kind] = {}
        self._works_from: dict[str, float] = {}
        self._withdrawals: dict[str, int] = {}
        self._tokens: dict[str, ApplicationToken] = {}

    def put(self, domain: str, described: dict[str, Any]) -> Kind:
        """Raises pydantic's ``ValidationError``, and changes nothing, when this describes no organization."""
        organization = self._model.model_validate({**described, "domain": domain})
        for address in organization.people:
            self._people.meet(address)
        self.replace(organization)
        return organization

    def replace(self, organization: Kind) -> None:
        self._of[organization.domain] = organization
        self._works_from[organization.domain] = self._clock() + organization.propagation_ms / 1000
        if not organization.delegated:
            self._withdraw(organization.domain)

    def get(self, domain: str) -> Kind | None:
        return self._of.get(domain)

    def remove(self, domain: str) -> None:
        if self._of.pop(domain, None):
            self._withdraw(domain)

    def in_force(self, domain: str) -> Kind | None:
        """The organization, once what its administrator set up has reached every server of the provider."""
        organization = self._of.get(domain)
        return organization if organization and self._works_from[domain] <= self._clock() else None

    def domains(self) -> set[str]:
        """Those of organizations, and of people without one."""
        return {*self._of, *(person.domain for person in self._people.values())}

    # People.

    def employee(self, address: str) -> Person | None:
        """The person of this address, who is neither suspended nor a room."""
        person = self._people.get(address.lower())
        if person is None or self._room_of(person.email):
            return None
        organization = self._of.get(person.domain)
        return None if organization and person.email in organization.suspended else person

    def colleague(self, address: str, domain: str) -> Person | None:
        """The person or room that the people of ``domain`` find under this address."""
        address = address.lower()
        if room_of := self._room_of(address):
            return self._people.get(address, Person(email=address)) if room_of == domain else None
        person = self.employee(address)
        return person if person and person.domain == domain else None

    def is_hidden(self, person: Person) -> bool:
        """Whether colleagues find the person, but not the calendar."""
        organization = self._of.get(person.domain)
        return bool(organization and person.email in organization.hidden)

    def is_admin(self, person: Person) -> bool:
        organization = self._of.get(person.domain)
        return bool(organization and person.email == organization.admin)

    def _room_of(self, address: str) -> str | None:
        """The domain of the organization that this room belongs to."""
        return next((each.domain for each in self._of.values() if any(r.email == address for r in each.rooms)), None)

    # Tokens.

    def issue(self, token: str, domain: str, scopes: frozenset[str], lifetime: int, subject: str | None = None) -> str:
        withdrawals = self._withdrawals.get(domain, 0)
        self._tokens[token] = ApplicationToken(domain, subject, scopes, withdrawals, self._clock() + lifetime)
        return token

    def of_token(self, token: str) -> ApplicationToken | None:
        """One that expired is still known here, and one that ``was_withdrawn``."""
        return self._tokens.get(token)

    def was_withdrawn(self, token: ApplicationToken) -> bool:
        """Whether the administrator has taken back what it was issued for."""
        return token.withdrawals != self._withdrawals.get(token.domain, 0)

    def _withdraw(self, domain: str) -> None:
        self._withdrawals[domain] = self._withdrawals.get(domain, 0) + 1
