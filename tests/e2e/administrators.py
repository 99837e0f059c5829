"""Administrators who connect their organizations, in a browser, at the simulated providers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx

from freebusy.domain.service_account import MANAGE_ACCOUNTS
from local.browser import visit

ORGANIZATIONS = {"google": ("google_free_busy", "domains"), "microsoft": ("ms_graph_free_busy", "tenants")}


def describe(stack: dict[str, Any], provider: str, domain: str, **how: object) -> None:
    """Says how an organization is from now on."""
    address = f"{stack[provider]}/sim/{ORGANIZATIONS[provider][1]}/{domain}"
    httpx.put(address, json={"admin": f"ada@{domain}", "users": [f"eve@{domain}"], **how}).raise_for_status()


def connect_organization(
    stack: dict[str, Any], provider: str, email: str, *, scope: str = MANAGE_ACCOUNTS, **more: str
) -> dict[str, str]:
    """What the application is told after somebody went the way of an administrator."""
    asked = {
        "response_type": "code",
        "client_id": stack["client_id"],
        "redirect_uri": stack["redirect_uris"][0],
        "scope": scope,
        "delegated_scope": "free_busy_write",
        "state": "s p&ace",
        "provider_name": ORGANIZATIONS[provider][0],
    }
    link = f"{stack['url']}/enterprise_connect/oauth/authorize?{urlencode(asked)}"
    return visit(link, until=stack["redirect_uris"][0], consent={"sim_user": email, **more})
