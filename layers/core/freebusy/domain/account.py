"""One end user within one application, and the calendar identities connected to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_GRANTS = 50
"""An account keeps this many grants: one more ends the oldest, as a lost browser never comes back to revoke it."""

MOVED = ".moved"
"""How the id of a profile in ``Account.moved`` ends; what comes before it is the id of the profile that it was."""


class ProviderName(StrEnum):
    """``provider_name`` on the wire."""

    GOOGLE = "google_free_busy"
    MICROSOFT = "ms_graph_free_busy"
    MANAGED = "cronofy"  # the managed profile's; and, where providers are chosen among, Cronofy itself


class Upstream(StrEnum):
    """Through whom a person's calendar is reached: at its own provider, or by way of Cronofy."""

    DIRECT = "direct"
    CRONOFY = "cronofy"


class Disconnected(StrEnum):
    """Why a profile no longer works."""

    CREDENTIAL_REVOKED = "credential_revoked"  # the provider says that the credential is dead
    REVOKED = "revoked"  # the application, or the person through it, disconnected the profile
    WITHDRAWN = "withdrawn"  # the organization that the mailbox belongs to is no longer connected itself


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in at the provider.

    ``subject`` never changes (Google: ``sub``; Microsoft: ``tid.oid``; Cronofy: ``sub``) and alone is what accounts are
    matched on; ``email`` can change hands at the provider, so it is a label and the mailbox to ask for. Whoever is
    known by way of Cronofy is never matched with somebody who signed in at the provider itself.

    ``proven`` is whether whoever says ``email`` has shown that its domain is theirs. It is known while somebody signs
    in, and not kept.
    """

    provider: ProviderName
    subject: str
    email: str
    name: str | None = None
    upstream: Upstream = Upstream.DIRECT
    proven: bool = field(default=True, compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for the same person, whatever their address is by now."""
        return self.upstream, self.provider, self.subject


@dataclass(frozen=True, slots=True)
class ProviderCredential:
    """What the provider gave us for one profile. Leaves the service only as a request to that provider."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """One connected calendar identity; its one calendar is ``calendar_id``.

    The managed profile has neither ``identity`` nor ``sealed_credential``. ``version`` rises whenever the
    credential or the connection state is written, so that a late writer can notice that it is late.
    ``service_account`` is the ``sub`` of the organization that gives access: in place of a credential of its own, but
    for those at Cronofy, which hands out one for each mailbox.
    ``moving`` says that the operator wants it off Cronofy: the person's next consent is asked for at the provider.
    ``created_at`` is when the person was first connected, in epoch seconds; 0 where nobody wrote it down.
    ``withdrawn`` says that the organization let nobody in when the mailbox was read last, where that is noted for
    channels; whether the profile is connected is for the organization to say.
    """

    profile_id: str
    provider: ProviderName
    name: str
    calendar_id: str
    identity: Identity | None = None
    sealed_credential: bytes | None = field(default=None, repr=False)
    credential_expires_at: int = 0
    version: int = 0
    disconnected: Disconnected | None = None
    service_account: str | None = None
    moving: bool = False
    created_at: int = 0
    withdrawn: bool = False

    @property
    def managed(self) -> bool:
        return self.provider is ProviderName.MANAGED

    @property
    def connected(self) -> bool:
        return self.disconnected is None

    @property
    def sealed_for(self) -> str:
        """The profile id that the credential is sealed for: a profile that moved keeps what it was before."""
        return self.profile_id.removesuffix(MOVED)

    @property
    def upstream(self) -> Upstream:
        return self.identity.upstream if self.identity else Upstream.DIRECT

    @property
    def read_by_organization(self) -> bool:
        """Whether it is read with its organization's access."""
        return self.service_account is not None and self.upstream is Upstream.DIRECT

    @property
    def asked_at(self) -> ProviderName:
        """Whose adapter reads the calendar: Cronofy's or that of the provider, which ``provider`` is in either case."""
        return ProviderName.MANAGED if self.upstream is Upstream.CRONOFY else self.provider


class Grant(NamedTuple):
    """One completed authorization of the account by its person. Its tokens live while it is listed here."""

    grant_id: str
    scope: str
    created_at: int


class Account(NamedTuple):
    """``profiles`` holds one or more free/busy profiles and exactly one managed profile, which comes last.

    ``has_events`` is false only while no event was ever stored, so that nobody needs to look for any. ``moved`` are
    profiles as they were before they moved off Cronofy: not shown and not read, but events that were delivered through
    them go on being so. ``channels`` is how many its application has open.
    """

    sub: str
    client_id: str
    email: str
    name: str | None
    zone: str
    profiles: tuple[Profile, ...]
    grants: Mapping[str, Grant]
    created_at: int = 0
    has_events: bool = False
    moved: tuple[Profile, ...] = ()
    channels: int = 0

    @property
    def free_busy_profiles(self) -> tuple[Profile, ...]:
        return tuple(profile for profile in self.profiles if not profile.managed)

    @property
    def managed_profile(self) -> Profile:
        return next(profile for profile in self.profiles if profile.managed)

    def profile(self, profile_id: str) -> Profile | None:
        return next((profile for profile in self.profiles if profile.profile_id == profile_id), None)

    @property
    def at_cronofy(self) -> tuple[Profile, ...]:
        """What this account has there, moved profiles included."""
        everything = (*self.free_busy_profiles, *self.moved)
        return tuple(profile for profile in everything if profile.upstream is Upstream.CRONOFY)
