import re
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import pytest

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Disconnected, ProviderName, Upstream
from freebusy.domain.application import Appearance
from freebusy.domain.errors import IdentityRejected, ProviderMisconfigured, ProviderUnavailable
from freebusy.domain.person import SESSION_LIFETIME, Person
from freebusy.domain.service_account import mailbox_identity
from freebusy.service.connecting import connect_mailbox
from tests.api import call
from tests.browsers import ANA, APP, BEN, OTHER_APP, PUBLIC_URL, Browser, Deployment, brought, links, lives
from tests.fakes.clock import NOW
from tests.organizations import FakeSignIn
from tests.people import organization
from tests.pictures import png

LIST = f"{PUBLIC_URL}/connections"


@dataclass
class Lobby:
    """A deployment, and people in front of its page."""

    deployment: Deployment
    sign_ins: dict[str, FakeSignIn] = field(
        default_factory=lambda: {
            "google": FakeSignIn("google", issuer="https://accounts.google.com"),
            "microsoft": FakeSignIn("microsoft"),
        }
    )

    def depart(self, browser, provider="google"):
        return browser.get(f"/connections/sign_in/{provider}")

    def come_back(self, browser, departure, who, provider="google", **changed):
        answer = self.sign_ins[provider].agree(departure.headers["Location"], who) | changed
        return browser.get(f"{brought(departure)['redirect_uri']}?{urlencode(answer)}")

    def signed_in(self, who=ANA, **known):
        """A browser in which they are."""
        browser, provider = Browser(), "google" if who.provider is ProviderName.GOOGLE else "microsoft"
        arrival = self.come_back(browser, self.depart(browser, provider), Person(who, **known), provider)
        assert arrival.headers["Location"] == LIST
        return browser

    def profile_id(self, who, client_id=APP):
        accounts = self.deployment.wired.accounts
        account = accounts.find(accounts.sub_of(client_id, who))
        return next(each.profile_id for each in account.profiles if each.identity and each.identity.key == who.key)

    def profile(self, who, client_id=APP):
        accounts = self.deployment.wired.accounts
        return accounts.find(accounts.sub_of(client_id, who)).profile(self.profile_id(who, client_id))


@pytest.fixture
def lobby(deployment, monkeypatch):
    made = Lobby(deployment)
    sign_ins = {ProviderName.GOOGLE: made.sign_ins["google"], ProviderName.MICROSOFT: made.sign_ins["microsoft"]}
    monkeypatch.setattr(Dependencies, "person_sign_ins", sign_ins)
    return made


@pytest.fixture
def connected(lobby):
    """Ana to two applications."""
    lobby.deployment.tokens()
    lobby.deployment.code(client_id=OTHER_APP)
    return lobby


def shown(browser):
    answer = browser.get("/connections")
    assert answer.status == 200
    return answer


def form_of(page):
    """What a form of the page carries."""
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.body))


def address_of(profile_id):
    return f"/connections/{profile_id}/disconnect"


def disconnect(browser, profile_id, *, form=None, **headers):
    return browser.post(address_of(profile_id), form_of(shown(browser)) if form is None else form, **headers)


def test_who_looked_at_it_and_disconnected_is_written_down(connected, audited):
    """As the person: which application they looked at first, nobody knows."""
    browser, wired = connected.signed_in(), connected.deployment.wired
    subs = {wired.accounts.sub_of(client_id, ANA) for client_id in (APP, OTHER_APP)}
    profile_id = connected.profile_id(ANA)
    audited()
    form = form_of(browser.get(address_of(profile_id)))
    shown(browser)
    assert disconnect(browser, profile_id, form=form).status == 303
    records = audited()
    assert [(each["action"], each["by"], each["client_id"], each["outcome"]) for each in records] == [
        ("connections.seen", "person", APP, 200),
        ("connections.seen", "person", "", 200),
        ("profile.disconnected", "person", APP, 303),
    ]
    assert set(records[1]["accounts"].split()) == subs
    assert records[2]["accounts"] == wired.accounts.sub_of(APP, ANA)
    assert ANA.email not in str(records)


