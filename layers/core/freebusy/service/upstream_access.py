"""Mailboxes of organizations at Cronofy: it is asked for each, and answers later, to an address that only it knows.

The address holds a random handle, which is used up by the first answer, and the ``state`` beside it follows from the
handle: so an answer counts for the request that it was given to, once, and only while somebody waits for it. What is
exchanged for its code is sealed at once, and the application hears of it from the queue.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freebusy.domain.access_request import LONGEST_DELAY, PATIENCE, AccessRequest, Granted
from freebusy.domain.errors import (
    CalendarUnreadable,
    CredentialRevoked,
    MailboxRefused,
    NotFound,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.identifiers import hashed, new_answer_handle
from freebusy.service.audit import By, note, note_caller
from freebusy.service.connecting import Connected, Consent, connect_upstream_mailbox
from freebusy.service.mailbox_access import DISCONNECTED, REFUSALS, require_access

if TYPE_CHECKING:
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import (
        AccessRequestQueue,
        AccessRequestStore,
        AccountStore,
        Clock,
        ServiceAccountStore,
        UpstreamOrganizations,
        Vault,
    )
    from freebusy.service.upstream_organizations import OrganizationsAtCronofy

logger = logging.getLogger(__name__)

ASKING_SECONDS = 8.0
PAUSE = 60
"""Seconds until Cronofy is asked again after its code could not be exchanged."""


def answer_url(public_url: str, handle: str) -> str:
    """What Cronofy calls back, and the ``redirect_uri`` of the code that it brings."""
    return f"{public_url}/enterprise_connect/answers/{handle}"


def state_of(handle: str) -> str:
    """The handle travels in the address alone; whoever knows it can tell the state that belongs to it."""
    return hashed(f"the answer to {handle}")


@dataclass(eq=False, repr=False)
class UpstreamAccess:
    """Asks Cronofy, and knows what it answered."""

    requests: AccessRequestStore
    queue: AccessRequestQueue
    organizations: OrganizationsAtCronofy
    cronofy: UpstreamOrganizations
    clock: Clock

    def outcome(self, request: AccessRequest, service_account: ServiceAccount) -> Connected | None:
        """What Cronofy answered; None while it has not. Then the request is queued, for when that takes too long.

        Raises MailboxRefused; the ``ProviderError`` family when Cronofy cannot be asked.
        """
        if request.granted:
            return Connected(request.granted.sub, request.granted.profile_id, reconnecting=request.granted.reconnecting)
        if request.refused:
            raise MailboxRefused(request.refused)
        now, asked_at = self.clock(), request.asked_at
        if asked_at is not None and now >= (asked_at or request.requested_at) + PATIENCE:
            raise MailboxRefused(ProviderUnavailable.reason)
        if not asked_at:
            asked_at = now
            self._ask(request, service_account, now + PATIENCE)
            self.requests.mark_asked(request.request_id, now)
        self.queue.put([request.request_id], delay=min(LONGEST_DELAY, asked_at + PATIENCE - now))
        return None

    def _ask(self, request: AccessRequest, service_account: ServiceAccount, until: int) -> None:
        handle = new_answer_handle()
        self.requests.expect_answer(hashed(handle), request, until=until)
        deadline = time.monotonic() + ASKING_SECONDS
        try:
            self.organizations.with_credential(
                service_account,
                lambda credential: self.cronofy.ask(
                    credential,
                    request.email,
                    callback_url=answer_url(request.public_url, handle),
                    state=state_of(handle),
                    deadline=deadline,
                ),
                deadline=deadline,
            )
        except CredentialRevoked as error:
            raise MailboxRefused(DISCONNECTED) from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cronofy says of one mailbox: a ``code``, or ``error_key``, the word for why there is none."""

    state: str = field(repr=False)
    code: str = field(repr=False)
    error_key: str


@dataclass(eq=False, repr=False)
class UpstreamAnswers:
    """Takes in what Cronofy answers."""

    requests: AccessRequestStore
    queue: AccessRequestQueue
    service_accounts: ServiceAccountStore
    accounts: AccountStore
    vault: Vault
    cronofy: UpstreamOrganizations
    clock: Clock

    def take(self, handle: str, answer: Answer) -> str | None:
        """The id of the request that was answered; None where nobody waits for such an answer.

        That Cronofy has signed it was checked before. Raises StorageUnavailable, after which the request is answered
        when the time for it is over.
        """
        if answer.state != state_of(handle):
            return None
        request_id = self.requests.take_answer(hashed(handle), self.clock())
        request = self.requests.find(request_id, self.clock()) if request_id else None
        if request is None or request.granted or request.refused:
            return None
        delay = 0
        try:
            self.requests.settle(request.request_id, granted=self._granted(request, handle, answer))
        except MailboxRefused as refused:
            self.requests.settle(request.request_id, refused=refused.key)
        except (ProviderUnavailable, ProviderMisconfigured, NotFound) as error:
            # The code may be dead by the time that Cronofy is back: it is asked for another one.
            extra = {"request": request.request_id, "trouble": type(error).__name__}
            logger.warning("an answer of Cronofy's cannot be used", extra=extra)
            self.requests.mark_asked(request.request_id, 0)
            delay = PAUSE
        self.queue.put([request.request_id], delay=delay)
        return request.request_id

    def _granted(self, request: AccessRequest, handle: str, answer: Answer) -> Granted:
        """Raises MailboxRefused, ProviderUnavailable, ProviderMisconfigured, and NotFound for what is being erased."""
        service_account = require_access(request, self.service_accounts)
        note_caller(request.client_id, By.SERVICE)
        note(service_account.sub)
        if not answer.code:
            raise MailboxRefused(answer.error_key if answer.error_key in REFUSALS else CalendarUnreadable.reason)
        redirect_uri = answer_url(request.public_url, handle)
        try:
            identity, credential = self.cronofy.mailbox(answer.code, redirect_uri=redirect_uri)
        except (ProviderUnavailable, ProviderMisconfigured):
            raise
        except ProviderError as error:
            raise MailboxRefused(CalendarUnreadable.reason) from error
        connected = connect_upstream_mailbox(
            service_account,
            Consent(request.client_id, identity, credential),
            accounts=self.accounts,
            vault=self.vault,
            now=self.clock(),
        )
        note(connected.sub)
        return Granted(connected.sub, connected.profile_id, connected.reconnecting)
