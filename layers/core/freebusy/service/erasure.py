"""Erasing a person, or an organization with all of its people: everything that is stored about them, for good.

It is done in passes. Each ends the authorization, takes the account away, so that nobody is let in any more, and then
removes whatever is left. Who read the account before may still be writing, and the index by which its tokens are found
is late, so a pass that found something is followed by another one, when every request of that time is over. Erased is
of what a pass finds nothing. So it may be interrupted anywhere, and asked for twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Account, Disconnected
from freebusy.domain.errors import TokenError
from freebusy.service.audit import note
from freebusy.service.tokens import end_authorization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    )

MAIL_FIRST = 60
"""Seconds from asking to the first pass: as a rule, cancellations of events that were deleted just before are out by
then. They need the event."""

LONGEST_REQUEST = 30
"""Seconds after which whoever saw an organization connected is done with it."""

PASS_SECONDS = 15.0


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
    belongings: Belongings
    queue: ErasureQueue
    end_upstream: EndUpstream
    clock: Callable[[], int]

    def erase(self, sub: str) -> Mapping[str, int]:
        """One pass over an account or an organization; how much of each kind it removed. Raises StorageUnavailable."""
        holder = self.accounts.holder(sub)
        if isinstance(holder, Account):
            self._part_with(holder)
        elif holder and (found := self._part_with_organization(holder)):
            return found
        return self.belongings.erase(sub, deadline=time.monotonic() + PASS_SECONDS)

    def _part_with(self, account: Account) -> None:
        """What only the account tells: where it is connected, and what is still asked for about its mailboxes."""
        self._end(account)
        for request in requests_about(account, self.requests):
            self.requests.delete(request.request_id)

    def _part_with_organization(self, organization: ServiceAccount) -> Mapping[str, int]:
        """Its mailboxes first, as only the organization tells which they are. What was found, for another pass to come.

        Who answers a request for access while it ends may still make an account, so that is waited for.
        """
        if organization.disconnected is not Disconnected.REVOKED:
            self._end(organization)
            return {"authorization": 1}
        if self.clock() < organization.disconnected_at + LONGEST_REQUEST:
            return {"authorization": 1}
        erased, kept = people_of(organization, accounts=self.accounts)
        self.queue.put(erased)
        for account in kept:
            self._take_off(account, organization)
        if erased or kept:
            return {"mailbox": len(erased) + len(kept)}
        for request in self.requests.waiting(organization.client_id, organization.sub):
            self.requests.delete(request.request_id)
        self.setups.forget(organization.client_id, organization.organization)
        return {}

    def _take_off(self, account: Account, organization: ServiceAccount) -> None:
        """What is left is the calendar that they connected themselves."""
        for profile in account.free_busy_profiles:
            if profile.service_account == organization.sub:
                removed = self.accounts.remove_profile(account, profile)
                if removed and profile in account.at_cronofy:
                    self.end_upstream(account, profile)

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


def people_of(organization: ServiceAccount, *, accounts: AccountStore) -> People:
    subs = accounts.of_organization(organization)
    found = accounts.find_many(subs)
    kept = [account for account in found.values() if _has_own_calendar(account, organization)]
    return People([sub for sub in subs if sub not in {account.sub for account in kept}], kept)


def _has_own_calendar(account: Account, organization: ServiceAccount) -> bool:
    return any(profile.service_account != organization.sub for profile in account.free_busy_profiles)
