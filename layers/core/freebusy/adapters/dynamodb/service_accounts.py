"""Service accounts: one item each, laid where an account's would be, so that their grants and tokens work alike.

Beside it lies an item per organization, by which an application has one service account for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.accounts import account_key, grant_values, grants_of
from freebusy.adapters.dynamodb.table import Action, Item, Table, Value, attributes, binary, may_be_ours, number, text
from freebusy.domain.account import Disconnected, Identity, ProviderName, Upstream
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.identifiers import is_service_account
from freebusy.domain.service_account import NOBODY_YET, Leaving, Organization, ServiceAccount
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 5

_CONNECT = """
SET #administrator = :administrator, #domains = :domains, #delegated_scope = :delegated_scope,
    #version = #version + :one
REMOVE #sealed, #disconnected, #disconnected_at, #leased_until, #leaving
"""
_RENEW = """
SET #sealed = :sealed, #version = #version + :one
REMOVE #disconnected, #disconnected_at, #leased_until
"""
_DISCONNECT = """
SET #disconnected = :because, #disconnected_at = :now, #version = #version + :one
REMOVE #sealed
"""


class DynamoServiceAccounts:
    """Implements ``ports.ServiceAccountStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def find(self, sub: str) -> ServiceAccount | None:
        item = self._table.get(account_key(sub)) if is_service_account(sub) and may_be_ours(sub) else None
        return None if item is None else service_account_of(item)

    def find_many(self, subs: Collection[str]) -> dict[str, ServiceAccount]:
        keys = [account_key(sub) for sub in dict.fromkeys(subs) if is_service_account(sub) and may_be_ours(sub)]
        return {each.sub: each for each in map(service_account_of, self._table.get_many(keys))}

    def connect(self, wanted: ServiceAccount) -> str:
        organization_pk = _organization_pk(wanted.client_id, wanted.organization)
        for _ in range(_ATTEMPTS):
            known = self._table.get((organization_pk, "ORGANIZATION"))
            if known is None:
                taken: dict[str, Value] = {
                    "pk": organization_pk,
                    "sk": "ORGANIZATION",
                    "application": wanted.client_id,
                    "sub": wanted.sub,
                }
                missing = "attribute_not_exists(pk)"
                taking = self._table.putting(attributes(taken), condition=missing)
                storing = self._table.putting(_item(wanted), condition=missing)
                if not self._table.transact([storing, taking, *self._listing(wanted)]):
                    return wanted.sub
            else:
                sub: str = known["sub"]["S"]
                values: dict[str, Value] = {**_connection_values(wanted), "one": 1}
                if self._table.write(
                    self._table.updating(account_key(sub), _CONNECT, condition="attribute_exists(pk)", values=values)
                ):
                    return sub
        raise StorageUnavailable("the organization is being connected or erased by others at this moment")

    def sharing(self, organization: Organization) -> list[str]:
        return [item["sub"]["S"] for item in self._table.query(_upstream_pk(organization))]

    def lease_refresh(self, sub: str, *, version: int, now: int, seconds: int) -> bool:
        values: dict[str, Value] = {"until": now + seconds, "version": version, "now": now}
        condition = "#version = :version AND (attribute_not_exists(#leased_until) OR #leased_until <= :now)"
        change = "SET #leased_until = :until"
        return self._table.write(self._table.updating(account_key(sub), change, condition=condition, values=values))

    def renew(self, sub: str, *, sealed: bytes, version: int) -> bool:
        values: dict[str, Value] = {"sealed": sealed, "version": version, "one": 1}
        return self._table.write(
            self._table.updating(account_key(sub), _RENEW, condition="#version = :version", values=values)
        )

    def disconnect(self, sub: str, *, because: Disconnected, now: int, version: int | None = None) -> bool:
        values: dict[str, Value] = {"because": because, "now": now, "one": 1}
        condition = "attribute_exists(pk)"
        if version is not None:
            values["version"] = version
            condition = "#version = :version"
        disconnected = self._table.write(
            self._table.updating(account_key(sub), _DISCONNECT, condition=condition, values=values)
        )
        if disconnected:
            take(Measure.ORGANIZATIONS_DISCONNECTED, because)
        return disconnected

    def note_leaving(self, sub: str, leaving: Leaving, *, version: int) -> bool:
        change = "SET #leaving = :leaving, #version = #version + :one"
        values: dict[str, Value] = {"leaving": leaving._asdict(), "version": version, "one": 1}
        return self._table.write(
            self._table.updating(account_key(sub), change, condition="#version = :version", values=values)
        )

    def _listing(self, wanted: ServiceAccount) -> list[Action]:
        """What is known by way of Cronofy is listed for the whole deployment, as accounts are."""
        if not wanted.organization.at_cronofy:
            return []
        pk = _upstream_pk(wanted.organization)
        listed: dict[str, Value] = {"pk": pk, "sk": wanted.sub, "application": wanted.client_id, "sub": wanted.sub}
        return [self._table.putting(attributes(listed))]


