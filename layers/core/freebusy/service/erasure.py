"""Erasing a person, or an organization with all of its people: everything that is stored about them, for good.

It is done in passes. Each ends the authorization, takes the account away, so that nobody is let in any more, and then
removes whatever is left. Who read the account before may still be writing, and the index by which its tokens are found
is late, so a pass that found something is followed by another one, when every request of that time is over. Erased is
of what a pass finds nothing. So it may be interrupted anywhere, and asked for twice.

Of an organization, the identities of its mailboxes say whose accounts are left: they go after all else, and not before
an account is looked at again. Its people are queued page by page, then each page is waited for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Account, Disconnected
from freebusy.domain.errors import TokenError
from freebusy.domain.identifiers import channel_handle, hashed
from freebusy.service.audit import note
from freebusy.service.tokens import end_authorization

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from freebusy.domain.access_request import AccessRequest
    from freebusy.domain.application import Application
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import (
        AccessRequestStore,
        AccountStore,
        Belongings,
        EndUpstream,
        ErasureQueue,
        ServiceAccountStore,
        SetupStore,
        UpstreamHandles,
    )

MAIL_FIRST = 60
"""Seconds from asking to the first pass: as a rule, cancellations of events that were deleted just before are out by
then. They need the event."""

LONGEST_REQUEST = 30
"""Seconds after which whoever saw an organization connected is done with it."""

PASS_SECONDS = 15.0

PAGE = 100
"""So many mailboxes of an organization are read, and their people queued, at once; an interruption repeats no more."""

STUCK = 3600
"""Seconds after which whoever is still there is queued again: their message may be among the dead letters."""


def require_may_erase(application: Application) -> None:
    """Raises TokenError ``unauthorized_client`` for public applications: a stolen access token must not be enough."""
    if application.public:
        raise TokenError("unauthorized_client", "only an application with a secret can ask for an erasure")


def request_erasure(sub: str, *, queue: ErasureQueue) -> None:
    """Raises StorageUnavailable; asking again does no harm."""
    queue.put([sub], after=MAIL_FIRST)
    note(sub, action="erasure.requested")


@dataclass(eq=False, repr=False)
class Erasure:
    """Safe to call from several threads, and for one account by several at once."""

    accounts: AccountStore
    service_accounts: ServiceAccountStore
    requests: AccessRequestStore
    setups: SetupStore
    handles: UpstreamHandles
    belongings: Belongings
    queue: ErasureQueue
    end_upstream: EndUpstream
    clock: Callable[[], int]

    def erase(self, sub: str) -> Mapping[str, int]:
        """One pass over an account or an organization; how much of each kind it found. Raises StorageUnavailable."""
        deadline = time.monotonic() + PASS_SECONDS
        holder = self.accounts.holder(sub)
        let_in_by_organization = False
        if isinstance(holder, Account):
            self._part_with(holder)
            let_in_by_organization = any(profile.service_account for profile in holder.free_busy_profiles)
        elif holder and (found := self._part_with_organization(holder, deadline)):
            return found
        return self.belongings.erase(sub, deadline=deadline, identities=not let_in_by_organization)

    def _part_with(self, account: Account) -> None:
        """What only the account tells: where it is connected, and what is still asked for about its mailboxes."""
        self._end(account)
        for request in requests_about(account, self.requests):
            self.requests.delete(request.request_id)

    def _part_with_organization(self, organization: ServiceAccount, deadline: float) -> Mapping[str, int]:
        """What only the organization tells: what its application waits for, and whose its mailboxes are. Returns what
        was found, for another pass to come.

        Who answers a request for access while it ends may still make an account, so that is waited for.
        """
        if organization.disconnected is not Disconnected.REVOKED:
            self._end(organization)
            return {"authorization": 1}
        if self.clock() < organization.disconnected_at + LONGEST_REQUEST:
            return {"authorization": 1}
        for request in self.requests.waiting(organization.client_id, organization.sub):
            if time.monotonic() > deadline:
                return {"access": 1}
            self.requests.delete(request.request_id)
        self.setups.forget(organization.client_id, organization.organization)
        return self._part_with_people(organization, deadline)

    def _part_with_people(self, organization: ServiceAccount, deadline: float) -> Mapping[str, int]:
        """Each page is noted when it is done with, so that the next pass goes on behind it, and of several at once only
        one does.
        """
        leaving, version, queued = organization.leaving, organization.version, 0
        while time.monotonic() < deadline:
            subs, after = self.accounts.mailboxes_of(organization, after=leaving.after, most=PAGE)
            now = self.clock()
            if subs and leaving.queued_at:
                if now < leaving.queued_at + STUCK:
                    return {"mailbox": queued or len(subs)}
                reached = leaving._replace(queued_at=now)
            elif after:
                reached = leaving._replace(after=after)
            elif leaving.queued_at:
                return {}
            else:
                reached = leaving._replace(after="", queued_at=now)
            done = self._let_go(subs, organization, deadline)
            if not done or not self.service_accounts.note_leaving(organization.sub, reached, version=version):
                break
            leaving, version, queued = reached, version + 1, queued + len(subs)
        return {"mailbox": queued}

    def _let_go(self, subs: Collection[str], organization: ServiceAccount, deadline: float) -> bool:
        """Queues whoever is erased with their organization, after all others keep only their own; False where that has
        to be gone on with.
        """
        erased, kept = people_among(subs, organization, accounts=self.accounts)
        for account in kept:
            if time.monotonic() > deadline or not self._take_off(account, organization):
                return False
        self.queue.put(erased)
        return True

    def _take_off(self, account: Account, organization: ServiceAccount) -> bool:
        """What is left is the calendar that they connected themselves. False where somebody wrote the account since it
        was read.
        """
        for profile in account.free_busy_profiles:
            if profile.service_account == organization.sub:
                at_cronofy = profile in account.at_cronofy
                if at_cronofy:
                    self.handles.forget(hashed(channel_handle(account.sub, profile.sealed_for)))
                if not self.accounts.remove_profile(account, profile):
                    return False
                if at_cronofy:
                    self.end_upstream(account, profile)
        return True

    def _end(self, holder: Account | ServiceAccount) -> None:
        end_authorization(
            holder,
            accounts=self.accounts,
            service_accounts=self.service_accounts,
            end_upstream=self.end_upstream,
            now=self.clock(),
        )


def requests_about(account: Account, requests: AccessRequestStore) -> Iterator[AccessRequest]:
    """What its application still has to be told about its mailboxes."""
    for profile in account.free_busy_profiles:
        if profile.service_account and profile.identity:
            for request in requests.waiting(account.client_id, profile.service_account):
                if request.is_about(account.sub, profile.identity.email):
                    yield request


class People(NamedTuple):
    """Who is erased with their organization, and who keeps an account, having connected a calendar of their own."""

    erased: list[str]
    kept: list[Account]


def people_of(organization: ServiceAccount, *, accounts: AccountStore) -> Iterator[str]:
    """The accounts of all its mailboxes, which may be very many."""
    after = ""
    while True:
        subs, after = accounts.mailboxes_of(organization, after=after, most=PAGE)
        yield from subs
        if not after:
            return


def people_among(subs: Collection[str], organization: ServiceAccount, *, accounts: AccountStore) -> People:
    found = accounts.find_many(subs)
    kept = [account for account in found.values() if _has_own_calendar(account, organization)]
    return People([sub for sub in subs if sub not in {account.sub for account in kept}], kept)


def _has_own_calendar(account: Account, organization: ServiceAccount) -> bool:
    return any(profile.service_account != organization.sub for profile in account.free_busy_profiles)
