"""The language that an application asks for, on every page of a trip: a German one stands for those to come."""

from dataclasses import replace

import pytest

from freebusy.domain.account import Disconnected
from freebusy.entrypoints import languages
from tests.administrators import ADA
from tests.api import call
from tests.browsers import ANA, Browser, brought, links


@pytest.fixture(autouse=True)
def german(monkeypatch):
    english = languages._languages(languages.SOURCES)["en"]
    monkeypatch.setattr(languages, "_languages", lambda _: {"en": english, "de": replace(english, language="de")})


@pytest.fixture
def relink(deployment):
    """Where Ana connects again, whose credential has died."""
    tokens = deployment.tokens()
    profile_id = tokens["linking_profile"]["profile_id"]
    deployment.wired.accounts.disconnect(tokens["sub"], profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    profiles = call("account", "GET", "/v1/profiles", bearer=tokens["access_token"]).json()["profiles"]
    return profiles[0]["profile_relink_url"]


def language(page):
    assert page.headers["Content-Language"] in page.body
    return page.headers["Content-Language"]


def test_the_page_on_which_a_trip_ends_is_in_the_language_that_it_began_in(deployment, relink):
    departure = deployment.browser.get(f"{relink}?locale=de")
    page = deployment.come_back(departure, ANA)
    assert language(page) == "de"
    assert "/connections?locale=de" in links(page)
    assert not deployment.browser.cookies


@pytest.mark.parametrize("said", [{"error": "access_denied"}, {"error": "temporarily_unavailable"}, {}], ids=str)
def test_so_is_the_one_on_which_it_fails(deployment, relink, said):
    departure = deployment.browser.get(f"{relink}?locale=de-AT")
    assert language(deployment.come_back_with(departure, **said)) == "de"


def test_so_is_one_of_which_nothing_is_known_any_more(deployment):
    departure = deployment.browser.authorize(locale="de")
    kept = dict(deployment.browser.cookies)
    deployment.come_back(departure, ANA)
    deployment.browser.cookies = kept
    assert language(deployment.come_back(departure, ANA)) == "de"


def test_trips_in_two_tabs_keep_a_language_each(deployment, relink):
    german, english = (deployment.browser.get(f"{relink}?locale={tag}") for tag in ("de", "en"))
    assert language(deployment.come_back(german, replace(ANA, subject="another"))) == "de"
    assert language(deployment.come_back(english, ANA)) == "en"


@pytest.mark.parametrize(
    "locale",
    [
        pytest.param("", id="none"),
        pytest.param("de;%20Domain=evil.example", id="an attribute of a cookie"),
        pytest.param("de%0D%0ASet-Cookie:%20a=b", id="a header"),
        pytest.param("d" * 5000, id="a long one"),
        pytest.param("de.en", id="two"),
    ],
)
def test_what_is_no_language_is_not_kept(deployment, locale):
    browser, request = deployment.browser, "response_type=code&client_id=app&redirect_uri=https://app.example/callback"
    browser.get(f"/oauth/authorize?{request}&scope=free_busy&provider_name=google_free_busy&locale={locale}")
    (secret,) = browser.cookies.values()
    assert len(secret) == 43
    assert "." not in secret


def test_a_secret_counts_whatever_language_is_kept_beside_it(deployment):
    departure = deployment.browser.authorize(locale="de")
    assert "code" in brought(deployment.come_back(departure, ANA))


def test_the_choice_of_a_provider_hands_it_on(deployment):
    page = deployment.browser.authorize(provider_name=None, locale="de")
    assert language(page) == "de"
    departure = deployment.browser.get(links(page)[0])
    (secret,) = deployment.browser.cookies.values()
    assert secret.endswith(".de")
    assert "code" in brought(deployment.come_back(departure, ANA))


def test_an_organizations_setup_keeps_it_for_its_days(headquarters):
    address = headquarters.setup(ADA, locale="de")
    handle = address.rpartition("/")[2]
    assert language(headquarters.browser.get(address)) == "de"
    departure = headquarters.browser.get(f"{address}/sign_in")
    back = headquarters.sign_in(departure, ADA)
    assert back.headers["Location"].endswith(handle)
    assert language(headquarters.browser.get(address)) == "de"
    assert language(Browser().get(address)) == "en"
