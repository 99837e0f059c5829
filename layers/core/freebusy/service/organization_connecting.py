"""What an administrator's consent becomes: the one service account that an application has for their organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.identifiers import new_service_account_id
from freebusy.domain.service_account import Administrator, ServiceAccount
from freebusy.service.audit import By, note, note_caller

if TYPE_CHECKING:
    from freebusy.domain.account import ProviderCredential
    from freebusy.domain.organization_setup import OrganizationRequest
    from freebusy.ports import ServiceAccountStore, Vault


def connect_organization(  # noqa: PLR0913 - who let us in with what, and the ports
    request: OrganizationRequest,
    administrator: Administrator,
    credential: ProviderCredential,
    *,
    service_accounts: ServiceAccountStore,
    vault: Vault,
    now: int,
) -> str:
    """Its ``sub``, also where the organization was connected before. Raises StorageUnavailable."""
    wanted = ServiceAccount(
        sub=new_service_account_id(),
        client_id=request.client_id,
        organization=administrator.organization,
        administrator=administrator.identity,
        delegated_scope=request.delegated_scope,
        grants={},
        created_at=now,
    )
    sub = service_accounts.connect(wanted)
    note_caller(request.client_id, By.PERSON)
    note(sub)
    sealed = vault.seal(credential, client_id=request.client_id, profile_id=sub)
    if connected := service_accounts.find(sub):
        service_accounts.renew(sub, sealed=sealed, version=connected.version)
    return sub