def _organization_pk(client_id: str, organization: Organization) -> str:
    where = organization.upstream if organization.at_cronofy else organization.provider
    return f"ORGANIZATION#{client_id}#{where}#{organization.key}"


def _upstream_pk(organization: Organization) -> str:
    return f"UPSTREAM_ORGANIZATION#{organization.upstream}#{organization.key}"


def _item(service_account: ServiceAccount) -> Item:
    pk, sk = account_key(service_account.sub)
    organization = service_account.organization
    return attributes(
        {
            "pk": pk,
            "sk": sk,
            "application": service_account.client_id,
            "provider": organization.provider,
            "organization": organization.key,
            "upstream": organization.upstream if organization.at_cronofy else None,
            "version": service_account.version,
            "disconnected": service_account.disconnected,
            "disconnected_at": service_account.disconnected_at or None,
            "created_at": service_account.created_at,
            "sealed": service_account.sealed_credential or None,
            "grants": {grant.grant_id: grant_values(grant) for grant in service_account.grants.values()},
            **_connection_values(service_account),
        }
    )


def _connection_values(service_account: ServiceAccount) -> Mapping[str, Value]:
    """What a new connection replaces."""
    administrator = service_account.administrator
    return {
        "administrator": {
            "subject": administrator.subject,
            "email": administrator.email,
            "name": administrator.name,
        },
        "domains": service_account.organization.domains,
        "delegated_scope": service_account.delegated_scope,
    }


def service_account_of(item: Item) -> ServiceAccount:
    provider, upstream = ProviderName(item["provider"]["S"]), Upstream(text(item, "upstream") or Upstream.DIRECT)
    administrator = item["administrator"]["M"]
    disconnected = text(item, "disconnected")
    return ServiceAccount(
        sub=item["pk"]["S"].removeprefix("ACCOUNT#"),
        client_id=item["application"]["S"],
        organization=Organization(
            provider,
            item["organization"]["S"],
            tuple(domain["S"] for domain in item["domains"]["L"]),
            upstream,
        ),
        administrator=Identity(
            provider,
            administrator["subject"]["S"],
            administrator["email"]["S"],
            text(administrator, "name"),
            upstream,
        ),
        delegated_scope=item["delegated_scope"]["S"],
        grants=grants_of(item),
        sealed_credential=binary(item, "sealed") or b"",
        version=int(item["version"]["N"]),
        disconnected=Disconnected(disconnected) if disconnected else None,
        disconnected_at=number(item, "disconnected_at") or 0,
        created_at=int(item["created_at"]["N"]),
        leaving=_leaving(item["leaving"]["M"]) if "leaving" in item else NOBODY_YET,
    )


def _leaving(values: Item) -> Leaving:
    return Leaving(values["after"]["S"], int(values["queued_at"]["N"]))
