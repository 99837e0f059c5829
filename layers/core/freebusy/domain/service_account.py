"""An organization that its administrator connected to one application (Enterprise Connect)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Disconnected, Grant, Identity, ProviderName, Upstream
from freebusy.domain.scopes import split

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGE_ACCOUNTS = "service_account/accounts/manage"
MANAGE_RESOURCES = "service_account/resources/manage"

_GRANTED = frozenset({MANAGE_ACCOUNTS, MANAGE_RESOURCES})
_BEYOND_FREE_BUSY = frozenset(
    {"service_account/accounts/unrestricted_access", "service_account/resources/unrestricted_access"}
)
"""Scopes of the contract that would need more than free/busy; accepted in a request, left out of the grant."""

_GOOGLE_RESOURCES = "resource.calendar.google.com"
"""The domain of every Workspace's rooms, which says nothing about whose they are."""


class Organization(NamedTuple):
    """A Google Workspace or a Microsoft tenant, reached directly or by way of Cronofy.

    ``key`` never changes: Google's primary domain, Microsoft's tenant id, the id of Cronofy's service account.
    ``domains`` are those of its mailboxes; empty where whoever is asked looks no further than the organization
    (Microsoft, Cronofy).
    """

    provider: ProviderName
    key: str
    domains: tuple[str, ...] = ()
    upstream: Upstream = Upstream.DIRECT

    @property
    def at_cronofy(self) -> bool:
        return self.upstream is Upstream.CRONOFY

    @property
    def mailbox_prefix(self) -> str:
        """How the ``subject`` of each of its mailboxes begins, and of nobody else (``mailbox_identity``)."""
        return f"{self.key} "

    def may_hold(self, mailbox: str) -> bool:
        return not self.domains or mailbox.rpartition("@")[2].lower() in self.domains

    def may_be_resource(self, mailbox: str) -> bool:
        """Whether it is the address of a room at Google, which nobody can be signed in as; at Microsoft rooms are
        mailboxes as all others.
        """
        return self.provider is ProviderName.GOOGLE and mailbox.rpartition("@")[2].lower() == _GOOGLE_RESOURCES


class Administrator(NamedTuple):
    """Who signed in for an organization, as the provider vouches for it."""

    identity: Identity
    organization: Organization


class Leaving(NamedTuple):
    """How far the people of an organization that is erased have got, page by page.

    ``after`` is where the last page ended. Pages are queued until all are, at ``queued_at`` in epoch seconds; from then
    on each is waited for, from the first one again.
    """

    after: str = ""
    queued_at: int = 0


NOBODY_YET = Leaving()


class Mailboxes(NamedTuple):
    """A page of an organization's: whose accounts they are on, and ``after`` what the next follows; empty for none."""

    subs: list[str]
    after: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """``sub`` is ``ser_…`` on the wire. There is one for an application and an organization, whoever connects it again.

    ``administrator`` is the one who did so last. ``delegated_scope`` is the most that may be asked for people.
    ``sealed_credential`` is the token that all its mailboxes are read with, a short-lived one that can be had again at
    any time; of an organization at Cronofy it is that of the service account there, and asks for mailboxes.
    ``version`` rises whenever credential, connection state or ``leaving`` are written; ``disconnected_at`` is in epoch
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
    leaving: Leaving = NOBODY_YET

    @property
    def connected(self) -> bool:
        return self.disconnected is None


class Delegation(NamedTuple):
    """What an administrator lets us in with: at Google they enter it, at Microsoft they agree to it.

    ``client_id`` is that of our service account or registration; ``free_busy`` and ``resources`` are the scopes, or
    application permissions, that each of the two takes.
    """

    client_id: str
    free_busy: str
    resources: str


class Resource(NamedTuple):
    """A room or another thing that can be booked, and has a calendar."""

    email: str
    name: str


def mailbox_identity(organization: Organization, email: str) -> Identity:
    """Whose mailbox it is, as far as an organization's word goes: nobody signed in, so there is an address alone.

    It therefore never matches somebody who signed in, and two applications or organizations never share it.
    """
    return Identity(organization.provider, f"{organization.mailbox_prefix}{email.lower()}", email)


def grantable_to_service_account(scope: str) -> str:
    """What is granted of the scopes that an application asked for as a service account, in the order given.

    Raises ``ValueError`` with what to ask for instead.
    """
    asked = split(scope)
    if MANAGE_ACCOUNTS not in asked:
        raise ValueError(f"scope must hold {MANAGE_ACCOUNTS}")
    if not set(asked) <= _GRANTED | _BEYOND_FREE_BUSY:
        raise ValueError(f"scope holds something unknown: ask for {MANAGE_ACCOUNTS}, and {MANAGE_RESOURCES} for rooms")
    return " ".join(name for name in asked if name in _GRANTED)
