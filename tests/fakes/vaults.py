from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from freebusy.domain.account import ProviderCredential
from freebusy.domain.data_key import DataKey
from freebusy.domain.identifiers import hashed
from tests.fakes.clock import NOW


class FakeDataKeys:
    """Every application has a first key. What is sealed is readable, but opens only where it should."""

    def __init__(self) -> None:
        self._keys: dict[str, list[DataKey]] = {}

    def keys(self, client_id: str) -> list[DataKey]:
        return list(self._keys.get(client_id, [DataKey(1, None)]))

    def add_key(self, client_id: str, *, after: int) -> None:
        keys = self.keys(client_id)
        if keys[-1].key_id == after:
            self._keys[client_id] = [*keys, DataKey(after + 1, NOW)]

    def forget_keys(self, client_id: str, key_ids: Iterable[int]) -> None:
        self._keys[client_id] = [key for key in self.keys(client_id) if key.key_id not in key_ids]

    def key_of(self, sealed: bytes) -> int:
        key_id: int = json.loads(sealed)[0]
        return key_id

    def _sealed(self, client_id: str, name: str, content: Any) -> bytes:
        return json.dumps([self.keys(client_id)[-1].key_id, client_id, name, content]).encode()

    def _opened(self, sealed: bytes, client_id: str, name: str) -> Any:
        key_id, *sealed_for, content = json.loads(sealed)
        if sealed_for != [client_id, name] or key_id not in {key.key_id for key in self.keys(client_id)}:
            raise ValueError("sealed for something else, or under a key that is gone")
        return content


class FakeVault(FakeDataKeys):
    def seal(self, credential: ProviderCredential, *, client_id: str, profile_id: str) -> bytes:
        return self._sealed(client_id, profile_id, asdict(credential))

    def unseal(self, sealed: bytes, *, client_id: str, profile_id: str) -> ProviderCredential:
        return ProviderCredential(**self._opened(sealed, client_id, profile_id))

    def derive(self, client_id: str, value: str, *, key_id: int | None = None) -> tuple[bytes, int]:
        key_id = key_id or self.keys(client_id)[-1].key_id
        return hmac.digest(f"{client_id} {key_id}".encode(), value.encode(), "sha256"), key_id


class FakeSecretVault(FakeDataKeys):
    def seal(self, secret: str, *, client_id: str) -> bytes:
        return self._sealed(client_id, hashed(secret), secret)

    def unseal(self, sealed: bytes, *, client_id: str, secret_hash: str) -> str:
        return str(self._opened(sealed, client_id, secret_hash))
