"""Asking for access to the mailboxes of an organization; ``access_answers`` says what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freebusy.domain.access_request import AccessRequest
from freebusy.domain.errors import InsufficientScope, RefusedBecause
from freebusy.domain.identifiers import new_access_request_id
from freebusy.domain.scopes import BEYOND_FREE_BUSY, grantable, permissions, split
from freebusy.domain.service_account import MANAGE_RESOURCES, Organization, ServiceAccount
from freebusy.service.callbacks import refused_callbacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freebusy.ports import AccessRequestQueue, AccessRequestStore, ApplicationStore, HostResolver


@dataclass(frozen=True, slots=True)
class Wanted:
    """One mailbox as the application asks for it; ``path`` comes before a field's name where errors name it."""

    email: str = field(repr=False)
    callback_url: str = field(repr=False)
    scope: str
    state: str | None = field(default=None, repr=False)
    path: str = ""


def request_access(  # noqa: PLR0913 - who asks for what, and the ports
    wanted: Sequence[Wanted],
    *,
    service_account: ServiceAccount,
    scope: str,
    applications: ApplicationStore,
    requests: AccessRequestStore,
    queue: AccessRequestQueue,
    resolver: HostResolver,
    local: bool,
    public_url: str,
    now: int,
) -> None:
    """Takes all of it, or nothing where anything is wrong with it. ``scope`` is that of the caller's own grant.

    Raises InvalidRequest, InsufficientScope or StorageUnavailable. After the last a part may be answered all the same:
    to ask for everything again does no harm.
    """
    application = applications.find(service_account.client_id)
    if application is None or application.public:
        raise InsufficientScope("callbacks are signed with a client secret, which a public application does not have")
    refused = RefusedBecause()
    _check_mailboxes(wanted, service_account.organization, resources=MANAGE_RESOURCES in split(scope), refused=refused)
    for each in wanted:
        _check_scope(each, service_account.delegated_scope, refused)
    unreachable = refused_callbacks([each.callback_url for each in wanted], resolver=resolver, local=local)
    for each in wanted:
        if trouble := unreachable.get(each.callback_url):
            refused.add(f"{each.path}callback_url", *trouble)
    refused.raise_if_any()
    accepted = [
        AccessRequest(
            request_id=new_access_request_id(),
            client_id=service_account.client_id,
            service_account=service_account.sub,
            email=each.email,
            callback_url=each.callback_url,
            scope=" ".join(split(each.scope)),
            state=each.state,
            requested_at=now,
            public_url=public_url,
        )
        for each in wanted
    ]
    requests.save(accepted)
    queue.put([request.request_id for request in accepted])


def _check_mailboxes(
    wanted: Sequence[Wanted], organization: Organization, *, resources: bool, refused: RefusedBecause
) -> None:
    seen: set[str] = set()
    for each in wanted:
        path, mailbox = f"{each.path}email", each.email.lower()
        if mailbox in seen:
            refused.add(path, "errors.duplicate", "this mailbox is asked for before in the same request")
        seen.add(mailbox)
        if not organization.may_hold(mailbox) and not (resources and organization.may_be_resource(mailbox)):
            refused.add(path, "errors.outside_organization", "this is no address of the service account's organization")


def _check_scope(each: Wanted, delegated: str, refused: RefusedBecause) -> None:
    path = f"{each.path}scope"
    try:
        granted = grantable(each.scope)
    except ValueError as error:
        refused.add(path, "errors.invalid_scope", str(error))
        return
    if not BEYOND_FREE_BUSY.isdisjoint(split(each.scope)):
        refused.add(path, "errors.invalid_scope", "scope needs more than free/busy access: ask for free_busy_write")
    elif not permissions(granted) <= permissions(delegated):
        refused.add(path, "errors.not_delegated", "this is more than the organization's administrator delegated")
