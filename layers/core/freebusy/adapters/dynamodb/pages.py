"""The later pages of an answer, each an item under the hash of its token."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.short_lived import item_of, live
from freebusy.adapters.dynamodb.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient


_KIND = "PAGE"


class DynamoPages:
    """Implements ``ports.PageStore``. Pages are compressed, since writes are paid for by the kilobyte."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def save(self, pages: Mapping[str, bytes], *, sub: str, client_id: str, expires_at: int) -> None:
        self._table.put_many(
            item_of(_KIND, token_hash, client_id, sub=sub, page=zlib.compress(page), expires_at=expires_at)
            for token_hash, page in pages.items()
        )

    def find(self, token_hash: str, *, sub: str, now: int) -> bytes | None:
        item = live(self._table, _KIND, token_hash, now)
        return zlib.decompress(item["page"]["B"]) if item and item["sub"]["S"] == sub else None
