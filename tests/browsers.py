"""A deployment that people connect to with browsers: the real handlers, and consent screens that people agree at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Account, Identity, ProviderName
from freebusy.domain.service_account import Administrator
from tests.api import Answer, call
from tests.fakes.providers import FakeProvider
from tests.organizations import FakeDomainRecords, FakeOrganizationCalendars, FakeOrganizationSignIn

APP = "app"
SECRET = "the secret of the application"
FRONT_END = "front-end"
OTHER_APP = "other-app"
OTHER_SECRET = "the secret of the other application"
REDIRECT_URI = "https://app.example/callback"
FRONT_END_URI = "https://front.example/callback"
FRONT_END_ORIGIN = "https://front.example"
PUBLIC_URL = "https://calendar.example.com"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

ANA = Identity(ProviderName.GOOGLE, "ana", "ana@example.com", "Ana")
BEN = Identity(ProviderName.MICROSOFT, "tenant.ben", "ben@work.example", "Ben")

REQUEST = {
    "response_type": "code",
    "client_id": APP,
    "redirect_uri": REDIRECT_URI,
    "scope": "free_busy_write",
    "state": "some state",
    "provider_name": "google_free_busy",
}
ORGANIZATION_REQUEST = REQUEST | {
    "scope": "service_account/accounts/manage",
    "delegated_scope": "free_busy_write",
}
FRONT_END_REQUEST = REQUEST | {
    "client_id": FRONT_END,
    "redirect_uri": FRONT_END_URI,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}

_PAGES = {
    "/enterprise_connect/": "enterprise_connect",
    "/oauth/callback/": "oauth_callback",
    "/connections": "connections",
}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


def links(page: Answer) -> list[str]:
    """The addresses that the page offers, as a browser reads them."""
    return [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', page.body)]


def brought(answer: Answer) -> dict[str, str]:
    """The parameters that a redirect carries."""
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query, keep_blank_values=True))


@dataclass
class Browser:
    """Keeps cookies as told, and follows no redirect by itself."""

    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, address: str) -> Answer:
        return self._ask("GET", address)

    def post(self, address: str, form: Mapping[str, str], **headers: str) -> Answer:
        """As a form on one of our own pages is sent, except for the ``headers`` that say otherwise."""
        said = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin", **_FORM, **headers}
        return self._ask("POST", address, body=urlencode(form), headers=said)

    def _ask(self, method: str, address: str, **more: Any) -> Answer:
        parts = urlsplit(address)
        function = next((name for prefix, name in _PAGES.items() if parts.path.startswith(prefix)), "authorize")
        cookies = [f"{name}={value}" for name, value in self.cookies.items()]
        answer = call(function, method, parts.path, query=parts.query, cookies=cookies, **more)
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def authorize(self, **changed: str | None) -> Answer:
        return self._asked("/oauth/authorize", REQUEST | changed)

    def connect_organization(self, **changed: str | None) -> Answer:
        return self._asked("/enterprise_connect/oauth/authorize", ORGANIZATION_REQUEST | changed)

    def _asked(self, path: str, parameters: dict[str, str | None]) -> Answer:
        return self.get(f"{path}?{urlencode({name: value for name, value in parameters.items() if value is not None})}")


@dataclass
class Deployment:
    wired: Dependencies
    google: FakeProvider
    microsoft: FakeProvider
    browser: Browser = field(default_factory=Browser)

    def come_back(self, departure: Answer, who: Identity, browser: Browser | None = None) -> Answer:
        """The person agrees at the provider's consent screen, whose redirect their browser follows."""
        provider = self.google if who.provider is ProviderName.GOOGLE else self.microsoft
        answer = provider.agree(departure.headers["Location"], who)
        redirect_uri = brought(departure)["redirect_uri"]
        return (browser or self.browser).get(f"{redirect_uri}?{urlencode(answer)}")

    def come_back_with(self, departure: Answer, **parameters: str) -> Answer:
        """The provider says something else."""
        answer = {"state": brought(departure)["state"], **parameters}
        return self.browser.get(f"{brought(departure)['redirect_uri']}?{urlencode(answer)}")

    def code(self, who: Identity = ANA, **changed: str | None) -> str:
        departure = self.browser.authorize(**{"provider_name": who.provider.value, **changed})
        return brought(self.come_back(departure, who))["code"]

    def tokens(self, who: Identity = ANA, **changed: str | None) -> dict[str, Any]:
        return exchange(self.code(who, **changed)).json()

    def front_end_tokens(self, who: Identity = ANA) -> dict[str, Any]:
        code = self.code(who, **{**FRONT_END_REQUEST, "provider_name": who.provider.value})
        return exchange(
            code, client_id=FRONT_END, client_secret=None, redirect_uri=FRONT_END_URI, code_verifier=VERIFIER
        ).json()

    def account(self, sub: str) -> Account:
        account = self.wired.accounts.find(sub)
        assert account
        return account


@dataclass
class Headquarters:
    """A deployment to which administrators connect their organizations."""

    deployment: Deployment
    google: FakeOrganizationSignIn
    microsoft: FakeOrganizationSignIn
    workspaces: FakeOrganizationCalendars
    tenants: FakeOrganizationCalendars
    records: FakeDomainRecords

    @property
    def browser(self) -> Browser:
        return self.deployment.browser

    def sign_in(self, departure: Answer, who: Administrator, browser: Browser | None = None) -> Answer:
        """The administrator signs in at the provider, whose redirect their browser follows."""
        provider = self.google if who.organization.provider is ProviderName.GOOGLE else self.microsoft
        answer = provider.agree(departure.headers["Location"], who)
        return (browser or self.browser).get(f"{brought(departure)['redirect_uri']}?{urlencode(answer)}")

    def consent(self, departure: Answer, **answer: str) -> Answer:
        agreed = {"admin_consent": "True", "tenant": "tenant-1", "state": brought(departure)["state"]}
        return self.browser.get(f"{brought(departure)['redirect_uri']}?{urlencode(agreed | answer)}")

    def setup(self, who: Administrator, **changed: str | None) -> str:
        """The whole way to the address of a setup."""
        departure = self.browser.connect_organization(provider_name=who.organization.provider.value, **changed)
        if "adminconsent" in departure.headers["Location"]:
            departure = self.consent(departure)
        return self.sign_in(departure, who).headers["Location"]


def post(path: str, body: Any, **more: Any) -> Answer:
    return call("token", "POST", path, body=body, **more)


def exchange(code: str, **changed: Any) -> Answer:
    return post("/oauth/token", token_body(grant_type="authorization_code", code=code, **changed))


def refresh(refresh_token: str, **changed: Any) -> Answer:
    return post(
        "/oauth/token",
        token_body(grant_type="refresh_token", refresh_token=refresh_token, redirect_uri=None, **changed),
    )


def token_body(**changed: Any) -> dict[str, Any]:
    """As the application sends it; what is ``None`` is left out."""
    body = {"client_id": APP, "client_secret": SECRET, "redirect_uri": REDIRECT_URI, **changed}
    return {name: value for name, value in body.items() if value is not None}


def lives(access_token: str) -> bool:
    return call("account", "GET", "/v1/account", bearer=access_token).status == 200
