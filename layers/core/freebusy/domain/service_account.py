"""An organization that its administrator connected to one application (Enterprise Connect)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from freebusy.domain.account import Disconnected, Grant, Identity, ProviderName

MANAGE_ACCOUNTS = "service_account/accounts/manage"
MANAGE_RESOURCES = "service_account/resources/manage"


@dataclass(frozen=True, slots=True)
class Organization:
    """A Google Workspace or a Microsoft tenant.

    ``key`` never changes: Google's primary domain, Microsoft's tenant id. ``domains`` are those of its mailboxes; empty
    where the provider itself looks no further than the organization (Microsoft).
    """

    provider: ProviderName
    key: str
    domains: tuple[str, ...] = ()

    def may_hold(self, mailbox: str) -> bool:
        return not self.domains or mailbox.rpartition("@")[2].lower() in self.domains


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who signed in for an organization, as the provider vouches for it."""

    identity: Identity
    organization: Organization


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """``sub`` is ``ser_…`` on the wire. There is one for an application and an organization, whoever connects it again.

    ``administrator`` is the one who did so last. ``delegated_scope`` is the most that may be asked for people.
    ``sealed_credential`` is the token that all its mailboxes are read with, a short-lived one that can be had again at
    any time. ``version`` rises whenever credential or connection state are written; ``disconnected_at`` is in epoch
    seconds.
    """

    sub: str
    client_id: str
    organization: Organization
    administrator: Identity
    delegated_scope: str
    grants: Mapping[str, Grant]
    sealed_credential: bytes = field(default=b"", repr=False)
    version: int = 0
    disconnected: Disconnected | None = None
    disconnected_at: int = 0
    created_at: int = 0

    @property
    def connected(self) -> bool:
        return self.disconnected is None


@dataclass(frozen=True, slots=True)
class Delegation:
    """What an administrator enters to let us in, where there is no consent screen for it (Google).

    ``client_id`` is our service account's; ``free_busy`` and ``resources`` are the scopes that each of the two takes.
    """

    client_id: str
    free_busy: str
    resources: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A room or another thing that can be booked, and has a calendar."""

    email: str
    name: str


def mailbox_identity(organization: Organization, email: str) -> Identity:
    """Whose mailbox it is, as far as an organization's word goes: nobody signed in, so there is an address alone.

    It therefore never matches somebody who signed in, and two applications or organizations never share it.
    """
    return Identity(organization.provider, f"{organization.key} {email.lower()}", email)
