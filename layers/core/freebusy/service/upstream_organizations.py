"""Organizations at Cronofy: connecting one, and using the credential of its service account there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from freebusy.domain.errors import AccessTokenRejected, CredentialRevoked, DelegationMissing, ProviderUnavailable
from freebusy.service.calendar_reader import EXPIRY_MARGIN
from freebusy.service.organization_connecting import connect_organization
from freebusy.service.resources import READING_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freebusy.domain.account import ProviderCredential
    from freebusy.domain.organization_setup import OrganizationRequest
    from freebusy.domain.service_account import Resource, ServiceAccount
    from freebusy.ports import Clock, ServiceAccountStore, UpstreamOrganizations, Vault

RENEWAL_SECONDS = 30
"""So long nobody else may renew a credential: longer than renewing takes."""

_Used = TypeVar("_Used")


@dataclass(eq=False, repr=False)
class OrganizationsAtCronofy:
    """Safe to call from several threads. That an organization is gone is noticed when something is asked of it:
    its mailboxes have credentials of their own, and tell for themselves.
    """

    service_accounts: ServiceAccountStore
    cronofy: UpstreamOrganizations
    vault: Vault
    clock: Clock

    def connect(self, request: OrganizationRequest, code: str, *, redirect_uri: str, now: int) -> str:
        """The ``sub`` of the service account that an administrator agreed to at Cronofy. Raises as ``cronofy``."""
        administrator, credential = self.cronofy.connect(code, redirect_uri=redirect_uri)
        return connect_organization(
            request, administrator, credential, service_accounts=self.service_accounts, vault=self.vault, now=now
        )

    def resources(self, service_account: ServiceAccount) -> Sequence[Resource]:
        """Raises the ``ProviderError`` family; DelegationMissing for an organization that is gone at Cronofy."""
        deadline = time.monotonic() + READING_SECONDS

        def listed(credential: ProviderCredential) -> Sequence[Resource]:
            return self.cronofy.resources(credential, deadline=deadline)

        try:
            return self.with_credential(service_account, listed, deadline=deadline)
        except CredentialRevoked as error:
            raise DelegationMissing(service_account.sub) from error

    def with_credential(
        self, service_account: ServiceAccount, use: Callable[[ProviderCredential], _Used], *, deadline: float
    ) -> _Used:
        """Uses a credential that works right now: it is renewed beforehand, or once, where Cronofy rejects it.

        Raises the ``ProviderError`` family only: CredentialRevoked when the administrator has to connect again, and
        ProviderUnavailable also while somebody else renews it.
        """
        credential = self._unsealed(service_account)
        if credential.expires_at - EXPIRY_MARGIN <= self.clock():
            return use(self._renewed(service_account, credential, deadline))
        try:
            return use(credential)
        except AccessTokenRejected:
            return use(self._renewed(service_account, credential, deadline))

    def _renewed(
        self, service_account: ServiceAccount, credential: ProviderCredential, deadline: float
    ) -> ProviderCredential:
        """By one caller at a time, since Cronofy may rotate refresh tokens: nobody else would notice a lost one."""
        leased = self.service_accounts.lease_refresh(
            service_account.sub, version=service_account.version, now=self.clock(), seconds=RENEWAL_SECONDS
        )
        if not leased:
            raise ProviderUnavailable("the credential is being refreshed elsewhere")
        renewed = self.cronofy.refresh(credential, deadline=deadline)
        sealed = self.vault.seal(renewed, client_id=service_account.client_id, profile_id=service_account.sub)
        self.service_accounts.renew(service_account.sub, sealed=sealed, version=service_account.version)
        return renewed

    def _unsealed(self, service_account: ServiceAccount) -> ProviderCredential:
        try:
            return self.vault.unseal(
                service_account.sealed_credential, client_id=service_account.client_id, profile_id=service_account.sub
            )
        except ValueError as error:
            raise CredentialRevoked(service_account.sub) from error
