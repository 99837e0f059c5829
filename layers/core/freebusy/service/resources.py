"""The rooms and other things to book of an organization, and who can be asked about organizations at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import DelegationMissing, MailboxUnknown, ProviderMisconfigured
from freebusy.ports import OrganizationCalendars

if TYPE_CHECKING:
    from freebusy.domain.service_account import Organization, Resource, ServiceAccount
    from freebusy.service.upstream_organizations import OrganizationsAtCronofy

READING_SECONDS = 20.0

Calendars = Mapping[ProviderName, OrganizationCalendars]


def list_resources(
    service_account: ServiceAccount, *, calendars: Calendars, upstream: Callable[[], OrganizationsAtCronofy]
) -> Sequence[Resource]:
    """As its administrator, or Cronofy, sees them. Raises the ``ProviderError`` family.

    DelegationMissing among them is no trouble that passes: listing takes a permission of its own, which the
    administrator did not give, and an empty list would say that there is nothing to book. An administrator who has
    left gives none either.
    """
    organization = service_account.organization
    if organization.at_cronofy:
        return upstream().resources(service_account)
    deadline = time.monotonic() + READING_SECONDS
    speaker = service_account.administrator.email
    try:
        return calendars_of(organization, calendars).resources(organization, speaker, deadline=deadline)
    except MailboxUnknown as error:
        raise DelegationMissing("the administrator is gone") from error


def calendars_of(organization: Organization, calendars: Calendars) -> OrganizationCalendars:
    """Raises ProviderMisconfigured."""
    found = calendars.get(organization.provider)
    if found is None:
        raise ProviderMisconfigured(f"no access to organizations at {organization.provider}")
    return found
