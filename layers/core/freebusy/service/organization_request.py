"""Checking what an application asks for at ``/enterprise_connect/oauth/authorize``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.errors import AuthorizationError
from freebusy.domain.scopes import grantable
from freebusy.domain.service_account import grantable_to_service_account
from freebusy.service.authorization_request import challenge_in, check_form, granted, provider_named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from freebusy.domain.account import ProviderName
    from freebusy.domain.application import Application

NARROWED = "narrowed"
"""Our own parameter: the administrator has let us in already, to some mailboxes, and needs no consent screen."""


class Asked(NamedTuple):
    """``scope`` and ``delegated_scope`` are what will be granted; ``provider`` is ``None`` while the administrator has
    to choose.
    """

    scope: str
    delegated_scope: str
    code_challenge: str | None
    provider: ProviderName | None
    narrowed: bool


def checked(parameters: Mapping[str, str], application: Application, offered: Collection[ProviderName]) -> Asked:
    """What does not concern us is ignored. Raises AuthorizationError."""
    check_form(parameters)
    if application.public:
        # What comes of it is told by callbacks, which are signed with the application's secret.
        raise AuthorizationError("unauthorized_client", "an application without a secret cannot connect organizations")
    return Asked(
        scope=granted(grantable_to_service_account, parameters.get("scope", "")),
        delegated_scope=granted(partial(grantable, parameter="delegated_scope"), parameters.get("delegated_scope", "")),
        code_challenge=challenge_in(parameters, application),
        provider=provider_named(parameters.get("provider_name"), offered),
        narrowed=bool(parameters.get(NARROWED)),
    )
