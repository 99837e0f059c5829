"""Everything that is stored about one account, or one service account, whichever store wrote it.

It lies in partitions that are named for the account, or it has the account's ``sub``, by which the index finds it. A
store that keeps something new about accounts does either, and it is erased with all the rest.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from freebusy.adapters.dynamodb.accounts import account_key
from freebusy.adapters.dynamodb.channels import channel_partition
from freebusy.adapters.dynamodb.events import event_partition
from freebusy.adapters.dynamodb.managed_availability import managed_availability_key
from freebusy.adapters.dynamodb.table import Key, Table, chunks, kind_of, may_be_ours, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

_BETWEEN_LOOKS = 200
"""So many items are erased between two looks at the clock."""

_AT_ONCE = 8


class DynamoBelongings:
    """Implements ``ports.Belongings``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def count(self, sub: str) -> dict[str, int]:
        return dict(sorted(Counter(map(kind_of, self.keys(sub))).items()))

    def all_of(self, sub: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for item in self._table.get_many(self.keys(sub)):
            yield kind_of((item["pk"]["S"], item["sk"]["S"])), {name: plain(value) for name, value in item.items()}

    def erase(self, sub: str, *, deadline: float, identities: bool = True) -> dict[str, int]:
        found: Counter[str] = Counter()
        keys = self.keys(sub)
        others = [key for key in keys if kind_of(key) != "identity"]
        last = [key for key in keys if kind_of(key) == "identity"]
        if not identities:
            found.update(map(kind_of, last))
            last.clear()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for some in (*chunks(others, _BETWEEN_LOOKS), last):
                if time.monotonic() > deadline:
                    found.update(map(kind_of, some))  # Perhaps it is there no more, but nobody has looked.
                    break
                gone = pool.map(partial(self._erase, sub), some)
                found.update(kind_of(key) for key, was_there in zip(some, gone, strict=True) if was_there)
        return dict(sorted(found.items()))

    def keys(self, sub: str) -> list[Key]:
        """The account's own first: once it is gone, nobody who comes is let in."""
        if not sub or not may_be_ours(sub):
            return []
        partitions = (
            account_key(sub)[0],
            event_partition(sub),
            channel_partition(sub),
            managed_availability_key(sub)[0],
        )
        there = [key for pk in partitions for key in self._table.keys_in(pk)]
        return [*dict.fromkeys((*there, *self._table.keys_about(sub)))]

    def _erase(self, sub: str, key: Key) -> bool:
        """Only what is still this account's: the index is late, and an identity may belong to another one by now."""
        condition = "attribute_exists(pk) AND (attribute_not_exists(#sub) OR #sub = :sub)"
        return self._table.write(self._table.deleting(key, condition=condition, values={"sub": sub}))
