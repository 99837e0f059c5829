"""Where ports meet adapters: made on first use, kept while the sandbox is warm.

Each adapter is imported where it is made, so that a function loads only what it uses.
"""

from __future__ import annotations

from functools import cache, cached_property
from time import time
from typing import TYPE_CHECKING

from freebusy.domain.account import ProviderName
from freebusy.settings import Settings, settings

if TYPE_CHECKING:
    import httpx
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient

    from freebusy.adapters.secrets import ProviderSecrets
    from freebusy.ports import (
        AccountStore,
        ApplicationRegistry,
        ApplicationStore,
        CalendarProvider,
        PageStore,
        TokenStore,
        Vault,
    )
    from freebusy.service.calendar_reader import CalendarReader


def _patience() -> Config:
    """AWS may take well less time than the gateway allows us; calendars are read by many threads at once."""
    from botocore.config import Config

    return Config(
        connect_timeout=2,
        read_timeout=4,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=50,
    )


class Dependencies:
    """Everything a service may be given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def clock(self) -> int:
        return int(time())

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        import boto3

        return boto3.client("dynamodb", config=_patience())

    @cached_property
    def applications(self) -> ApplicationStore:
        from freebusy.adapters.dynamodb.applications import DynamoApplications

        return DynamoApplications(self.dynamodb, self.settings.table_name)

    @cached_property
    def accounts(self) -> AccountStore:
        from freebusy.adapters.dynamodb.accounts import DynamoAccounts

        return DynamoAccounts(self.dynamodb, self.settings.table_name)

    @cached_property
    def tokens(self) -> TokenStore:
        from freebusy.adapters.dynamodb.tokens import DynamoTokens

        return DynamoTokens(self.dynamodb, self.settings.table_name)

    @cached_property
    def pages(self) -> PageStore:
        from freebusy.adapters.dynamodb.pages import DynamoPages

        return DynamoPages(self.dynamodb, self.settings.table_name)

    @cached_property
    def vault(self) -> Vault:
        import boto3

        from freebusy.adapters.vault import KmsVault

        return KmsVault(
            boto3.client("kms", config=_patience()),
            self.dynamodb,
            self.settings.table_name,
            key_id=self.settings.credential_key_id,
        )

    @cached_property
    def _secrets(self) -> ProviderSecrets:
        import boto3

        from freebusy.adapters.secrets import ProviderSecrets

        return ProviderSecrets(boto3.client("secretsmanager", config=_patience()))

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx

        return httpx.Client(
            timeout=httpx.Timeout(8.0, connect=3.0),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=100),
            follow_redirects=False,
        )

    @cached_property
    def providers(self) -> dict[ProviderName, CalendarProvider]:
        """The providers that this deployment has a registration for."""
        providers: dict[ProviderName, CalendarProvider] = {}
        if secret_id := self.settings.google_secret_id:
            from freebusy.adapters.google import Google

            providers[ProviderName.GOOGLE] = Google(
                self._http, self._secrets.registration(secret_id), origin=self.settings.google_origin
            )
        if secret_id := self.settings.microsoft_secret_id:
            from freebusy.adapters.microsoft import Microsoft

            providers[ProviderName.MICROSOFT] = Microsoft(
                self._http,
                self._secrets.registration(secret_id),
                tenant=self.settings.microsoft_tenant,
                origin=self.settings.microsoft_origin,
            )
        return providers

    @cached_property
    def calendar_reader(self) -> CalendarReader:
        from freebusy.service.calendar_reader import CalendarReader

        return CalendarReader(accounts=self.accounts, vault=self.vault, providers=self.providers, clock=self.clock)


def application_registry(dynamodb: DynamoDBClient, table_name: str) -> ApplicationRegistry:
    """For the command line, which finds table and endpoint by its own options instead of a function's environment."""
    from freebusy.adapters.dynamodb.applications import DynamoApplications

    return DynamoApplications(dynamodb, table_name)


@cache
def dependencies() -> Dependencies:
    return Dependencies(settings())
