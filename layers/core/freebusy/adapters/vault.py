"""Seals provider credentials under data keys that KMS wraps, one data key per application.

A sealed credential is ``0x01 ‖ key id (2 bytes) ‖ nonce (12 bytes) ‖ AES-256-GCM ciphertext and tag``. The
authenticated data name the application and the profile, and so does the key: each profile has its own,
derived from the data key, so that random nonces do not repeat however often tokens are refreshed (NIST
SP 800-38D, 8.3 allows 2^32 under one key).

The wrapped data keys lie in the table under ascending ids. The newest seals; the one that a sealed credential
names opens it, so that a new key can be added at any time; the first derives, so that what was derived
stays the same.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from freebusy.adapters.aws import aws_errors
from freebusy.adapters.dynamodb.table import Item, Key, Table, attributes, binary
from freebusy.domain.account import ProviderCredential
from freebusy.domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

KEPT_SECONDS = 300
"""How long an unwrapped data key stays in memory."""

_FORMAT = 1
_HEADER_LENGTH = 3
_NONCE_LENGTH = 12
_FIRST_KEY = 1
_NEWEST_KEY = 0
_PURPOSE = "provider-credential"


@dataclass(frozen=True, slots=True)
class _DataKey:
    key_id: int
    plaintext: bytes = field(repr=False)
    unwrapped_at: float

    def derived(self, label: str) -> bytes:
        return hmac.digest(self.plaintext, label.encode(), "sha256")


class KmsVault:
    """Implements ``ports.Vault``; all its methods raise StorageUnavailable when KMS or the table does not answer."""

    def __init__(
        self,
        kms: KMSClient,
        dynamodb: DynamoDBClient,
        table_name: str,
        *,
        key_id: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._kms = kms
        self._table = Table(dynamodb, table_name)
        self._kms_key_id = key_id
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[tuple[str, int], _DataKey] = {}

    def seal(self, credential: ProviderCredential, *, client_id: str, profile_id: str) -> bytes:
        key = self._data_key(client_id, _NEWEST_KEY, missing=self._make)
        header = bytes([_FORMAT]) + key.key_id.to_bytes(_HEADER_LENGTH - 1, "big")
        nonce = os.urandom(_NONCE_LENGTH)
        values = [credential.access_token, credential.refresh_token, credential.expires_at, credential.scope]
        ciphertext = _cipher(key, profile_id).encrypt(
            nonce, json.dumps(values).encode(), _authenticated(header, client_id, profile_id)
        )
        return header + nonce + ciphertext

    def unseal(self, sealed: bytes, *, client_id: str, profile_id: str) -> ProviderCredential:
        header, nonce, ciphertext = _parts(sealed)
        key = self._data_key(client_id, int.from_bytes(header[1:], "big"), missing=_not_sealed_for)
        try:
            values = _cipher(key, profile_id).decrypt(nonce, ciphertext, _authenticated(header, client_id, profile_id))
        except InvalidTag as error:
            raise ValueError("not sealed for this application and profile") from error
        return ProviderCredential(*json.loads(values))

    def derive(self, client_id: str, value: str) -> bytes:
        key = self._data_key(client_id, _FIRST_KEY, missing=self._make)
        return hmac.digest(key.derived("derive"), value.encode(), "sha256")

    def _data_key(self, client_id: str, key_id: int, *, missing: Callable[[str], _DataKey]) -> _DataKey:
        """From memory or, by one caller while the others wait, from the table and KMS."""
        if key := self._fresh(client_id, key_id):
            return key
        with self._lock:
            if key := self._fresh(client_id, key_id):
                return key
            self._forget_stale()
            key = self._read(client_id, key_id) or missing(client_id)
            self._kept[client_id, key_id] = self._kept[client_id, key.key_id] = key
            return key

    def _read(self, client_id: str, key_id: int) -> _DataKey | None:
        pk, sk = _key(client_id, key_id)
        newest = key_id == _NEWEST_KEY
        item = next(self._table.query(pk, newest_first=True), None) if newest else self._table.get((pk, sk))
        if item is None:
            return None
        return self._fresh(client_id, int(item["sk"]["S"])) or self._unwrap(client_id, item)

    def _make(self, client_id: str) -> _DataKey:
        """The first data key of an application. Of several sandboxes that make one, the first to store it wins."""
        with aws_errors():
            made = self._kms.generate_data_key(
                KeyId=self._kms_key_id, KeySpec="AES_256", EncryptionContext=_encryption_context(client_id)
            )
        pk, sk = _key(client_id, _FIRST_KEY)
        item = attributes({"pk": pk, "sk": sk, "application": client_id, "wrapped": bytes(made["CiphertextBlob"])})
        if self._table.write(self._table.putting(item, condition="attribute_not_exists(pk)")):
            return _DataKey(_FIRST_KEY, made["Plaintext"], self._clock())
        winner = self._table.get((pk, sk))
        if winner is None:
            raise StorageUnavailable("the data keys of the application are being erased")
        return self._unwrap(client_id, winner)

    def _unwrap(self, client_id: str, item: Item) -> _DataKey:
        try:
            with aws_errors():
                unwrapped = self._kms.decrypt(
                    KeyId=self._kms_key_id,
                    CiphertextBlob=binary(item, "wrapped") or b"",
                    EncryptionContext=_encryption_context(client_id),
                )
        except self._kms.exceptions.InvalidCiphertextException as error:
            raise ValueError(f"KMS does not know this as a data key of {client_id}") from error
        return _DataKey(int(item["sk"]["S"]), unwrapped["Plaintext"], self._clock())

    def _fresh(self, client_id: str, key_id: int) -> _DataKey | None:
        key = self._kept.get((client_id, key_id))
        return key if key and self._clock() - key.unwrapped_at < KEPT_SECONDS else None

    def _forget_stale(self) -> None:
        self._kept = {place: key for place, key in self._kept.items() if self._fresh(*place)}


def _key(client_id: str, key_id: int) -> Key:
    return f"KEY#{client_id}", f"{key_id:05}"


def _encryption_context(client_id: str) -> dict[str, str]:
    """KMS opens a wrapped key only with the context it was made with, and logs it."""
    return {"application": client_id, "purpose": _PURPOSE}


def _not_sealed_for(client_id: str) -> NoReturn:
    raise ValueError(f"sealed under a key that {client_id} does not have")


def _cipher(key: _DataKey, profile_id: str) -> AESGCM:
    return AESGCM(key.derived(f"seal {profile_id}"))


def _authenticated(header: bytes, client_id: str, profile_id: str) -> bytes:
    return header + json.dumps([_PURPOSE, client_id, profile_id]).encode()


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    if not sealed or sealed[0] != _FORMAT or len(sealed) < _HEADER_LENGTH + _NONCE_LENGTH:
        raise ValueError("not a sealed credential")
    body = sealed[_HEADER_LENGTH:]
    return sealed[:_HEADER_LENGTH], body[:_NONCE_LENGTH], body[_NONCE_LENGTH:]
