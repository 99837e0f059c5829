import re
from base64 import b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import pytest

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import ProviderName
from freebusy.domain.application import MOST_LOGO_BYTES
from freebusy.domain.errors import (
    MailboxWithoutCalendar,
    NotAnAdministrator,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.organization_setup import SETUP_LIFETIME, ProofRecord
from freebusy.settings import settings
from tests.administrators import ADA, EMPLOYEE, MAX, STRANGER
from tests.api import call
from tests.browsers import (
    ANA,
    FRONT_END,
    FRONT_END_URI,
    ORGANIZATION_REQUEST,
    OTHER_APP,
    OTHER_SECRET,
    PUBLIC_URL,
    REDIRECT_URI,
    Browser,
    brought,
    exchange,
    links,
)
from tests.fakes.clock import NOW

ROOMS = "service_account/accounts/manage service_account/resources/manage"


@pytest.fixture(autouse=True)
def _sign_in_is_proof_enough(monkeypatch):
    monkeypatch.setenv("GOOGLE_DOMAIN_PROOF", "sign_in")
    settings.cache_clear()


@pytest.fixture
def dns(monkeypatch):
    """The deployment asks domains for a record."""
    monkeypatch.delenv("GOOGLE_DOMAIN_PROOF")
    settings.cache_clear()


@pytest.fixture
def browser(headquarters):
    return headquarters.browser


def assert_is_page(answer, status=200):
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.body.startswith("<!doctype html>")
    assert "Location" not in answer.headers


def query(link):
    return dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))


def shown(page):
    """The values to copy, by what they are called."""
    return dict(re.findall(r"<span>([^<]*)</span>\s*<code id=[^>]*>([^<]*)</code>", page.body))


class TestChoosing:
    @pytest.fixture
    def page(self, browser):
        return browser.connect_organization(provider_name=None)

    def test_a_page_offers_both_and_the_way_without_consent(self, page):
        assert_is_page(page)
        google, microsoft, narrowed = map(query, links(page))
        request = {name: value for name, value in ORGANIZATION_REQUEST.items() if name != "provider_name"}
        assert google == request | {"provider_name": "google_free_busy"}
        assert microsoft == request | {"provider_name": "ms_graph_free_busy"}
        assert narrowed == microsoft | {"narrowed": "true"}

    def test_its_links_lead_to_the_providers(self, browser, page):
        where = [browser.get(link).headers["Location"].partition("?")[0] for link in links(page)]
        assert where == [
            "https://google.test/sign-in",
            "https://microsoft.test/adminconsent",
            "https://microsoft.test/sign-in",
        ]

    def test_it_says_what_will_be_seen_and_what_not(self, browser, page):
        assert "It will see" in page.body
        assert "It will not see" in page.body
        assert "meeting rooms" not in page.body
        assert "meeting rooms" in browser.connect_organization(provider_name=None, scope=ROOMS).body

    def test_it_explains_how_to_narrow_access_in_exchange(self, page):
        assert "New-ManagementRoleAssignment" in page.body
        assert "the client id of the deployment" in page.body

    def test_names_and_parameters_are_text_and_no_markup(self, browser):
        body = browser.connect_organization(provider_name=None, state="</script><b>").body
        assert "<b>" not in body
        assert body.count("</script>") == 1
        assert "Scheduler &amp; &lt;Co&gt;" in body

    def test_only_what_is_set_up_is_offered(self, headquarters, browser):
        headquarters.tenants.delegation_trouble = ProviderMisconfigured()
        page = browser.connect_organization(provider_name=None)
        assert [query(link)["provider_name"] for link in links(page)] == ["google_free_busy"]
        assert "Microsoft" not in page.body.partition("<nav")[2].partition("</nav>")[0]
        assert "<details" not in page.body


