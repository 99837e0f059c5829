"""People see in Chromium what their calendars are connected to, and disconnect it: by mouse, and by keyboard."""

import re
from urllib.parse import urlencode

import httpx
import pycronofy
import pytest
from playwright.sync_api import expect

from tests.chromium import IN_CHROMIUM, PROVIDERS
from tests.e2e.administrators import ORGANIZATIONS, connect_organization, describe
from tests.receiver import receiving

pytestmark = IN_CHROMIUM

NAMES = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}
TITLE = "What your calendar is connected to"


@pytest.fixture(scope="module")
def applications(register):
    return {name: register(name) for name in ("Bay Planner", "Hill Rooms")}


@pytest.fixture
def connect(visitor, stack, applications):
    """Somebody connects to an application, and is back at it."""

    def connected(provider, email, application):
        asked = {
            "response_type": "code",
            "client_id": applications[application],
            "redirect_uri": f"{stack['demo']}/",
            "scope": "free_busy_write",
            "provider_name": NAMES[provider],
        }
        visitor.page.goto(f"{stack['url']}/oauth/authorize?{urlencode(asked)}")
        visitor.sign_in(email)
        visitor.button("Allow").click()
        expect(visitor.page).to_have_url(re.compile(rf"^{stack['demo']}/"))

    return connected


@pytest.fixture
def sign_in(visitor, stack):
    """Somebody opens the page and says who they are."""

    def signed_in(provider, email):
        visitor.page.goto(f"{stack['url']}/connections")
        visitor.link(f"Sign in at {PROVIDERS[provider]}").click()
        visitor.sign_in(email)
        visitor.button("Allow").click()
        visitor.sees("Signed in as")
        expect(visitor.page).to_have_url(f"{stack['url']}/connections")

    return signed_in


@pytest.fixture
def connected(connect, kim, lee):
    """Kim to both applications at Google, Lee to both at Microsoft."""
    for application in ("Bay Planner", "Hill Rooms"):
        connect("google", kim, application)
        connect("microsoft", lee, application)


def application(visitor, name):
    return visitor.page.get_by_role("region", name=name)


def says(visitor, name, state):
    expect(application(visitor, name).get_by_text(state, exact=True)).to_be_visible()


@pytest.mark.usefixtures("connected")
def test_somebody_disconnects_one_application_and_the_other_stays(visitor, sign_in, kim, lee):
    visitor.page.goto(f"{visitor.stack['url']}/connections")
    visitor.looks_right()
    for provider, email in (("google", kim), ("microsoft", lee)):
        sign_in(provider, email)
        for name in ("Bay Planner", "Hill Rooms"):
            says(visitor, name, "connected")
            expect(application(visitor, name)).to_contain_text(f"{email} at {PROVIDERS[provider]}")
        visitor.looks_right()
        visitor.link("Disconnect Bay Planner").click()
        visitor.sees(f"no longer see when {email} is busy")
        visitor.looks_right()
        visitor.button("Disconnect Bay Planner").click()
        visitor.sees("Bay Planner is disconnected.")
        says(visitor, "Bay Planner", "disconnected")
        says(visitor, "Hill Rooms", "connected")
        visitor.looks_right()
        visitor.button("Sign out").click()
        visitor.sees("We only ask who you are")


@pytest.mark.usefixtures("connected")
def test_all_of_it_works_by_keyboard(visitor, stack, kim):
    visitor.page.goto(f"{stack['url']}/connections")
    visitor.tab_to(visitor.link("Sign in at Google Calendar"))
    visitor.press("Enter")
    visitor.tab_to(visitor.page.get_by_label("Somebody else").or_(visitor.page.get_by_label("E-mail")))
    visitor.type(kim)
    visitor.press("Enter")
    visitor.tab_to(visitor.link("Disconnect Hill Rooms"))
    visitor.press("Enter")
    visitor.tab_to(visitor.button("Disconnect Hill Rooms"))
    visitor.press("Enter")
    visitor.sees("Hill Rooms is disconnected.")
    says(visitor, "Bay Planner", "connected")
    visitor.tab_to(visitor.button("Sign out"))
    visitor.press("Enter")
    visitor.sees("We only ask who you are")