class TestSigningIn:
    def test_is_offered_to_whoever_comes(self, lobby):
        page = shown(Browser())
        assert "Sign in at Google Calendar" in page.body
        assert links(page) == ["/connections/sign_in/google", "/connections/sign_in/microsoft"]

    def test_comes_back_at_the_callback_that_is_registered_for_connecting(self, lobby):
        departure = lobby.depart(Browser())
        assert brought(departure)["redirect_uri"] == f"{PUBLIC_URL}/oauth/callback/google"
        assert departure.headers["Referrer-Policy"] == "no-referrer"

    def test_leaves_a_session_in_this_browser_and_no_trip(self, lobby):
        browser = lobby.signed_in()
        assert set(browser.cookies) == {"__Host-freebusy-connections"}

    def test_keeps_the_session_out_of_scripts_and_other_sites(self, lobby):
        browser = Browser()
        arrival = lobby.come_back(browser, lobby.depart(browser), Person(ANA))
        (cookie,) = (each for each in arrival.cookies if "freebusy-connections" in each)
        for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax", f"Max-Age={SESSION_LIFETIME}"):
            assert attribute in cookie

    def test_makes_nobody_an_account(self, lobby):
        lobby.signed_in()
        assert lobby.deployment.wired.accounts.sub_of(APP, ANA) is None

    def test_stores_neither_the_handle_nor_the_secret_of_the_trip(self, lobby):
        browser = Browser()
        departure = lobby.depart(browser)
        secrets = [*browser.cookies.values(), brought(departure)["state"]]
        lobby.come_back(browser, departure, Person(ANA))
        secrets += browser.cookies.values()
        items = lobby.deployment.wired.dynamodb.scan(TableName=lobby.deployment.wired.settings.table_name)["Items"]
        assert not [secret for secret in secrets if secret in str(items)]

    def test_at_an_unknown_provider_leads_nowhere(self, lobby):
        for provider in ("cronofy", "yahoo", "google_free_busy"):
            assert lobby.depart(Browser(), provider).status == 404

    def test_through_cronofy_is_not_possible_and_the_page_says_so(self, lobby, monkeypatch):
        monkeypatch.setattr(lobby.deployment.wired.settings, "cronofy_secret_id", "x")
        assert "by way of Cronofy is not shown here" in shown(Browser()).body