class TestGoogle:
    @pytest.fixture
    def address(self, headquarters):
        return headquarters.setup(ADA)

    def test_straight_to_the_sign_in(self, browser):
        answer = browser.connect_organization()
        assert answer.status == 302
        assert brought(answer)["redirect_uri"] == f"{PUBLIC_URL}/enterprise_connect/callback/google"
        (cookie,) = answer.cookies
        assert "Max-Age=600" in cookie

    def test_the_setup_has_a_cookie_that_outlives_the_browser(self, headquarters, browser):
        answer = headquarters.sign_in(browser.connect_organization(), ADA)
        assert re.fullmatch(rf"{PUBLIC_URL}/enterprise_connect/setup/[\w-]{{43}}", answer.headers["Location"])
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        kept, spent = answer.cookies
        name, *attributes = kept.split("; ")
        assert re.fullmatch(r"__Host-freebusy-[\w-]{8}=[\w-]{43}", name)
        assert set(attributes) == {"Path=/", f"Max-Age={SETUP_LIFETIME}", "HttpOnly", "Secure", "SameSite=Lax"}
        assert "Max-Age=0" in spent
        assert len(browser.cookies) == 1

    def test_the_page_says_what_to_enter_and_that_it_is_not_there_yet(self, browser, address):
        page = browser.get(address)
        assert_is_page(page)
        assert shown(page) == {"Client ID": "the client id of the deployment", "OAuth scopes": "scope of free/busy"}
        assert "Google does not let this service in yet" in page.body
        assert "ada@example.com" in page.body
        assert "15 January 2027, 08:00 UTC" in page.body, "since when"
        assert urlsplit(address).path in links(page), "check now"
        assert "TXT" not in page.body
        assert not page.cookies

    def test_rooms_take_another_scope_which_is_explained(self, headquarters, browser):
        page = browser.get(headquarters.setup(ADA, scope=ROOMS))
        assert shown(page)["OAuth scopes"] == "scope of free/busy,scope of rooms"
        assert "names and addresses of your rooms" in page.body

    def test_once_delegated_it_leads_back_to_the_application_with_a_code(self, headquarters, browser, address):
        headquarters.workspaces.delegated.add("example.com")
        answer = browser.get(address)
        assert answer.status == 302
        assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?code=")
        assert brought(answer) | {"code": ""} == {"code": "", "state": "some state", "iss": PUBLIC_URL}
        assert answer.headers["Cache-Control"] == "no-store"
        assert not browser.cookies
        assert_is_page(browser.get(address), 400)

    def test_the_code_buys_the_tokens_of_a_service_account(self, headquarters, browser, address):
        headquarters.workspaces.delegated.add("example.com")
        code = brought(browser.get(address))["code"]
        stolen = exchange(code, client_id=OTHER_APP, client_secret=OTHER_SECRET)
        assert (stolen.status, stolen.json()["error"]) == (400, "invalid_grant")
        tokens = exchange(code).json()
        assert tokens["service_account_id"].startswith("ser_")
        userinfo = call("account", "GET", "/v1/userinfo", bearer=tokens["access_token"]).json()
        assert userinfo["cronofy.type"] == "service_account"
        assert userinfo["email"] == "ada@example.com"
        assert userinfo["cronofy.data"]["authorization"]["delegated_scope"] == "free_busy_write"

    def test_its_credential_is_sealed(self, headquarters, browser, address):
        headquarters.workspaces.delegated.add("example.com")
        sub = exchange(brought(browser.get(address))["code"]).json()["service_account_id"]
        wired = headquarters.deployment.wired
        sealed = wired.service_accounts.find(sub).sealed_credential
        assert wired.vault.unseal(sealed, client_id="app", profile_id=sub).access_token == "token 1 of example.com"
        assert b"token" not in sealed

    @pytest.mark.parametrize(
        ("trouble", "said"),
        [
            (MailboxWithoutCalendar(), "Switch Google Calendar on"),
            (ProviderUnavailable(), "does not answer at the moment"),
            (ProviderMisconfigured(), "tell those who run the service"),
            (ProviderError(), "does not answer at the moment"),
        ],
        ids=lambda each: getattr(each, "reason", ""),
    )
    def test_the_page_says_precisely_what_is_wrong(self, headquarters, browser, address, trouble, said):
        headquarters.workspaces.delegated.add("example.com")
        headquarters.workspaces.trouble["ada@example.com"] = trouble
        page = browser.get(address)
        assert_is_page(page)
        assert said in page.body


@pytest.mark.usefixtures("dns")
class TestProvingTheDomain:
    def test_takes_a_record_that_the_page_shows(self, headquarters, browser):
        address = headquarters.setup(ADA)
        headquarters.workspaces.delegated.add("example.com")
        page = browser.get(address)
        assert_is_page(page)
        record = ProofRecord.of("app", ADA)
        assert shown(page)["Name"] == record.name
        assert shown(page)["Value"] == record.value
        assert "The record is not there yet" in page.body
        headquarters.records.kept[record.name] = ("freebusy-connect=something else",)
        assert "but with another value" in browser.get(address).body
        headquarters.records.kept[record.name] = (record.value,)
        assert "code" in brought(browser.get(address))

    def test_an_employee_cannot_have_one(self, headquarters, browser):
        headquarters.workspaces.delegated.add("example.com")
        headquarters.workspaces.kept["eve@example.com"] = []
        record = ProofRecord.of("app", ADA)
        headquarters.records.kept[record.name] = (record.value,)
        assert_is_page(browser.get(headquarters.setup(EMPLOYEE)))


