"""Who we are at the providers, from Secrets Manager.

A registration is ``{"client_id": "…", "client_secret": "…"}``, at Cronofy with a ``"data_center"`` beside and, while
the secret is being rotated, ``"retiring_client_secrets": ["…"]``; Google's service account is the key file as the Cloud
console gives it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from freebusy.adapters.aws import aws_errors, code_of
from freebusy.domain.errors import ProviderMisconfigured, ProviderUnavailable, StorageUnavailable
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_SECONDS = 300
"""By the clock on the wall, since the monotonic one stands still while Lambda has a sandbox frozen."""
FRESH_SECONDS = 5
"""So long after one caller who was refused has read the secret, others need not: fifty threads read it once."""


@dataclass(frozen=True, slots=True)
class ProviderRegistration:
    """Our client id and secret at one provider. ``data_center`` is where Cronofy keeps them; others have none.

    With ``retiring_secrets`` nothing is asked for any more, but what comes from there may still be signed.
    """

    client_id: str
    client_secret: str = field(repr=False)
    data_center: str = ""
    retiring_secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def live_secrets(self) -> tuple[str, ...]:
        return (self.client_secret, *self.retiring_secrets)


@dataclass(frozen=True, slots=True)
class ServiceAccountKey:
    """Our service account at Google, and the key that signs for it.

    Administrators know it by its numeric ``client_id``; ``private_key`` is PEM.
    """

    email: str
    client_id: str
    key_id: str
    private_key: str = field(repr=False)


Secret = TypeVar("Secret", ProviderRegistration, ServiceAccountKey)
Kept_co = TypeVar("Kept_co", ProviderRegistration, ServiceAccountKey, covariant=True)


class Source(Protocol[Kept_co]):
    def __call__(self, *, fresh: bool = False) -> Kept_co:
        """``fresh`` passes over what is kept, for when the provider refused it.

        Raises ProviderMisconfigured when the secret is missing, empty or malformed, ProviderUnavailable
        when Secrets Manager does not answer.
        """


RegistrationSource = Source[ProviderRegistration]
ServiceAccountKeySource = Source[ServiceAccountKey]


class ProviderSecrets:
    """Whoever asks for the same registration gets the same source, so that a sandbox reads each secret once."""

    def __init__(self, client: SecretsManagerClient, *, clock: Callable[[], float] = time) -> None:
        self._client = client
        self._clock = clock
        self._registrations: dict[str, RegistrationSource] = {}

    def registration(self, secret_id: str) -> RegistrationSource:
        source = self._kept(secret_id, registration_in, holding="a client_id and a client_secret")
        return self._registrations.setdefault(secret_id, source)

    def service_account_key(self, secret_id: str) -> ServiceAccountKeySource:
        return self._kept(secret_id, service_account_key_in, holding="the key file of a service account")

    def _kept(self, secret_id: str, understood: Callable[[Any], Secret | None], *, holding: str) -> Source[Secret]:
        """Reads on the first call, then keeps the value for five minutes; safe to share between threads."""
        lock = Lock()
        kept: tuple[float, Secret] | None = None
        looked: float | None = None

        def source(*, fresh: bool = False) -> Secret:
            nonlocal kept, looked
            with lock:
                now = self._clock()
                doubted = fresh and not _within(FRESH_SECONDS, looked, now)
                if kept is None or doubted or not _within(KEPT_SECONDS, kept[0], now):
                    secret = understood(self._read(secret_id))
                    if secret is None:
                        raise ProviderMisconfigured(f"the secret {secret_id} does not hold {holding}")
                    kept, looked = (now, secret), now if fresh else looked
                return kept[1]

        return source

    def _read(self, secret_id: str) -> Any:
        """What is not JSON is None. Messages name the secret and never quote it."""
        try:
            with aws_errors():
                found = self._client.get_secret_value(SecretId=secret_id)
        except StorageUnavailable as error:
            raise ProviderUnavailable("the secret with our registration cannot be read now") from error
        except ClientError as error:
            raise ProviderMisconfigured(f"the secret {secret_id} cannot be read: {code_of(error)}") from error
        take(Measure.KEY_AGE, value=(datetime.now(UTC) - found["CreatedDate"]).days)  # of this version of the secret
        try:
            return json.loads(found.get("SecretString", ""))
        except ValueError:
            return None


def _within(seconds: int, since: float | None, now: float) -> bool:
    """Also not where the clock was put back."""
    return since is not None and 0 <= now - since < seconds


def registration_in(held: Any) -> ProviderRegistration | None:
    """None where there is none."""
    match held:
        case {"client_id": str(client_id), "client_secret": str(client_secret)} if client_id and client_secret:
            data_center, retiring = held.get("data_center"), held.get("retiring_client_secrets")
            return ProviderRegistration(
                client_id,
                client_secret,
                data_center if isinstance(data_center, str) else "",
                tuple(each for each in retiring if isinstance(each, str) and each)
                if isinstance(retiring, list)
                else (),
            )
    return None


def service_account_key_in(held: Any) -> ServiceAccountKey | None:
    """None where there is none. Where to send assertions is in the file too, and is not believed: hosts are fixed."""
    match held:
        case {
            "type": "service_account",
            "client_email": str(email),
            "client_id": str(client_id),
            "private_key_id": str(key_id),
            "private_key": str(private_key),
        } if email and client_id and key_id and private_key:
            return ServiceAccountKey(email, client_id, key_id, private_key)
    return None