class TestWhoMayNotComeBack:
    @pytest.mark.parametrize(
        "cookies",
        [
            pytest.param({}, id="a browser without the cookie"),
            pytest.param({"secret": "x" * 43}, id="a browser with another secret"),
        ],
    )
    def test_another_browser_which_does_not_disturb_the_right_one(self, lobby, cookies):
        browser = Browser()
        departure = lobby.depart(browser)
        other = Browser(dict.fromkeys(browser.cookies, *cookies.values()) if cookies else {})
        refused = lobby.come_back(other, departure, Person(ANA))
        assert refused.status == 400
        assert "__Host-freebusy-connections" not in other.cookies
        assert lobby.come_back(browser, departure, Person(ANA)).headers["Location"] == LIST

    def test_a_state_that_was_used(self, lobby):
        browser = Browser()
        departure = lobby.depart(browser)
        kept = dict(browser.cookies)
        lobby.come_back(browser, departure, Person(ANA))
        browser.cookies = kept
        assert lobby.come_back(browser, departure, Person(BEN)).status == 400

    def test_a_late_one(self, lobby, monkeypatch):
        browser = Browser()
        departure = lobby.depart(browser)
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + 600)
        assert lobby.come_back(browser, departure, Person(ANA)).status == 400

    def test_one_who_left_for_the_other_provider(self, lobby):
        browser = Browser()
        state = brought(lobby.depart(browser))["state"]
        assert browser.get(f"/oauth/callback/microsoft?{urlencode({'state': state, 'code': 'c'})}").status == 400

    def test_an_answer_of_another_issuer(self, lobby):
        browser = Browser()
        arrival = lobby.come_back(browser, lobby.depart(browser), Person(ANA), iss="https://evil.example")
        assert arrival.status == 503

    def test_a_connecting_trip_does_not_become_a_session(self, lobby):
        """The state alone says which of the two a callback is, and may be anything that somebody makes up."""
        departure = lobby.deployment.browser.authorize()
        (name,) = lobby.deployment.browser.cookies
        state = f"person.{brought(departure)['state']}"
        answer = lobby.deployment.browser.get(f"/oauth/callback/google?{urlencode({'state': state, 'code': 'c'})}")
        assert answer.status == 400
        assert name in lobby.deployment.browser.cookies

    @pytest.mark.parametrize(
        ("said", "status"),
        [
            ({"error": "access_denied"}, 400),
            ({"error": "admin_policy_enforced"}, 400),
            ({"error": "temporarily_unavailable"}, 503),
            ({"error": "\0"}, 503),
            ({}, 503),
        ],
        ids=str,
    )
    def test_whoever_did_not_sign_in_reads_what_to_do(self, lobby, said, status):
        browser = Browser()
        departure = lobby.depart(browser)
        state = {"state": brought(departure)["state"]}
        page = browser.get(f"{brought(departure)['redirect_uri']}?{urlencode(state | said)}")
        assert page.status == status
        assert "You are not signed in" in page.body
        assert links(page) == ["/connections?locale=en"]

    @pytest.mark.parametrize(
        ("trouble", "status"),
        [
            (IdentityRejected("a personal account"), 400),
            (ProviderUnavailable("down"), 503),
            (ProviderMisconfigured("the client secret is wrong"), 503),
        ],
    )
    def test_nor_when_the_provider_does_not_play_along(self, lobby, trouble, status):
        browser = Browser()
        departure = lobby.depart(browser)
        lobby.sign_ins["google"].trouble = trouble
        assert lobby.come_back(browser, departure, Person(ANA)).status == status

    def test_nor_while_its_registration_cannot_be_read(self, lobby):
        lobby.sign_ins["google"].trouble = ProviderUnavailable("no secret")
        assert lobby.depart(Browser()).status == 503


