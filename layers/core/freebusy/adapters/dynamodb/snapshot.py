"""The table as it was, restored beside the one in use, and what is copied from the former into the latter.

An account, an organization or an application that is in use decides for itself what lets anybody in: its tokens, its
identities and its channels come back with it, and never without it. What was revoked since would come back otherwise,
as nothing tells it from what was lost.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING

from freebusy.adapters.aws import aws_errors
from freebusy.adapters.dynamodb.accounts import account_key
from freebusy.adapters.dynamodb.applications import DIRECTORY, application_key
from freebusy.adapters.dynamodb.belongings import DynamoBelongings
from freebusy.adapters.dynamodb.table import Item, Key, Table, chunks, kind_of, number, text
from freebusy.domain.restoring import Restored, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

_DATA = frozenset({"event", "sent", "organizer", "availability"})
_DATA_KEYS = ("KEY", "SECRET_KEY")
_BY_THEMSELVES = _DATA | {partition.lower() for partition in _DATA_KEYS}
"""What comes back also where whoever it belongs to is in use. Events that were deleted are there still, marked."""

_ACCOUNTS_OWN = ("ACCOUNT", "EVENTS", "CHANNELS", "AVAILABILITY")
"""The partitions that are named for an account."""

_AT_ONCE = 8
_LOOKED_UP_AT_ONCE = 100


class DynamoSnapshot:
    """Implements ``ports.Snapshot``."""

    def __init__(self, client: DynamoDBClient, name: str, live_name: str) -> None:
        self._client = client
        self._name = name
        self._live_name = live_name
        self._table = Table(client, name)

    def taken_at(self) -> int | None:
        with aws_errors():
            restored = self._client.describe_table(TableName=self._name)["Table"].get("RestoreSummary")
        return int(restored["RestoreDateTime"].timestamp()) if restored else None

    def copy(self, wanted: Wanted, *, leaving_out: frozenset[str], now: int) -> Restored:
        copying = _Copying(self._table, Table(self._client, self._live_name), wanted, leaving_out)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for items in chunks(self._found(wanted), _LOOKED_UP_AT_ONCE):
                copying.take([item for item in items if not _is_over(item, now)], pool)
            return copying.finish(pool)

    def _found(self, wanted: Wanted) -> Iterator[Item]:
        if wanted.sub:
            return self._of_account(wanted.sub)
        return self._of_application(wanted.client_id) if wanted.client_id else self._everything()

    def _of_account(self, sub: str) -> Iterator[Item]:
        """With the data keys that its credentials were sealed under, of which some may be forgotten by now."""
        items = [*self._table.get_many(DynamoBelongings(self._client, self._name).keys(sub))]
        applications = {client_id for item in items if (client_id := text(item, "application"))}
        return chain(items, *(self._table.query(f"{_DATA_KEYS[0]}#{client_id}") for client_id in applications))

    def _of_application(self, client_id: str) -> Iterator[Item]:
        keys = {*self._table.keys_of(client_id), application_key(client_id), (DIRECTORY, client_id)}
        return self._table.get_many(keys)

    def _everything(self) -> Iterator[Item]:
        """A scan, of the restored table alone: there is no other way to all of it, and nobody waits for that one."""
        for page in self._client.get_paginator("scan").paginate(TableName=self._name):
            yield from page["Items"]


class _Copying:
    """Whoever things belong to goes last, so that a copy which was interrupted is completed by another one. Events go
    after the marks of what was mailed about them: the table's stream has each delivered that is not marked.
    """

    def __init__(self, source: Table, target: Table, wanted: Wanted, leaving_out: frozenset[str]) -> None:
        self._source = source
        self._target = target
        self._wanted = wanted
        self._leaving_out = leaving_out
        self._in_use: dict[Key, bool] = {}
        self._coming: set[Key] = set()
        self._events: set[Key] = set()
        self._last: set[Key] = set()
        self._copied: Counter[str] = Counter()
        self._there: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._whose: set[str] = set()
        self._back: set[str] = set()

    def take(self, items: Iterable[Item], pool: ThreadPoolExecutor) -> None:
        kept: list[tuple[Item, Key]] = []
        left_out: list[Key] = []
        for item in items:
            owner = _owner(item)
            if owner and self._leaving_out.isdisjoint(names := _names(item, owner)):
                kept.append((item, owner))
                self._whose |= names
            elif owner:
                left_out.append(_key(item))
        self._leave_out(left_out)
        self._look_up({owner for _, owner in kept} - {*self._in_use})
        self._last |= {owner for item, owner in kept if _key(item) == owner}
        coming = [item for item, owner in kept if _key(item) != owner and self._may_come(item, owner)]
        events = {key for item in coming if kind_of(key := _key(item)) == "event"}
        self._events |= events
        self._write([item for item in coming if _key(item) not in events], pool)

    def finish(self, pool: ThreadPoolExecutor) -> Restored:
        coming = self._coming & self._last
        self._write(self._source.get_many(self._events), pool)
        self._write(self._source.get_many(coming), pool)
        self._there.update(map(kind_of, self._last - coming))
        counted = _sorted(self._copied), _sorted(self._there), _sorted(self._left_out)
        return Restored(*counted, frozenset(self._whose), frozenset(self._back))

    def _leave_out(self, keys: list[Key]) -> None:
        """What is there all the same an earlier copy has brought back. An identity may be another account's by now."""
        self._left_out.update(map(kind_of, keys))
        for item in self._target.get_many(keys):
            if owner := _owner(item):
                self._back |= self._leaving_out & _names(item, owner)

    def _look_up(self, owners: set[Key]) -> None:
        """Who of them is in use, and who comes back."""
        in_use = {_key(item) for item in self._target.get_many(owners)}
        self._in_use |= {owner: owner in in_use for owner in owners}
        wanted = owners if self._wanted.overwrite else owners - in_use
        self._coming |= {_key(item) for item in self._source.get_many(wanted)}

    def _may_come(self, item: Item, owner: Key) -> bool:
        return owner in self._coming or (self._in_use[owner] and kind_of(_key(item)) in _BY_THEMSELVES)

    def _write(self, items: Iterable[Item], pool: ThreadPoolExecutor) -> None:
        for chunk in chunks(items, _LOOKED_UP_AT_ONCE):
            there = {_key(item): item for item in self._target.get_many(map(_key, chunk))}
            wanted = [item for item in chunk if self._is_wanted(item, there.get(_key(item)))]
            written = [True] * len(wanted) if self._wanted.dry_run else pool.map(self._put, wanted)
            copied = {_key(item) for item, was_written in zip(wanted, written, strict=True) if was_written}
            self._copied.update(map(kind_of, copied))
            self._there.update(kind_of(_key(item)) for item in chunk if _key(item) not in copied)

    def _is_wanted(self, item: Item, there: Item | None) -> bool:
        return there is None or (self._wanted.overwrite and there != item)

    def _put(self, item: Item) -> bool:
        condition = "" if self._wanted.overwrite else "attribute_not_exists(pk)"
        return self._target.write(self._target.putting(item, condition=condition))


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _owner(item: Item) -> Key | None:
    """The item of the account, the organization or the application that it belongs to; None of what is of use for a few
    minutes and belongs to nobody.
    """
    pk, sk = _key(item)
    kind, _, name = pk.partition("#")
    if sub := name if kind in _ACCOUNTS_OWN else text(item, "sub"):
        return account_key(sub)
    client_id = sk if pk == DIRECTORY else text(item, "application")
    return application_key(client_id) if client_id else None


def _names(item: Item, owner: Key) -> set[str]:
    """What its erasure would be recorded by."""
    return {owner[0].partition("#")[2], text(item, "application") or ""} - {""}


def _is_over(item: Item, now: int) -> bool:
    expires_at = number(item, "expires_at")
    return expires_at is not None and expires_at <= now


def _sorted(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items()))
