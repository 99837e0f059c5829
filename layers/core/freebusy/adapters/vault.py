"""Seals provider credentials and client secrets under data keys that KMS wraps.

An application has data keys of its own for each of the two purposes. KMS opens a wrapped key only for its purpose, so
that a function which may open credentials cannot open secrets, whatever it reads from the table.

What is sealed is ``0x01 ‖ key id (2 bytes) ‖ nonce (12 bytes) ‖ AES-256-GCM ciphertext and tag``. The authenticated
data name purpose, application and the profile or secret, and so does the key: each of these has its own, derived from
the data key, so that random nonces do not repeat however often tokens are refreshed (NIST SP 800-38D, 8.3 allows 2^32
under one key).

The wrapped data keys lie in the table under ascending ids. The newest seals, and the table says each time which one
that is: a sandbox that went by its memory would seal under a key that is being forgotten. The one that a sealed value
names opens it, so that a new key can be added at any time.
"""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import dataclass, field
from threading import Lock
from time import time
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from freebusy.adapters.aws import aws_errors
from freebusy.adapters.dynamodb.table import Item, Key, Table, Value, attributes, binary, number
from freebusy.domain.account import ProviderCredential
from freebusy.domain.data_key import DataKey
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.identifiers import hashed
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

KEPT_SECONDS = 300
"""How long an unwrapped data key stays in memory; by the clock on the wall, since the monotonic one stands still while
Lambda has a sandbox frozen."""

_FORMAT = 1
_HEADER_LENGTH = 3
_NONCE_LENGTH = 12
_FIRST_KEY = 1


@dataclass(frozen=True, slots=True)
class _Unwrapped:
    key_id: int
    plaintext: bytes = field(repr=False)
    unwrapped_at: float

    def derived(self, label: str) -> bytes:
        return hmac.digest(self.plaintext, label.encode(), "sha256")


class _DataKeys:
    """The data keys of every application for one purpose.

    All methods raise StorageUnavailable when KMS or the table does not answer.
    """

    purpose: ClassVar[str]
    _partition: ClassVar[str]

    def __init__(
        self,
        kms: KMSClient,
        dynamodb: DynamoDBClient,
        table_name: str,
        *,
        key_id: str,
        clock: Callable[[], float] = time,
    ) -> None:
        self._kms = kms
        self._table = Table(dynamodb, table_name)
        self._kms_key_id = key_id
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[tuple[str, int], _Unwrapped] = {}

    # --- Rotation ------------------------------------------------------------------------------------

    def keys(self, client_id: str) -> list[DataKey]:
        """The oldest first; the last one seals."""
        items = self._table.query(self._partition_of(client_id))
        return [DataKey(_id_of(item), number(item, "created_at")) for item in items]

    def add_key(self, client_id: str, *, after: int) -> None:
        """From now on this one seals. Where somebody else has added one after ``after`` already, that one does."""
        self._made(client_id, after + 1)

    def forget_keys(self, client_id: str, key_ids: Iterable[int]) -> None:
        self._table.delete_many([self._key(client_id, key_id) for key_id in key_ids])

    def key_of(self, sealed: bytes) -> int:
        """The id of the key that it was sealed under. Raises ``ValueError`` when nothing was sealed there."""
        return int.from_bytes(_parts(sealed)[0][1:])

    # --- Sealing and opening ---------------------------------------------------------------------------

    def _sealed(self, plaintext: bytes, client_id: str, name: str) -> bytes:
        key = self._newest(client_id)
        header = bytes([_FORMAT]) + key.key_id.to_bytes(_HEADER_LENGTH - 1)
        nonce = os.urandom(_NONCE_LENGTH)
        ciphertext = _cipher(key, name).encrypt(nonce, plaintext, self._authenticated(header, client_id, name))
        return header + nonce + ciphertext

    def _opened(self, sealed: bytes, client_id: str, name: str) -> bytes:
        """Raises ``ValueError`` when the bytes were not sealed for this application and under this name."""
        try:
            return self._decrypted(sealed, client_id, name)
        except ValueError:
            take(Measure.UNOPENED)
            raise

    def _decrypted(self, sealed: bytes, client_id: str, name: str) -> bytes:
        header, nonce, ciphertext = _parts(sealed)
        key = self._named(client_id, self.key_of(sealed))
        try:
            return _cipher(key, name).decrypt(nonce, ciphertext, self._authenticated(header, client_id, name))
        except InvalidTag as error:
            raise ValueError("not sealed for this application and name") from error

    def _newest(self, client_id: str) -> _Unwrapped:
        item = self._newest_item(client_id)
        if item is None:
            with self._lock:
                item = self._newest_item(client_id) or self._made(client_id, _FIRST_KEY)
        return self._kept_or(client_id, _id_of(item), lambda: item)

    def _named(self, client_id: str, key_id: int) -> _Unwrapped:
        return self._kept_or(client_id, key_id, lambda: self._table.get(self._key(client_id, key_id)))

    def _kept_or(self, client_id: str, key_id: int, find: Callable[[], Item | None]) -> _Unwrapped:
        """From memory or, by one caller while the others wait, from the table and KMS."""
        if key := self._fresh(client_id, key_id):
            return key
        with self._lock:
            if key := self._fresh(client_id, key_id):
                return key
            self._forget_stale()
            if (item := find()) is None:
                raise ValueError(f"sealed under a key that {client_id} does not have")
            key = self._kept[client_id, key_id] = self._unwrap(client_id, item)
            return key

    def _newest_item(self, client_id: str) -> Item | None:
        return next(self._table.query(self._partition_of(client_id), newest_first=True), None)

    def _made(self, client_id: str, key_id: int) -> Item:
        """A new data key of this id. Of several that make it, the first to store it wins."""
        with aws_errors():
            made = self._kms.generate_data_key(
                KeyId=self._kms_key_id, KeySpec="AES_256", EncryptionContext=self._encryption_context(client_id)
            )
        pk, sk = self._key(client_id, key_id)
        now = self._clock()
        values: dict[str, Value] = {"application": client_id, "wrapped": made["CiphertextBlob"], "created_at": int(now)}
        item = attributes({"pk": pk, "sk": sk, **values})
        if self._table.write(self._table.putting(item, condition="attribute_not_exists(pk)")):
            self._forget_stale()
            self._kept[client_id, key_id] = _Unwrapped(key_id, made["Plaintext"], now)
            return item
        winner = self._table.get((pk, sk))
        if winner is None:
            raise StorageUnavailable("the data keys of the application are being erased or replaced")
        return winner

    def _unwrap(self, client_id: str, item: Item) -> _Unwrapped:
        try:
            with aws_errors():
                unwrapped = self._kms.decrypt(
                    KeyId=self._kms_key_id,
                    CiphertextBlob=binary(item, "wrapped") or b"",
                    EncryptionContext=self._encryption_context(client_id),
                )
        except self._kms.exceptions.InvalidCiphertextException as error:
            raise ValueError(f"KMS does not know this as a data key of {client_id}") from error
        return _Unwrapped(_id_of(item), unwrapped["Plaintext"], self._clock())

    def _fresh(self, client_id: str, key_id: int) -> _Unwrapped | None:
        key = self._kept.get((client_id, key_id))
        return key if key and 0 <= self._clock() - key.unwrapped_at < KEPT_SECONDS else None

    def _forget_stale(self) -> None:
        self._kept = {place: key for place, key in self._kept.items() if self._fresh(*place)}

    def _partition_of(self, client_id: str) -> str:
        return f"{self._partition}#{client_id}"

    def _key(self, client_id: str, key_id: int) -> Key:
        return self._partition_of(client_id), f"{key_id:05}"

    def _encryption_context(self, client_id: str) -> dict[str, str]:
        """KMS opens a wrapped key only with the context it was made with, and logs it."""
        return {"application": client_id, "purpose": self.purpose}

    def _authenticated(self, header: bytes, client_id: str, name: str) -> bytes:
        return header + json.dumps([self.purpose, client_id, name]).encode()


