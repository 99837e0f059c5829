from dataclasses import replace
from urllib.parse import urlencode

import pytest

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Disconnected
from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME
from freebusy.domain.errors import ConsentIncomplete, ProviderMisconfigured
from tests.api import call
from tests.browsers import ANA, BEN, PUBLIC_URL, REDIRECT_URI, Browser, brought
from tests.fakes.clock import NOW


def assert_is_page(answer, status):
    assert answer.status == status
    assert answer.body.startswith("<!doctype html>")
    assert "Location" not in answer.headers


def accounts_in(deployment):
    """Whatever is stored of people."""
    items = deployment.wired.dynamodb.scan(TableName=deployment.wired.settings.table_name)["Items"]
    return [item for item in items if item["pk"]["S"].startswith(("ACCOUNT#", "IDENTITY#", "CODE#"))]


class TestAgreeing:
    def test_leads_back_to_the_application_with_a_code(self, deployment):
        answer = deployment.come_back(deployment.browser.authorize(), ANA)
        assert answer.status == 302
        assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?code=")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert brought(answer) | {"code": ""} == {"code": "", "state": "some state", "iss": PUBLIC_URL}

    def test_connects_the_calendar(self, deployment):
        account = deployment.account(deployment.tokens()["sub"])
        free_busy, managed = account.profiles
        assert free_busy.identity == ANA
        assert free_busy.connected
        assert managed.managed
        kept = deployment.wired.vault.unseal(
            free_busy.sealed_credential, client_id="app", profile_id=free_busy.profile_id
        )
        assert kept.access_token == "access 1"
        assert kept.access_token.encode() not in free_busy.sealed_credential

    def test_leaves_no_cookie_behind(self, deployment):
        answer = deployment.come_back(deployment.browser.authorize(), ANA)
        assert all("Max-Age=0" in cookie and "Path=/" in cookie for cookie in answer.cookies)
        assert not deployment.browser.cookies

    def test_again_is_the_same_account(self, deployment):
        assert deployment.tokens()["sub"] == deployment.tokens()["sub"]

    def test_with_both_providers_makes_two_accounts_unless_a_link_token_says_one(self, deployment):
        ana = deployment.tokens()
        assert deployment.tokens(BEN)["sub"] != ana["sub"]

    def test_with_a_link_token_keeps_what_it_gave_in_the_code_alone_which_expires(self, deployment):
        """So that nothing is left of it when the application never redeems the code."""
        ana = deployment.tokens()
        link_token = call("account", "POST", "/v1/link_tokens", bearer=ana["access_token"]).json()["link_token"]
        deployment.code(BEN, link_token=link_token)
        (code,) = (item for item in accounts_in(deployment) if BEN.subject in str(item))
        assert code["sk"]["S"] == "CODE"
        assert "sealed" in code["joining"]["M"]
        assert int(code["expires_at"]["N"]) == deployment.wired.clock() + AUTHORIZATION_CODE_LIFETIME

    def test_with_a_link_token_adds_a_profile(self, deployment):
        ana = deployment.tokens()
        link_token = call("account", "POST", "/v1/link_tokens", bearer=ana["access_token"]).json()["link_token"]
        linked = deployment.tokens(BEN, link_token=link_token)
        assert linked["sub"] == ana["sub"]
        assert linked["linking_profile"]["profile_name"] == BEN.email
        shown = call("account", "GET", "/v1/profiles", bearer=ana["access_token"]).json()["profiles"]
        assert [profile["provider_name"] for profile in shown] == ["google_free_busy", "ms_graph_free_busy", "cronofy"]


class TestNotAgreeing:
    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ({"error": "access_denied"}, "access_denied"),
            ({"error": "admin_policy_enforced"}, "access_denied"),
            ({"error": "access_denied", "error_description": "AADSTS65004: declined"}, "access_denied"),
            ({"error": "temporarily_unavailable"}, "temporarily_unavailable"),
            ({"error": "invalid_client"}, "server_error"),
            ({"error": "\0"}, "server_error"),
            ({}, "server_error"),
            ({"code": "\0"}, "server_error"),
        ],
        ids=str,
    )
    def test_is_told_and_leaves_nothing_behind(self, deployment, said, error):
        answer = deployment.come_back_with(deployment.browser.authorize(), **said)
        assert answer.status == 302
        assert brought(answer)["error"] == error
        assert brought(answer)["state"] == "some state"
        assert not accounts_in(deployment)

    def test_to_the_calendar_is_no_half_connection(self, deployment):
        departure = deployment.browser.authorize()
        deployment.google.trouble = ConsentIncomplete()
        answer = deployment.come_back_with(departure, code="code")
        assert brought(answer)["error"] == "access_denied"
        assert not accounts_in(deployment)

    def test_trouble_that_the_operator_must_mend_is_logged(self, deployment, caplog):
        departure = deployment.browser.authorize()
        deployment.google.trouble = ProviderMisconfigured("the client secret is wrong")
        answer = deployment.come_back_with(departure, code="the-code")
        assert brought(answer)["error"] == "server_error"
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "the client secret is wrong" in caplog.text
        assert "the-code" not in caplog.text


