"""Connecting an organization: what an application asks its administrator for, and how far they have come."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME, AuthorizationCode, ReturnAddress
from freebusy.domain.identifiers import hashed
from freebusy.domain.scopes import split
from freebusy.domain.service_account import MANAGE_RESOURCES, Administrator, Organization

if TYPE_CHECKING:
    from freebusy.domain.account import ProviderName

SETUP_LIFETIME = 7 * 86400
"""In seconds: Google may take a day to notice a delegation, and an administrator days to ask whoever keeps the DNS."""

PROOF = "freebusy-connect="
"""What the record that proves a domain begins with."""


class OrganizationRequest(NamedTuple):
    """What an application wants of an organization, and where the administrator's browser goes back to.

    ``scope`` is what the application may do as a service account, ``delegated_scope`` the most that it may want for
    people. ``provider`` is ``MANAGED`` on a trip to Cronofy.
    """

    client_id: str
    redirect_uri: str
    application_state: str | None
    scope: str
    delegated_scope: str
    provider: ProviderName
    code_challenge: str | None = None

    def return_address(self, public_url: str) -> ReturnAddress:
        return ReturnAddress(self.redirect_uri, self.application_state, public_url)

    def code_for(self, service_account: str, now: int) -> AuthorizationCode:
        return AuthorizationCode(
            client_id=self.client_id,
            sub=service_account,
            profile_id="",
            redirect_uri=self.redirect_uri,
            scope=self.scope,
            code_challenge=self.code_challenge,
            expires_at=now + AUTHORIZATION_CODE_LIFETIME,
        )

    @property
    def wants_resources(self) -> bool:
        return MANAGE_RESOURCES in split(self.scope)


class Leg(StrEnum):
    """What the administrator is asked for at the provider."""

    CONSENT = "consent"
    SIGN_IN = "sign_in"


class OrganizationTrip(NamedTuple):
    """One leg of an administrator's browser through the provider, kept under the hash of the ``state`` we sent there.

    ``browser_hash`` is that of ``AuthorizationRequest``. ``handle`` names the setup that the administrator signs in for
    again: then only the same one may finish.
    """

    request: OrganizationRequest
    leg: Leg
    browser_hash: str
    expires_at: int
    handle: str | None = None


class Setup(NamedTuple):
    """An administrator has signed in, and now lets us in at the provider, which may take days.

    It is kept under the hash of a random handle, which is in its address; ``browser_hash`` is the hash of what the
    administrator's browser keeps beside that, so that the address alone is of no use to anybody.
    """

    request: OrganizationRequest
    administrator: Administrator
    browser_hash: str
    began_at: int

    @property
    def expires_at(self) -> int:
        return self.began_at + SETUP_LIFETIME

    def is_of(self, administrator: Administrator) -> bool:
        """Whether it is the same person for the same organization; addresses change hands, subjects do not."""
        mine = self.administrator
        return (
            mine.identity.provider == administrator.identity.provider
            and mine.identity.subject == administrator.identity.subject
            and mine.organization.key == administrator.organization.key
        )


class ProofRecord(NamedTuple):
    """A TXT record by which whoever keeps a domain's DNS says that this person may connect it to this application."""

    name: str
    value: str

    @classmethod
    def of(cls, client_id: str, administrator: Administrator) -> ProofRecord:
        organization: Organization = administrator.organization
        bound = json.dumps([client_id, organization.key, administrator.identity.subject])
        return cls(f"_freebusy-connect.{organization.key}", f"{PROOF}{hashed(bound)}")
