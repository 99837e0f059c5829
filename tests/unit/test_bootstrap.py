"""What a deployment offers follows from what it has."""

from __future__ import annotations

import pytest

from freebusy.adapters.secrets import ProviderSecrets
from freebusy.bootstrap import Dependencies
from freebusy.domain.account import ProviderName
from freebusy.settings import Settings

GOOGLE, MICROSOFT = ProviderName.GOOGLE, ProviderName.MICROSOFT
GOOGLE_CLIENT = {"GOOGLE_SECRET_ID": "google"}
MICROSOFT_CLIENT = {"MICROSOFT_SECRET_ID": "microsoft"}
REGISTRATION = {"client_id": "id", "client_secret": "secret"}
KEY = {"GOOGLE_SERVICE_ACCOUNT_SECRET_ID": "key"}


def dependencies(**environment: str) -> Dependencies:
    return Dependencies(Settings({"TABLE_NAME": "table", **environment}))


@pytest.fixture(autouse=True)
def region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.mark.parametrize(
    ("has", "connects", "reads"),
    [
        pytest.param({}, set(), set(), id="nothing"),
        pytest.param(GOOGLE_CLIENT, set(), set(), id="people of Google alone"),
        pytest.param(GOOGLE_CLIENT | KEY, {GOOGLE}, {GOOGLE}, id="Google"),
        pytest.param(KEY, set(), {GOOGLE}, id="a function that does not meet administrators"),
        pytest.param(MICROSOFT_CLIENT, {MICROSOFT}, {MICROSOFT}, id="Microsoft"),
        pytest.param(GOOGLE_CLIENT | KEY | MICROSOFT_CLIENT, {GOOGLE, MICROSOFT}, {GOOGLE, MICROSOFT}, id="both"),
        pytest.param(dict.fromkeys(GOOGLE_CLIENT | KEY | MICROSOFT_CLIENT, ""), set(), set(), id="switched off"),
    ],
)
def test_organizations_can_be_connected_and_read_where_we_are_registered(has, connects, reads):
    assert set(dependencies(**has).organization_sign_ins) == connects
    assert set(dependencies(**has).organization_calendars) == reads


def test_one_tenants_deployment_sends_administrators_to_that_tenant():
    tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
    sign_in = dependencies(**MICROSOFT_CLIENT, MICROSOFT_TENANT=tenant).organization_sign_ins[MICROSOFT]
    assert sign_in.issuer == f"https://login.microsoftonline.com/{tenant}/v2.0"


def test_our_secrets_at_cronofy_are_not_read_for_everybody_who_claims_to_be_cronofy(monkeypatch):
    reads = []
    monkeypatch.setattr(ProviderSecrets, "_read", lambda _, secret_id: reads.append(secret_id) or REGISTRATION)
    wired = dependencies(CRONOFY_SECRET_ID="cronofy")
    for _ in range(5):
        assert not wired.cronofy_has_signed(b"{}", "guessed")
    assert len(reads) == 2  # one of them since our secret may have been replaced just now


@pytest.mark.parametrize(
    ("said", "proof"),
    [({}, "dns"), ({"GOOGLE_DOMAIN_PROOF": ""}, "dns"), ({"GOOGLE_DOMAIN_PROOF": "sign_in"}, "sign_in")],
)
def test_a_domain_is_proven_by_dns_unless_the_operator_said_otherwise(said, proof):
    assert dependencies(**said).settings.google_domain_proof == proof
