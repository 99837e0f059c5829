from base64 import b64encode
from urllib.parse import urlencode

import pytest

from freebusy.bootstrap import Dependencies
from freebusy.domain.token import ROTATION_GRACE
from tests.api import call
from tests.browsers import (
    ANA,
    APP,
    BEN,
    CHALLENGE,
    FRONT_END,
    FRONT_END_ORIGIN,
    FRONT_END_REQUEST,
    FRONT_END_URI,
    OTHER_APP,
    OTHER_SECRET,
    PUBLIC_URL,
    REDIRECT_URI,
    SECRET,
    VERIFIER,
    exchange,
    lives,
    post,
    refresh,
    token_body,
)
from tests.fakes.clock import NOW

FORM = {"content-type": "application/x-www-form-urlencoded"}
OTHER = {"client_id": OTHER_APP, "client_secret": OTHER_SECRET}

pytestmark = pytest.mark.usefixtures("deployment")


def revoke(**changed):
    return post("/oauth/token/revoke", token_body(redirect_uri=None, **changed))


def assert_refused(answer, error, status=400):
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]
    assert answer.headers["Cache-Control"] == "no-store"


class TestExchangingACode:
    def test_answers_with_all_that_official_sdks_read(self, deployment):
        answer = exchange(deployment.code())
        tokens = answer.json()
        account = deployment.account(tokens["sub"])
        assert answer.status == 200
        assert tokens == {
            "token_type": "bearer",
            "access_token": tokens["access_token"],
            "expires_in": 3600,
            "refresh_token": tokens["refresh_token"],
            "scope": "free_busy_write",
            "account_id": account.sub,
            "sub": account.sub,
            "linking_profile": {
                "provider_name": "google_free_busy",
                "provider_service": "google_free_busy",
                "profile_id": account.profiles[0].profile_id,
                "profile_name": "ana@example.com",
            },
        }
        assert lives(tokens["access_token"])

    def test_is_kept_by_no_cache(self, deployment):
        headers = exchange(deployment.code()).headers
        assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")
        assert headers["Content-Type"] == "application/json; charset=utf-8"

    def test_takes_forms_too(self, deployment):
        """The Ruby SDK posts them."""
        body = urlencode(token_body(grant_type="authorization_code", code=deployment.code()))
        assert post("/oauth/token", body, headers=FORM).status == 200

    def test_takes_bodies_that_the_gateway_encoded(self, deployment):
        from tests.api import Context, handler

        body = urlencode(token_body(grant_type="authorization_code", code=deployment.code()))
        event = {
            "version": "2.0",
            "rawPath": "/oauth/token",
            "rawQueryString": "",
            "headers": {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
            "routeKey": "POST /oauth/token",
            "requestContext": {
                "http": {"method": "POST", "path": "/oauth/token"},
                "requestId": "id",
                "stage": "$default",
            },
            "body": b64encode(body.encode()).decode(),
            "isBase64Encoded": True,
        }
        assert handler("token")(event, Context())["statusCode"] == 200

    @pytest.mark.parametrize("bearer", ["None", "undefined", "an-old-access-token"])
    def test_ignores_the_authorization_header(self, deployment, bearer):
        """The Python SDK sends ``Bearer None``, the Node SDK ``Bearer undefined``."""
        body = token_body(grant_type="authorization_code", code=deployment.code())
        assert post("/oauth/token", body, bearer=bearer).status == 200

    def test_ignores_what_it_does_not_know(self, deployment):
        """The Node SDK sends along a refresh token that it may hold."""
        assert exchange(deployment.code(), refresh_token="stale", unknown={"a": [1]}).status == 200
        assert exchange(deployment.code(), refresh_token=7).status == 200

    def test_treats_null_and_empty_values_as_left_out(self, deployment):
        """RFC 6749, 3.2."""
        body = token_body(grant_type="authorization_code", code=deployment.code())
        assert post("/oauth/token", {**body, "code_verifier": None}).status == 200
        body["code"] = deployment.code()
        assert post("/oauth/token", {**body, "code_verifier": ""}).status == 200

    def test_names_the_calendar_that_was_just_connected(self, deployment):
        assert deployment.tokens(BEN)["linking_profile"]["provider_name"] == "ms_graph_free_busy"

    def test_refuses_a_replay_and_takes_back_what_the_code_bought(self, deployment):
        code = deployment.code()
        tokens = exchange(code).json()
        assert_refused(exchange(code), "invalid_grant")
        assert not lives(tokens["access_token"])
        assert_refused(refresh(tokens["refresh_token"]), "invalid_grant")

    def test_leaves_a_replay_by_another_application_without_effect(self, deployment):
        code = deployment.code()
        tokens = exchange(code).json()
        assert_refused(exchange(code, **OTHER), "invalid_grant")
        assert lives(tokens["access_token"])

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(OTHER, id="another application"),
            pytest.param({"redirect_uri": f"{REDIRECT_URI}/"}, id="another redirect URI"),
            pytest.param({"code_verifier": VERIFIER}, id="a verifier without a challenge"),
        ],
    )
    def test_keeps_a_code_for_its_owner_when_it_is_presented_wrongly(self, deployment, wrong):
        code = deployment.code()
        assert_refused(exchange(code, **wrong), "invalid_grant")
        assert exchange(code).status == 200

    def test_refuses_an_expired_code(self, deployment, monkeypatch):
        code = deployment.code()
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + 300)
        assert_refused(exchange(code), "invalid_grant")

    def test_checks_the_verifier_of_confidential_applications_too(self, deployment):
        code = deployment.code(code_challenge=CHALLENGE, code_challenge_method="S256")
        assert_refused(exchange(code), "invalid_grant")
        assert_refused(exchange(code, code_verifier="x" * 43), "invalid_grant")
        assert exchange(code, code_verifier=VERIFIER).status == 200