class TestThePage:
    def test_shows_all_applications_and_whose_calendar(self, connected):
        connected.deployment.wired.applications.show_as(
            APP, Appearance("https://app.example/", png(width=64, height=64))
        )
        page = shown(connected.signed_in())
        assert page.body.count('class="connection"') == 2
        assert "Scheduler &amp; &lt;Co&gt;" in page.body
        assert "Signed in as <strong>ana@example.com</strong>" in page.body
        assert "First connected on 15 January 2027, 08:00 UTC" in page.body
        assert "You agreed to this yourself." in page.body
        assert page.body.count("data:image/png") == 1
        assert "https://app.example/" in links(page)
        assert {address_of(connected.profile_id(ANA, each)) for each in (APP, OTHER_APP)} <= set(links(page))

    def test_may_be_kept_by_nobody_framed_by_nobody_and_runs_nothing(self, connected):
        headers = shown(connected.signed_in()).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "script-src" not in policy

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(replace(ANA, subject="another"), id="another account with the same address"),
            pytest.param(replace(BEN, email=ANA.email), id="the same address at another provider"),
            pytest.param(replace(ANA, subject="nobody", email="x@example.com"), id="nobody whom we know"),
        ],
    )
    def test_shows_nothing_to_anybody_else(self, connected, other):
        page = shown(connected.signed_in(other))
        assert "No application is connected to" in page.body
        assert "Scheduler" not in page.body

    def test_shows_of_a_linked_account_what_is_ones_own(self, lobby):
        """That the other calendar is theirs as well is the application's word alone."""
        tokens = lobby.deployment.tokens()
        link_token = call("account", "POST", "/v1/link_tokens", bearer=tokens["access_token"]).json()["link_token"]
        lobby.deployment.tokens(BEN, link_token=link_token)
        page = shown(lobby.signed_in(BEN))
        assert "ben@work.example at Microsoft 365" in page.body
        assert "ana@example.com" not in page.body
        assert disconnect(lobby.signed_in(BEN), lobby.profile_id(ANA)).status == 404

    @pytest.mark.parametrize(
        ("because", "said"),
        [
            (Disconnected.CREDENTIAL_REVOKED, "Your provider does not let Scheduler &amp; &lt;Co&gt; look any more"),
            (Disconnected.REVOKED, ">disconnected</span>"),
        ],
    )
    def test_says_what_works_no_more(self, lobby, because, said):
        tokens = lobby.deployment.tokens()
        lobby.deployment.wired.accounts.disconnect(tokens["sub"], lobby.profile_id(ANA), because=because)
        page = shown(lobby.signed_in())
        assert said in page.body
        assert (address_of(lobby.profile_id(ANA)) in links(page)) == (because is not Disconnected.REVOKED)

    def test_shows_an_account_from_before_there_was_a_list_once_its_person_consents_again(self, lobby):
        wired, sub = lobby.deployment.wired, lobby.deployment.tokens()["sub"]
        key = {"pk": {"S": f"PERSON#google_free_busy#{ANA.subject}"}, "sk": {"S": sub}}
        before = wired.dynamodb.delete_item(TableName=wired.settings.table_name, Key=key, ReturnValues="ALL_OLD")
        assert before["Attributes"]
        assert "No application is connected" in shown(lobby.signed_in()).body
        lobby.deployment.tokens()
        assert address_of(lobby.profile_id(ANA)) in links(shown(lobby.signed_in()))

    def test_does_not_show_what_was_erased(self, connected):
        connected.deployment.wired.applications.erase(APP)
        page = shown(connected.signed_in())
        assert page.body.count('class="connection"') == 1

    def test_stays_light_however_many_logos_there_are(self, connected):
        for client_id in (APP, OTHER_APP):
            padded = png(width=64, height=64)
            connected.deployment.wired.applications.show_as(
                client_id, Appearance("", padded + b"\0" * (15_000 - len(padded)))
            )
        page = shown(connected.signed_in())
        assert page.body.count("data:image/png") == 1
        assert len(page.body.encode()) < 50_000

    def test_speaks_the_language_that_it_was_opened_in(self, lobby):
        browser = Browser()
        (google, _) = links(browser.get("/connections?locale=de"))
        assert google == "/connections/sign_in/google?locale=de"
        departure = browser.get(google)
        lobby.come_back(browser, departure, Person(ANA))
        assert browser.cookies["__Host-freebusy-connections"].endswith(".de")
        assert "Signed in as" in shown(browser).body


