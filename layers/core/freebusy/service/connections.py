"""What a person has connected: the applications of this deployment that may see when they are busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Account, Disconnected, Profile
from freebusy.domain.errors import AuthorizationRefused, NotFound
from freebusy.service.accounts import current, revoke_profile
from freebusy.service.audit import By, note, note_caller
from freebusy.service.trips import introduction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freebusy.domain.application import Introduction
    from freebusy.domain.person import Person
    from freebusy.ports import AccountStore, ApplicationStore, EndUpstream, ServiceAccountStore


class Connection(NamedTuple):
    """``profile`` is the person's own, as it stands; ``since`` is in epoch seconds, 0 where nobody knows."""

    application: Introduction
    profile: Profile
    since: int

    @property
    def by_organization(self) -> bool:
        """Whether an administrator connected it. What they decided, one person cannot end: the application may ask for
        the mailbox again at any time, or read it in the organization's name.
        """
        return self.profile.service_account is not None

    @property
    def can_be_ended(self) -> bool:
        """Also of a lapsed one, which may still be sent invitations."""
        return not self.by_organization and self.profile.disconnected is not Disconnected.REVOKED


@dataclass(eq=False, repr=False)
class Connections:
    accounts: AccountStore
    applications: ApplicationStore
    service_accounts: ServiceAccountStore
    end_upstream: EndUpstream

    def of(self, person: Person) -> list[Connection]:
        """By the names of the applications; those that still are connected come first."""
        profiles = [*self._profiles(person)]
        note_caller("", By.PERSON)
        note(*(account.sub for account, _ in profiles))
        found = [self._connection(account, profile) for account, profile in profiles]
        listed = [connection for connection in found if connection is not None]
        return sorted(listed, key=lambda each: (not each.profile.connected, each.application.name.casefold()))

    def one(self, person: Person, profile_id: str) -> Connection:
        """Raises NotFound for a profile that is not this person's."""
        connection = self._connection(*self._profile(person, profile_id))
        if connection is None:
            raise NotFound("the application was erased")
        return connection

    def end(self, person: Person, profile_id: str) -> None:
        """As if the application had revoked the profile; doing so twice is no error.

        Raises NotFound for a profile that is not this person's, and AuthorizationRefused for one that is their
        organization's to end.
        """
        account, profile = self._profile(person, profile_id)
        if profile.service_account:
            raise AuthorizationRefused("organization_connected")
        revoke_profile(account, profile_id, accounts=self.accounts, end_upstream=self.end_upstream)

    def _profile(self, person: Person, profile_id: str) -> tuple[Account, Profile]:
        for account, profile in self._profiles(person):
            if profile.profile_id == profile_id:
                note_caller(account.client_id, By.PERSON)
                note(account.sub)
                return account, profile
        raise NotFound("no such profile")

    def _profiles(self, person: Person) -> Iterator[tuple[Account, Profile]]:
        """Of a linked account only what is this identity's: that the others are theirs too, an application said."""
        keys = {identity.key for identity in person.identities}
        subs = [sub for identity in person.identities for sub in self.accounts.of_person(identity)]
        for account in self.accounts.find_many(subs).values():
            for profile in account.free_busy_profiles:
                if profile.identity is not None and profile.identity.key in keys:
                    yield account, profile

    def _connection(self, account: Account, profile: Profile) -> Connection | None:
        application = self.applications.find(account.client_id)
        if application is None:
            return None
        shown = current(account, service_accounts=self.service_accounts).profile(profile.profile_id)
        introduced = introduction(application, self.applications)
        return Connection(introduced, shown or profile, profile.created_at or account.created_at)