class TestMicrosoft:
    def test_consent_then_sign_in_then_connected(self, headquarters, browser):
        departure = browser.connect_organization(provider_name="ms_graph_free_busy")
        assert departure.headers["Location"].startswith("https://microsoft.test/adminconsent?")
        onward = headquarters.consent(departure)
        assert onward.headers["Location"].startswith("https://microsoft.test/sign-in?")
        assert len(browser.cookies) == 1, "that of the first leg is spent"
        headquarters.tenants.delegated.add("tenant-1")
        arrival = headquarters.sign_in(onward, MAX)
        assert "code" in brought(browser.get(arrival.headers["Location"]))

    def test_a_consent_that_was_refused_says_admin_consent_all_the_same(self, headquarters, browser):
        departure = browser.connect_organization(provider_name="ms_graph_free_busy")
        answer = headquarters.consent(departure, error="access_denied", error_description="AADSTS65004")
        assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?error=access_denied&")
        assert not browser.cookies

    def test_who_is_no_administrator_is_told_to_the_application(self, headquarters, browser):
        departure = headquarters.consent(browser.connect_organization(provider_name="ms_graph_free_busy"))
        headquarters.microsoft.trouble = NotAnAdministrator()
        answer = headquarters.sign_in(departure, MAX)
        assert brought(answer)["error"] == "access_denied"
        assert "administrator" in brought(answer)["error_description"]

    def test_the_page_says_what_may_be_missing(self, headquarters, browser):
        page = browser.get(headquarters.setup(MAX))
        assert_is_page(page)
        assert "Microsoft does not let this service read the calendar of max@work.example" in page.body
        assert "New-ServicePrincipal" in page.body

    def test_another_mailbox_is_tried_with_a_form_that_the_policy_allows_here_alone(self, headquarters, browser):
        address = headquarters.setup(MAX)
        page = browser.get(address)
        assert "form-action 'self'" in page.headers["Content-Security-Policy"]
        assert f'<form method="get" action="{urlsplit(address).path}">' in page.body
        headquarters.tenants.delegated.add("tenant-1")
        page = browser.get(f"{address}?mailbox=nobody%40work.example")
        assert "no mailbox nobody@work.example" in page.body
        page = browser.get(f"{address}?mailbox=%22%3E%3Cb%3E")
        assert "<b>" not in page.body

    def test_and_ends_on_a_page_since_browsers_follow_no_redirect_out_of_a_form(self, headquarters, browser):
        address = headquarters.setup(MAX)
        headquarters.tenants.delegated.add("tenant-1")
        headquarters.tenants.kept["room@work.example"] = []
        page = browser.get(f"{address}?mailbox=+room%40work.example+")
        assert_is_page(page)
        assert "Your organization is connected" in page.body
        (link,) = links(page)
        assert link.startswith(f"{REDIRECT_URI}?code=")
        assert query(link)["state"] == "some state"
        assert exchange(query(link)["code"]).status == 200
        assert not browser.cookies

    def test_an_empty_form_looks_at_the_administrators_own(self, headquarters, browser):
        address = headquarters.setup(MAX)
        headquarters.tenants.delegated.add("tenant-1")
        assert "code" in brought(browser.get(f"{address}?mailbox=+"))