class TestWhoMayNotComeBack:
    def test_nobody_with_a_state_that_was_never_issued(self, deployment):
        for state in ("unknown", "", "\0", "x" * 5000):
            query = urlencode({"state": state, "code": "code"})
            assert_is_page(deployment.browser.get(f"/oauth/callback/google?{query}"), 400)

    @pytest.mark.parametrize("query", ["", "code=c", "state=a&state=b&code=c", "state=%FF&code=c", "%"])
    def test_nobody_with_a_malformed_answer(self, deployment, query):
        assert_is_page(deployment.browser.get(f"/oauth/callback/google?{query}"), 400)

    def test_nobody_twice(self, deployment):
        departure = deployment.browser.authorize()
        kept = dict(deployment.browser.cookies)
        deployment.come_back(departure, ANA)
        deployment.browser.cookies = kept
        assert_is_page(deployment.come_back(departure, ANA), 400)

    def test_nobody_late(self, deployment, monkeypatch):
        departure = deployment.browser.authorize()
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + 600)
        assert_is_page(deployment.come_back(departure, ANA), 400)
        assert not accounts_in(deployment)

    def test_no_other_browser_which_does_not_disturb_the_right_one(self, deployment):
        """As happens when the address leaks: by a log, a referrer, a photo of the screen."""
        departure = deployment.browser.authorize()
        for other in (Browser(), Browser(dict.fromkeys(deployment.browser.cookies, "x" * 43))):
            assert_is_page(deployment.come_back(departure, ANA, other), 400)
        assert not accounts_in(deployment)
        assert "code" in brought(deployment.come_back(departure, ANA))

    def test_nobody_at_the_other_providers_callback(self, deployment):
        departure = deployment.browser.authorize()
        query = urlencode({"state": brought(departure)["state"], "code": "code"})
        assert_is_page(deployment.browser.get(f"/oauth/callback/microsoft?{query}"), 400)

    @pytest.mark.parametrize("provider", ["yahoo", "google_free_busy", "é", "%00"])
    def test_nobody_at_a_callback_that_does_not_exist(self, deployment, provider):
        assert_is_page(deployment.browser.get(f"/oauth/callback/{provider}?state=x&code=y"), 404)

    def test_no_answer_of_another_issuer(self, deployment):
        answer = deployment.come_back_with(deployment.browser.authorize(), code="c", iss="https://evil.example")
        assert brought(answer)["error"] == "server_error"
        assert not accounts_in(deployment)


class TestConnectingAgain:
    @pytest.fixture
    def lost(self, deployment):
        """Ana's tokens; her credential has died."""
        tokens = deployment.tokens()
        profile_id = tokens["linking_profile"]["profile_id"]
        deployment.wired.accounts.disconnect(tokens["sub"], profile_id, because=Disconnected.CREDENTIAL_REVOKED)
        return tokens

    def profile(self, tokens):
        return call("account", "GET", "/v1/profiles", bearer=tokens["access_token"]).json()["profiles"][0]

    def test_the_application_hands_out_the_link_and_the_person_ends_on_a_page(self, deployment, lost):
        link = self.profile(lost)["profile_relink_url"]
        assert link.startswith(f"{PUBLIC_URL}/oauth/relink/")
        answer = deployment.come_back(deployment.browser.get(link), ANA)
        assert_is_page(answer, 200)
        assert "connected again" in answer.body
        assert "Scheduler &amp; &lt;Co&gt;" in answer.body
        assert self.profile(lost)["profile_connected"]
        assert "profile_relink_url" not in self.profile(lost)
        assert not deployment.browser.cookies

    def test_somebody_else_changes_nothing(self, deployment, lost):
        departure = deployment.browser.get(self.profile(lost)["profile_relink_url"])
        assert_is_page(deployment.come_back(departure, replace(ANA, subject="somebody else")), 400)
        assert not self.profile(lost)["profile_connected"]

    @pytest.mark.parametrize(("error", "status"), [("access_denied", 400), ("temporarily_unavailable", 503)])
    def test_not_agreeing_ends_on_a_page(self, deployment, lost, error, status):
        departure = deployment.browser.get(self.profile(lost)["profile_relink_url"])
        assert_is_page(deployment.come_back_with(departure, error=error), status)

    def test_authorizing_again_mends_it_too(self, deployment, lost):
        deployment.tokens()
        assert self.profile(lost)["profile_connected"]
