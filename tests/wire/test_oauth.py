"""Connecting, refreshing and revoking, as each of the protocol's SDKs does it: rules 1 to 5 and 21."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.sdks import CSHARP, NODE, PHP, PYTHON, RUBY, SDKS, Sdk
from tests.template.deployment import RESOURCES, of_type

pytestmark = pytest.mark.stack

APP_HOST, API_HOST = "app.calendar.example", "api.calendar.example"


@pytest.mark.parametrize(
    ("sdk", "exchange_host", "refresh_host", "revoke_host"),
    [
        pytest.param(RUBY, APP_HOST, API_HOST, API_HOST, id="Ruby exchanges codes on the app host"),
        pytest.param(CSHARP, APP_HOST, APP_HOST, APP_HOST, id="C# has the app host for all three"),
        pytest.param(NODE, API_HOST, API_HOST, API_HOST, id="Node, Python and PHP the api host"),
    ],
)
def test_rule_01_the_token_endpoints_are_on_the_app_host_and_on_the_api_host(
    service, sdk, exchange_host, refresh_host, revoke_host
):
    code = service.code(f"rule-01-{sdk.name[0]}@google.example")
    tokens = service.exchanged(sdk, code, host=exchange_host).json()
    refreshed = service.refreshed(sdk, tokens["refresh_token"], host=refresh_host).json()
    assert service.is_recognised(refreshed["access_token"])
    assert service.revoked(sdk, {"token": refreshed["refresh_token"]}, host=revoke_host).status_code == 200
    assert not service.is_recognised(refreshed["access_token"])


@pytest.mark.parametrize("host", [APP_HOST, API_HOST])
def test_rule_01_people_can_be_sent_to_either_host(service, host):
    answer = httpx.get(service.authorization_link(), headers={"Host": host})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(service.stack["google"])


def test_rule_01_one_api_serves_all_of_it():
    assert len(of_type("AWS::Serverless::HttpApi")) == 1


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("Bearer None", id="Python before it has a token"),
        pytest.param("Bearer undefined", id="Node always"),
        pytest.param("Bearer fbc_at_of_somebody_who_left", id="Python with a token that has expired"),
        pytest.param("Basic bm90Om91cnM=", id="credentials that are not ours"),
        pytest.param("nonsense", id="not even a scheme"),
    ],
)
def test_rule_02_the_authorization_header_means_nothing_to_oauth(service, authorization):
    careless = Sdk("careless", {}, bearer_without_token=authorization)
    tokens = service.exchanged(careless, service.code("rule-02@google.example"))
    assert tokens.status_code == 200
    refreshed = service.refreshed(careless, tokens.json()["refresh_token"])
    assert refreshed.status_code == 200
    assert service.revoked(careless, {"token": refreshed.json()["refresh_token"]}).status_code == 200
    assert not service.is_recognised(refreshed.json()["access_token"])


def test_rule_02_another_persons_token_in_the_header_is_left_alone(service):
    bystander = service.connected("rule-02-bystander@google.example")["access_token"]
    tokens = service.exchanged(PYTHON, service.code("rule-02@google.example"), bearer=bystander).json()
    assert service.revoked(PYTHON, {"token": tokens["access_token"]}, bearer=bystander).status_code == 200
    assert not service.is_recognised(tokens["access_token"])
    assert service.is_recognised(bystander)


@pytest.mark.parametrize(
    "sdk",
    [
        pytest.param(Sdk("json", {}, content_type="application/json"), id="JSON"),
        pytest.param(Sdk("json", {}, content_type="application/json; charset=utf-8"), id="JSON with a charset"),
        pytest.param(RUBY, id="a form"),
    ],
)
def test_rule_03_json_and_forms_are_read_alike(service, sdk):
    code = service.code("rule-03+plus@google.example")
    tokens = service.exchanged(sdk, code)
    assert tokens.status_code == 200, tokens.text
    refreshed = service.refreshed(sdk, tokens.json()["refresh_token"])
    assert refreshed.status_code == 200
    assert service.revoked(sdk, {"sub": tokens.json()["sub"]}).status_code == 200
    assert not service.is_recognised(refreshed.json()["access_token"])


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_rule_04_a_refresh_always_tells_everything(service, sdk):
    first = service.exchanged(sdk, service.code("rule-04@google.example")).json()
    tokens = first
    for _ in range(2):
        answer = service.refreshed(sdk, tokens["refresh_token"], bearer=tokens["access_token"])
        assert answer.status_code == 200
        tokens = answer.json()  # which the SDKs keep in place of what they had
        assert {name: type(tokens[name]) for name in ("access_token", "refresh_token", "expires_in", "scope")} == {
            "access_token": str,
            "refresh_token": str,
            "expires_in": int,
            "scope": str,
        }
        assert tokens["refresh_token"]
        assert tokens["scope"] == "free_busy_write"
        assert tokens["expires_in"] > 0
        assert service.is_recognised(tokens["access_token"])
    again = service.refreshed(sdk, first["refresh_token"])
    assert again.status_code == 200, "a client that crashed before it saved the answer still has the first one"


@pytest.mark.parametrize(
    ("sdk", "named", "what"),
    [
        pytest.param(NODE, "refresh_token", "refresh_token", id="Node names its refresh token so"),
        pytest.param(PYTHON, "token", "access_token", id="Python sends its access token"),
        pytest.param(RUBY, "token", "refresh_token", id="Ruby its refresh token"),
        pytest.param(RUBY, "sub", "sub", id="Ruby by sub"),
        pytest.param(CSHARP, "token", "refresh_token", id="C# its refresh token"),
        pytest.param(CSHARP, "sub", "sub", id="C# by sub"),
        pytest.param(PHP, "token", "access_token", id="PHP either token"),
        pytest.param(PHP, "sub", "sub", id="PHP by sub"),
    ],
)
def test_rule_05_an_authorization_is_revoked_by_whatever_the_sdk_has(service, sdk, named, what):
    tokens = service.exchanged(sdk, service.code("rule-05@google.example")).json()
    answer = service.revoked(sdk, {named: tokens[what]}, bearer=tokens["access_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert not service.is_recognised(tokens["access_token"])
    refused = service.refreshed(sdk, tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert service.revoked(sdk, {named: tokens[what]}).status_code == 200, "revoking twice is no error"


def test_rule_21_a_site_url_without_its_path_still_leads_here(service):
    """The Ruby SDK joins absolute paths to its site URL, which drops whatever path that had."""
    metadata = httpx.get(urljoin(service.stack["url"], "/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == service.stack["url"]
    assert metadata["token_endpoint"] == urljoin(service.stack["url"], "/oauth/token")
    assert metadata["revocation_endpoint"] == urljoin(service.stack["url"], "/oauth/token/revoke")
    assert metadata["authorization_endpoint"] == urljoin(service.stack["url"], "/oauth/authorize")


def test_rule_21_the_links_in_answers_have_no_prefix_either(service, calendar):
    busy = [calendar.busy(quarter / 4, quarter / 4 + 0.1) for quarter in range(150)]
    tokens = service.connected("rule-21@google.example", busy=busy)
    page = NODE.get(service.url("/v1/free_busy"), {"tzid": "Etc/UTC"}, bearer=tokens["access_token"]).json()
    profile_id = tokens["linking_profile"]["profile_id"]
    RUBY.post(service.url(f"/v1/profiles/{profile_id}/revoke"), bearer=tokens["access_token"])
    profiles = NODE.get(service.url("/v1/profiles"), bearer=tokens["access_token"]).json()["profiles"]
    assert urlsplit(page["pages"]["next_page"]).path.startswith("/v1/free_busy/pages/")
    assert urlsplit(profiles[0]["profile_relink_url"]).path.startswith("/oauth/relink/")


def test_rule_21_the_deployment_puts_no_stage_name_in_front():
    (api,) = of_type("AWS::Serverless::HttpApi").values()
    assert api["Properties"].get("StageName", "$default") == "$default"
    mappings = of_type("AWS::ApiGatewayV2::ApiMapping")
    assert mappings
    assert not [name for name in mappings if RESOURCES[name]["Properties"].get("ApiMappingKey")]
