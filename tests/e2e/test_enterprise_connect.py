"""Administrators connect their organizations to the laptop stack, at both simulated providers."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
import pycronofy
import pytest

from local.browser import visit

pytestmark = pytest.mark.stack

SCOPE = "service_account/accounts/manage"
ORGANIZATIONS = {"google": ("google_free_busy", "domains"), "microsoft": ("ms_graph_free_busy", "tenants")}


@pytest.fixture(params=ORGANIZATIONS)
def provider(request):
    return request.param


@pytest.fixture
def organization(stack, provider):
    """Says how an organization of this provider is from now on."""

    def described(domain: str, **how: object) -> None:
        address = f"{stack[provider]}/sim/{ORGANIZATIONS[provider][1]}/{domain}"
        httpx.put(address, json={"admin": f"ada@{domain}", "users": [f"eve@{domain}"], **how}).raise_for_status()

    return described


@pytest.fixture
def connect(stack, provider):
    """What the application is told after somebody went the way of an administrator."""

    def connected(email: str, **more: str) -> dict[str, str]:
        asked = {
            "response_type": "code",
            "client_id": stack["client_id"],
            "redirect_uri": stack["redirect_uris"][0],
            "scope": SCOPE,
            "delegated_scope": "free_busy_write",
            "state": "s p&ace",
            "provider_name": ORGANIZATIONS[provider][0],
        }
        link = f"{stack['url']}/enterprise_connect/oauth/authorize?{urlencode(asked)}"
        return visit(link, until=stack["redirect_uris"][0], consent={"sim_user": email, **more})

    return connected


def test_an_organization_that_lets_us_in_becomes_a_service_account(stack, provider, organization, connect):
    domain = f"{provider}.connected.example"
    organization(domain, delegated=provider == "google")  # at Microsoft, by consenting on the way
    brought = connect(f"ada@{domain}")
    assert brought["state"] == "s p&ace"
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    tokens = client.get_authorization_from_code(brought["code"], redirect_uri=stack["redirect_uris"][0])
    assert tokens["access_token"]
    userinfo = client.userinfo()
    assert userinfo["cronofy.type"] == "service_account"
    assert userinfo["sub"].startswith("ser_")
    assert userinfo["cronofy.data"]["service_account"] == {
        "provider_name": ORGANIZATIONS[provider][0],
        "domain": domain,
    }


def test_while_it_does_not_the_administrator_stays_at_the_setup(provider, organization, connect):
    domain = f"{provider}.waiting.example"
    organization(domain, delegated=False, propagation_ms=3_600_000)
    with pytest.raises(RuntimeError, match="200 at /enterprise_connect/setup/"):
        connect(f"ada@{domain}")


def test_whoever_refuses_is_told_to_the_application(provider, organization, connect):
    domain = f"{provider}.refused.example"
    organization(domain, delegated=True)
    assert connect(f"ada@{domain}", sim_deny="access_denied")["error"] == "access_denied"
