"""What comes of a request for access to a mailbox: an account and a code for it, or the reason why there is none.

Every request is answered, at least once and as a rule exactly once: it is forgotten only when the application has taken
the answer. Each attempt looks at the mailbox anew, and makes a new code for the same account; where the organization is
at Cronofy, what comes of it is Cronofy's answer (``upstream_access``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

from freebusy.domain.access_request import PATIENCE, AccessRequest
from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME, AuthorizationCode
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    DelegationMissing,
    MailboxRefused,
    MailboxUnknown,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import Period
from freebusy.domain.identifiers import hashed, new_authorization_code
from freebusy.service.audit import By, note, note_caller
from freebusy.service.connecting import Connected, connect_mailbox
from freebusy.service.mailbox_access import REFUSALS, require_access
from freebusy.service.resources import Calendars, calendars_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import AccessRequestStore, AccountStore, ApplicationStore, ServiceAccountStore, TokenStore
    from freebusy.service.callbacks import Callbacks
    from freebusy.service.upstream_access import UpstreamAccess

_Answer = TypeVar("_Answer")

PROBE_SECONDS = 8.0
_PROBED = 3600
"""How much of a calendar is looked at, in seconds from now: only whether there is one matters."""

_PASSING = (ProviderUnavailable, ProviderMisconfigured, AccessTokenRejected)
_LATER = frozenset({ProviderUnavailable.reason, ProviderMisconfigured.reason})

GRANTED = "granted"
AWAITED = "awaited"
FORGOTTEN = "forgotten"


@dataclass(eq=False, repr=False)
class AccessAnswers:
    """Answers one request at a time; safe to call from several threads."""

    requests: AccessRequestStore
    applications: ApplicationStore
    service_accounts: ServiceAccountStore
    accounts: AccountStore
    tokens: TokenStore
    calendars: Calendars
    callbacks: Callbacks
    upstream: Callable[[], UpstreamAccess]
    """Made only when an organization is at Cronofy."""
    clock: Callable[[], int]

    def answer(self, request_id: str) -> str:
        """What the application was told: ``granted`` or the key of an error; ``forgotten`` where nobody waits, and
        ``awaited`` while Cronofy has not answered: then the request is queued for later.

        Raises CallbackFailed, CallbackUnsigned, StorageUnavailable, or the ``ProviderError`` family within the time of
        ``PATIENCE``, for what has to be tried again.
        """
        request = self.requests.find(request_id, self.clock())
        application = self.applications.find(request.client_id) if request else None
        if request is None or application is None:
            return FORGOTTEN
        outcome = GRANTED
        try:
            connected = self._connected(request)
            if connected is None:
                return AWAITED
            answer = {"code": self._code(request, connected)}
        except MailboxRefused as refused:
            outcome = refused.key
            error = "temporarily_unavailable" if outcome in _LATER else "access_denied"
            answer = {"error": error, "error_key": outcome, "error_description": REFUSALS[outcome]}
        if request.state is not None:
            answer["state"] = request.state
        self.callbacks.deliver(application, request.callback_url, {"authorization": answer})
        self.requests.delete(request_id)
        return outcome

    def _connected(self, request: AccessRequest) -> Connected | None:
        """The account of the mailbox; None while Cronofy has not answered.

        A mailbox that is closed to us says nothing of its organization, which may have let us into a few alone: only
        what was open once and no longer is raises that doubt, and readers follow it (``organization_access``).
        """
        service_account = require_access(request, self.service_accounts)
        if service_account.organization.at_cronofy:
            return self._patiently(request, lambda: self.upstream().outcome(request, service_account))
        self._patiently(request, lambda: self._read(request.email, service_account))
        return connect_mailbox(service_account, request.email, accounts=self.accounts, now=self.clock())

    def _patiently(self, request: AccessRequest, ask: Callable[[], _Answer]) -> _Answer:
        """What the provider answers. Raises what has to be tried again until it has failed for too long, counted from
        its first failure: how long the request has waited before is not the provider's fault.
        """
        try:
            answer = ask()
        except _PASSING as error:
            if not self._has_failed_for_long(request):
                raise
            _refuse(error)
        except ProviderError as error:
            self._note_answer(request)
            _refuse(error)
        self._note_answer(request)
        return answer

    def _has_failed_for_long(self, request: AccessRequest) -> bool:
        if request.failing_since is None:
            self.requests.mark_failing(request.request_id, self.clock())
            return False
        return self.clock() - request.failing_since >= PATIENCE

    def _note_answer(self, request: AccessRequest) -> None:
        if request.failing_since is not None:
            self.requests.mark_failing(request.request_id, None)

    def _code(self, request: AccessRequest, account: Connected) -> str:
        """A new code for the account of the mailbox (RFC 6749, 4.1.2), which is bound to the callback URL."""
        note_caller(request.client_id, By.SERVICE)
        note(account.sub)
        code = new_authorization_code()
        bound = AuthorizationCode(
            client_id=request.client_id,
            sub=account.sub,
            profile_id=account.profile_id,
            redirect_uri=request.callback_url,
            scope=request.scope,
            code_challenge=None,
            expires_at=self.clock() + AUTHORIZATION_CODE_LIFETIME,
            reconnecting=account.reconnecting,
        )
        self.tokens.save_code(hashed(code), bound)
        return code

    def _read(self, mailbox: str, service_account: ServiceAccount) -> None:
        organization, now = service_account.organization, self.clock()
        window, deadline = Period(now, now + _PROBED), time.monotonic() + PROBE_SECONDS
        calendars = calendars_of(organization, self.calendars)
        if not organization.may_be_resource(mailbox):
            calendars.own_free_busy(organization, mailbox, window, deadline=deadline)
            return
        # Nobody can be signed in as a room, so it is looked at with the administrator's eyes.
        try:
            credential = calendars.credential(organization, service_account.administrator.email, deadline=deadline)
        except MailboxUnknown as error:
            raise DelegationMissing("the administrator is gone") from error
        seen = calendars.free_busy(credential, [mailbox], window, deadline=deadline)[mailbox]
        if isinstance(seen, CalendarUnreadable):
            raise seen


def _refuse(error: ProviderError) -> NoReturn:
    known = error.reason if error.reason in REFUSALS else ProviderUnavailable.reason
    raise MailboxRefused(known) from error