class TestComingBackLater:
    @pytest.fixture
    def address(self, headquarters):
        return headquarters.setup(ADA)

    def test_in_the_same_browser_it_is_as_it_was(self, browser, address, monkeypatch):
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + 6 * 86_400)
        assert "Client ID" in shown(browser.get(address))

    def test_without_the_cookie_the_page_offers_to_sign_in_and_tells_nothing(self, address):
        page = Browser().get(address)
        assert_is_page(page)
        assert links(page) == [f"{urlsplit(address).path}/sign_in"]
        assert not any(told in page.body for told in ("example.com", "Scheduler", "Google", "ada"))
        assert not page.cookies

    def test_signing_in_again_moves_it_to_another_browser(self, headquarters, browser, address):
        other = Browser()
        departure = other.get(links(other.get(address))[0])
        assert departure.headers["Location"].startswith("https://google.test/sign-in?")
        arrival = headquarters.sign_in(departure, ADA, other)
        assert arrival.headers["Location"] == address
        assert shown(other.get(address))
        assert not shown(browser.get(address))

    @pytest.mark.parametrize("who", [EMPLOYEE, STRANGER], ids=["colleague", "administrator of another organization"])
    def test_for_the_same_administrator_alone(self, headquarters, browser, address, who):
        thief = Browser()
        answer = headquarters.sign_in(thief.get(f"{address}/sign_in"), who, thief)
        assert_is_page(answer, 400)
        assert "another account" in answer.body
        assert not shown(thief.get(address))
        assert shown(browser.get(address))

    def test_a_sign_in_that_fails_ends_on_a_page(self, headquarters, browser, address):
        departure = browser.get(f"{address}/sign_in")
        answer = browser.get(
            f"{brought(departure)['redirect_uri']}?error=access_denied&state={brought(departure)['state']}"
        )
        assert_is_page(answer, 400)
        assert shown(browser.get(address))
        headquarters.google.trouble = ProviderUnavailable()
        assert_is_page(browser.get(f"{address}/sign_in"), 503)

    def test_after_seven_days_it_is_over(self, browser, address, monkeypatch):
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + SETUP_LIFETIME)
        assert_is_page(browser.get(address), 400)
        assert_is_page(browser.get(f"{address}/sign_in"), 400)

    @pytest.mark.parametrize("handle", ["unknown", "%00", "%F0%9F%94%92", "x" * 3000])
    def test_so_is_one_that_never_was(self, browser, handle):
        assert browser.get(f"/enterprise_connect/setup/{handle}").status in {400, 404}
        assert browser.get(f"/enterprise_connect/setup/{handle}/sign_in").status in {400, 404}

    @pytest.mark.parametrize("asked", ["mailbox=a&mailbox=b", "mailbox=%FF", "%"])
    def test_a_malformed_query_is_no_failure(self, browser, address, asked):
        assert browser.get(f"{address}?{asked}").status in {200, 400}

    def test_while_the_service_cannot_read_its_registration_nothing_is_lost(self, headquarters, browser, address):
        headquarters.workspaces.delegation_trouble = ProviderMisconfigured()
        assert_is_page(browser.get(address), 503)
        headquarters.workspaces.delegation_trouble = None
        assert shown(browser.get(address))


