"""A deployment that people connect to with browsers: the real handlers, and consent screens that people agree at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Account, Identity, ProviderName
from tests.api import Answer, call
from tests.fakes import FakeProvider

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
FRONT_END_REQUEST = REQUEST | {
    "client_id": FRONT_END,
    "redirect_uri": FRONT_END_URI,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def brought(answer: Answer) -> dict[str, str]:
    """The parameters that a redirect carries."""
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query, keep_blank_values=True))


@dataclass
class Browser:
    """Keeps cookies as told, and follows no redirect by itself."""

    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, address: str) -> Answer:
        parts = urlsplit(address)
        function = "oauth_callback" if parts.path.startswith("/oauth/callback") else "authorize"
        cookies = [f"{name}={value}" for name, value in self.cookies.items()]
        answer = call(function, "GET", parts.path, query=parts.query, cookies=cookies)
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def authorize(self, **changed: str | None) -> Answer:
        parameters = {name: value for name, value in (REQUEST | changed).items() if value is not None}
        return self.get(f"/oauth/authorize?{urlencode(parameters)}")


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
