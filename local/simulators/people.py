"""The people who use the simulated provider."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from local.simulators import zones

HOUR = 3600
_EMAIL = re.compile(r"[^@\s/]+@[^@\s/]+")


class Status(StrEnum):
    """Microsoft's words; Google knows busy, and transparent, which is not shown."""

    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OOF = "oof"
    WORKING_ELSEWHERE = "workingElsewhere"
    UNKNOWN = "unknown"


def _known_zone(name: str) -> str:
    zones.zone(name)
    return name


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class Entry(Model):
    """One entry of a calendar: from ``start`` (included) to ``end`` (excluded)."""

    start: Moment
    end: Moment
    status: Status = Status.BUSY

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("an entry must end after it starts")
        return self


class Person(Model):
    """What ``PUT /sim/users/{email}`` says about somebody; without a word about it, they are free all day."""

    email: str
    busy: tuple[Entry, ...] = ()
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    exists: bool = True
    """False: they can sign in, but the free/busy call does not find their calendar."""
    scopes_granted: tuple[str, ...] | None = None
    """What they leave ticked at the consent screen; None is everything."""
    token_lifetime: Annotated[int, Field(ge=0)] = HOUR
    """Seconds that their access tokens live."""

    @property
    def name(self) -> str:
        return " ".join(word.capitalize() for word in re.split(r"[._+-]+", self.email.partition("@")[0]) if word)

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]

    def overlapping(self, start: datetime, end: datetime) -> list[Entry]:
        """By start, and whole: not cut to the window."""
        return sorted(
            (entry for entry in self.busy if entry.start < end and entry.end > start), key=lambda entry: entry.start
        )

    def grants(self, asked: Iterable[str], *, always: frozenset[str]) -> tuple[str, ...]:
        """The scopes that remain of those asked for; ``always`` are the ones that nobody can untick."""
        if self.scopes_granted is None:
            return tuple(asked)
        ticked = {short_name(scope) for scope in self.scopes_granted}
        return tuple(scope for scope in asked if scope in always or short_name(scope) in ticked)


class InvalidEmail(ValueError):
    """Not of the form ``name@domain``."""


class People(dict[str, Person]):
    """By e-mail address, in lower case."""

    def meet(self, email: str) -> Person:
        """Makes the person when the address is new: whoever can sign in at a real provider exists there."""
        address = address_of(email)
        return self.setdefault(address, Person(email=address))


def address_of(email: str) -> str:
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise InvalidEmail(f"{email!r} is not an e-mail address")
    return address


def short_name(scope: str) -> str:
    """``calendar.freebusy`` and ``Calendars.ReadBasic`` for the full URLs of those scopes."""
    return scope.rpartition("/")[2].lower()


def fingerprint(*parts: str) -> bytes:
    """The same 32 bytes for the same words, so that a person keeps their identifiers when the simulator restarts."""
    return sha256("\0".join(parts).encode()).digest()