class TestWhoMayNotComeBack:
    def test_nobody_twice(self, headquarters, browser):
        departure = browser.connect_organization()
        kept = dict(browser.cookies)
        assert headquarters.sign_in(departure, ADA).status == 302
        browser.cookies |= kept
        assert_is_page(headquarters.sign_in(departure, ADA), 400)

    def test_no_other_browser_which_does_not_disturb_the_right_one(self, headquarters, browser):
        departure = browser.connect_organization()
        for other in (Browser(), Browser(dict.fromkeys(browser.cookies, "x" * 43))):
            assert_is_page(headquarters.sign_in(departure, ADA, other), 400)
        assert headquarters.sign_in(departure, ADA).status == 302

    def test_no_person_who_connects_their_own_calendar(self, headquarters, browser):
        deployment = headquarters.deployment
        departure = browser.authorize()
        answer = deployment.google.agree(departure.headers["Location"], ANA)
        swapped = f"/enterprise_connect/callback/google?state={answer['state']}&code={answer['code'].replace(' ', '+')}"
        assert_is_page(browser.get(swapped), 400)
        assert "code" in brought(deployment.come_back_with(departure, **{**answer, "state": answer["state"]}))

    def test_and_no_administrator_where_people_come_back(self, headquarters, browser):
        departure = browser.connect_organization()
        assert_is_page(browser.get(f"/oauth/callback/google?state={brought(departure)['state']}&code=c"), 400)
        assert headquarters.sign_in(departure, ADA).status == 302

    @pytest.mark.parametrize("path", ["callback/yahoo?state=x", "callback/", "setup/", "nothing"])
    def test_nobody_where_nothing_is(self, browser, path):
        assert_is_page(browser.get(f"/enterprise_connect/{path}"), 404)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            pytest.param({"scope": "free_busy_write"}, "invalid_scope", id="a person's scope"),
            pytest.param({"delegated_scope": None}, "invalid_scope", id="no delegated scope"),
            pytest.param({"response_type": "token"}, "unsupported_response_type", id="wrong response_type"),
            pytest.param({"provider_name": "office365"}, "invalid_request", id="unknown provider"),
        ],
    )
    def test_tell_the_application(self, browser, changed, error):
        answer = browser.connect_organization(**changed)
        assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?error={error}&")
        assert (brought(answer)["state"], brought(answer)["iss"]) == ("some state", PUBLIC_URL)
        assert not answer.cookies

    def test_a_public_application(self, browser):
        answer = browser.connect_organization(client_id=FRONT_END, redirect_uri=FRONT_END_URI)
        assert brought(answer)["error"] == "unauthorized_client"

    @pytest.mark.parametrize(
        "changed",
        [{"client_id": "unknown"}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": None}],
        ids=str,
    )
    def test_that_must_not_redirect_end_on_a_page(self, browser, changed):
        assert_is_page(browser.connect_organization(**changed), 400)

    def test_a_table_that_does_not_answer_is_a_page(self, headquarters, browser, monkeypatch):
        def throttled(*_):
            raise StorageUnavailable("throttled")

        monkeypatch.setattr(headquarters.deployment.wired.applications, "find", throttled)
        assert_is_page(browser.connect_organization(), 503)


class TestPages:
    @pytest.fixture(params=["the choice", "Google", "Microsoft", "the lock", "the end", "a refusal"])
    def page(self, headquarters, browser, request):
        match request.param:
            case "the choice":
                return browser.connect_organization(provider_name=None)
            case "Google":
                return browser.get(headquarters.setup(ADA))
            case "Microsoft":
                return browser.get(headquarters.setup(MAX))
            case "the lock":
                return Browser().get(headquarters.setup(ADA))
            case "the end":
                headquarters.tenants.delegated.add("tenant-1")
                return browser.get(f"{headquarters.setup(MAX)}?mailbox=max@work.example")
        return browser.connect_organization(client_id="?")

    def test_load_nothing_and_are_framed_by_nobody(self, page):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "src=" not in page.body
        assert not re.search(r"<[^>]+\s(?:on\w+|style)=", page.body)

    @pytest.mark.parametrize("kind", ["script", "style"])
    def test_have_just_what_their_policy_names(self, page, kind):
        digests = [
            f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
            for text in re.findall(rf"<{kind}>(.*?)</{kind}>", page.body, re.DOTALL)
        ]
        allowed = re.findall(rf"{kind}-src ([^;]*)", page.headers["Content-Security-Policy"])
        assert allowed == digests
        assert len(digests) <= 1

    def test_weigh_under_50_kilobytes_with_the_heaviest_logo(self, page):
        assert len(page.body.encode()) + MOST_LOGO_BYTES * 4 / 3 < 50_000

    def test_work_without_the_script(self, page):
        """Values are text that can be selected; the buttons show only where the script runs."""
        for button in re.findall(r"<button[^>]*data-copy=[^>]*>", page.body):
            assert " hidden" in button
            (target,) = re.findall(r'data-copy="([^"]*)"', button)
            assert re.search(rf'<(?:code|pre) id="{target}"', page.body)

    def test_give_every_field_a_label(self, page):
        fields = re.findall(r'<input id="([^"]*)"', page.body)
        assert all(f'<label for="{field}"' in page.body for field in fields)


def test_neither_states_nor_handles_reach_the_log(headquarters, browser, logged):
    headquarters.workspaces.trouble["ada@example.com"] = ProviderMisconfigured("the key is wrong")
    headquarters.workspaces.delegated.add("example.com")
    address = headquarters.setup(ADA)
    browser.get(address)
    departure = browser.get(f"{address}/sign_in")
    browser.get(f"{brought(departure)['redirect_uri']}?error=invalid_scope&state={brought(departure)['state']}")
    written = logged.getvalue()
    assert "the key is wrong" in written
    assert urlsplit(address).path.rpartition("/")[2] not in written
    assert brought(departure)["state"] not in written
    assert "ada@example.com" not in written


def test_on_the_laptops_plain_http_the_cookie_is_one_that_browsers_keep(headquarters, browser, monkeypatch):
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8080")
    settings.cache_clear()
    kept, _ = headquarters.sign_in(browser.connect_organization(), ADA).cookies
    assert kept.startswith("freebusy-")
    assert "Secure" not in kept


def test_a_provider_that_was_switched_off_meanwhile_is_no_failure(headquarters, browser, monkeypatch):
    address = headquarters.setup(ADA)
    departure = browser.connect_organization()
    only = {ProviderName.MICROSOFT: headquarters.microsoft}
    monkeypatch.setattr(Dependencies, "organization_sign_ins", only)
    monkeypatch.setattr(Dependencies, "organization_calendars", {ProviderName.MICROSOFT: headquarters.tenants})
    headquarters.deployment.wired.__dict__.pop("organization_trips")
    headquarters.deployment.wired.__dict__.pop("organization_setups", None)
    assert brought(headquarters.sign_in(departure, ADA))["error"] == "server_error"
    assert_is_page(browser.get(f"{address}/sign_in"), 503)
    assert_is_page(browser.get(address), 503)
