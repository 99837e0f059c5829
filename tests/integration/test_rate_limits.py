"""How applications are kept from using up what is there for all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from freebusy.bootstrap import Dependencies, application_registry, dependencies
from freebusy.domain.errors import StorageUnavailable
from freebusy.service.applications import limit_requests
from freebusy.settings import settings
from tests.api import Answer, call
from tests.browsers import (
    APP,
    FRONT_END_ORIGIN,
    FRONT_END_REQUEST,
    OTHER_APP,
    OTHER_SECRET,
    exchange,
    post,
    refresh,
    token_body,
)
from tests.fakes.clock import NOW
from tests.tables import counted_calls

LIMIT = 5
LEFT = 60 - NOW % 60
POLICY = f'"application";q={LIMIT};w=60'


@pytest.fixture
def limit(monkeypatch) -> Callable[[int], None]:
    """What the deployment says, to sandboxes that start now."""

    def limited(per_minute: int) -> None:
        monkeypatch.setenv("REQUESTS_PER_MINUTE", str(per_minute))
        settings.cache_clear()
        dependencies.cache_clear()

    return limited


@pytest.fixture
def token(deployment) -> str:
    """Ana's, at an application with a secret."""
    return exchange(deployment.code()).json()["access_token"]


def account(token: str, **options) -> Answer:
    return call("account", "GET", "/v1/account", bearer=token, **options)


def told(answer: Answer) -> dict[str, str]:
    names = ("RateLimit-Policy", "RateLimit", "Retry-After")
    return {name: answer.headers[name] for name in names if name in answer.headers}


class TestOnceTheLimitIsReached:
    @pytest.fixture(autouse=True)
    def _used_up(self, token, limit):
        limit(LIMIT)
        assert [account(token).status for _ in range(LIMIT)] == [200] * LIMIT

    def test_requests_are_refused_and_told_when_to_come_again(self, token):
        answer = account(token)
        assert (answer.status, answer.json()) == (429, {"error": "too_many_requests"})
        assert answer.headers["Status"] == "429 Too Many Requests"
        assert told(answer) == {
            "RateLimit-Policy": POLICY,
            "RateLimit": f'"application";r=0;t={LEFT}',
            "Retry-After": str(LEFT),
        }

    @pytest.mark.parametrize(
        ("function", "method", "path"),
        [
            ("account", "POST", "/v1/link_tokens"),
            ("availability", "POST", "/v1/availability"),
            ("availability_rules", "GET", "/v1/availability_rules"),
            ("available_periods", "GET", "/v1/available_periods"),
            ("enterprise_access", "GET", "/v1/resources"),
            ("events", "POST", "/v1/batch"),
            ("free_busy", "GET", "/v1/free_busy"),
        ],
    )
    def test_every_function_knows(self, token, function, method, path):
        assert call(function, method, path, bearer=token).status == 429

    def test_the_token_endpoint_counts_too(self):
        answer = refresh("unknown", client_id=APP)
        assert (answer.status, answer.headers["Retry-After"]) == (429, str(LEFT))

    def test_other_applications_are_served(self, deployment):
        answer = post("/oauth/token", token_body(client_id=OTHER_APP, client_secret=OTHER_SECRET))
        assert answer.status != 429

    def test_front_ends_may_read_when_to_come_again(self, token):
        answer = account(token, headers={"origin": FRONT_END_ORIGIN})
        assert answer.headers["Access-Control-Expose-Headers"] == "RateLimit, RateLimit-Policy, Retry-After"

    def test_pages_for_people_and_preflights_are_served(self):
        assert call("preflight", "OPTIONS", "/v1/account", headers={"origin": FRONT_END_ORIGIN}).status == 204


def test_every_answer_tells_what_is_left(token, limit):
    limit(LIMIT)
    assert told(account(token)) == {"RateLimit-Policy": POLICY, "RateLimit": f'"application";r=4;t={LEFT}'}
    not_found = call("account", "POST", "/v1/profiles/pro_unknown/revoke", bearer=token)
    assert (not_found.status, told(not_found)["RateLimit"]) == (404, f'"application";r=3;t={LEFT}')


def test_whoever_is_not_known_uses_up_nothing_and_is_told_nothing(token, limit):
    """Else anybody could lock out an application: its client_id is in its links."""
    limit(LIMIT)
    account(token)
    guesses = [
        account("guess"),
        refresh("guess", client_id=APP, client_secret="guess"),
        post("/oauth/token/revoke", {"client_id": APP, "client_secret": "guess", "token": "guess"}),
    ]
    assert [(answer.status, told(answer)) for answer in guesses] == [(401, {})] * 3
    assert told(account(token))["RateLimit"] == f'"application";r=3;t={LEFT}'


def test_naming_a_public_application_uses_up_nothing(deployment, limit):
    limit(LIMIT)
    for _ in range(LIMIT + 1):
        answer = post("/oauth/token", {**FRONT_END_REQUEST, "grant_type": "refresh_token", "refresh_token": "guess"})
        assert (answer.status, told(answer)) == (400, {})


def test_a_limit_of_its_own_goes_before_the_deployments(deployment, token, limit):
    wired: Dependencies = deployment.wired
    registry = application_registry(wired.dynamodb, wired.settings.table_name)
    limit_requests(APP, 2, registry=registry)
    limit(LIMIT)
    assert [account(token).status for _ in range(3)] == [200, 200, 429]


def test_without_a_limit_nothing_is_counted(deployment, token, limit):
    limit(0)
    account(token)
    with counted_calls(dependencies().dynamodb) as calls:
        assert told(account(token)) == {}
    assert dict(calls) == {"GetItem": 2}


def test_with_a_limit_there_is_one_write_for_several_requests(deployment, token, limit):
    limit(600)
    for _ in range(8):
        account(token)
    with counted_calls(dependencies().dynamodb) as calls:
        for _ in range(8):
            account(token)
    assert calls["UpdateItem"] == 1
    assert calls["GetItem"] == 2 * 8


def test_requests_are_answered_while_nothing_can_be_counted(token, limit, monkeypatch):
    def throttled(*_args, **_kwargs):
        raise StorageUnavailable("throttled")

    limit(1)
    monkeypatch.setattr(type(dependencies().permits), "take", throttled)
    assert [account(token).status for _ in range(3)] == [200] * 3
