"""Our own channels at Cronofy: for whom each is, under the hash of the handle in its callback URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.short_lived import item_of, key_of
from freebusy.adapters.dynamodb.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KIND = "UPSTREAM_CHANNEL"


class DynamoUpstreamHandles:
    """Implements ``ports.UpstreamHandles``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def save(self, handle_hash: str, *, client_id: str, sub: str, profile_id: str) -> None:
        self._table.write(self._table.putting(item_of(_KIND, handle_hash, client_id, sub=sub, profile_id=profile_id)))

    def find(self, handle_hash: str) -> tuple[str, str] | None:
        item = self._table.get(key_of(_KIND, handle_hash))
        return None if item is None else (item["sub"]["S"], item["profile_id"]["S"])

    def forget(self, handle_hash: str) -> None:
        self._table.write(self._table.deleting(key_of(_KIND, handle_hash)))
