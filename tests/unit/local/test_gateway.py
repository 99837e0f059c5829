"""The gateway speaks payload format 2.0 of HTTP APIs, routes as they do, and keeps their limits."""

import asyncio
import json
from base64 import b64decode, b64encode

import pytest

from local import gateway
from local.gateway import BODY_LIMIT, HEAD_LIMIT, Gateway, Route
from local.http_server import Request
from local.lambda_host import PAYLOAD_LIMIT, Outcome

ROUTES = [
    Route("$default", "default"),
    Route("OPTIONS /{proxy+}", "preflight"),
    Route("GET /pets/dog/1", "dog_1"),
    Route("GET /pets/dog/{id}", "dog"),
    Route("GET /pets/{proxy+}", "pets"),
    Route("ANY /any", "any"),
    Route("GET /any", "get_any"),
    Route("POST /v1/profiles/{profile_id}/revoke", "revoke"),
]


class Functions:
    """Answers every event as told, and remembers what it was asked."""

    def __init__(self, answer=None):
        self.answer = {"statusCode": 200, "body": "done"} if answer is None else answer
        self.name = None
        self.event = None

    async def invoke(self, name, event):
        self.name, self.event = name, json.loads(event)
        return self.answer if isinstance(self.answer, Outcome) else Outcome(json.dumps(self.answer).encode())


def request(method="GET", target="/", *, headers=(), body=b""):
    return Request(method, target, "HTTP/1.1", [("host", "127.0.0.1:8080"), *headers], body, "127.0.0.1")


def ask(asked, functions=None, routes=ROUTES):
    api = Gateway(routes, (functions or Functions()).invoke, api_id="api123", account_id="000000000000")
    return asyncio.run(api.answer(asked))


def event_for(*args, **kwargs):
    functions = Functions()
    ask(request(*args, **kwargs), functions)
    return functions.event


def answer_to(returned):
    return ask(request(), Functions(returned))


def message(response):
    return response.status, json.loads(response.body)


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path", "function"),
        [
            pytest.param("GET", "/pets/dog/1", "dog_1", id="a full match comes first"),
            pytest.param("GET", "/pets/dog/2", "dog", id="then a variable"),
            pytest.param("GET", "/pets/cat/1", "pets", id="then a greedy variable"),
            pytest.param("POST", "/pets/dog/1", "default", id="then $default, as the method differs"),
            pytest.param("GET", "/test/5", "default", id="$default takes what nobody else takes"),
            pytest.param("GET", "/pets", "default", id="a greedy variable takes at least one segment"),
            pytest.param("GET", "/any", "get_any", id="a method is more specific than ANY"),
            pytest.param("DELETE", "/any", "any", id="ANY takes the other methods"),
            pytest.param("HEAD", "/pets/dog/1", "default", id="HEAD is not GET"),
            pytest.param("OPTIONS", "/v1/account", "preflight", id="OPTIONS of everything"),
            pytest.param("OPTIONS", "/", "default", id="but not of the root"),
            pytest.param("POST", "/v1/profiles/pro_1/revoke", "revoke", id="a variable in the middle"),
            pytest.param("POST", "/v1/profiles//revoke", "default", id="a variable is not empty"),
            pytest.param("POST", "/v1/profiles/pro_1/revoke/", "default", id="a trailing slash is another path"),
        ],
    )
    def test_the_most_specific_route_wins(self, method, path, function):
        functions = Functions()
        ask(request(method, path), functions)
        assert functions.name == function

    def test_without_a_fitting_route_the_gateway_says_not_found(self):
        response = ask(request(target="/nope"), routes=ROUTES[2:])
        assert message(response) == (404, {"message": "Not Found"})


class TestEvents:
    def test_an_event_says_how_it_came(self):
        event = event_for("GET", "/pets/dog/2?a=1", headers=[("user-agent", "curl/8")])
        context = event["requestContext"]
        assert event["version"] == "2.0"
        assert event["routeKey"] == context["routeKey"] == "GET /pets/dog/{id}"
        assert event["rawPath"] == "/pets/dog/2"
        assert context["http"] == {
            "method": "GET",
            "path": "/pets/dog/2",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "curl/8",
        }
        assert context["stage"] == "$default"
        assert context["apiId"] == "api123"
        assert context["accountId"] == "000000000000"
        assert context["domainName"] == "127.0.0.1"
        assert {"requestId", "time", "timeEpoch"} <= context.keys()

    def test_path_parameters_are_named_as_in_the_route(self):
        assert event_for("GET", "/pets/dog/2")["pathParameters"] == {"id": "2"}
        assert event_for("OPTIONS", "/v1/account")["pathParameters"] == {"proxy": "v1/account"}

    def test_the_path_is_decoded(self):
        event = event_for("GET", "/pets/dog/a%20b")
        assert event["rawPath"] == "/pets/dog/a b"
        assert event["pathParameters"] == {"id": "a b"}

    def test_the_query_stays_as_sent_and_repeated_parameters_are_joined_by_commas(self):
        event = event_for(target="/?ids[]=a%2Cb&ids[]=c&empty=&x=%20")
        assert event["rawQueryString"] == "ids[]=a%2Cb&ids[]=c&empty=&x=%20"
        assert event["queryStringParameters"] == {"ids[]": "a,b,c", "empty": "", "x": " "}

    def test_repeated_headers_are_joined_by_commas(self):
        assert event_for(headers=[("accept", "a"), ("accept", "b")])["headers"]["accept"] == "a,b"

    def test_cookies_have_a_list_of_their_own(self):
        event = event_for(headers=[("cookie", "a=1; b=2"), ("cookie", "c=3")])
        assert event["cookies"] == ["a=1", "b=2", "c=3"]
        assert "cookie" not in event["headers"]

    def test_what_is_absent_is_left_out(self):
        event = event_for()
        assert not {"body", "cookies", "pathParameters", "queryStringParameters"} & event.keys()
        assert event["isBase64Encoded"] is False

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/json; charset=utf-8", "text/plain", "application/ld+json"]
    )
    def test_text_is_passed_as_text(self, content_type):
        event = event_for("POST", body='{"name": "Zoë"}'.encode(), headers=[("content-type", content_type)])
        assert (event["body"], event["isBase64Encoded"]) == ('{"name": "Zoë"}', False)

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            pytest.param("application/x-www-form-urlencoded", b"a=1", id="a form"),
            pytest.param("application/octet-stream", b"\x00\xff", id="bytes"),
            pytest.param("application/json", b"\xff", id="not the UTF-8 that it claims to be"),
        ],
    )
    def test_everything_else_is_base64(self, content_type, body):
        event = event_for("POST", body=body, headers=[("content-type", content_type)])
        assert (b64decode(event["body"]), event["isBase64Encoded"]) == (body, True)

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_a_body_is_kept_whatever_the_method(self, method):
        event = event_for(method, body=b"{}", headers=[("content-type", "application/json")])
        assert event["body"] == "{}"


