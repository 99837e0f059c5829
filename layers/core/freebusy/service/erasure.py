"""Erasing a person: everything that is stored about one account, for good.

It is done in passes. Each ends the authorization, takes the account away, so that nobody is let in any more, and then
removes whatever is left. Who read the account before may still be writing, and the index by which its tokens are found
is late, so a pass that found something is followed by another one, when every request of that time is over. Erased is
of what a pass finds nothing. So it may be interrupted anywhere, and asked for twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from freebusy.domain.account import Account
from freebusy.domain.application import Application
from freebusy.domain.errors import TokenError
from freebusy.ports import (
    AccessRequestStore,
    AccountStore,
    Belongings,
    EndUpstream,
    ErasureQueue,
    ServiceAccountStore,
)
from freebusy.service.tokens import end_authorization

MAIL_FIRST = 60
"""Seconds from asking to the first pass: as a rule, cancellations of events that were deleted just before are out by
then. They need the event."""

PASS_SECONDS = 15.0


def require_may_erase(application: Application) -> None:
    """Raises TokenError ``unauthorized_client`` for public applications: a stolen access token must not be enough."""
    if application.public:
        raise TokenError("unauthorized_client", "only an application with a secret can ask for an erasure")


def request_erasure(sub: str, *, queue: ErasureQueue) -> None:
    """Raises StorageUnavailable; asking again does no harm."""
    queue.put([sub], after=MAIL_FIRST)


@dataclass(frozen=True, slots=True)
class Erasure:
    """Safe to call from several threads, and for one account by several at once."""

    accounts: AccountStore
    service_accounts: ServiceAccountStore
    requests: AccessRequestStore
    belongings: Belongings
    end_upstream: EndUpstream
    clock: Callable[[], int]

    def erase(self, sub: str) -> dict[str, int]:
        """One pass; how much of each kind it removed. Raises StorageUnavailable."""
        account = self.accounts.find(sub)
        if account:
            self._part_with(account)
        return self.belongings.erase(sub, deadline=time.monotonic() + PASS_SECONDS)

    def _part_with(self, account: Account) -> None:
        """What only the account tells: where it is connected, and what is still asked for about its mailboxes."""
        end_authorization(
            account,
            accounts=self.accounts,
            service_accounts=self.service_accounts,
            end_upstream=self.end_upstream,
            now=self.clock(),
        )
        for profile in account.free_busy_profiles:
            if profile.service_account and profile.identity:
                self.requests.forget(account.client_id, profile.service_account, profile.identity.email)
