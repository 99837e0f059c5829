"""Somebody who signs in to see which applications their calendar is connected to, and to end that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from freebusy.domain.account import Identity, ProviderName

SESSION_LIFETIME = 900
"""In seconds. Long enough to read a page and to decide; whoever comes later signs in again, which takes two clicks."""


class Person(NamedTuple):
    """Who signed in, as the provider vouches for it.

    ``mailbox`` is the same person as their organization names them, where the provider vouches for their address as
    well: accounts that an organization gave access to are known by address alone.
    """

    identity: Identity
    mailbox: Identity | None = None

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (self.identity,) if self.mailbox is None else (self.identity, self.mailbox)


class PersonTrip(NamedTuple):
    """One trip of a person's browser to the sign-in, kept under the hash of the ``state`` that we sent there.

    ``browser_hash`` is that of ``AuthorizationRequest``.
    """

    provider: ProviderName
    browser_hash: str
    expires_at: int


class PersonSession(NamedTuple):
    """Kept under the hash of a random handle, which the person's browser alone has."""

    person: Person
    expires_at: int
