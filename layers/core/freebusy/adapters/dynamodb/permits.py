"""How many requests an application was permitted, one item for each minute that it asks something in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoPermits:
    """Implements ``ports.PermitStore``: one small write each, which makes the item if there is none."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def take(self, client_id: str, window: int, *, wanted: int, limit: int, expires_at: int) -> int | None:
        counted = self._table.update(
            self._table.updating(
                (f"PERMITS#{client_id}", f"WINDOW#{window}"),
                "SET #application = :application, #expires_at = :expires_at ADD #taken :wanted",
                condition="attribute_not_exists(#taken) OR #taken < :limit",
                values={"application": client_id, "expires_at": expires_at, "wanted": wanted, "limit": limit},
            )
        )
        return None if counted is None else int(counted["taken"]["N"])