class TestDisconnecting:
    def test_asks_first(self, connected):
        browser = connected.signed_in()
        page = browser.get(address_of(connected.profile_id(ANA)))
        assert page.status == 200
        assert "Disconnect Scheduler &amp; &lt;Co&gt;?" in page.body
        assert connected.profile(ANA).connected
        answer = browser.post(address_of(connected.profile_id(ANA)), form_of(page))
        assert answer.status == 303

    def test_ends_the_one_and_leaves_the_other(self, connected):
        browser, profile_id = connected.signed_in(), connected.profile_id(ANA)
        answer = disconnect(browser, profile_id)
        assert (answer.status, answer.headers["Location"]) == (303, f"{LIST}?disconnected={profile_id}")
        profile = connected.profile(ANA)
        assert (profile.disconnected, profile.sealed_credential) == (Disconnected.REVOKED, None)
        assert connected.profile(ANA, OTHER_APP).connected
        page = browser.get(answer.headers["Location"])
        assert "It can no longer see when you are busy." in page.body

    def test_is_what_the_application_sees_as_a_revoked_profile(self, lobby):
        tokens = lobby.deployment.tokens()
        disconnect(lobby.signed_in(), lobby.profile_id(ANA))
        assert lives(tokens["access_token"])
        profiles = call("account", "GET", "/v1/profiles", bearer=tokens["access_token"]).json()["profiles"]
        assert not any(profile["profile_connected"] for profile in profiles)

    def test_twice_is_as_once(self, connected):
        browser, profile_id = connected.signed_in(), connected.profile_id(ANA)
        form = form_of(shown(browser))
        assert [disconnect(browser, profile_id, form=form).status for _ in range(2)] == [303, 303]
        assert browser.get(address_of(profile_id)).status == 303

    def test_does_not_say_so_of_what_is_still_connected(self, connected):
        """Anybody can make up the address."""
        browser, profile_id = connected.signed_in(), connected.profile_id(ANA)
        page = browser.get(f"/connections?disconnected={profile_id}")
        assert "It can no longer see" not in page.body

    def test_ends_what_was_left_at_cronofy_too(self, lobby, monkeypatch):
        wired, ended = lobby.deployment.wired, []
        monkeypatch.setattr(Dependencies, "end_upstream", lambda _, account, profile: ended.append(profile.profile_id))
        lobby.deployment.tokens()
        account = wired.accounts.find(wired.accounts.sub_of(APP, ANA))
        before = account.profiles[0]
        at_cronofy = replace(ANA, subject="acc_ana", upstream=Upstream.CRONOFY)
        moved = replace(before, profile_id=f"{before.profile_id}.moved", identity=at_cronofy)
        cem = replace(ANA, subject="cem")
        assert wired.accounts.move(account, before, replace(before, identity=cem), moved)
        assert disconnect(lobby.signed_in(cem), before.profile_id).status == 303
        assert ended == [moved.profile_id]

    @pytest.mark.parametrize(
        ("form", "headers"),
        [
            pytest.param({}, {}, id="no token"),
            pytest.param({"form_token": "x" * 43}, {}, id="a wrong token"),
            pytest.param({"form_token": "é"}, {}, id="a token that is none"),
            pytest.param(None, {"origin": "https://evil.example"}, id="another site's"),
            pytest.param(None, {"origin": "null"}, id="a frame that hides whose it is"),
            pytest.param(None, {"sec-fetch-site": "same-site"}, id="a neighbouring host's"),
            pytest.param(None, {"sec-fetch-site": "none"}, id="nobody's"),
            pytest.param(None, {"content-type": "text/plain"}, id="no form"),
        ],
    )
    def test_takes_a_form_of_our_own_page(self, connected, form, headers):
        answer = disconnect(connected.signed_in(), connected.profile_id(ANA), form=form, **headers)
        assert answer.status == 403
        assert "Nothing was changed" in answer.body
        assert connected.profile(ANA).connected

    def test_takes_no_text_that_no_form_can_send(self, connected):
        browser = connected.signed_in()
        answer = call(
            "connections",
            "POST",
            address_of(connected.profile_id(ANA)),
            body={"form_token": "\ud800"},
            headers={"origin": PUBLIC_URL},
            cookies=[f"{name}={value}" for name, value in browser.cookies.items()],
        )
        assert answer.status == 403

    def test_takes_no_form_of_another_session(self, connected):
        form = form_of(shown(connected.signed_in()))
        assert disconnect(connected.signed_in(), connected.profile_id(ANA), form=form).status == 403
        assert connected.profile(ANA).connected

    def test_takes_a_session_of_this_browser_alone(self, connected):
        browser, profile_id = connected.signed_in(), connected.profile_id(ANA)
        form = form_of(shown(browser))
        for cookies in ({}, {"__Host-freebusy-connections": "x" * 43}, {"__Host-freebusy-connections": ""}):
            answer = disconnect(Browser(cookies), profile_id, form=form)
            assert answer.status == 403
            assert "You are not signed in any more" in answer.body
        assert connected.profile(ANA).connected

    def test_takes_no_session_that_is_over(self, connected, monkeypatch):
        browser, profile_id = connected.signed_in(), connected.profile_id(ANA)
        form = form_of(shown(browser))
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + SESSION_LIFETIME)
        assert disconnect(browser, profile_id, form=form).status == 403
        assert browser.get(address_of(profile_id)).status == 403
        assert "Sign in at Google" in shown(browser).body
        assert connected.profile(ANA).connected

    @pytest.mark.parametrize("profile_id", ["pro_unknown", "%00", "é"])
    def test_is_for_ones_own_profiles(self, connected, profile_id):
        browser = connected.signed_in()
        assert disconnect(browser, profile_id).status == 404
        assert browser.get(address_of(profile_id)).status == 404

    def test_is_not_for_somebody_elses_profiles_nor_for_managed_ones(self, connected):
        connected.deployment.tokens(BEN)
        browser = connected.signed_in(BEN)
        assert disconnect(browser, connected.profile_id(ANA)).status == 404
        accounts = connected.deployment.wired.accounts
        managed = accounts.find(accounts.sub_of(APP, BEN)).managed_profile
        assert disconnect(browser, managed.profile_id).status == 404
        assert connected.profile(ANA).connected


