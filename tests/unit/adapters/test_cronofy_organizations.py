"""Service accounts and their mailboxes at Cronofy, in its own words."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from freebusy.adapters.cronofy_api import has_signed
from freebusy.adapters.cronofy_organizations import CronofyOrganizations
from freebusy.adapters.provider_http import Timing
from freebusy.adapters.secrets import ProviderRegistration
from freebusy.domain.account import ProviderName, Upstream
from freebusy.domain.callback import signature
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ConsentIncomplete,
    CredentialRevoked,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.service_account import MANAGE_ACCOUNTS, Resource
from tests.provider_harness import CREDENTIAL

CALLBACK = "https://calendar.example.com/enterprise_connect/callback/cronofy"
ANSWER = "https://calendar.example.com/enterprise_connect/answers/handle"
SERVICE_TOKENS = {
    "token_type": "bearer",
    "access_token": "access-2",
    "refresh_token": "refresh-2",
    "expires_in": 1800,
    "scope": MANAGE_ACCOUNTS,
    "service_account_id": "ser_529716002600402",
}
MAILBOX_TOKENS = {
    **SERVICE_TOKENS,
    "scope": "free_busy_write",
    "service_account_id": None,
    "account_id": "acc_5700a00eb0ccd07000000000",
    "sub": "acc_5700a00eb0ccd07000000000",
    "linking_profile": {"provider_name": "google_free_busy", "profile_id": "pro_1", "profile_name": "ana@example.com"},
}
USERINFO = {
    "sub": "ser_529716002600402",
    "email": "ada@example.com",
    "cronofy.type": "service_account",
    "cronofy.data": {"service_account": {"provider_name": "google", "domain": "example.com"}},
}


class Cronofy:
    """Its API, scripted: ``answers`` by path."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.secrets = [ProviderRegistration("id", "secret", "de", ("old secret",))]
        self.answers: dict[str, httpx.Response] = {
            "/oauth/token": httpx.Response(200, json=SERVICE_TOKENS),
            "/v1/userinfo": httpx.Response(200, json=USERINFO),
            "/v1/service_account_authorizations": httpx.Response(202),
            "/v1/resources": httpx.Response(200, json={"resources": []}),
        }
        self.adapter = CronofyOrganizations(
            httpx.Client(transport=httpx.MockTransport(self._reply)),
            self.registration,
            origin=None,
            timing=Timing(sleep=lambda _: None),
        )

    def registration(self, *, fresh: bool = False) -> ProviderRegistration:
        return self.secrets[-1] if fresh else self.secrets[0]

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert request.url.host == "api-de.cronofy.com"
        return self.answers[request.url.path]

    def says(self, path: str, status: int = 200, **body: Any) -> None:
        self.answers[path] = httpx.Response(status, json=body)

    def ask(self) -> None:
        deadline = Timing().monotonic() + 10
        self.adapter.ask(CREDENTIAL, "ana@example.com", callback_url=ANSWER, state="state", deadline=deadline)

    def resources(self) -> list[Resource]:
        return list(self.adapter.resources(CREDENTIAL, deadline=Timing().monotonic() + 10))


@pytest.fixture
def cronofy() -> Cronofy:
    return Cronofy()


