import re
from base64 import b64decode, b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

import pytest

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Disconnected, Grant, ProviderName
from freebusy.domain.application import MOST_LOGO_BYTES, Appearance
from freebusy.domain.errors import StorageUnavailable
from freebusy.settings import settings
from tests.api import call
from tests.browsers import ANA, PUBLIC_URL, REDIRECT_URI, REQUEST, Browser, brought, links
from tests.fakes.clock import NOW
from tests.people import colleague
from tests.pictures import png


@pytest.fixture
def browser(deployment):
    return deployment.browser


def assert_is_page(answer, status):
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Location" not in answer.headers
    assert answer.body.startswith("<!doctype html>")


class TestWithAProvider:
    def test_the_browser_goes_to_the_consent_screen(self, browser):
        answer = browser.authorize()
        assert answer.status == 302
        assert answer.headers["Location"].startswith("https://google_free_busy.test/consent?")
        assert brought(answer)["redirect_uri"] == f"{PUBLIC_URL}/oauth/callback/google"

    def test_neither_caches_nor_other_sites_learn_of_it(self, browser):
        headers = browser.authorize().headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"

    def test_the_browser_keeps_a_secret_that_no_script_and_no_other_host_can_touch(self, browser):
        (cookie,) = browser.authorize().cookies
        name, *attributes = cookie.split("; ")
        assert re.fullmatch(r"__Host-freebusy-[\w-]{8}=[\w-]{43}", name)
        assert set(attributes) == {"Path=/", "Max-Age=600", "HttpOnly", "Secure", "SameSite=Lax"}

    def test_on_the_laptops_plain_http_the_cookie_is_one_that_browsers_keep(self, browser, monkeypatch):
        monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8080")
        settings.cache_clear()
        (cookie,) = browser.authorize().cookies
        assert cookie.startswith("freebusy-")
        assert "Secure" not in cookie

    def test_official_sdks_send_more_than_they_need(self, browser):
        answer = browser.authorize(avoid_linking="False", locale="en", delegated_scope="", access_mode="free_busy")
        assert answer.status == 302
        assert "error" not in brought(answer)


def choices(page):
    return [link for link in links(page) if link.startswith("/oauth/authorize?")]


class TestWithoutAProvider:
    @pytest.mark.parametrize("unnamed", [None, ""])
    def test_a_page_offers_both(self, browser, unnamed):
        answer = browser.authorize(provider_name=unnamed)
        assert_is_page(answer, 200)
        assert [dict(parse_qsl(link.partition("?")[2]))["provider_name"] for link in choices(answer)] == [
            "google_free_busy",
            "ms_graph_free_busy",
        ]
        assert not answer.cookies

    def test_its_links_are_the_same_request_with_a_provider(self, browser):
        state = 'a&b="c"\'<d> é'
        answer = browser.authorize(provider_name=None, state=state)
        google, microsoft = choices(answer)
        assert dict(parse_qsl(google.partition("?")[2])) == REQUEST | {"state": state}
        assert browser.get(google).headers["Location"].startswith("https://google_free_busy.test/")
        assert browser.get(microsoft).headers["Location"].startswith("https://ms_graph_free_busy.test/")

    def test_it_says_what_will_be_seen_and_what_not(self, browser):
        body = browser.authorize(provider_name=None).body
        assert "would like to know when you are busy" in body
        assert "It will not see" in body

    def test_it_says_where_to_look_at_it_later(self, browser):
        assert "/connections?locale=en" in links(browser.authorize(provider_name=None))

    def test_names_and_parameters_are_text_and_no_markup(self, browser):
        body = browser.authorize(provider_name=None, state="<script>alert(1)</script>").body
        assert "<script" not in body
        assert "Scheduler &amp; &lt;Co&gt;" in body

    def test_only_providers_that_are_set_up_are_offered(self, browser, deployment, monkeypatch):
        monkeypatch.setattr(Dependencies, "providers", {ProviderName.MICROSOFT: deployment.microsoft})
        answer = browser.authorize(provider_name=None)
        assert len(choices(answer)) == 1
        assert "Google" not in answer.body

    def test_a_wrong_request_is_refused_before_the_person_is_asked(self, browser):
        assert brought(browser.authorize(provider_name=None, scope="nonsense"))["error"] == "invalid_scope"


