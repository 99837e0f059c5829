"""A sign-in that asks who somebody is, at Google and Microsoft: what is asked for, and with whom they are matched."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.adapters.person_sign_in import GooglePersonSignIn, MicrosoftPersonSignIn
from freebusy.domain.account import Identity, ProviderName
from freebusy.domain.errors import IdentityRejected, ProviderUnavailable
from freebusy.domain.service_account import mailbox_identity
from tests.organization_harness import ScriptedGoogle, ScriptedMicrosoft
from tests.provider_harness import form_of

ANA = "ana@example.com"


@pytest.fixture
def google():
    harness = ScriptedGoogle()
    harness.sign_in = GooglePersonSignIn(harness.http, harness.registration, origin=None, timing=harness.time.timing)
    return harness


@pytest.fixture
def microsoft():
    return microsoft_for("organizations")


def microsoft_for(tenant):
    harness = ScriptedMicrosoft()
    timing = harness.time.timing
    harness.sign_in = MicrosoftPersonSignIn(
        harness.http, harness.registration, tenant=tenant, origin=None, timing=timing
    )
    return harness


@pytest.fixture(params=["google", "microsoft"])
def provider(request):
    return request.getfixturevalue(request.param)


def test_it_asks_for_identity_alone_and_for_nothing_lasting(provider):
    query = parse_qs(urlsplit(provider.sign_in_url()).query)
    assert set(query["scope"][0].split()) == provider.sign_in_scopes
    assert query["prompt"] == ["select_account"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["nonce"]
    assert not {"access_type", "include_granted_scopes", "login_hint", "hd"} & set(query)


def test_at_microsoft_the_code_buys_no_more_than_that_either(microsoft):
    microsoft.administrator(ANA)
    (request,) = microsoft.asked("sign in")
    assert set(form_of(request)["scope"].split()) == {"openid", "profile", "email"}


def test_the_issuer_is_known_where_one_tenants_people_sign_in(google, microsoft):
    assert google.sign_in.issuer == "https://accounts.google.com"
    assert microsoft.sign_in.issuer is None
    tenant = ScriptedMicrosoft.tenant
    assert microsoft_for(tenant).sign_in.issuer == f"https://login.microsoftonline.com/{tenant}/v2.0"


def test_somebody_is_the_same_person_as_when_they_connected(google, microsoft):
    assert google.administrator(ANA).identity == Identity(ProviderName.GOOGLE, f"subject of {ANA}", ANA)
    subject = f"{ScriptedMicrosoft.tenant}.object of {ANA}"
    assert microsoft.administrator(ANA).identity == Identity(ProviderName.MICROSOFT, subject, ANA)


def test_in_an_organization_they_are_their_mailbox_too(google, microsoft):
    """As accounts are known that the organization itself gave access to."""
    assert google.administrator(ANA).mailbox == mailbox_identity(ScriptedGoogle.organization, ANA)
    assert (
        microsoft.administrator("Ana@Example.com").mailbox.key
        == mailbox_identity(ScriptedMicrosoft.organization, ANA).key
    )


@pytest.mark.parametrize(
    ("claims", "key"),
    [
        pytest.param({"hd": None}, None, id="no Workspace: an address elsewhere, which Google only ever mailed"),
        pytest.param({"hd": ""}, None, id="an empty one"),
        pytest.param({"hd": "main.example"}, "main.example ana@example.com", id="an address of a secondary domain"),
    ],
)
def test_at_google_only_a_workspace_vouches_for_an_address(google, claims, key):
    google.claims = claims
    mailbox = google.administrator(ANA).mailbox
    assert (mailbox and mailbox.subject) == key


@pytest.mark.parametrize(
    ("claims", "matched"),
    [
        pytest.param({"email": "boss@example.com"}, ANA, id="an address that a tenant may write as it likes"),
        pytest.param({"preferred_username": "boss", "email": "boss@example.com"}, None, id="a name that is no address"),
        pytest.param({"preferred_username": None, "email": "boss@example.com"}, None, id="no name"),
        pytest.param({"idp": "https://sts.windows.net/another/"}, None, id="a guest of the tenant"),
        pytest.param(
            {"idp": f"https://login.microsoftonline.com/{ScriptedMicrosoft.tenant}/v2.0"},
            ANA,
            id="at home, and so said",
        ),
    ],
)
def test_at_microsoft_only_a_sign_in_name_at_home_is_a_mailbox(microsoft, claims, matched):
    microsoft.claims = claims
    mailbox = microsoft.administrator(ANA).mailbox
    assert (mailbox and mailbox.email) == matched


def test_the_same_name_in_another_tenant_is_another_mailbox(microsoft):
    here = microsoft.administrator(ANA).mailbox
    other = "0dbabcaa-604b-40ac-a9d7-9fd97c0b779f"
    microsoft.claims = {"tid": other, "iss": f"https://login.microsoftonline.com/{other}/v2.0"}
    there = microsoft.administrator(ANA).mailbox
    assert there.key != here.key
    assert replace(there, subject=here.subject) == here


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nonce": "another"}, id="of another trip"),
        pytest.param({"aud": "another client"}, id="for another client"),
        pytest.param({"iss": "https://evil.example"}, id="of another issuer"),
        pytest.param({"exp": 1}, id="expired"),
    ],
)
def test_an_answer_that_does_not_check_out_is_nobodys(provider, claims):
    provider.claims = claims
    with pytest.raises(IdentityRejected):
        provider.administrator(ANA)


def test_an_address_that_google_did_not_verify_is_nobodys(google):
    google.claims = {"email_verified": False}
    with pytest.raises(IdentityRejected):
        google.administrator(ANA)


def test_a_provider_that_is_down_says_so(provider):
    provider.usual["sign in"] = httpx.Response(503)
    with pytest.raises(ProviderUnavailable):
        provider.administrator(ANA)