class TestAnswers:
    def test_status_headers_and_body_are_those_of_the_function(self):
        response = answer_to({"statusCode": 418, "headers": {"X-Tea": "yes", "Content-Type": "a/b"}, "body": "hot"})
        assert (response.status, response.body) == (418, b"hot")
        assert {("x-tea", "yes"), ("content-type", "a/b")} <= set(response.headers)

    def test_each_cookie_is_a_header_of_its_own(self):
        response = answer_to({"statusCode": 200, "cookies": ["a=1", "b=2"]})
        assert [value for name, value in response.headers if name == "set-cookie"] == ["a=1", "b=2"]

    def test_multi_value_headers_belong_to_another_format(self):
        response = answer_to({"statusCode": 200, "multiValueHeaders": {"x-many": ["1", "2"]}})
        assert "x-many" not in dict(response.headers)

    def test_base64_is_decoded(self):
        answer = {"statusCode": 200, "body": b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
        assert answer_to(answer).body == b"\x00\xff"

    @pytest.mark.parametrize(
        ("returned", "body"),
        [
            pytest.param({"ok": True}, b'{"ok": true}', id="an object"),
            pytest.param("words", b"words", id="a string"),
            pytest.param([1], b"[1]", id="a list"),
        ],
    )
    def test_without_a_status_all_of_it_is_json(self, returned, body):
        response = answer_to(returned)
        assert (response.status, response.body) == (200, body)
        assert dict(response.headers)["content-type"] == "application/json"

    @pytest.mark.parametrize(
        "returned",
        [
            pytest.param(Outcome(b'{"errorType": "KeyError", "errorMessage": "secret"}', failed=True), id="failed"),
            pytest.param(Outcome(b"no json"), id="no JSON"),
            pytest.param({"statusCode": "soon"}, id="no status"),
            pytest.param({"statusCode": 99}, id="a status that does not exist"),
            pytest.param({"statusCode": 200, "body": {"a": 1}}, id="a body that is no string"),
            pytest.param({"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b=1"}}, id="two headers in one"),
            pytest.param({"statusCode": 200, "headers": ["x"]}, id="headers that are no map"),
        ],
    )
    def test_what_is_no_answer_is_an_internal_error_that_tells_nothing(self, returned):
        assert message(answer_to(returned)) == (500, {"message": "Internal Server Error"})


class TestLimits:
    def test_headers_and_request_line(self):
        response = ask(request(target="/?" + "x" * HEAD_LIMIT))
        assert message(response) == (431, {"message": "Request Header Fields Too Large"})

    def test_a_body_that_the_server_did_not_keep(self):
        assert message(ask(request("POST", body=None))) == (413, {"message": "Request Entity Too Large"})

    def test_an_event_that_lambda_would_not_take(self):
        body = b"x" * PAYLOAD_LIMIT
        assert len(body) < BODY_LIMIT
        assert message(ask(request("POST", body=body))) == (413, {"message": "Request Entity Too Large"})

    def test_a_function_that_takes_longer_than_the_gateway_waits(self, monkeypatch):
        async def never(_name, _event):
            await asyncio.Event().wait()

        monkeypatch.setattr(gateway, "INTEGRATION_TIMEOUT", 0.01)
        api = Gateway(ROUTES, never, api_id="api123", account_id="000000000000")
        assert message(asyncio.run(api.answer(request()))) == (503, {"message": "Service Unavailable"})


def test_the_log_names_the_route_and_not_the_path(caplog):
    caplog.set_level("INFO", logger="local.gateway")
    ask(request("GET", "/pets/dog/private?token=private"))
    assert "GET /pets/dog/{id} 200" in caplog.text
    assert "private" not in caplog.text
