"""Applications: one item each; beside it an entry in the directory, one per origin and one per client secret."""

from __future__ import annotations

from collections import Counter
from time import sleep
from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.table import Item, Key, Table, Value, attributes, binary, kind_of, may_be_ours, number
from freebusy.adapters.dynamodb.tokens import token_item
from freebusy.domain.account import Upstream
from freebusy.domain.application import Appearance, Application, ClientSecret
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.identifiers import is_service_account
from freebusy.domain.token import TokenKind, TokenRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

DIRECTORY = "APPLICATIONS"
_SWEEPS = 30
_INDEX_DELAY = 1.0


class DynamoApplications:
    """Implements ``ports.ApplicationStore`` and ``ports.ApplicationRegistry``."""

    def __init__(self, client: DynamoDBClient, table_name: str, *, pause: Callable[[float], None] = sleep) -> None:
        self._table = Table(client, table_name)
        self._pause = pause

    def find(self, client_id: str) -> Application | None:
        item = self._table.get(application_key(client_id)) if may_be_ours(client_id) else None
        return None if item is None else _application(item)

    def with_origin(self, origin: str) -> frozenset[str]:
        if not may_be_ours(origin):
            return frozenset()
        return frozenset(item["sk"]["S"] for item in self._table.query(f"ORIGIN#{origin}"))

    def appearance(self, client_id: str) -> Appearance:
        """An item of its own: only pages show it, and a logo would make every other read of the application dearer."""
        item = self._table.get(_appearance_key(client_id)) if may_be_ours(client_id) else None
        return Appearance() if item is None else Appearance(item["home_page"]["S"], item["logo"]["B"])

    def show_as(self, client_id: str, appearance: Appearance) -> None:
        pk, sk = _appearance_key(client_id)
        values: dict[str, Value] = {"home_page": appearance.home_page, "logo": appearance.logo}
        item = attributes({"pk": pk, "sk": sk, "application": client_id, **values})
        self._table.transact([self._table.putting(item)])

    def names(self) -> dict[str, str]:
        return {item["sk"]["S"]: item["name"]["S"] for item in self._table.query(DIRECTORY)}

    def accounts_of(self, client_id: str) -> list[str]:
        return [sub for sub in self._holders_of(client_id) if not is_service_account(sub)]

    def service_accounts_of(self, client_id: str) -> list[str]:
        return [sub for sub in self._holders_of(client_id) if is_service_account(sub)]

    def create(self, application: Application) -> None:
        pk, sk = application_key(application.client_id)
        item = attributes({"pk": pk, "sk": sk, "application": application.client_id, **_values(application)})
        storing = self._table.putting(item, condition="attribute_not_exists(pk)")
        if self._table.transact([storing, *map(self._table.putting, _beside(application).values())]):
            raise ValueError(f"the application {application.client_id} exists already")

    def change(self, before: Application, after: Application) -> bool:
        old, new = _values(before), _values(after)
        kept = ", ".join(f"#{name} = :new_{name}" for name, value in new.items() if value is not None)
        dropped = ", ".join(f"#{name}" for name, value in new.items() if value is None)
        changing = self._table.updating(
            application_key(before.client_id),
            f"SET {kept}" + (f" REMOVE {dropped}" if dropped else ""),
            condition=" AND ".join(
                f"attribute_not_exists(#{name})" if value is None else f"#{name} = :old_{name}"
                for name, value in old.items()
            ),
            values={f"old_{name}": value for name, value in old.items() if value is not None}
            | {f"new_{name}": value for name, value in new.items() if value is not None},
        )
        gone, there = _beside(before), _beside(after)
        removing = [self._table.deleting(key) for key in gone if key not in there]
        adding = [self._table.putting(item) for key, item in there.items() if gone.get(key) != item]
        return not self._table.transact([changing, *removing, *adding])

    def lock_out(self, client_id: str) -> int:
        return len(self._lock_out(client_id))

    def count(self, client_id: str) -> dict[str, int]:
        if not client_id or not may_be_ours(client_id):
            return {}
        listed = [(DIRECTORY, client_id)] if self._table.get((DIRECTORY, client_id)) else []
        keys = {*self._table.keys_in(application_key(client_id)[0]), *self._table.keys_of(client_id), *listed}
        return dict(sorted(Counter(map(kind_of, keys)).items()))

    def erase(self, client_id: str) -> int:
        if not may_be_ours(client_id):
            return 0
        erased = self._lock_out(client_id) | self._sweep(client_id)
        listed = self._table.take(self._table.deleting((DIRECTORY, client_id)))
        return len(erased) + (listed is not None)

    def _holders_of(self, client_id: str) -> Iterator[str]:
        keys = self._table.keys_of(client_id, "ACCOUNT#") if client_id and may_be_ours(client_id) else ()
        return (pk.removeprefix("ACCOUNT#") for pk, _ in keys)

    def _lock_out(self, client_id: str) -> set[Key]:
        application = self.find(client_id)
        if application is None:
            return set()
        keys = {application_key(client_id), *_beside(application)} - {(DIRECTORY, client_id)}
        self._table.transact([self._table.deleting(key) for key in keys])
        return keys

    def _sweep(self, client_id: str) -> set[Key]:
        """Deletes until the index, which lags behind the table, shows nothing any more."""
        erased: set[Key] = set()
        for _ in range(_SWEEPS):
            keys = set(self._table.keys_of(client_id))
            if not keys:
                return erased
            self._table.delete_many(keys)
            erased |= keys
            self._pause(_INDEX_DELAY)
        raise StorageUnavailable("the index still shows items of the application: erase it again")