class KmsVault(_DataKeys):
    """Implements ``ports.Vault`` and ``ports.DataKeys``."""

    purpose = "provider-credential"
    _partition = "KEY"

    def seal(self, credential: ProviderCredential, *, client_id: str, profile_id: str) -> bytes:
        values = [credential.access_token, credential.refresh_token, credential.expires_at, credential.scope]
        return self._sealed(json.dumps(values).encode(), client_id, profile_id)

    def unseal(self, sealed: bytes, *, client_id: str, profile_id: str) -> ProviderCredential:
        return ProviderCredential(*json.loads(self._opened(sealed, client_id, profile_id)))

    def derive(self, client_id: str, value: str, *, key_id: int | None = None) -> tuple[bytes, int]:
        key = self._newest(client_id) if key_id is None else self._named(client_id, key_id)
        return hmac.digest(key.derived("derive"), value.encode(), "sha256"), key.key_id


class KmsSecretVault(_DataKeys):
    """Implements ``ports.SecretVault`` and ``ports.DataKeys``."""

    purpose = "client-secret"
    _partition = "SECRET_KEY"

    def seal(self, secret: str, *, client_id: str) -> bytes:
        return self._sealed(secret.encode(), client_id, hashed(secret))

    def unseal(self, sealed: bytes, *, client_id: str, secret_hash: str) -> str:
        return self._opened(sealed, client_id, secret_hash).decode()


def _id_of(item: Item) -> int:
    return int(item["sk"]["S"])


def _cipher(key: _Unwrapped, name: str) -> AESGCM:
    return AESGCM(key.derived(f"seal {name}"))


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    if not sealed or sealed[0] != _FORMAT or len(sealed) < _HEADER_LENGTH + _NONCE_LENGTH:
        raise ValueError("nothing that was sealed here")
    body = sealed[_HEADER_LENGTH:]
    return sealed[:_HEADER_LENGTH], body[:_NONCE_LENGTH], body[_NONCE_LENGTH:]