class TestAuthorizing:
    def test_happens_at_the_data_centers_own_page_for_organizations(self, cronofy):
        url = urlsplit(
            cronofy.adapter.authorization_url(
                redirect_uri=CALLBACK, state="state", scope=MANAGE_ACCOUNTS, kind=ProviderName.GOOGLE
            )
        )
        assert (url.netloc, url.path) == ("app-de.cronofy.com", "/enterprise_connect/oauth/authorize")
        assert dict(parse_qsl(url.query)) == {
            "response_type": "code",
            "client_id": "id",
            "redirect_uri": CALLBACK,
            "scope": MANAGE_ACCOUNTS,
            "delegated_scope": "free_busy_write",
            "state": "state",
            "avoid_linking": "true",
            "provider_name": "google_free_busy",
        }

    def test_leads_to_the_service_account_and_whoever_connected_it(self, cronofy):
        administrator, credential = cronofy.adapter.connect("code", redirect_uri=CALLBACK)
        assert administrator.organization.key == "ser_529716002600402"
        assert administrator.organization.upstream is administrator.identity.upstream is Upstream.CRONOFY
        assert administrator.identity.email == "ada@example.com"
        assert (credential.access_token, credential.refresh_token) == ("access-2", "refresh-2")
        exchange, userinfo = cronofy.requests
        assert dict(parse_qsl(exchange.content.decode()))["redirect_uri"] == CALLBACK
        assert userinfo.headers["authorization"] == "Bearer access-2"

    @pytest.mark.parametrize(
        ("told", "kind"),
        [
            ("google", ProviderName.GOOGLE),
            ("google_free_busy", ProviderName.GOOGLE),
            ("office365", ProviderName.MICROSOFT),
            ("exchange", ProviderName.MICROSOFT),
            ("ms_graph_free_busy", ProviderName.MICROSOFT),
        ],
    )
    def test_is_of_one_of_two_kinds_of_organization(self, cronofy, told, kind):
        data = {"service_account": {"provider_name": told, "domain": "example.com"}}
        cronofy.says("/v1/userinfo", **{**USERINFO, "cronofy.data": data})
        assert cronofy.adapter.connect("code", redirect_uri=CALLBACK)[0].organization.provider is kind

    def test_by_somebody_with_a_user_name_alone_names_the_domain(self, cronofy):
        cronofy.says("/v1/userinfo", **{**USERINFO, "email": "svc-calendars"})
        administrator, _ = cronofy.adapter.connect("code", redirect_uri=CALLBACK)
        assert administrator.identity.email == "svc-calendars@example.com"

    @pytest.mark.parametrize(
        ("tokens", "error"),
        [
            pytest.param({"service_account_id": None}, IdentityRejected, id="a person's tokens"),
            pytest.param({"service_account_id": 7}, IdentityRejected, id="no id"),
            pytest.param({"scope": "free_busy_write"}, ConsentIncomplete, id="another scope"),
            pytest.param({"refresh_token": ""}, ConsentIncomplete, id="nothing lasting"),
        ],
    )
    def test_believes_nothing_else(self, cronofy, tokens, error):
        cronofy.says("/oauth/token", **{**SERVICE_TOKENS, **tokens})
        with pytest.raises(error):
            cronofy.adapter.connect("code", redirect_uri=CALLBACK)

    @pytest.mark.parametrize(
        "userinfo", [{}, {"email": ""}, {"cronofy.data": {}}, {"cronofy.data": {"service_account": "google"}}]
    )
    def test_needs_to_know_whose_organization_it_is(self, cronofy, userinfo):
        cronofy.says("/v1/userinfo", **({**USERINFO, **userinfo} if userinfo else {}))
        with pytest.raises(IdentityRejected):
            cronofy.adapter.connect("code", redirect_uri=CALLBACK)

    def test_is_renewed_whatever_scope_the_answer_shows(self, cronofy):
        """https://docs.cronofy.com/developers/api/enterprise-connect/refresh-token"""
        cronofy.says("/oauth/token", **{**SERVICE_TOKENS, "scope": "create_event delete_event"})
        renewed = cronofy.adapter.refresh(CREDENTIAL, deadline=Timing().monotonic() + 10)
        assert renewed.access_token == "access-2"

    def test_that_ended_is_a_dead_credential(self, cronofy):
        cronofy.says("/oauth/token", 400, error="invalid_grant")
        with pytest.raises(CredentialRevoked):
            cronofy.adapter.refresh(CREDENTIAL, deadline=Timing().monotonic() + 10)


