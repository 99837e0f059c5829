"""The pages for people and their administrators, in Chromium: by mouse, in light and dark, on desk and phone."""

import re
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import expect

from tests.chromium import DESKTOP, IN_CHROMIUM

pytestmark = IN_CHROMIUM

PROVIDERS = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}


@pytest.fixture(scope="module")
def application(register):
    return register("Bay Planner")


@pytest.fixture
def link(stack, application):
    """The address of a request of the application."""

    def made(path="/oauth/authorize", **changed):
        asked = {
            "response_type": "code",
            "client_id": application,
            "redirect_uri": f"{stack['demo']}/",
            "scope": "service_account/accounts/manage" if "enterprise" in path else "free_busy_write",
            "delegated_scope": "free_busy_write",
            "state": "x",
        }
        return f"{stack['url']}{path}?{urlencode(asked | changed)}"

    return made


@pytest.fixture
def organization(stack):
    """Says how an organization is from now on; its administrator is Ada."""

    def described(provider, domain, **how):
        kind = {"google": "domains", "microsoft": "tenants"}[provider]
        address = f"{stack[provider]}/sim/{kind}/{domain}"
        httpx.put(address, json={"admin": f"ada@{domain}", "users": [f"eve@{domain}"], **how}).raise_for_status()

    return described


@pytest.fixture
def ada(visitor, link, organization):
    """Ada comes to the page of a setup that waits for her."""

    def arrives(provider, domain):
        organization(provider, domain, delegated=False, propagation_ms=3_600_000)
        visitor.page.goto(link("/enterprise_connect/oauth/authorize", provider_name=PROVIDERS[provider]))
        screens = {"google": 1, "microsoft": 2}[provider]
        for _ in range(screens):  # at Microsoft, consent and then sign-in
            visitor.sign_in(f"ada@{domain}")
            visitor.button("Allow").click()
        expect(visitor.page).to_have_title("Not connected yet")
        return visitor

    return arrives


def test_whoever_chooses_a_provider_sees_for_whom(visitor, link):
    visitor.page.goto(link())
    visitor.sees("Bay Planner would like to know when you are busy")
    visitor.sees("what your events are about")
    expect(visitor.link("About Bay Planner")).to_have_attribute("href", "https://planner.example/about")
    assert visitor.page.locator("img").evaluate("picture => picture.naturalWidth") == 64
    visitor.looks_right()


def test_a_damaged_link_leads_to_a_page(visitor, link):
    with visitor.expecting("400"):
        visitor.page.goto(link(client_id="unknown"))
    visitor.sees("is not registered with this service")
    visitor.looks_right()


@pytest.mark.parametrize("act", ["refuse", "untick", "agree"])
def test_whoever_connects_again_reads_what_came_of_it(visitor, stack, kim, act):
    visitor.open()
    visitor.connect("google", kim)
    httpx.post(f"{stack['google']}/sim/users/{kim}/revoke").raise_for_status()
    visitor.page.reload()
    visitor.next_week()
    visitor.page.goto(visitor.link("Connect it again").get_attribute("href"))
    visitor.sign_in(kim)
    if act == "untick":
        visitor.page.get_by_role("checkbox").uncheck()
    with visitor.expecting("400"):
        visitor.button("Deny" if act == "refuse" else "Allow").click()
        visitor.sees(
            {
                "refuse": "did not agree at the calendar provider",
                "untick": "was not ticked",
                "agree": "Your calendar is connected again",
            }[act]
        )
    visitor.looks_right()


def test_an_administrator_is_told_what_is_seen_before_they_choose(visitor, link):
    visitor.page.goto(link("/enterprise_connect/oauth/authorize"))
    visitor.sees("Bay Planner would like to know when people in your organization are busy")
    visitor.looks_right()
    visitor.page.get_by_text("Microsoft 365: only some mailboxes").click()
    visitor.sees("do not consent")
    visitor.looks_right()
    expect(visitor.link("Connect Google Workspace")).to_be_visible()


def test_a_workspace_is_connected_step_by_step(ada, stack, organization):
    domain = "bay-google.example"
    visitor = ada("google", domain)
    visitor.sees("Google does not let this service in yet.")
    visitor.looks_right()
    visitor.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    organization("google", domain, delegated=True)
    visitor.link("Check now").click()
    expect(visitor.page).to_have_url(re.compile(rf"^{stack['demo']}/"))


def test_a_tenant_is_connected_by_another_mailbox(ada, stack, organization):
    domain = "bay-microsoft.example"
    visitor = ada("microsoft", domain)
    visitor.sees("Microsoft does not let this service read the calendar of")
    visitor.page.get_by_text("Only some mailboxes").click()
    visitor.looks_right()
    organization("microsoft", domain, narrowed_to=[f"eve@{domain}"])
    visitor.page.get_by_label("Or try another mailbox").fill(f"eve@{domain}")
    visitor.button("Try it").click()
    visitor.sees("Your organization is connected")
    visitor.looks_right()
    visitor.link("Continue to Bay Planner").click()
    expect(visitor.page).to_have_url(re.compile(rf"^{stack['demo']}/"))


def test_another_browser_has_to_sign_in_to_a_setup(ada, browser):
    visitor = ada("google", "bay-locked.example")
    address = visitor.page.url
    visitor.page.context.clear_cookies()
    visitor.page.goto(address)
    visitor.sees("this browser does not show that it is theirs")
    visitor.looks_right()


def test_the_api_can_be_browsed(visitor, stack):
    visitor.page.goto(f"{stack['url']}/docs")
    visitor.looks_right()
    visitor.link("POST /v1/availability").click()
    expect(visitor.page).to_have_title("Availability")
    visitor.page.get_by_text("Fields", exact=True).first.click()
    visitor.sees("unreadable_members")
    visitor.looks_right()
    visitor.link("The API of Free/Busy Connect").click()
    visitor.link("Events").click()
    visitor.looks_right()