class TestRefreshing:
    def test_answers_with_all_that_official_sdks_read(self, deployment):
        tokens = deployment.tokens()
        renewed = refresh(tokens["refresh_token"]).json()
        assert renewed == {
            "token_type": "bearer",
            "access_token": renewed["access_token"],
            "expires_in": 3600,
            "refresh_token": tokens["refresh_token"],
            "scope": "free_busy_write",
            "account_id": tokens["sub"],
            "sub": tokens["sub"],
        }
        assert renewed["access_token"] != tokens["access_token"]
        assert lives(renewed["access_token"])

    def test_takes_forms_too(self, deployment):
        body = token_body(grant_type="refresh_token", refresh_token=deployment.tokens()["refresh_token"])
        assert post("/oauth/token", urlencode(body), headers=FORM).status == 200

    def test_refuses_what_is_no_refresh_token_of_this_application(self, deployment):
        tokens = deployment.tokens()
        for value in ("unknown", tokens["access_token"], SECRET, "\0", "x" * 50_000):
            assert_refused(refresh(value), "invalid_grant")
        assert_refused(refresh(tokens["refresh_token"], **OTHER), "invalid_grant")


class TestPublicApplications:
    def test_exchange_and_refresh_without_a_secret(self, deployment):
        tokens = deployment.front_end_tokens()
        renewed = refresh(tokens["refresh_token"], client_id=FRONT_END, client_secret=None).json()
        assert renewed["refresh_token"] != tokens["refresh_token"]
        assert lives(renewed["access_token"])

    def test_must_not_send_one(self, deployment):
        tokens = deployment.front_end_tokens()
        for secret in (SECRET, "anything"):
            answer = refresh(tokens["refresh_token"], client_id=FRONT_END, client_secret=secret)
            assert_refused(answer, "invalid_client", 401)

    def test_need_the_verifier(self, deployment):
        front_end = {"client_id": FRONT_END, "client_secret": None, "redirect_uri": FRONT_END_URI}
        code = deployment.code(**FRONT_END_REQUEST)
        assert_refused(exchange(code, **front_end), "invalid_grant")
        assert exchange(code, **front_end, code_verifier=VERIFIER).status == 200

    def test_may_retry_but_not_reuse_a_refresh_token(self, deployment, monkeypatch):
        front_end = {"client_id": FRONT_END, "client_secret": None}
        old = deployment.front_end_tokens()["refresh_token"]
        renewed = refresh(old, **front_end).json()
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + ROTATION_GRACE)
        assert refresh(old, **front_end).json()["refresh_token"] == renewed["refresh_token"]
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW + ROTATION_GRACE + 1)
        assert_refused(refresh(old, **front_end), "invalid_grant")
        assert_refused(refresh(renewed["refresh_token"], **front_end), "invalid_grant")
        assert not lives(renewed["access_token"])

    def test_read_the_answers_from_their_own_origin_alone(self, deployment):
        body = {"grant_type": "refresh_token", "client_id": FRONT_END}
        body["refresh_token"] = deployment.front_end_tokens()["refresh_token"]
        own = post("/oauth/token", body, headers={"origin": FRONT_END_ORIGIN})
        assert own.headers["Access-Control-Allow-Origin"] == FRONT_END_ORIGIN
        foreign = post("/oauth/token", body, headers={"origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in foreign.headers
        assert own.headers["Vary"] == foreign.headers["Vary"] == "Origin"

    def test_revoke_by_token_and_not_by_sub(self, deployment):
        tokens = deployment.front_end_tokens()
        front_end = {"client_id": FRONT_END, "client_secret": None}
        assert_refused(revoke(sub=tokens["sub"], **front_end), "unauthorized_client")
        assert lives(tokens["access_token"])
        assert revoke(token=tokens["refresh_token"], **front_end).status == 200
        assert not lives(tokens["access_token"])


class TestRevoking:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param("token", "refresh_token", id="the Ruby SDK's refresh token"),
            pytest.param("token", "access_token", id="the Python SDK's access token"),
            pytest.param("refresh_token", "refresh_token", id="the Node SDK's name for it"),
            pytest.param("sub", "sub", id="by account"),
        ],
    )
    def test_ends_the_whole_authorization(self, deployment, name, value):
        tokens, other_browser = deployment.tokens(), deployment.tokens()
        answer = revoke(**{name: tokens[value]})
        assert (answer.status, answer.body) == (200, "")
        assert not lives(tokens["access_token"])
        assert not lives(other_browser["access_token"])
        profile = deployment.account(tokens["sub"]).profiles[0]
        assert profile.sealed_credential is None
        assert not profile.connected

    def test_takes_forms_too(self, deployment):
        tokens = deployment.tokens()
        body = urlencode({"client_id": APP, "client_secret": SECRET, "token": tokens["refresh_token"]})
        assert post("/oauth/token/revoke", body, headers=FORM).status == 200
        assert not lives(tokens["access_token"])

    def test_takes_the_erasure_wish_of_the_csharp_sdk(self, deployment):
        assert revoke(sub=deployment.tokens()["sub"], request_pii_erasure=True).status == 200

    @pytest.mark.parametrize("value", ["unknown", "\0", "x" * 50_000, "acc_000000000000000000000000", "ünknown"])
    @pytest.mark.parametrize("name", ["token", "refresh_token", "sub"])
    def test_of_something_unknown_is_success(self, name, value):
        assert revoke(**{name: value}).status == 200

    def test_twice_is_success(self, deployment):
        tokens = deployment.tokens()
        assert [revoke(token=tokens["refresh_token"]).status for _ in range(2)] == [200, 200]

    @pytest.mark.parametrize("name", ["token", "sub"])
    def test_of_another_applications_things_does_nothing_and_says_nothing(self, deployment, name):
        tokens = deployment.tokens()
        value = tokens["sub"] if name == "sub" else tokens["refresh_token"]
        assert revoke(**{name: value}, **OTHER).status == 200
        assert lives(tokens["access_token"])

    def test_needs_the_applications_secret(self, deployment):
        tokens = deployment.tokens()
        assert_refused(revoke(token=tokens["refresh_token"], client_secret="wrong"), "invalid_client", 401)
        assert_refused(revoke(sub=tokens["sub"], client_secret=None), "invalid_client", 401)
        assert lives(tokens["access_token"])

    def test_needs_to_be_told_what(self):
        assert_refused(revoke(), "invalid_request")

    def test_and_connecting_again_is_the_same_account(self, deployment):
        tokens = deployment.tokens()
        revoke(token=tokens["refresh_token"])
        again = deployment.tokens()
        assert again["sub"] == tokens["sub"]
        assert lives(again["access_token"])
        assert not lives(tokens["access_token"])

    def test_spares_the_same_persons_account_at_another_application(self, deployment):
        ours = deployment.tokens(ANA)
        theirs = exchange(deployment.code(ANA, client_id=OTHER_APP), **OTHER).json()
        revoke(token=ours["refresh_token"])
        assert lives(theirs["access_token"])


