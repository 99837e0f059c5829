"""Organizations that are being connected: an item for each leg of an administrator's trip, and one for each setup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.short_lived import LIVE, item_of, key_of, live, taken
from freebusy.adapters.dynamodb.table import Item, Table, Value, text
from freebusy.domain.account import Identity, ProviderName
from freebusy.domain.organization_setup import Leg, OrganizationRequest, OrganizationTrip, Setup
from freebusy.domain.service_account import Administrator, Organization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_TRIP, _SETUP = "ORGANIZATION_TRIP", "SETUP"


class DynamoSetups:
    """Implements ``ports.SetupStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def save_trip(self, state_hash: str, trip: OrganizationTrip) -> None:
        item = item_of(
            _TRIP,
            state_hash,
            trip.request.client_id,
            **_request_values(trip.request),
            leg=trip.leg,
            browser_hash=trip.browser_hash,
            handle=trip.handle,
            expires_at=trip.expires_at,
        )
        self._table.write(self._table.putting(item))

    def consume_trip(self, state_hash: str, *, browser_hash: str, now: int) -> OrganizationTrip | None:
        item = taken(self._table, _TRIP, state_hash, browser_hash=browser_hash, now=now)
        return None if item is None else _trip(item)

    def save(self, handle_hash: str, setup: Setup) -> None:
        identity, organization = setup.administrator.identity, setup.administrator.organization
        item = item_of(
            _SETUP,
            handle_hash,
            setup.request.client_id,
            **_request_values(setup.request),
            administrator={"subject": identity.subject, "email": identity.email, "name": identity.name},
            organization=organization.key,
            domains=organization.domains,
            browser_hash=setup.browser_hash,
            began_at=setup.began_at,
            expires_at=setup.expires_at,
        )
        self._table.write(self._table.putting(item))

    def find(self, handle_hash: str, now: int) -> Setup | None:
        item = live(self._table, _SETUP, handle_hash, now)
        return None if item is None else _setup(item)

    def rebind(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        values: dict[str, Value] = {"now": now, "browser_hash": browser_hash}
        change = "SET #browser_hash = :browser_hash"
        key = key_of(_SETUP, handle_hash)
        return self._table.write(self._table.updating(key, change, condition=LIVE, values=values))

    def consume(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        return taken(self._table, _SETUP, handle_hash, browser_hash=browser_hash, now=now) is not None

    def forget(self, client_id: str, organization: Organization) -> None:
        for item in self._table.get_many([*self._table.keys_of(client_id, f"{_SETUP}#")]):
            if (item["provider"]["S"], item["organization"]["S"]) == (organization.provider, organization.key):
                self._table.write(self._table.deleting((item["pk"]["S"], item["sk"]["S"])))


def _request_values(request: OrganizationRequest) -> Mapping[str, Value]:
    return {
        "redirect_uri": request.redirect_uri,
        "application_state": request.application_state,
        "scope": request.scope,
        "delegated_scope": request.delegated_scope,
        "provider": request.provider,
        "code_challenge": request.code_challenge,
    }


def _request(item: Item) -> OrganizationRequest:
    return OrganizationRequest(
        client_id=item["application"]["S"],
        redirect_uri=item["redirect_uri"]["S"],
        application_state=text(item, "application_state"),
        scope=item["scope"]["S"],
        delegated_scope=item["delegated_scope"]["S"],
        provider=ProviderName(item["provider"]["S"]),
        code_challenge=text(item, "code_challenge"),
    )


def _trip(item: Item) -> OrganizationTrip:
    return OrganizationTrip(
        request=_request(item),
        leg=Leg(item["leg"]["S"]),
        browser_hash=item["browser_hash"]["S"],
        expires_at=int(item["expires_at"]["N"]),
        handle=text(item, "handle"),
    )


def _setup(item: Item) -> Setup:
    request, administrator = _request(item), item["administrator"]["M"]
    organization = Organization(
        request.provider, item["organization"]["S"], tuple(domain["S"] for domain in item["domains"]["L"])
    )
    identity = Identity(
        request.provider, administrator["subject"]["S"], administrator["email"]["S"], text(administrator, "name")
    )
    return Setup(
        request=request,
        administrator=Administrator(identity, organization),
        browser_hash=item["browser_hash"]["S"],
        began_at=int(item["began_at"]["N"]),
    )