class TestAMailbox:
    def test_is_asked_for_with_free_busy_alone(self, cronofy):
        cronofy.ask()
        (request,) = cronofy.requests
        assert request.headers["authorization"] == "Bearer access-1"
        assert json.loads(request.content) == {
            "email": "ana@example.com",
            "callback_url": ANSWER,
            "scope": "free_busy_write",
            "state": "state",
        }

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            pytest.param(401, {}, AccessTokenRejected, id="an old token"),
            pytest.param(402, {}, ProviderMisconfigured, id="not in our plan"),
            pytest.param(403, {}, DelegationMissing, id="not allowed"),
            pytest.param(404, {}, CalendarUnreadable, id="no such route"),
            pytest.param(422, {"errors": {"email": [{"key": "errors.invalid"}]}}, MailboxUnknown, id="no such address"),
            pytest.param(422, {"errors": {"scope": []}}, DelegationMissing, id="more than was delegated"),
            pytest.param(422, {"errors": {"callback_url": []}}, ProviderMisconfigured, id="our own address"),
            pytest.param(422, {"errors": "all"}, ProviderMisconfigured, id="something else"),
            pytest.param(422, {}, ProviderMisconfigured, id="nothing said"),
            pytest.param(429, {}, ProviderUnavailable, id="too many"),
            pytest.param(503, {}, ProviderUnavailable, id="down"),
        ],
    )
    def test_that_cannot_be_asked_for_says_why(self, cronofy, status, body, error):
        cronofy.says("/v1/service_account_authorizations", status, **body)
        with pytest.raises(error) as raised:
            cronofy.ask()
        assert type(raised.value) is error

    def test_is_whose_the_tokens_say(self, cronofy):
        cronofy.says("/oauth/token", **MAILBOX_TOKENS)
        identity, credential = cronofy.adapter.mailbox("code", redirect_uri=ANSWER)
        assert identity.key == (Upstream.CRONOFY, ProviderName.GOOGLE, "acc_5700a00eb0ccd07000000000")
        assert identity.email == "ana@example.com"
        assert credential.access_token == "access-2"
        assert dict(parse_qsl(cronofy.requests[0].content.decode()))["redirect_uri"] == ANSWER

    def test_may_go_by_the_name_of_another_access_as_its_scope_is_what_counts(self, cronofy):
        profile = {"provider_name": "office365", "profile_name": "ana@example.com"}
        cronofy.says("/oauth/token", **{**MAILBOX_TOKENS, "linking_profile": profile})
        assert cronofy.adapter.mailbox("code", redirect_uri=ANSWER)[0].provider is ProviderName.MICROSOFT
        cronofy.says("/oauth/token", **{**MAILBOX_TOKENS, "linking_profile": profile, "scope": "read_write"})
        with pytest.raises(ConsentIncomplete):
            cronofy.adapter.mailbox("code", redirect_uri=ANSWER)

    @pytest.mark.parametrize("tokens", [SERVICE_TOKENS, {**MAILBOX_TOKENS, "linking_profile": None}])
    def test_of_nobody_is_rejected(self, cronofy, tokens):
        cronofy.says("/oauth/token", **{**tokens, "scope": "free_busy_write"})
        with pytest.raises(IdentityRejected):
            cronofy.adapter.mailbox("code", redirect_uri=ANSWER)


class TestRooms:
    def test_are_listed_by_address(self, cronofy):
        rooms = [{"email": "room@example.com", "name": "Room"}, {"email": "b@example.com"}, {"name": "nowhere"}, 7]
        cronofy.says("/v1/resources", resources=rooms)
        assert cronofy.resources() == [Resource("room@example.com", "Room"), Resource("b@example.com", "b@example.com")]

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            pytest.param(403, {}, DelegationMissing, id="not allowed"),
            pytest.param(401, {}, AccessTokenRejected, id="an old token"),
            pytest.param(200, {"resources": "none"}, ProviderUnavailable, id="no list"),
        ],
    )
    def test_that_are_not_listed_say_why(self, cronofy, status, body, error):
        cronofy.says("/v1/resources", status, **body)
        with pytest.raises(error):
            cronofy.resources()


class TestSignatures:
    BODY = b'{"authorization":{"code":"\xc3\xa4"}}'

    @pytest.mark.parametrize(
        "secrets",
        [
            pytest.param(["secret"], id="the one that we have"),
            pytest.param(["old secret"], id="the one that is being retired"),
            pytest.param(["unknown", "secret"], id="one of those that our client has there"),
        ],
    )
    def test_of_cronofys_are_recognised(self, cronofy, secrets):
        assert has_signed(self.BODY, signature(self.BODY, secrets), cronofy.registration)

    def test_with_a_secret_that_was_renewed_in_this_moment_as_well(self, cronofy):
        cronofy.secrets.append(ProviderRegistration("id", "new secret", "de"))
        assert has_signed(self.BODY, signature(self.BODY, ["new secret"]), cronofy.registration)

    @pytest.mark.parametrize(
        "header", ["", ",", "secret", signature(BODY, ["unknown"]), signature(b"other", ["secret"]), "ä"]
    )
    def test_of_anybody_else_are_not(self, cronofy, header):
        assert not has_signed(self.BODY, header, cronofy.registration)
