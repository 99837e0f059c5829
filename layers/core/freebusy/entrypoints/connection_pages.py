"""What people see who look up which applications their calendar is connected to."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from freebusy.domain.application import MOST_LOGO_BYTES
from freebusy.entrypoints.forms import FIELD, token_of
from freebusy.entrypoints.languages import locale_of
from freebusy.entrypoints.pages import LABELS, page
from freebusy.service.provider_leg import CALLBACK_NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aws_lambda_powertools.event_handler import Response

    from freebusy.domain.account import ProviderName
    from freebusy.service.connections import Connection
    from freebusy.service.person_trips import SignedIn


def sign_in(
    event: Mapping[str, Any], offered: Collection[ProviderName], *, through_cronofy: bool, over: bool = False
) -> Response[str]:
    """``over``: there was a session, or should have been one."""
    locale = locale_of(event)
    query = f"?{urlencode({'locale': locale})}" if locale else ""
    return page(
        event,
        "connections_sign_in.html",
        HTTPStatus.FORBIDDEN if over else HTTPStatus.OK,
        choices=[(LABELS[name], f"/connections/sign_in/{CALLBACK_NAMES[name]}{query}") for name in offered],
        through_cronofy=through_cronofy,
        over=over,
    )


def connections(
    event: Mapping[str, Any], signed_in: SignedIn, listed: Sequence[Connection], ended: str | None
) -> Response[str]:
    """``ended`` is the profile that was disconnected just now."""
    identity = signed_in.person.identity
    return page(
        event,
        "connections.html",
        posting=True,
        pictures=True,
        address=identity.email,
        provider=LABELS[identity.provider],
        labels=LABELS,
        listed=_with_logos_that_fit(listed),
        ended=next((each for each in listed if each.profile.profile_id == ended and not each.profile.connected), None),
        field=FIELD,
        token=token_of(signed_in.handle),
    )


def confirm(event: Mapping[str, Any], signed_in: SignedIn, connection: Connection) -> Response[str]:
    return page(
        event,
        "connections_disconnect.html",
        posting=True,
        application=connection.application,
        address=connection.profile.name,
        field=FIELD,
        token=token_of(signed_in.handle),
    )


def _with_logos_that_fit(listed: Sequence[Connection]) -> list[Connection]:
    """All logos together are at most as large as a single one may be, so that a page of many still is a light one."""
    left, shown = MOST_LOGO_BYTES, []
    for connection in listed:
        application = connection.application
        if len(application.logo) > left:
            application = replace(application, logo=b"")
        left -= len(application.logo)
        shown.append(connection._replace(application=application))
    return shown