class TestOrganizations:
    @pytest.fixture
    def mailbox(self, lobby):
        """Ana's, which her organization gave the application access to."""
        wired, giver = lobby.deployment.wired, organization("ser_1", client_id=APP)
        wired.service_accounts.connect(giver)
        connect_mailbox(giver, ANA.email, accounts=wired.accounts, now=NOW)
        return mailbox_identity(giver.organization, ANA.email)

    def test_what_they_connected_is_shown_to_whom_they_vouch_for(self, lobby, mailbox):
        page = shown(lobby.signed_in(mailbox=mailbox))
        assert "An administrator of your organization decided this" in page.body
        assert "Ask your administrator" in page.body
        assert not [link for link in links(page) if "disconnect" in link]

    def test_an_address_alone_shows_nothing(self, lobby, mailbox):
        assert "No application is connected" in shown(lobby.signed_in()).body

    def test_what_they_connected_only_they_can_end(self, lobby, mailbox):
        browser = lobby.signed_in(mailbox=mailbox)
        answer = disconnect(browser, lobby.profile_id(mailbox))
        assert answer.status == 400
        assert "Your organization decides this" in answer.body
        assert lobby.profile(mailbox).connected

    def test_what_they_ended_is_shown_as_ended(self, lobby, mailbox):
        (sub,) = {lobby.profile(mailbox).service_account}
        lobby.deployment.wired.service_accounts.disconnect(sub, because=Disconnected.REVOKED, now=NOW)
        page = shown(lobby.signed_in(mailbox=mailbox))
        assert "Your organization is not connected to" in page.body


class TestSigningOut:
    def test_ends_the_session_everywhere(self, connected):
        browser = connected.signed_in()
        copied = Browser(dict(browser.cookies))
        answer = browser.post("/connections/sign_out", form_of(shown(browser)))
        assert (answer.status, answer.headers["Location"]) == (303, LIST)
        assert not browser.cookies
        assert "Sign in at Google" in shown(copied).body

    def test_cannot_be_done_by_another_site(self, connected):
        browser = connected.signed_in()
        assert browser.post("/connections/sign_out", {}, origin="https://evil.example").status == 403
        assert "Signed in as" in shown(browser).body

    def test_another_site_whose_form_brings_no_cookie_ends_nothing(self, connected):
        answer = Browser().post("/connections/sign_out", {}, origin="https://evil.example")
        assert (answer.status, answer.cookies) == (303, ())