class TestTheApplicationOnThePage:
    @pytest.fixture
    def shown(self, deployment, browser):
        appearance = Appearance("https://app.example/?a&b", png())
        deployment.wired.applications.show_as("app", appearance)
        return browser.authorize(provider_name=None)

    def test_shows_its_logo_which_no_other_host_is_asked_for(self, shown):
        (picture,) = re.findall(r'<img src="data:image/png;base64,([^"]*)" alt=""', shown.body)
        assert b64decode(picture) == png()
        assert "img-src data:;" in shown.headers["Content-Security-Policy"]

    def test_leads_to_its_home_page(self, shown):
        assert links(shown)[0] == "https://app.example/?a&b"

    def test_without_them_the_policy_allows_no_picture(self, browser):
        answer = browser.authorize(provider_name=None)
        assert "<img" not in answer.body
        assert "img-src" not in answer.headers["Content-Security-Policy"]

    def test_the_heaviest_logo_leaves_a_page_under_50_kilobytes(self, deployment, browser):
        deployment.wired.applications.show_as("app", Appearance("", b"x" * MOST_LOGO_BYTES))
        assert len(browser.authorize(provider_name=None).body.encode()) < 50_000


class TestPages:
    def test_say_in_which_language_they_are(self, page):
        assert '<html lang="en">' in page.body
        assert page.headers["Content-Language"] == "en"

    @pytest.fixture(params=["the choice", "an error"])
    def page(self, browser, request):
        return browser.authorize(**({"provider_name": None} if request.param == "the choice" else {"client_id": "?"}))

    def test_run_nothing_load_nothing_and_are_framed_by_nobody(self, page):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert "<script" not in page.body
        assert "src=" not in page.body

    def test_have_the_one_style_that_their_policy_names(self, page):
        (style,) = re.findall(r"<style>(.*?)</style>", page.body, re.DOTALL)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]

    def test_are_kept_by_nobody(self, page):
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.usefixtures("deployment")
    def test_are_no_front_ends_business(self):
        answer = call("authorize", "GET", "/oauth/authorize", headers={"origin": "https://front.example"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


class TestRequestsThatMustNotRedirect:
    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param({"client_id": "unknown"}, id="unknown application"),
            pytest.param({"client_id": None}, id="no application"),
            pytest.param({"client_id": "\0"}, id="an application with a NUL"),
            pytest.param({"client_id": "x" * 5000}, id="an endless application"),
            pytest.param({"client_id": "ünknown"}, id="an application beyond ASCII"),
            pytest.param({"redirect_uri": "https://evil.example/"}, id="unregistered redirect URI"),
            pytest.param({"redirect_uri": f"{REDIRECT_URI}/"}, id="almost the registered one"),
            pytest.param({"redirect_uri": None}, id="no redirect URI"),
            pytest.param({"redirect_uri": "javascript:alert(1)"}, id="a script as redirect URI"),
            pytest.param({"redirect_uri": "https://evil.example/", "scope": None}, id="and more is wrong"),
        ],
    )
    def test_end_on_a_page(self, browser, changed):
        assert_is_page(browser.authorize(**changed), 400)

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("", id="nothing at all"),
            pytest.param("&&=&;", id="only separators"),
            pytest.param("%", id="half an escape"),
            pytest.param(urlencode(REQUEST) + "&state=again", id="state twice"),
            pytest.param(urlencode(REQUEST) + "&client_id=app", id="client_id twice"),
            pytest.param(urlencode(REQUEST) + "&redirect_uri=https://evil.example", id="redirect_uri twice"),
            pytest.param(urlencode(REQUEST) + "&x=%FF", id="not UTF-8"),
        ],
    )
    def test_so_do_malformed_ones(self, browser, query):
        assert_is_page(browser.get(f"/oauth/authorize?{query}"), 400)

    def test_commas_are_no_repetition(self, browser):
        """API Gateway's own map of parameters would join repeated ones by a comma."""
        assert brought(browser.authorize(state="a,b", scope="nonsense"))["state"] == "a,b"


