"""Our registrations at the providers, from Secrets Manager: ``{"client_id": "…", "client_secret": "…"}``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import ClientError

from freebusy.adapters.aws import aws_errors, code_of
from freebusy.domain.errors import ProviderMisconfigured, ProviderUnavailable, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_SECONDS = 300
FRESH_SECONDS = 5
"""A value this young counts as fresh: fifty threads that were refused at once read the secret once."""


@dataclass(frozen=True, slots=True)
class ProviderRegistration:
    """Our client id and secret at one provider."""

    client_id: str
    client_secret: str = field(repr=False)


class RegistrationSource(Protocol):
    def __call__(self, *, fresh: bool = False) -> ProviderRegistration:
        """``fresh`` passes over what is kept, for when the provider refused our client secret.

        Raises ProviderMisconfigured when the secret is missing, empty or malformed, ProviderUnavailable
        when Secrets Manager does not answer.
        """


class ProviderSecrets:
    def __init__(self, client: SecretsManagerClient, *, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock

    def registration(self, secret_id: str) -> RegistrationSource:
        """Reads on the first call, then keeps the value for five minutes; safe to share between threads."""
        lock = Lock()
        kept: tuple[float, ProviderRegistration] | None = None

        def registration(*, fresh: bool = False) -> ProviderRegistration:
            nonlocal kept
            with lock:
                if kept is None or self._clock() - kept[0] >= (FRESH_SECONDS if fresh else KEPT_SECONDS):
                    kept = (self._clock(), self._read(secret_id))
                return kept[1]

        return registration

    def _read(self, secret_id: str) -> ProviderRegistration:
        try:
            with aws_errors():
                text = self._client.get_secret_value(SecretId=secret_id).get("SecretString", "")
        except StorageUnavailable as error:
            raise ProviderUnavailable("the secret with our registration cannot be read now") from error
        except ClientError as error:
            raise ProviderMisconfigured(f"the secret {secret_id} cannot be read: {code_of(error)}") from error
        return _registration(secret_id, text)


def _registration(secret_id: str, text: str) -> ProviderRegistration:
    """Messages name the secret and never quote it."""
    try:
        match json.loads(text):
            case {"client_id": str(client_id), "client_secret": str(client_secret)} if client_id and client_secret:
                return ProviderRegistration(client_id, client_secret)
    except ValueError:
        pass
    raise ProviderMisconfigured(f"the secret {secret_id} does not hold a client_id and a client_secret")
