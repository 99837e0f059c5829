"""Seals provider credentials and client secrets under data keys that KMS wraps.

An application has data keys of its own for each of the two purposes. KMS opens a wrapped key only for its purpose, so
that a function which may open credentials cannot open secrets, whatever it reads from the table.

What is sealed is ``0x01 ‖ key id (2 bytes) ‖ nonce (12 bytes) ‖ AES-256-GCM ciphertext and tag``. The authenticated
data name purpose, application and the profile or secret, and so does the key: each of these has its own, derived from
the data key, so that random nonces do not repeat however often tokens are refreshed (NIST SP 800-38D, 8.3 allows 2^32
under one key).

The wrapped data keys lie in the table under ascending ids. The newest seals; the one that a sealed value names opens
it, so that a new key can be added at any time; the first derives, so that what was derived stays the same.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from freebusy.adapters.aws import aws_errors
from freebusy.adapters.dynamodb.table import Item, Key, Table, attributes, binary
from freebusy.domain.account import ProviderCredential
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.identifiers import hashed
from freebusy.measures import Measure, take

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


@dataclass(frozen=True, slots=True)
class _DataKey:
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
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._kms = kms
        self._table = Table(dynamodb, table_name)
        self._kms_key_id = key_id
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[tuple[str, int], _DataKey] = {}

    def _sealed(self, plaintext: bytes, client_id: str, name: str) -> bytes:
        key = self._data_key(client_id, _NEWEST_KEY, missing=self._make)
        header = bytes([_FORMAT]) + key.key_id.to_bytes(_HEADER_LENGTH - 1, "big")
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
        key = self._data_key(client_id, int.from_bytes(header[1:], "big"), missing=_not_sealed_for)
        try:
            return _cipher(key, name).decrypt(nonce, ciphertext, self._authenticated(header, client_id, name))
        except InvalidTag as error:
            raise ValueError("not sealed for this application and name") from error

    def _derived(self, client_id: str, value: str) -> bytes:
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
        pk, sk = self._key(client_id, key_id)
        newest = key_id == _NEWEST_KEY
        item = next(self._table.query(pk, newest_first=True), None) if newest else self._table.get((pk, sk))
        if item is None:
            return None
        return self._fresh(client_id, int(item["sk"]["S"])) or self._unwrap(client_id, item)

    def _make(self, client_id: str) -> _DataKey:
        """The first data key of an application. Of several sandboxes that make one, the first to store it wins."""
        with aws_errors():
            made = self._kms.generate_data_key(
                KeyId=self._kms_key_id, KeySpec="AES_256", EncryptionContext=self._encryption_context(client_id)
            )
        pk, sk = self._key(client_id, _FIRST_KEY)
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
                    EncryptionContext=self._encryption_context(client_id),
                )
        except self._kms.exceptions.InvalidCiphertextException as error:
            raise ValueError(f"KMS does not know this as a data key of {client_id}") from error
        return _DataKey(int(item["sk"]["S"]), unwrapped["Plaintext"], self._clock())

    def _fresh(self, client_id: str, key_id: int) -> _DataKey | None:
        key = self._kept.get((client_id, key_id))
        return key if key and self._clock() - key.unwrapped_at < KEPT_SECONDS else None

    def _forget_stale(self) -> None:
        self._kept = {place: key for place, key in self._kept.items() if self._fresh(*place)}

    def _key(self, client_id: str, key_id: int) -> Key:
        return f"{self._partition}#{client_id}", f"{key_id:05}"

    def _encryption_context(self, client_id: str) -> dict[str, str]:
        """KMS opens a wrapped key only with the context it was made with, and logs it."""
        return {"application": client_id, "purpose": self.purpose}

    def _authenticated(self, header: bytes, client_id: str, name: str) -> bytes:
        return header + json.dumps([self.purpose, client_id, name]).encode()


class KmsVault(_DataKeys):
    """Implements ``ports.Vault``."""

    purpose = "provider-credential"
    _partition = "KEY"

    def seal(self, credential: ProviderCredential, *, client_id: str, profile_id: str) -> bytes:
        values = [credential.access_token, credential.refresh_token, credential.expires_at, credential.scope]
        return self._sealed(json.dumps(values).encode(), client_id, profile_id)

    def unseal(self, sealed: bytes, *, client_id: str, profile_id: str) -> ProviderCredential:
        return ProviderCredential(*json.loads(self._opened(sealed, client_id, profile_id)))

    def derive(self, client_id: str, value: str) -> bytes:
        return self._derived(client_id, value)


class KmsSecretVault(_DataKeys):
    """Implements ``ports.SecretVault``."""

    purpose = "client-secret"
    _partition = "SECRET_KEY"

    def seal(self, secret: str, *, client_id: str) -> bytes:
        return self._sealed(secret.encode(), client_id, hashed(secret))

    def unseal(self, sealed: bytes, *, client_id: str, secret_hash: str) -> str:
        return self._opened(sealed, client_id, secret_hash).decode()


def _not_sealed_for(client_id: str) -> NoReturn:
    raise ValueError(f"sealed under a key that {client_id} does not have")


def _cipher(key: _DataKey, name: str) -> AESGCM:
    return AESGCM(key.derived(f"seal {name}"))


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    if not sealed or sealed[0] != _FORMAT or len(sealed) < _HEADER_LENGTH + _NONCE_LENGTH:
        raise ValueError("nothing that was sealed here")
    body = sealed[_HEADER_LENGTH:]
    return sealed[:_HEADER_LENGTH], body[:_NONCE_LENGTH], body[_NONCE_LENGTH:]
