"""Replacing what we are known by at the providers, while it is used.

At the provider the new secret works beside the old one. Here it becomes the current version in one step, and functions
go over to it within five minutes, or as soon as the provider refuses the old one. After that the old one can go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from freebusy.ports import SecretVersions

Held = Mapping[str, Any]

RETIRING = "retiring_client_secrets"
"""With these nothing is asked for any more, but what they have signed is believed (``adapters.secrets``)."""

_ALONE = re.compile(r'(?:(?![{}"\[\]])[!-~])+')
"""A client secret, and nothing that was meant to be JSON."""


@dataclass(eq=False, repr=False)
class ProviderSecret:
    """``understood`` is what functions make of it, None where that is nothing, and ``holding`` what they would want.

    ``try_out`` asks the provider, and raises the ``ProviderError`` family when it does not take it. ``signs`` is
    whether the provider signs with it what it sends, which may be under way when it is replaced.
    """

    versions: SecretVersions
    understood: Callable[[Held], object | None]
    holding: str
    try_out: Callable[[Held], None]
    signs: bool = False


def replace_secret(
    given: str, *, secret: ProviderSecret, another_client: bool, untried: bool, forget_replaced: bool = False
) -> tuple[Held | None, Held]:
    """``given`` is what the secret shall hold, or a client secret alone, for the client that we are already.

    Returns what it held before and what it holds now; errors quote nothing of either. Raises InvalidRequest when it is
    no such thing, the one that is used already, or of ``another_client`` without that being wanted: nobody's consent
    would hold for that one. Where the provider signs with it, the one before is kept beside it until the next time, or
    until it is to be forgotten (``forget_replaced``, also beside the one that is used already).
    """
    current = _object(secret.versions.current())
    held = _object(given) or _beside(current, given.strip())
    if held is None or secret.understood(held) is None:
        raise _refused(f"this is not {secret.holding}")
    if secret.signs and (forget_replaced or RETIRING not in (_object(given) or {})):
        held = _with_retiring(held, [] if forget_replaced else _replaced(current or {}, held))
    if held == current:
        raise _refused("this is what is used already")
    if current and current.get("client_id") != held["client_id"] and not another_client:
        raise _refused(
            "this is of another client_id, for which nobody's consent holds: --another-client if you mean it"
        )
    if not untried:
        secret.try_out(held)
    secret.versions.replace(json.dumps(held))
    return current, held


def restore_secret(*, secret: ProviderSecret, untried: bool) -> tuple[Held | None, Held]:
    """Back to the one before; returns as ``replace_secret``. Raises InvalidRequest when there is none."""
    current, previous = _object(secret.versions.current()), _object(secret.versions.previous())
    if previous is None:
        raise _refused("there is none before this one")
    if not untried:
        secret.try_out(previous)
    secret.versions.go_back()
    return current, previous


def _object(text: str) -> dict[str, Any] | None:
    """Google's console gives an OAuth client inside of ``web``."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(held, dict) and set(held) == {"web"}:
        held = held["web"]
    return held if isinstance(held, dict) else None


def _beside(current: Held | None, client_secret: str) -> dict[str, Any] | None:
    if current is None or "client_secret" not in current or not _ALONE.fullmatch(client_secret):
        return None
    return {**current, "client_secret": client_secret}


def _replaced(current: Held, held: Held) -> list[str]:
    """What is still believed beside ``held``: the one before it, of the same client, and no older one."""
    before = current.get("client_secret")
    if not before or current.get("client_id") != held["client_id"]:
        return []
    return list(current.get(RETIRING, [])) if before == held["client_secret"] else [before]


def _with_retiring(held: Held, retiring: list[str]) -> dict[str, Any]:
    alone = {name: value for name, value in held.items() if name != RETIRING}
    return {**alone, RETIRING: retiring} if retiring else alone


def _refused(description: str) -> InvalidRequest:
    return InvalidRequest.of("secret", "errors.invalid", description)
