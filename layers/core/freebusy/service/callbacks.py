"""Reaching applications at the addresses that they named: only where that leads outside, and only signed.

A name may lead elsewhere when it is used than when it was taken. So it is looked up again for every callback, and the
connection goes to one of the addresses that were looked at then.
"""

from __future__ import annotations

import json
import logging
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freebusy.domain.callback import Destination, destination_of, may_be_called, signature
from freebusy.domain.errors import CallbackFailed, CallbackGone, CallbackUnsigned, FieldError
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from freebusy.domain.application import Application
    from freebusy.ports import CallbackSender, HostResolver, SecretVault

logger = logging.getLogger(__name__)

ACCEPTING_SECONDS = 5.0
SENDING_SECONDS = 3.0
"""For looking up hosts."""


def refused_callbacks(urls: Iterable[str], *, resolver: HostResolver, local: bool) -> dict[str, FieldError]:
    """Those of the URLs that cannot be called, each with what is wrong; every host is looked up once."""
    refused: dict[str, FieldError] = {}
    destinations: dict[str, Destination] = {}
    for url in dict.fromkeys(urls):
        try:
            destinations[url] = destination_of(url, local=local)
        except ValueError as error:
            refused[url] = FieldError("errors.invalid_format", str(error))
    found = _addresses(destinations.values(), resolver, within=ACCEPTING_SECONDS)
    for url, destination in destinations.items():
        if not (addresses := found.get(destination.host)):
            refused[url] = FieldError("errors.unknown_host", "the host of the URL cannot be found")
        elif not all(may_be_called(destination, address, local=local) for address in addresses):
            refused[url] = FieldError("errors.not_public", "the host of the URL must be on the public Internet")
    return refused


@dataclass(eq=False, repr=False)
class Callbacks:
    """``local`` allows what ``domain.callback`` allows by that name."""

    resolver: HostResolver
    sender: CallbackSender
    vault: SecretVault
    local: bool = False

    def deliver(self, application: Application, url: str, message: Mapping[str, Any]) -> None:
        """POSTs the message once. Raises CallbackFailed, CallbackUnsigned or StorageUnavailable."""
        with _measuring():
            self._post(application, url, message)

    def _post(self, application: Application, url: str, message: Mapping[str, Any]) -> None:
        secrets = self._signing_secrets(application)
        try:
            destination = destination_of(url, local=self.local)
        except ValueError as error:
            raise CallbackFailed("the URL is not taken any more") from error
        address = self._address_of(destination)
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        self.sender.post(destination, address, body, signature=signature(body, secrets))

    def _signing_secrets(self, application: Application) -> list[str]:
        """Nothing is ever sent unsigned: the application could not tell it from anybody's."""
        opened = [
            secret
            for listed in application.secrets
            if listed.sealed and (secret := self._opened(application.client_id, listed.secret_hash, listed.sealed))
        ]
        if not opened:
            raise CallbackUnsigned(f"no secret of {application.client_id} can sign: rotate it")
        return opened

    def _opened(self, client_id: str, secret_hash: str, sealed: bytes) -> str | None:
        try:
            return self.vault.unseal(sealed, client_id=client_id, secret_hash=secret_hash)
        except ValueError:
            logger.exception("a client secret does not open", extra={"application": client_id})
            return None

    def _address_of(self, destination: Destination) -> str:
        addresses = _addresses([destination], self.resolver, within=SENDING_SECONDS).get(destination.host, ())
        if not addresses:
            raise CallbackFailed("the host cannot be found")
        if not all(may_be_called(destination, address, local=self.local) for address in addresses):
            raise CallbackFailed("the host is not on the public Internet any more")
        # Any of them may be out of order; and functions reach IPv6 only in networks that were made for it.
        return random.choice([each for each in addresses if ":" not in each] or list(addresses))  # noqa: S311 - no secret


@contextmanager
def _measuring() -> Iterator[None]:
    """How the application's server did; that our own storage is away says nothing about it.

    That it wants nothing more is an answer, and no trouble.
    """
    try:
        yield
    except CallbackGone:
        take(Measure.CALLBACKS, "gone")
        take(Measure.CALLBACK_TROUBLE, value=0)
        raise
    except (CallbackFailed, CallbackUnsigned) as error:
        take(Measure.CALLBACKS, "failed" if isinstance(error, CallbackFailed) else "unsigned")
        take(Measure.CALLBACK_TROUBLE, value=1)
        raise
    take(Measure.CALLBACKS, "delivered")
    take(Measure.CALLBACK_TROUBLE, value=0)


def _addresses(
    destinations: Iterable[Destination], resolver: HostResolver, *, within: float
) -> Mapping[str, Sequence[str]]:
    """By host; an address is where it says."""
    hosts = {each.host: each.is_address for each in destinations}
    names = [host for host, is_address in hosts.items() if not is_address]
    found = resolver.addresses(names, within=within) if names else {}
    return {**found, **{host: (host,) for host, is_address in hosts.items() if is_address}}