class TestClients:
    @pytest.mark.parametrize(
        "client",
        [
            pytest.param({"client_id": "unknown"}, id="unknown application"),
            pytest.param({"client_id": "\0"}, id="NUL"),
            pytest.param({"client_id": "x" * 50_000}, id="endless"),
            pytest.param({"client_id": "ä"}, id="beyond ASCII"),
            pytest.param({"client_secret": "wrong"}, id="wrong secret"),
            pytest.param({"client_secret": None}, id="no secret"),
            pytest.param({"client_secret": OTHER_SECRET}, id="another application's secret"),
            pytest.param({"client_secret": "x" * 50_000}, id="endless secret"),
        ],
    )
    def test_that_are_not_recognised_get_nothing(self, deployment, client):
        code = deployment.code()
        assert_refused(exchange(code, **client), "invalid_client", 401)
        assert_refused(refresh("x", **client), "invalid_client", 401)
        assert_refused(revoke(token="x", **client), "invalid_client", 401)
        assert exchange(code).status == 200


GRANT = {"grant_type": "authorization_code", "code": "c", "redirect_uri": REDIRECT_URI, "client_id": APP}
WRONG_TYPES = [7, 1.5, True, [], ["x"], {}, {"x": "y"}]


class TestBadInput:
    @pytest.mark.parametrize("path", ["/oauth/token", "/oauth/token/revoke"])
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(None, id="no body"),
            pytest.param("", id="an empty body"),
            pytest.param("{", id="half of JSON"),
            pytest.param("null", id="null"),
            pytest.param("[]", id="PHP's nothing"),
            pytest.param("[1]", id="a list"),
            pytest.param('"text"', id="text"),
            pytest.param("7", id="a number"),
            pytest.param("9" * 5000, id="an endless number"),
            pytest.param("[" * 100_000, id="endless nesting"),
            pytest.param("{}", id="an empty object"),
            pytest.param("\0", id="NUL"),
            pytest.param("grant_type=authorization_code", id="a form that says it is JSON"),
        ],
    )
    def test_a_body_that_says_nothing_is_invalid(self, path, body):
        assert_refused(post(path, body), "invalid_request")

    @pytest.mark.parametrize(
        "form",
        [
            pytest.param(urlencode(GRANT) + "&code=again", id="a parameter twice"),
            pytest.param("client_id=%FF", id="not UTF-8"),
            pytest.param("&".join(f"x{number}=1" for number in range(2000)), id="endless fields"),
            pytest.param("%", id="half an escape"),
        ],
    )
    def test_so_is_a_malformed_form(self, form):
        assert_refused(post("/oauth/token", form, headers=FORM), "invalid_request")

    @pytest.mark.parametrize("name", ["grant_type", "code", "redirect_uri", "client_id"])
    def test_a_missing_parameter_is_named(self, name):
        for body in ({**GRANT, name: None}, {**GRANT, name: ""}, {key: GRANT[key] for key in GRANT if key != name}):
            answer = post("/oauth/token", {**body, "client_secret": SECRET})
            assert_refused(answer, "invalid_request")
            assert name in answer.json()["error_description"]

    @pytest.mark.parametrize("wrong", WRONG_TYPES, ids=repr)
    @pytest.mark.parametrize("name", [*GRANT, "client_secret", "code_verifier"])
    def test_a_wrong_type_is_named(self, name, wrong):
        answer = post("/oauth/token", {**GRANT, "client_secret": SECRET, name: wrong})
        assert_refused(answer, "invalid_request")
        assert name in answer.json()["error_description"]

    @pytest.mark.parametrize("wrong", [*WRONG_TYPES, None, ""], ids=repr)
    def test_a_refresh_token_of_a_wrong_type_is_invalid(self, wrong):
        body = {"grant_type": "refresh_token", "client_id": APP, "client_secret": SECRET, "refresh_token": wrong}
        assert_refused(post("/oauth/token", body), "invalid_request")

    @pytest.mark.parametrize("wrong", WRONG_TYPES, ids=repr)
    @pytest.mark.parametrize("name", ["token", "refresh_token", "sub", "client_id", "client_secret"])
    def test_so_is_what_to_revoke(self, name, wrong):
        body = {"client_id": APP, "client_secret": SECRET}
        body.setdefault("token" if name.startswith("client") else name, "x")
        assert_refused(post("/oauth/token/revoke", {**body, name: wrong}), "invalid_request")

    @pytest.mark.parametrize("grant_type", ["password", "client_credentials", "implicit", "\0", "x" * 50_000])
    def test_other_grants_are_not_supported(self, grant_type):
        body = token_body(grant_type=grant_type, code="c")
        assert_refused(post("/oauth/token", body), "unsupported_grant_type")

    @pytest.mark.parametrize(
        "value", ["\0", "\ud800", "x" * 50_000, "ä\n"], ids=["NUL", "surrogate", "endless", "text"]
    )
    @pytest.mark.parametrize("name", ["code", "redirect_uri", "code_verifier"])
    def test_odd_values_buy_nothing_and_break_nothing(self, deployment, name, value):
        code = deployment.code()
        assert_refused(exchange(**{"code": code, name: value}), "invalid_grant")
        assert exchange(code).status == 200

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_only_posts_are_for_tokens(self, method):
        assert call("token", method, "/oauth/token").status == 404


def test_the_metadata_say_what_is_true():
    """RFC 8414."""
    answer = call("token", "GET", "/.well-known/oauth-authorization-server")
    assert answer.status == 200
    metadata = answer.json()
    assert metadata["issuer"] == PUBLIC_URL
    assert metadata["authorization_endpoint"] == f"{PUBLIC_URL}/oauth/authorize"
    assert metadata["token_endpoint"] == f"{PUBLIC_URL}/oauth/token"
    assert metadata["revocation_endpoint"] == f"{PUBLIC_URL}/oauth/token/revoke"
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "free_busy_write" in metadata["scopes_supported"]
