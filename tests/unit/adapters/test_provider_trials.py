"""What is asked of a provider about a new secret, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from freebusy.adapters.provider_trials import ProviderTrials
from freebusy.domain.errors import ProviderError, ProviderMisconfigured, ProviderUnavailable
from tests.provider_harness import FakeTime, signing_key

HELD = {"client_id": "our-client-id", "client_secret": "hush", "data_center": "de"}
KEY_FILE = {
    "type": "service_account",
    "client_email": "us@project.example",
    "client_id": "1077",
    "private_key_id": "key-1",
    "private_key": signing_key("key-1").as_pem(private=True).decode(),
    "token_uri": "https://elsewhere.example/token",
}
TENANT = "11111111-2222-3333-4444-555555555555"
GRANTED = httpx.Response(200, json={"access_token": "token", "expires_in": 3600})


class Provider:
    """Answers always the same, and keeps what it was asked."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.asked: list[httpx.Request] = []
        http = httpx.Client(transport=httpx.MockTransport(self.reply))
        self.trials = ProviderTrials(http, origin=None, timing=FakeTime().timing)

    def reply(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def form(self) -> dict[str, str]:
        return {name: value for name, (value,) in parse_qs(self.asked[0].content.decode()).items()}


def refused(error: str, *codes: int, status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"error": error, **({"error_codes": list(codes)} if codes else {})})


def try_google(trials: ProviderTrials) -> None:
    trials.google(HELD)


def try_cronofy(trials: ProviderTrials) -> None:
    trials.cronofy(HELD)


def try_microsoft(trials: ProviderTrials) -> None:
    trials.microsoft(HELD, tenant=TENANT)


def try_service_account(trials: ProviderTrials) -> None:
    trials.google_service_account(KEY_FILE)


@pytest.mark.parametrize(
    ("attempt", "answer", "address", "grant_type"),
    [
        pytest.param(
            try_google, refused("invalid_grant"), "https://oauth2.googleapis.com/token", "refresh_token", id="google"
        ),
        pytest.param(
            try_cronofy,
            refused("invalid_grant"),
            "https://api-de.cronofy.com/oauth/token",
            "refresh_token",
            id="cronofy",
        ),
        pytest.param(
            try_microsoft,
            GRANTED,
            f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
            "client_credentials",
            id="microsoft",
        ),
        pytest.param(
            try_service_account,
            GRANTED,
            "https://oauth2.googleapis.com/token",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            id="google's service account",
        ),
    ],
)
def test_a_secret_is_good_when_the_provider_knows_us_by_it(attempt, answer, address, grant_type):
    provider = Provider(answer)
    attempt(provider.trials)
    assert [str(each.url) for each in provider.asked] == [address]
    assert provider.form["grant_type"] == grant_type
    if attempt is not try_service_account:
        assert (provider.form["client_id"], provider.form["client_secret"]) == ("our-client-id", "hush")


@pytest.mark.parametrize(
    ("attempt", "answer", "verdict"),
    [
        pytest.param(try_google, refused("invalid_client", status=401), ProviderMisconfigured, id="a wrong secret"),
        pytest.param(try_google, refused("unauthorized_client"), ProviderMisconfigured, id="not allowed to refresh"),
        pytest.param(try_google, refused("something_new"), ProviderUnavailable, id="an error that nobody knows"),
        pytest.param(try_cronofy, refused("invalid_client"), ProviderMisconfigured, id="Cronofy: a wrong secret"),
        pytest.param(try_cronofy, httpx.ConnectTimeout(""), ProviderUnavailable, id="Cronofy is away"),
        pytest.param(
            try_microsoft,
            refused("invalid_client", 7000215, status=401),
            ProviderMisconfigured,
            id="Microsoft: a wrong secret",
        ),
        pytest.param(
            try_microsoft,
            refused("invalid_grant", 70000),
            ProviderMisconfigured,
            id="Microsoft: what says nothing of the secret",
        ),
        pytest.param(
            try_microsoft,
            refused("unauthorized_client", 700016),
            ProviderMisconfigured,
            id="Microsoft: another tenant",
        ),
        pytest.param(
            try_service_account, refused("invalid_grant"), ProviderMisconfigured, id="a key that is not known, yet"
        ),
        pytest.param(try_service_account, httpx.ReadTimeout(""), ProviderUnavailable, id="Google is away"),
    ],
)
def test_anything_else_says_that_it_is_not_or_cannot_be_told(
    attempt: Callable[[ProviderTrials], None], answer: Any, verdict: type[ProviderError]
):
    with pytest.raises(verdict) as told:
        attempt(Provider(answer).trials)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize("tenant", ["organizations", "common", "Consumers"])
def test_microsoft_is_asked_in_one_tenant_alone(tenant):
    provider = Provider(GRANTED)
    with pytest.raises(ProviderMisconfigured):
        provider.trials.microsoft(HELD, tenant=tenant)
    assert provider.asked == []


def test_a_key_file_without_a_key_cannot_sign():
    with pytest.raises(ProviderMisconfigured):
        Provider(GRANTED).trials.google_service_account({**KEY_FILE, "private_key": "PEM"})


def test_a_data_center_that_cronofy_does_not_have_is_told():
    with pytest.raises(ProviderMisconfigured, match="data_center"):
        Provider(refused("invalid_grant")).trials.cronofy({**HELD, "data_center": "fr"})
