"""Ending an authorization at Cronofy, where a person, or an organization, has one with the whole deployment."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from freebusy.domain.errors import ProviderError

if TYPE_CHECKING:
    from freebusy.domain.account import Account, Identity, Profile
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import AccountStore, ServiceAccountStore, UpstreamAuthorizations, Vault

logger = logging.getLogger(__name__)

TIME_BOX = 5.0
"""Seconds. Whoever revokes waits for it, and is answered whatever comes of it."""


def end_upstream(
    account: Account, profile: Profile, *, accounts: AccountStore, vault: Vault, cronofy: UpstreamAuthorizations
) -> None:
    """Revokes what ``profile``, as it was before it was disconnected here, had at Cronofy.

    Not while another account of this deployment is connected to the same person there: Cronofy knows us as one
    application, and would end the access of all. It is tried once, since our copy of the credential is gone by now.
    """
    if profile.identity is None or profile.sealed_credential is None or _is_shared(profile.identity, accounts):
        return
    _revoke(profile.sealed_credential, account.client_id, profile.sealed_for, vault, cronofy)


def end_organization_upstream(
    service_account: ServiceAccount,
    *,
    service_accounts: ServiceAccountStore,
    vault: Vault,
    cronofy: UpstreamAuthorizations,
) -> None:
    """As ``end_upstream``, of a service account: not while another application has the same organization there."""
    if not service_account.organization.at_cronofy or not service_account.sealed_credential:
        return
    others = set(service_accounts.sharing(service_account.organization)) - {service_account.sub}
    if any(other.connected for other in service_accounts.find_many(others).values()):
        return
    _revoke(service_account.sealed_credential, service_account.client_id, service_account.sub, vault, cronofy)


def _revoke(sealed: bytes, client_id: str, holder: str, vault: Vault, cronofy: UpstreamAuthorizations) -> None:
    """``holder`` is the profile, or the service account, that the credential is sealed for."""
    try:
        credential = vault.unseal(sealed, client_id=client_id, profile_id=holder)
        cronofy.revoke(credential, deadline=time.monotonic() + TIME_BOX)
    except (ProviderError, ValueError) as error:
        reason = error.reason if isinstance(error, ProviderError) else "not_sealed_for_this"
        extra = {"profile_id": holder, "reason": reason}
        logger.warning("an authorization at Cronofy was not revoked there", extra=extra)


def _is_shared(identity: Identity, accounts: AccountStore) -> bool:
    others = accounts.find_many(accounts.of_person(identity)).values()
    return any(
        profile.connected and profile.identity is not None and profile.identity.subject == identity.subject
        for account in others
        for profile in account.at_cronofy
    )
