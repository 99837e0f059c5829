"""Channels: an item each in a partition of their account, which counts them in its own item.

The count bounds them, and lets the table's stream pass by all changes of accounts that have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.accounts import account_key
from freebusy.adapters.dynamodb.table import CONDITION_FAILED, Item, Key, Table, Value, attributes, may_be_ours, number
from freebusy.domain.channel import MOST_CHANNELS, Channel, NotificationType
from freebusy.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

CHANNEL_PREFIX = "CHANNEL#"
"""How the sort keys of channels begin, in the table's stream too."""

_STORED = "attribute_exists(pk)"


class DynamoChannels:
    """Implements ``ports.ChannelStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def create(self, channel: Channel) -> bool:
        storing = self._table.putting(_item(channel), condition="attribute_not_exists(pk)")
        counting = self._table.updating(
            account_key(channel.sub),
            "ADD #channels :one",
            condition=f"{_STORED} AND (attribute_not_exists(#channels) OR #channels < :most)",
            values={"one": 1, "most": MOST_CHANNELS},
        )
        if not self._table.transact([storing, counting]):
            return True
        if self._table.get(account_key(channel.sub)) is None:
            raise NotFound(channel.sub)
        return False

    def of(self, sub: str) -> Sequence[Channel]:
        return list(map(_channel, self._table.query(channel_partition(sub)))) if may_be_ours(sub) else []

    def find(self, sub: str, channel_id: str) -> Channel | None:
        item = self._table.get(_key(sub, channel_id)) if may_be_ours(channel_id) else None
        return None if item is None else _channel(item)

    def close(self, sub: str, channel_id: str) -> bool:
        if not may_be_ours(channel_id):
            return False
        deleting = self._table.deleting(_key(sub, channel_id), condition=_STORED)
        counting = self._table.updating(account_key(sub), "ADD #channels :less", condition=_STORED, values={"less": -1})
        return CONDITION_FAILED not in self._table.transact([deleting, counting])

    def note(self, channel: Channel, *, over: int) -> bool:
        values: dict[str, Value] = {"pending": _pending(channel), "version": channel.version, "over": over}
        change = "SET #pending = :pending, #version = :version"
        return self._update(channel, change, condition="#version = :over", values=values)

    def told(self, channel: Channel) -> None:
        values: dict[str, Value] = {"nothing": {}, "version": channel.version}
        change = "SET #pending = :nothing REMOVE #failing_since"
        told = self._update(channel, change, condition="#version = :version", values=values)
        if not told and channel.failing_since is not None:
            self._update(channel, "REMOVE #failing_since", condition=_STORED, values={})

    def failing(self, channel: Channel, *, now: int) -> int:
        if channel.failing_since is not None:
            return channel.failing_since
        self._update(channel, "SET #failing_since = :now", condition=_STORED, values={"now": now})
        return now

    def _update(self, channel: Channel, change: str, *, condition: str, values: dict[str, Value]) -> bool:
        key = _key(channel.sub, channel.channel_id)
        return self._table.write(self._table.updating(key, change, condition=condition, values=values))


def channel_partition(sub: str) -> str:
    return f"CHANNELS#{sub}"


def _sub(item: Item) -> str:
    sub: str = item["pk"]["S"].removeprefix("CHANNELS#")
    return sub


def _key(sub: str, channel_id: str) -> Key:
    return channel_partition(sub), f"{CHANNEL_PREFIX}{channel_id}"


def _item(channel: Channel) -> Item:
    pk, sk = _key(channel.sub, channel.channel_id)
    return attributes(
        {
            "pk": pk,
            "sk": sk,
            "application": channel.client_id,
            "callback_url": channel.callback_url,
            "calendar_ids": list(channel.calendar_ids),
            "only_managed": channel.only_managed,
            "pending": _pending(channel),
            "failing_since": channel.failing_since,
            "version": channel.version,
        }
    )


def _pending(channel: Channel) -> dict[str, Value]:
    return {kind.value: since for kind, since in channel.pending.items()}


def _channel(item: Item) -> Channel:
    return Channel(
        channel_id=item["sk"]["S"].removeprefix(CHANNEL_PREFIX),
        sub=_sub(item),
        client_id=item["application"]["S"],
        callback_url=item["callback_url"]["S"],
        calendar_ids=tuple(each["S"] for each in item["calendar_ids"]["L"]),
        only_managed=item["only_managed"]["BOOL"],
        pending={NotificationType(kind): int(since["N"]) for kind, since in item["pending"]["M"].items()},
        failing_since=number(item, "failing_since"),
        version=int(item["version"]["N"]),
    )
