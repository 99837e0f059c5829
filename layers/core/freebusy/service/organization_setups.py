"""Setting an organization up: whether its administrator has let us in by now, and what becomes of it then."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import ProviderCredential, ProviderName
from freebusy.domain.errors import (
    AuthorizationRefused,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderError,
    ProviderMisconfigured,
)
from freebusy.domain.free_busy import Period
from freebusy.domain.identifiers import hashed
from freebusy.domain.organization_setup import PROOF, ProofRecord, Setup
from freebusy.service.organization_connecting import connect_organization
from freebusy.service.trips import application_of, introduction, issue_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.application import Introduction
    from freebusy.domain.service_account import Delegation
    from freebusy.ports import (
        ApplicationStore,
        DomainRecords,
        OrganizationCalendars,
        ServiceAccountStore,
        SetupStore,
        TokenStore,
        Vault,
    )

logger = logging.getLogger(__name__)

PATIENCE = 15.0
"""How long one look at provider and DNS may take, in seconds: well under the gateway's limit."""

_PROBED = 3600
_MAILBOX = re.compile(r"[^\s@/]{1,64}@[A-Za-z0-9.-]{1,189}")


@dataclass(frozen=True, slots=True)
class Locked:
    """This browser is not the one that the setup is bound to."""


class OrganizationConnected(NamedTuple):
    """The browser goes back to the application, at ``location``, with a code."""

    application: Introduction
    location: str


class Progress(NamedTuple):
    """What the administrator still has to do.

    ``access`` and ``proof`` are reasons why the organization cannot be read, or its domain is not proven; None where
    that is done. ``record`` is None where no domain has to be proven. ``mailbox`` is the one that was tried, if the
    administrator named one.
    """

    application: Introduction
    setup: Setup
    delegation: Delegation
    record: ProofRecord | None
    mailbox: str | None
    access: str | None
    proof: str | None
    checked_at: int


@dataclass(eq=False, repr=False)
class OrganizationSetups:
    """``prove_domains``: Google does not say who is an administrator, and once an organization has let this deployment
    in for one application, anybody who works there could connect it to another. So the domain's own DNS has to agree.
    """

    applications: ApplicationStore
    setups: SetupStore
    service_accounts: ServiceAccountStore
    tokens: TokenStore
    vault: Vault
    calendars: Mapping[ProviderName, OrganizationCalendars]
    records: DomainRecords
    prove_domains: bool

    def check(
        self, handle: str, *, browser_secret: str | None, mailbox: str | None, public_url: str, now: int
    ) -> Progress | Locked | OrganizationConnected:
        """Looks whether we are let in by now, and connects the organization if so.

        ``mailbox`` is looked at instead of the administrator's own, where the provider's grant is not about a person
        (Microsoft). Raises AuthorizationRefused when there is no such setup, and when there is no way back to its
        application any more.
        """
        setup = self.setups.find(hashed(handle), now)
        if setup is None:
            raise AuthorizationRefused("setup_over")
        if hashed(browser_secret or "") != setup.browser_hash:
            return Locked()
        request = setup.request
        named = {"client_id": request.client_id, "redirect_uri": request.redirect_uri}
        introduced = introduction(application_of(named, self.applications), self.applications)
        delegation = self._delegation(setup)
        deadline = time.monotonic() + PATIENCE
        mailbox = mailbox if request.provider is ProviderName.MICROSOFT else None
        record, credential, access = self._record(setup), None, None
        try:
            credential = self._credential(setup, mailbox, now, deadline)
        except ProviderError as error:
            access = _reason(error, setup)
        proof = self._doubt(record, deadline) if record else None
        if credential is None or proof:
            return Progress(introduced, setup, delegation, record, mailbox, access, proof, now)
        location = self._connect(hashed(handle), setup, credential, public_url, now)
        return OrganizationConnected(introduced, location)

    def _delegation(self, setup: Setup) -> Delegation:
        calendars = self.calendars.get(setup.request.provider)
        if calendars is None:
            raise AuthorizationRefused("setup_unavailable")
        try:
            return calendars.delegation()
        except ProviderError as error:
            _reason(error, setup)
            raise AuthorizationRefused("setup_unavailable") from error

    def _credential(self, setup: Setup, mailbox: str | None, now: int, deadline: float) -> ProviderCredential:
        """What the whole organization is read with, once one calendar could be. Raises the ProviderError family."""
        calendars = self.calendars[setup.request.provider]
        organization, administrator = setup.administrator.organization, setup.administrator.identity
        if mailbox and not _MAILBOX.fullmatch(mailbox):
            raise MailboxUnknown("not an address")
        try:
            calendars.own_free_busy(
                organization, mailbox or administrator.email, Period(now, now + _PROBED), deadline=deadline
            )
        except (MailboxUnknown, MailboxWithoutCalendar):
            # Microsoft lets an application in before it looks for the mailbox, and administrators often have none.
            if mailbox or organization.provider is not ProviderName.MICROSOFT:
                raise
        return calendars.credential(organization, administrator.email, deadline=deadline)

    def _record(self, setup: Setup) -> ProofRecord | None:
        if not self.prove_domains or setup.request.provider is not ProviderName.GOOGLE:
            return None
        return ProofRecord.of(setup.request.client_id, setup.administrator)

    def _doubt(self, record: ProofRecord, deadline: float) -> str | None:
        """Why the domain is not proven; None where it is."""
        try:
            texts = self.records.texts(record.name, deadline=deadline)
        except ProviderError:
            return "records_unavailable"
        if record.value in texts:
            return None
        return "record_differs" if any(text.startswith(PROOF) for text in texts) else "record_missing"

    def _connect(
        self, handle_hash: str, setup: Setup, credential: ProviderCredential, public_url: str, now: int
    ) -> str:
        """Where the browser goes with its code. Of several tabs one gets there: what the others did as well changes
        nothing, and their codes reach nobody. Whatever fails on the way can be tried again.
        """
        request = setup.request
        sub = connect_organization(
            request, setup.administrator, credential, service_accounts=self.service_accounts, vault=self.vault, now=now
        )
        issued = issue_code(request.code_for(sub, now), self.tokens)
        if not self.setups.consume(handle_hash, browser_hash=setup.browser_hash, now=now):
            raise AuthorizationRefused("setup_over")
        return request.return_address(public_url).with_code(issued)


def _reason(error: ProviderError, setup: Setup) -> str:
    """What the page says about it. What only the operator can mend is logged for them."""
    if isinstance(error, ProviderMisconfigured):
        logger.error("the provider refused our request", exc_info=error, extra={"application": setup.request.client_id})
    return error.reason
