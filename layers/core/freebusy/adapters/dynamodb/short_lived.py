"""Things that expire, each an item under the hash of the value by which it is found, or under its id.

Expiry is part of every condition and checked on every read, since DynamoDB deletes expired items up to days late.
"""

from __future__ import annotations

from freebusy.adapters.dynamodb.table import Item, Key, Table, Value, attributes, number

LIVE = "#expires_at > :now"
"""The condition for an item that has not expired."""


def key_of(kind: str, value_hash: str) -> Key:
    return f"{kind}#{value_hash}", kind


def item_of(kind: str, value_hash: str, client_id: str | None, /, **values: Value) -> Item:
    pk, sk = key_of(kind, value_hash)
    return attributes({"pk": pk, "sk": sk, "application": client_id, **values})


def live(table: Table, kind: str, value_hash: str, now: int) -> Item | None:
    """What expires never is live, too."""
    item = table.get(key_of(kind, value_hash))
    if item is None:
        return None
    expires_at = number(item, "expires_at")
    return item if expires_at is None or expires_at > now else None


def taken(table: Table, kind: str, value_hash: str, *, now: int, **bound_to: str) -> Item | None:
    """Uses the item up, if it has these values, which bind it to a browser or to an application: of many callers one
    gets it.
    """
    condition = " AND ".join([LIVE, *(f"#{name} = :{name}" for name in bound_to)])
    return table.take(table.deleting(key_of(kind, value_hash), condition=condition, values={"now": now, **bound_to}))
