"""Registering the applications that may use this deployment, and recognising them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from freebusy.domain.application import Appearance, Application, ClientSecret
from freebusy.domain.errors import InvalidRequest, NotFound, StorageUnavailable
from freebusy.domain.identifiers import hashed, new_client_id, new_client_secret
from freebusy.domain.registration import (
    MOST_ORIGINS,
    MOST_REDIRECT_URIS,
    MOST_SECRETS,
    checked_home_page,
    checked_logo,
    checked_name,
    checked_origin,
    checked_redirect_uri,
    checked_requests_per_minute,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from freebusy.domain.account import Upstream
    from freebusy.ports import ApplicationRegistry, SecretVault

logger = logging.getLogger(__name__)

_ATTEMPTS = 5
_HINT_LENGTH = 13


def register_application(  # noqa: PLR0913 - what a registration consists of
    name: str,
    redirect_uris: Iterable[str],
    *,
    public: bool = False,
    origins: Iterable[str] = (),
    registry: ApplicationRegistry,
    vault: SecretVault,
    now: int,
) -> tuple[Application, str | None]:
    """The new application with its client secret, which cannot be had again; none if public.

    Raises InvalidRequest.
    """
    application = Application(
        client_id=new_client_id(),
        name=_checked("name", checked_name, [name])[0],
        redirect_uris=_checked_redirect_uris(redirect_uris),
        public=public,
        origins=_checked_origins(origins),
        created_at=now,
    )
    if public:
        registry.create(application)
        return application, None
    secret = new_client_secret()
    application = application._replace(secrets=(_listed(secret, application.client_id, vault, now),))
    registry.create(application)
    return application, secret


def find_application(client_id: str, *, registry: ApplicationRegistry) -> Application:
    """Raises NotFound."""
    application = registry.find(client_id)
    if application is None:
        raise NotFound(f"there is no application {client_id}")
    return application


def rename_application(client_id: str, name: str, *, registry: ApplicationRegistry) -> Application:
    """Raises NotFound and InvalidRequest."""
    (name,) = _checked("name", checked_name, [name])
    return _change(client_id, lambda application: application._replace(name=name), registry)


def show_home_page(client_id: str, home_page: str, *, registry: ApplicationRegistry) -> Appearance:
    """What pages for people link to; empty for nothing any more. Raises NotFound and InvalidRequest."""
    checked = _checked("home_page", checked_home_page, [home_page])[0] if home_page else ""
    return _appear(client_id, registry, home_page=checked)


def show_logo(client_id: str, logo: bytes, *, registry: ApplicationRegistry) -> Appearance:
    """What pages for people show beside the name; empty for nothing any more. Raises NotFound and InvalidRequest."""
    try:
        checked = checked_logo(logo) if logo else b""
    except ValueError as error:
        raise _invalid("logo", str(error)) from error
    return _appear(client_id, registry, logo=checked)


def _appear(client_id: str, registry: ApplicationRegistry, **changed: Any) -> Appearance:
    find_application(client_id, registry=registry)
    appearance = replace(registry.appearance(client_id), **changed)
    registry.show_as(client_id, appearance)
    return appearance


def add_redirect_uris(client_id: str, uris: Iterable[str], *, registry: ApplicationRegistry) -> Application:
    """Those that are listed already stay as they are. Raises NotFound and InvalidRequest."""
    uris = tuple(uris)

    def change(application: Application) -> Application:
        return application._replace(redirect_uris=_checked_redirect_uris((*application.redirect_uris, *uris)))

    return _change(client_id, change, registry)


def remove_redirect_uris(client_id: str, uris: Iterable[str], *, registry: ApplicationRegistry) -> Application:
    """Raises NotFound, and InvalidRequest when one of them is not listed or none would be left."""
    uris = tuple(uris)

    def change(application: Application) -> Application:
        left = _without("redirect_uris", application.redirect_uris, uris)
        return application._replace(redirect_uris=_checked_redirect_uris(left))

    return _change(client_id, change, registry)


def choose_upstream(client_id: str, upstream: Upstream | None, *, registry: ApplicationRegistry) -> Application:
    """Where people who connect from now on are sent; None leaves it to the deployment. Raises NotFound."""
    return _change(client_id, lambda application: application._replace(upstream=upstream), registry)


def limit_requests(client_id: str, per_minute: int | None, *, registry: ApplicationRegistry) -> Application:
    """How many requests it may make in a minute, 0 for any number; None leaves it to the deployment.

    Running sandboxes notice within ``rate_limits.LIMITS_KNOWN`` seconds. Raises NotFound and InvalidRequest.
    """
    try:
        checked = None if per_minute is None else checked_requests_per_minute(per_minute)
    except ValueError as error:
        raise _invalid("requests_per_minute", str(error)) from error
    return _change(client_id, lambda application: application._replace(requests_per_minute=checked), registry)


def add_origins(client_id: str, origins: Iterable[str], *, registry: ApplicationRegistry) -> Application:
    """Those that are listed already stay as they are. Raises NotFound and InvalidRequest."""
    origins = tuple(origins)

    def change(application: Application) -> Application:
        return application._replace(origins=_checked_origins((*application.origins, *origins)))

    return _change(client_id, change, registry)


def remove_origins(client_id: str, origins: Iterable[str], *, registry: ApplicationRegistry) -> Application:
    """Raises NotFound, and InvalidRequest when one of them is not listed."""
    origins = _checked_origins(origins)

    def change(application: Application) -> Application:
        return application._replace(origins=_without("origins", application.origins, origins))

    return _change(client_id, change, registry)


def rotate_secret(
    client_id: str, *, registry: ApplicationRegistry, vault: SecretVault, now: int
) -> tuple[Application, str]:
    """Adds a second secret beside the first, so that both work while the new one is rolled out.

    Raises NotFound, and InvalidRequest for a public application and when two live already.
    """
    secret = new_client_secret()

    def change(application: Application) -> Application:
        if application.public:
            raise _invalid("secrets", "a public application has no client secret")
        if len(application.secrets) >= MOST_SECRETS:
            raise _invalid("secrets", "two secrets live already: revoke one first")
        return application._replace(secrets=(*application.secrets, _listed(secret, client_id, vault, now)))

    return _change(client_id, change, registry), secret


def revoke_secret(client_id: str, hint: str, *, registry: ApplicationRegistry) -> Application:
    """Ends one secret at once, even the last; ``hint`` is the one that it is listed with.

    Raises NotFound, and InvalidRequest when no secret, or more than one, has this hint.
    """

    def change(application: Application) -> Application:
        left = tuple(secret for secret in application.secrets if secret.hint != hint)
        if len(left) != len(application.secrets) - 1:
            raise _invalid("secrets", f"exactly one secret must have the hint {hint}")
        return application._replace(secrets=left)

    return _change(client_id, change, registry)


def _change(client_id: str, change: Callable[[Application], Application], registry: ApplicationRegistry) -> Application:
    """Applies a change to the newest state, again when somebody else was faster."""
    for _ in range(_ATTEMPTS):
        before = find_application(client_id, registry=registry)
        after = change(before)
        if after == before or registry.change(before, after):
            return after
    raise StorageUnavailable(f"the application {client_id} is being changed by others: try again")


def _listed(secret: str, client_id: str, vault: SecretVault, now: int) -> ClientSecret:
    sealed = vault.seal(secret, client_id=client_id)
    return ClientSecret(hashed(secret), secret[:_HINT_LENGTH], now, sealed)


def _checked(field: str, check: Callable[[str], str], values: Iterable[str]) -> tuple[str, ...]:
    """The distinct values in the order given."""
    try:
        return tuple(dict.fromkeys(map(check, values)))
    except ValueError as error:
        raise _invalid(field, str(error)) from error


def _checked_redirect_uris(uris: Iterable[str]) -> tuple[str, ...]:
    checked = _checked("redirect_uris", checked_redirect_uri, uris)
    if not 1 <= len(checked) <= MOST_REDIRECT_URIS:
        raise _invalid("redirect_uris", f"an application has 1 to {MOST_REDIRECT_URIS} redirect URIs")
    return checked


def _checked_origins(origins: Iterable[str]) -> tuple[str, ...]:
    checked = _checked("origins", checked_origin, origins)
    if len(checked) > MOST_ORIGINS:
        raise _invalid("origins", f"an application has at most {MOST_ORIGINS} origins")
    return checked


def _without(field: str, listed: tuple[str, ...], removed: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [value for value in removed if value not in listed]:
        raise _invalid(field, f"not listed: {', '.join(unknown)}")
    return tuple(value for value in listed if value not in removed)


def _invalid(field: str, description: str) -> InvalidRequest:
    return InvalidRequest.of(field, "errors.invalid", description)