def test_the_wrong_account_sees_nothing(visitor, connect, sign_in, kim):
    connect("google", kim, "Bay Planner")
    sign_in("google", f"other.{kim}")
    visitor.sees("No application is connected to other.kim")
    visitor.looks_right()
    visitor.button("Sign out").click()
    sign_in("microsoft", kim)
    visitor.sees("No application is connected to kim")


def test_a_double_click_and_the_back_button_are_harmless(visitor, connect, sign_in, kim):
    connect("google", kim, "Bay Planner")
    connect("google", kim, "Hill Rooms")
    sign_in("google", kim)
    visitor.link("Disconnect Bay Planner").click()
    visitor.button("Disconnect Bay Planner").dblclick()
    visitor.sees("Bay Planner is disconnected.")
    visitor.page.go_back()
    visitor.sees("Bay Planner is disconnected.")
    says(visitor, "Hill Rooms", "connected")
    visitor.button("Sign out").click()
    visitor.sees("We only ask who you are")
    visitor.page.go_back()
    visitor.sees("We only ask who you are")
    expect(visitor.page.get_by_text("Hill Rooms")).to_have_count(0)


def test_whoever_was_signed_out_meanwhile_changes_nothing(visitor, connect, sign_in, kim):
    connect("google", kim, "Bay Planner")
    sign_in("google", kim)
    visitor.link("Disconnect Bay Planner").click()
    visitor.sees("Disconnect Bay Planner?")
    visitor.page.context.clear_cookies()
    with visitor.expecting("403"):
        visitor.button("Disconnect Bay Planner").click()
        visitor.sees("You are not signed in any more")
    visitor.looks_right()
    sign_in("google", kim)
    says(visitor, "Bay Planner", "connected")


@pytest.mark.parametrize("act", ["Deny", "Allow"])
def test_whoever_does_not_get_in_can_try_again(visitor, stack, kim, act):
    visitor.page.goto(f"{stack['url']}/connections")
    visitor.link("Sign in at Google Calendar").click()
    visitor.sign_in(kim)
    if act == "Allow":
        fault = {"token": {"status": 503, "times": 5}}
        httpx.put(f"{stack['google']}/sim/faults", json=fault).raise_for_status()
    with visitor.expecting("400"), visitor.expecting("503"):
        visitor.button(act).click()
        visitor.sees("You are not signed in")
    httpx.delete(f"{stack['google']}/sim/faults").raise_for_status()
    visitor.looks_right()
    visitor.link("Try again").click()
    visitor.sees("We only ask who you are")


@pytest.mark.parametrize("provider", ORGANIZATIONS)
def test_what_an_organization_connected_is_shown_with_who_can_end_it(visitor, stack, sign_in, provider, monkeypatch):
    monkeypatch.setattr(pycronofy.settings, "API_BASE_URL", stack["url"])
    domain = f"{provider}.organization.example"
    eve = f"eve@{domain}"
    describe(stack, provider, domain, delegated=True)
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    brought = connect_organization(stack, provider, f"ada@{domain}")
    client.get_authorization_from_code(brought["code"], redirect_uri=stack["redirect_uris"][0])
    with receiving() as application:
        client.authorize_with_service_account(eve, "free_busy_write", f"{application.url}/callback")
        application.wait_for(1)
    sign_in(provider, eve)
    visitor.sees("An administrator of your organization decided this")
    visitor.sees("Ask your administrator")
    visitor.looks_right()
    expect(visitor.page.get_by_role("link", name="Disconnect")).to_have_count(0)


def test_providers_are_asked_who_somebody_is_and_for_nothing_of_their_calendar(visitor, stack, sign_in, kim, lee):
    scopes = {"google": {"openid", "email"}, "microsoft": {"openid", "profile", "email"}}
    for provider, email in (("google", kim), ("microsoft", lee)):
        httpx.delete(f"{stack[provider]}/sim/requests").raise_for_status()
        sign_in(provider, email)
        asked = httpx.get(f"{stack[provider]}/sim/requests").raise_for_status().json()
        screens = [request["query"] for request in asked if request["path"].endswith(("/auth", "/authorize"))]
        assert screens
        for query in screens:
            assert set(httpx.QueryParams(query)["scope"].split()) == scopes[provider]
        visitor.button("Sign out").click()
        visitor.sees("We only ask who you are")