def application_key(client_id: str) -> Key:
    return f"APP#{client_id}", "APPLICATION"


def _appearance_key(client_id: str) -> Key:
    return f"APP#{client_id}", "APPEARANCE"


def _values(application: Application) -> dict[str, Value]:
    return {
        "name": application.name,
        "redirect_uris": application.redirect_uris,
        "public": application.public,
        "origins": application.origins,
        "secrets": [
            {
                "hash": secret.secret_hash,
                "hint": secret.hint,
                "created_at": secret.created_at,
                "sealed": secret.sealed,
            }
            for secret in application.secrets
        ],
        "created_at": application.created_at,
        "upstream": application.upstream,
        "requests_per_minute": application.requests_per_minute,
    }


def _beside(application: Application) -> dict[Key, Item]:
    """The items that must always agree with the application's own, by their keys."""
    client_id = application.client_id
    directory = attributes({"pk": DIRECTORY, "sk": client_id, "name": application.name})
    origins = [
        attributes({"pk": f"ORIGIN#{origin}", "sk": client_id, "application": client_id})
        for origin in application.origins
    ]
    secrets = [
        token_item(secret.secret_hash, TokenRecord(TokenKind.CLIENT_SECRET, client_id))
        for secret in application.secrets
    ]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in (directory, *origins, *secrets)}


def _application(item: Item) -> Application:
    return Application(
        client_id=item["application"]["S"],
        name=item["name"]["S"],
        redirect_uris=tuple(uri["S"] for uri in item["redirect_uris"]["L"]),
        public=item["public"]["BOOL"],
        origins=tuple(origin["S"] for origin in item["origins"]["L"]),
        secrets=tuple(_secret(secret["M"]) for secret in item["secrets"]["L"]),
        created_at=int(item["created_at"]["N"]),
        upstream=Upstream(item["upstream"]["S"]) if "upstream" in item else None,
        requests_per_minute=number(item, "requests_per_minute"),
    )


def _secret(values: Item) -> ClientSecret:
    return ClientSecret(
        values["hash"]["S"], values["hint"]["S"], int(values["created_at"]["N"]), binary(values, "sealed")
    )
