"""Administrators connect their organizations to the laptop stack, at both simulated providers."""

from __future__ import annotations

from functools import partial

import pycronofy
import pytest

from tests.e2e.administrators import ORGANIZATIONS, connect_organization, describe

pytestmark = pytest.mark.stack


@pytest.fixture(params=ORGANIZATIONS)
def provider(request):
    return request.param


@pytest.fixture
def organization(stack, provider):
    """Says how an organization of this provider is from now on."""
    return partial(describe, stack, provider)


@pytest.fixture
def connect(stack, provider):
    """What the application is told after somebody went the way of an administrator."""
    return partial(connect_organization, stack, provider)


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
