"""Whether an organization still stands for what an application asked of it, and the words for why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.account import Disconnected
from freebusy.domain.errors import (
    CalendarUnreadable,
    DelegationMissing,
    MailboxRefused,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.scopes import permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.access_request import AccessRequest
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import ServiceAccountStore

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


def require_access(request: AccessRequest, service_accounts: ServiceAccountStore) -> ServiceAccount:
    """As it stands by now: it may have been revoked, or connected again with less. Raises MailboxRefused.

    One that the administrator seems to have withdrawn is no reason to refuse: the provider is about to say.
    """
    found = service_accounts.find(request.service_account)
    if found is None or found.disconnected is Disconnected.REVOKED:
        raise MailboxRefused(DISCONNECTED)
    if not permissions(request.scope) <= permissions(found.delegated_scope):
        raise MailboxRefused(SCOPE_NOT_DELEGATED)
    organization = found.organization
    if not organization.may_hold(request.email) and not organization.may_be_resource(request.email):
        raise MailboxRefused(OUTSIDE)
    return found
