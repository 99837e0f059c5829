"""What was answered to requests that have a key, each an item under the hash of that."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.short_lived import item_of, key_of
from freebusy.adapters.dynamodb.table import Table, Value
from freebusy.domain.idempotency import Answered, FirstRequest, KeyedRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KIND = "ONCE"


class DynamoAnswers:
    """Implements ``ports.AnswerStore``. Bodies are compressed, as pages are."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def begin(self, request: KeyedRequest, *, now: int, expires_at: int) -> bool:
        values: dict[str, Value] = {"sub": request.sub, "fingerprint": request.fingerprint, "expires_at": expires_at}
        item = item_of(_KIND, request.key_hash, request.client_id, **values)
        free = "attribute_not_exists(pk) OR #expires_at <= :now"
        return self._table.write(self._table.putting(item, condition=free, values={"now": now}))

    def finish(self, request: KeyedRequest, answered: Answered | None, *, expires_at: int) -> None:
        """What was erased meanwhile, with its holder or its application, stays so."""
        values: dict[str, Value] = {"expires_at": expires_at}
        if answered:
            values |= {"status": answered.status, "body": zlib.compress(answered.body.encode())}
        change = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        key = key_of(_KIND, request.key_hash)
        self._table.write(self._table.updating(key, change, condition="attribute_exists(pk)", values=values))

    def first(self, request: KeyedRequest) -> FirstRequest | None:
        item = self._table.get(key_of(_KIND, request.key_hash))
        if item is None:
            return None
        answered = None
        if "status" in item:
            answered = Answered(int(item["status"]["N"]), zlib.decompress(item["body"]["B"]).decode())
        return FirstRequest(item["fingerprint"]["S"], answered)
