"""The access that an administrator gave to an organization's calendars, as one query uses it.

It is one short-lived token for all mailboxes, kept sealed with the service account. Whoever finds it missing, or about
to expire, fetches another. Where several functions do so at once, one of their tokens is kept, and all of them work.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from freebusy.domain.account import Disconnected, ProviderCredential
from freebusy.domain.errors import CalendarUnreadable, DelegationMissing, MailboxUnknown, ProviderError
from freebusy.domain.free_busy import Period
from freebusy.service.calendar_reader import EXPIRY_MARGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import Clock, OrganizationCalendars, ServiceAccountStore, Vault
    from freebusy.service.remembered import Remembered

logger = logging.getLogger(__name__)

OTHER_SPEAKERS = 3
"""How many of the mailboxes that are asked for may be tried as speakers, once the administrator has left."""
OTHER_WITNESSES = 3
"""How many of them, beside the administrator, are asked whether the organization lets us in at all."""
PROBE_SECONDS = 60
"""A probe asks about so little time, since only whether there is an answer matters."""


@dataclass(eq=False)
class OrganizationAccess:
    """Shared by all threads that read one organization for one query: what one of them finds out, all of them know.

    ``addresses`` are the mailboxes that the query asks for. ``standing`` remembers which organizations were found to
    let us in. All that is asked of the provider ends by ``deadline``.
    """

    service_account: ServiceAccount
    addresses: Sequence[str]
    deadline: float
    calendars: OrganizationCalendars
    service_accounts: ServiceAccountStore
    vault: Vault
    clock: Clock
    standing: Remembered
    withdrawn: bool = False
    """Whether the organization was found to have withdrawn its access; then it is marked so."""

    def __post_init__(self) -> None:
        self._lock = Lock()
        self.version = self.service_account.version
        """Of the service account, as far as it is known here."""
        self._current: ProviderCredential | None = None
        self._trouble: ProviderError | None = None
        self._doubted = False

    def credential(self, *, instead_of: ProviderCredential | None = None) -> ProviderCredential:
        """The token to read with: the stored one, or a fresh one, also ``instead_of`` one that was rejected.

        An organization that had withdrawn its access is connected again once a token opens a mailbox.
        Raises as ``OrganizationCalendars.credential`` does, MailboxUnknown when nobody is left to speak; and the same
        to everybody who asks after that.
        """
        with self._lock:
            if self._trouble:
                raise self._trouble
            if self._current is None:
                self._current = self._stored()
            if self._current is None or self._current == instead_of:
                try:
                    self._current = self._renewed(proven=not self.service_account.connected)
                except ProviderError as error:
                    self._trouble = error
                    raise
            return self._current

    def doubt(self) -> None:
        """A mailbox is closed to us: finds out, once, whether the whole organization is.

        Raises DelegationMissing when it is. A provider that does not answer leaves it standing.
        """
        with self._lock:
            if isinstance(self._trouble, DelegationMissing):
                raise self._trouble
            if self._doubted or self.service_account.sub in self.standing:
                return
            self._doubted = True
            try:
                self._current = self._renewed(proven=True)
            except DelegationMissing as error:
                self._trouble = error
                raise
            except ProviderError:
                return

    def _stored(self) -> ProviderCredential | None:
        if not self.service_account.sealed_credential:
            return None
        try:
            stored = self.vault.unseal(self.service_account.sealed_credential, **self._sealed_for)
        except ValueError:
            whose = {"application": self.service_account.client_id, "service_account": self.service_account.sub}
            logger.exception("a credential does not open", extra=whose)
            return None
        return stored if stored.expires_at - EXPIRY_MARGIN > self.clock() else None

    def _renewed(self, *, proven: bool) -> ProviderCredential:
        sub = self.service_account.sub
        try:
            fresh = self._fresh()
            if proven:
                self._prove()
                self.standing.add(sub)
        except DelegationMissing:
            self._withdraw()
            raise
        sealed = self.vault.seal(fresh, **self._sealed_for)
        if self.service_accounts.renew(sub, sealed=sealed, version=self.version):
            self.version += 1
        return fresh

    def _fresh(self) -> ProviderCredential:
        """The administrator speaks. Who has left the company is no speaker, and a colleague takes the place."""
        administrator = self.service_account.administrator.email
        for speaker in dict.fromkeys([administrator, *self.addresses[:OTHER_SPEAKERS]]):
            try:
                return self.calendars.credential(self.service_account.organization, speaker, deadline=self.deadline)
            except MailboxUnknown:
                continue
        raise MailboxUnknown(f"nobody is left to speak for {self.service_account.sub}")

    def _prove(self) -> None:
        """Raises DelegationMissing when mailboxes stay closed although there is a token.

        Microsoft issues one to any application, and only reading shows whether it opens anything. One mailbox that it
        opens is proof. One that it does not open is none: Exchange can narrow us down to some of the mailboxes. Those
        that were asked for last are the likeliest to be different from what raised the doubt.
        """
        administrator = self.service_account.administrator.email
        witnesses = dict.fromkeys([administrator, *self.addresses[-OTHER_WITNESSES:]])
        closed = 0
        for witness in witnesses:
            opens = self._opens(witness)
            if opens:
                return
            closed += opens is False
        if closed >= min(2, len(witnesses)):
            raise DelegationMissing(self.service_account.sub)

    def _opens(self, address: str) -> bool | None:
        """None when there is nothing to open: administrators often have no mailbox."""
        moment = Period(self.clock(), self.clock() + PROBE_SECONDS)
        try:
            self.calendars.own_free_busy(self.service_account.organization, address, moment, deadline=self.deadline)
        except DelegationMissing:
            return False
        except CalendarUnreadable:
            return None
        return True

    def _withdraw(self) -> None:
        sub = self.service_account.sub
        self.withdrawn = True
        logger.warning("an organization does not let us in", extra={"service_account": sub})
        self.service_accounts.disconnect(sub, because=Disconnected.WITHDRAWN, now=self.clock(), version=self.version)

    @property
    def _sealed_for(self) -> dict[str, str]:
        return {"client_id": self.service_account.client_id, "profile_id": self.service_account.sub}
