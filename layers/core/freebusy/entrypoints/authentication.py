"""Who is calling ``/v1``: an account or a service account by its access token, an application by its client secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from freebusy.bootstrap import dependencies
from freebusy.domain.account import Account
from freebusy.domain.errors import InsufficientScope
from freebusy.entrypoints.http import bearer_of
from freebusy.entrypoints.limits import count_request
from freebusy.entrypoints.observing import logger
from freebusy.service.audit import By, note, note_caller
from freebusy.service.callers import Caller, authenticate, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.scopes import Permission
    from freebusy.domain.service_account import ServiceAccount


class Person(NamedTuple):
    """A connected account under one grant."""

    account: Account
    scope: str

    def require(self, permission: Permission) -> None:
        """Raises InsufficientScope."""
        require(self.scope, permission)


class Enterprise(NamedTuple):
    """A connected organization under one grant."""

    service_account: ServiceAccount
    scope: str


def caller_of(event: Mapping[str, Any], permission: Permission | None = None) -> Caller:
    """Any kind of caller; the request counts as one of its application's.

    Raises AuthenticationFailed, TooManyRequests or InsufficientScope.
    """
    wired = dependencies()
    caller = authenticate(bearer_of(event), tokens=wired.tokens, accounts=wired.accounts, now=wired.clock())
    logger.append_keys(application=caller.client_id)
    count_request(caller.client_id)
    _note(caller)
    if permission is not None and caller.grant is not None:  # what a client secret is enough for, each endpoint says
        require(caller.scope, permission)
    return caller


def _note(caller: Caller) -> None:
    if caller.holder and caller.grant:
        note_caller(caller.client_id, By.GRANT, caller.grant.grant_id)
        note(caller.holder.sub)
    else:
        note_caller(caller.client_id, By.APPLICATION)


def person(event: Mapping[str, Any], permission: Permission | None = None) -> Person:
    """The account that the request is about. Raises also InsufficientScope for every other kind of caller."""
    caller = caller_of(event, permission)
    if caller.account is None:
        raise InsufficientScope("this needs the access token of an account")
    return Person(caller.account, caller.scope)


def organization(event: Mapping[str, Any], scope: str) -> Enterprise:
    """The service account that the request is about, under a grant with ``scope``. Raises as ``person``."""
    caller = caller_of(event)
    if caller.holder is None or isinstance(caller.holder, Account):
        raise InsufficientScope("this needs the access token of a service account")
    from freebusy.domain.scopes import split

    if scope not in split(caller.scope):
        raise InsufficientScope(scope)
    return Enterprise(caller.holder, caller.scope)
