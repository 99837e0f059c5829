"""The later pages of an answer, each an item under the hash of its token."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.table import Table, attributes, binary, text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoPages:
    """Implements ``ports.PageStore``. Pages are compressed, since writes are paid for by the kilobyte."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def save(self, pages: Mapping[str, bytes], *, sub: str, client_id: str, expires_at: int) -> None:
        self._table.put_many(
            attributes(
                {
                    "pk": f"PAGE#{token_hash}",
                    "sk": "PAGE",
                    "application": client_id,
                    "sub": sub,
                    "page": zlib.compress(page),
                    "expires_at": expires_at,
                }
            )
            for token_hash, page in pages.items()
        )

    def find(self, token_hash: str, *, sub: str, now: int) -> bytes | None:
        item = self._table.get((f"PAGE#{token_hash}", "PAGE"))
        if item is None or text(item, "sub") != sub or int(item["expires_at"]["N"]) <= now:
            return None
        page = binary(item, "page")
        return page and zlib.decompress(page)
