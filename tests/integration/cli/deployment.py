"""A deployment that operators look after: its stack, and what is in its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.tokens import DynamoTokens
from freebusy.adapters.vault import KmsVault
from freebusy.domain.account import Account, Identity, Profile, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import TokenError
from freebusy.domain.identifiers import new_account_id
from freebusy.service.callers import authenticate_client
from local.emulator import client
from tests.fakes.clock import NOW

CALLBACK = "https://app.example/callback"
CREDENTIAL = ProviderCredential("access", "refresh", NOW)


@dataclass
class Deployment:
    endpoint: str
    stack: str
    table: str
    queue: str
    erasures: str
    key_id: str

    @property
    def dynamodb(self) -> Any:
        return client("dynamodb", self.endpoint)

    @property
    def applications(self) -> DynamoApplications:
        return DynamoApplications(self.dynamodb, self.table)

    @property
    def accounts(self) -> DynamoAccounts:
        return DynamoAccounts(self.dynamodb, self.table)

    @property
    def vault(self) -> KmsVault:
        return KmsVault(client("kms", self.endpoint), self.dynamodb, self.table, key_id=self.key_id)

    def items(self) -> list[dict[str, Any]]:
        return self.dynamodb.scan(TableName=self.table)["Items"]

    def works(self, client_id: str, secret: str | None) -> bool:
        """Whether the application can authenticate with it."""
        tokens = DynamoTokens(self.dynamodb, self.table)
        try:
            authenticate_client(client_id, secret, now=NOW, applications=self.applications, tokens=tokens)
        except TokenError:
            return False
        return True

    def connected(self, client_id: str, *, upstream: Upstream = Upstream.DIRECT) -> str:
        """The sub of somebody new, whose credential is sealed."""
        sealed = self.vault.seal(CREDENTIAL, client_id=client_id, profile_id="pro")
        identity = Identity(ProviderName.GOOGLE, uuid4().hex, "ana@example.com", upstream=upstream)
        profile = Profile("pro", identity.provider, identity.email, "cal", identity, sealed, NOW)
        managed = Profile("pro_m", ProviderName.MANAGED, "Cronofy", "cal_m")
        sub = new_account_id()
        account = Account(sub, client_id, identity.email, None, "UTC", (profile, managed), {})
        assert self.accounts.create(account)
        return sub
