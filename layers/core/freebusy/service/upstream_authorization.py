"""Ending an authorization at Cronofy, where one person has one with the whole deployment."""

from __future__ import annotations

import logging
import time

from freebusy.domain.account import Account, Identity, Profile
from freebusy.domain.errors import ProviderError
from freebusy.ports import AccountStore, UpstreamAuthorizations, Vault

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
    try:
        credential = vault.unseal(profile.sealed_credential, client_id=account.client_id, profile_id=profile.sealed_for)
        cronofy.revoke(credential, deadline=time.monotonic() + TIME_BOX)
    except (ProviderError, ValueError) as error:
        reason = error.reason if isinstance(error, ProviderError) else "not_sealed_for_this"
        extra = {"profile_id": profile.profile_id, "reason": reason}
        logger.warning("an authorization at Cronofy was not revoked there", extra=extra)


def _is_shared(identity: Identity, accounts: AccountStore) -> bool:
    others = accounts.find_many(accounts.of_person(identity)).values()
    return any(
        profile.connected and profile.identity is not None and profile.identity.subject == identity.subject
        for account in others
        for profile in account.at_cronofy
    )
