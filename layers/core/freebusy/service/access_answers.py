"""What comes of a request for access to a mailbox: an account and a code for it, or the reason why there is none.

Every request is answered, at least once and as a rule exactly once: it is forgotten only when the application has taken
the answer. Each attempt looks at the mailbox anew, and makes a new code for the same account.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from freebusy.domain.access_request import PATIENCE, AccessRequest
from freebusy.domain.account import Disconnected
from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME, AuthorizationCode
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    DelegationMissing,
    FreeBusyError,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import Period
from freebusy.domain.identifiers import hashed, new_authorization_code
from freebusy.domain.scopes import permissions
from freebusy.domain.service_account import ServiceAccount
from freebusy.ports import AccessRequestStore, AccountStore, ApplicationStore, ServiceAccountStore, TokenStore
from freebusy.service.audit import By, note, note_caller
from freebusy.service.callbacks import Callbacks
from freebusy.service.connecting import connect_mailbox
from freebusy.service.resources import Calendars, calendars_of

PROBE_SECONDS = 8.0
_PROBED = 3600
"""How much of a calendar is looked at, in seconds from now: only whether there is one matters."""

SCOPE_NOT_DELEGATED = "unable_to_grant_scope"
DISCONNECTED = "service_account_disconnected"
OUTSIDE = "outside_organization"

REFUSALS: Mapping[str, str] = {
    SCOPE_NOT_DELEGATED: "The scope is more than the organization's administrator delegated.",
    DISCONNECTED: "The service account was revoked: its administrator has to connect the organization again.",
    OUTSIDE: "The mailbox is outside the organization of the service account.",
    MailboxUnknown.reason: "The organization has no such mailbox, or whoever it belongs to is suspended.",
    MailboxWithoutCalendar.reason: "The mailbox has no calendar.",
    CalendarUnreadable.reason: "The provider does not show the calendar of this mailbox.",
    DelegationMissing.reason: "The organization's administrator does not give access to this mailbox.",
    ProviderUnavailable.reason: "The provider has not answered for half an hour: ask again later.",
    ProviderMisconfigured.reason: "The operator of this service has to mend its registration at the provider.",
}
"""What applications are told, by ``error_key``."""

_PASSING = (ProviderUnavailable, ProviderMisconfigured, AccessTokenRejected)
_LATER = frozenset({ProviderUnavailable.reason, ProviderMisconfigured.reason})

GRANTED = "granted"
FORGOTTEN = "forgotten"


class _Refused(FreeBusyError):
    """The mailbox cannot be connected, for a reason that the application is told."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class AccessAnswers:
    """Answers one request at a time; safe to call from several threads."""

    requests: AccessRequestStore
    applications: ApplicationStore
    service_accounts: ServiceAccountStore
    accounts: AccountStore
    tokens: TokenStore
    calendars: Calendars
    callbacks: Callbacks
    clock: Callable[[], int]

    def answer(self, request_id: str) -> str:
        """What the application was told: ``granted`` or the key of an error; ``forgotten`` where nobody waits.

        Raises CallbackFailed, CallbackUnsigned, StorageUnavailable, or the ``ProviderError`` family within the time of
        ``PATIENCE``, for what has to be tried again.
        """
        request = self.requests.find(request_id, self.clock())
        application = self.applications.find(request.client_id) if request else None
        if request is None or application is None:
            return FORGOTTEN
        outcome = GRANTED
        try:
            answer = {"code": self._code(request)}
        except _Refused as refused:
            outcome = refused.key
            error = "temporarily_unavailable" if outcome in _LATER else "access_denied"
            answer = {"error": error, "error_key": outcome, "error_description": REFUSALS[outcome]}
        if request.state is not None:
            answer["state"] = request.state
        self.callbacks.deliver(application, request.callback_url, {"authorization": answer})
        self.requests.delete(request_id)
        return outcome

    def _code(self, request: AccessRequest) -> str:
        """A new code for the account of the mailbox (RFC 6749, 4.1.2), which is bound to the callback URL."""
        service_account = self._service_account(request)
        self._probe(request, service_account)
        now = self.clock()
        account = connect_mailbox(service_account, request.email, accounts=self.accounts, now=now)
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
            expires_at=now + AUTHORIZATION_CODE_LIFETIME,
            reconnecting=account.reconnecting,
        )
        self.tokens.save_code(hashed(code), bound)
        return code

    def _service_account(self, request: AccessRequest) -> ServiceAccount:
        """As it stands by now: it may have been revoked, or connected again with less.

        One that the administrator seems to have withdrawn is no reason to refuse: the provider is about to say.
        """
        found = self.service_accounts.find(request.service_account)
        if found is None or found.disconnected is Disconnected.REVOKED:
            raise _Refused(DISCONNECTED)
        if not permissions(request.scope) <= permissions(found.delegated_scope):
            raise _Refused(SCOPE_NOT_DELEGATED)
        organization = found.organization
        if not organization.may_hold(request.email) and not organization.may_be_resource(request.email):
            raise _Refused(OUTSIDE)
        return found

    def _probe(self, request: AccessRequest, service_account: ServiceAccount) -> None:
        """Whether the mailbox can be read at all."""
        try:
            self._read(request.email, service_account)
        except _PASSING as error:
            if self.clock() - request.requested_at < PATIENCE:
                raise
            _refuse(error)
        except ProviderError as error:
            _refuse(error)

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
    raise _Refused(known) from error
