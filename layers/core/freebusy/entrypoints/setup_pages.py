"""What an administrator sees who connects an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.domain.account import ProviderName
from freebusy.entrypoints.browser import choosing
from freebusy.entrypoints.pages import page
from freebusy.service.organization_request import NARROWED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

    from freebusy.domain.application import Introduction
    from freebusy.service.organization_setups import Progress
    from freebusy.service.organization_trips import OrganizationChoice

LABELS = {ProviderName.GOOGLE: "Google Workspace", ProviderName.MICROSOFT: "Microsoft 365"}

_AUTHORIZE = "/enterprise_connect/oauth/authorize"
_SETUP = {ProviderName.GOOGLE: "setup_google.html", ProviderName.MICROSOFT: "setup_microsoft.html"}


def choose_organization(
    event: Mapping[str, Any], choice: OrganizationChoice, parameters: Mapping[str, str]
) -> Response[str]:
    """``parameters`` are those of the request, which the choice repeats."""
    microsoft = choice.delegations.get(ProviderName.MICROSOFT)
    return page(
        event,
        "choose_organization.html",
        copying=microsoft is not None,
        application=choice.application,
        resources=choice.resources,
        choices=[(LABELS[name], choosing(_AUTHORIZE, parameters, name)) for name in choice.delegations],
        microsoft_client_id=microsoft and microsoft.client_id,
        narrowed_link=microsoft and choosing(_AUTHORIZE, parameters, ProviderName.MICROSOFT, **{NARROWED: "true"}),
    )


def setup(event: Mapping[str, Any], progress: Progress, handle: str) -> Response[str]:
    provider, delegation = progress.setup.request.provider, progress.delegation
    rooms = [delegation.resources] if progress.setup.request.wants_resources else []
    return page(
        event,
        _SETUP[provider],
        copying=True,
        asking=provider is ProviderName.MICROSOFT,
        application=progress.application,
        setup=progress.setup,
        client_id=delegation.client_id,
        scopes=[delegation.free_busy, *rooms],
        record=progress.record,
        mailbox=progress.mailbox,
        access=progress.access,
        proof=progress.proof,
        checked_at=progress.checked_at,
        address=_address(handle),
    )


def locked(event: Mapping[str, Any], handle: str) -> Response[str]:
    return page(event, "setup_locked.html", link=f"{_address(handle)}/sign_in")


def connected(event: Mapping[str, Any], application: Introduction, link: str) -> Response[str]:
    """Instead of a redirect, which Chromium would not follow out of a form (CSP ``form-action``)."""
    return page(event, "organization_connected.html", application=application, link=link)


def _address(handle: str) -> str:
    return f"/enterprise_connect/setup/{handle}"