class TestRequestsThatAreRefusedByRedirect:
    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            pytest.param({"scope": None}, "invalid_scope", id="missing scope"),
            pytest.param({"scope": "free_busy_write everything"}, "invalid_scope", id="unknown scope"),
            pytest.param({"scope": "read_account"}, "invalid_scope", id="no free/busy"),
            pytest.param({"scope": "\0" * 3000}, "invalid_scope", id="NULs"),
            pytest.param({"response_type": "token"}, "unsupported_response_type", id="wrong response_type"),
            pytest.param({"response_type": None}, "invalid_request", id="missing response_type"),
            pytest.param({"provider_name": "office365"}, "invalid_request", id="unknown provider"),
            pytest.param({"link_token": "x" * 4000}, "invalid_request", id="unknown link token"),
            pytest.param({"code_challenge": "x"}, "invalid_request", id="malformed challenge"),
            pytest.param({"state": "x" * 4097}, "invalid_request", id="endless state"),
        ],
    )
    def test_tell_the_application(self, browser, changed, error):
        answer = browser.authorize(**changed)
        assert answer.status == 302
        assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?error={error}&")
        told = brought(answer)
        assert told["state"] == changed.get("state", "some state")
        assert told["iss"] == PUBLIC_URL
        assert not answer.cookies

    def test_a_public_application_without_pkce(self, browser):
        front_end = {"client_id": "front-end", "redirect_uri": "https://front.example/callback"}
        assert brought(browser.authorize(**front_end))["error"] == "invalid_request"


class TestConnectingAgain:
    def test_the_link_leads_straight_to_the_consent_screen(self, deployment):
        sub = deployment.tokens()["sub"]
        profile = deployment.account(sub).profiles[0]
        deployment.wired.accounts.disconnect(sub, profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
        answer = deployment.browser.get(f"/oauth/relink/{sub}/{profile.profile_id}")
        assert answer.status == 302
        assert answer.headers["Location"].startswith("https://google_free_busy.test/consent?")
        assert answer.cookies

    @pytest.mark.parametrize(
        "path", ["acc_unknown/pro_unknown", "x/y", f"{'x' * 3000}/pro_1", "%00/%00", "é/ü", "acc_1"]
    )
    def test_an_unknown_link_leads_nowhere(self, browser, path):
        assert_is_page(browser.get(f"/oauth/relink/{path}"), 404)

    def test_the_managed_profile_has_no_consent_screen(self, deployment):
        sub = deployment.tokens()["sub"]
        managed = deployment.account(sub).managed_profile
        assert_is_page(deployment.browser.get(f"/oauth/relink/{sub}/{managed.profile_id}"), 404)

    def test_a_person_cannot_connect_again_what_their_organization_gives(self, deployment):
        account = colleague()._replace(grants={"g": Grant("g", "free_busy_write", NOW)})
        deployment.wired.accounts.create(account)
        answer = deployment.browser.get(f"/oauth/relink/{account.sub}/{account.profiles[0].profile_id}")
        assert_is_page(answer, 400)
        assert "Ask your administrator" in answer.body
        assert not answer.cookies


class TestTrouble:
    def test_a_table_that_does_not_answer_is_a_page(self, browser, deployment, monkeypatch):
        def throttled(*_):
            raise StorageUnavailable("throttled")

        monkeypatch.setattr(deployment.wired.applications, "find", throttled)
        assert_is_page(browser.authorize(), 503)

    def test_what_nobody_expected_says_nothing_about_the_inside(self, browser, deployment, monkeypatch, caplog):
        def broken(*_):
            raise RuntimeError("the inside")

        monkeypatch.setattr(deployment.wired.applications, "find", broken)
        answer = browser.authorize()
        assert_is_page(answer, 500)
        assert "the inside" not in answer.body
        assert "the inside" in caplog.text

    def test_each_browser_has_trips_of_its_own(self, deployment):
        one, other = Browser(), Browser()
        first, second = one.authorize(), other.authorize()
        assert not set(one.cookies) & set(other.cookies)
        assert "code" in brought(deployment.come_back(second, ANA, other))
        assert "code" in brought(deployment.come_back(first, ANA, one))
