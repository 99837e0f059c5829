"""What is read of a request's body, and how much of it."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from aws_lambda_powertools.event_handler import Response

from freebusy.entrypoints.http import (
    JSON,
    MOST_ANSWERED,
    BodyEncoded,
    BodyTooLarge,
    MalformedBody,
    body_of,
    resolver,
    serve,
)
from freebusy.service.audit import note
from tests.api import Context

FORM = {"content-type": "application/x-www-form-urlencoded"}
MOST = 100


def event(body: str, headers=None, *, base64=False):
    sent = b64encode(body.encode()).decode() if base64 else body
    return {"body": sent, "isBase64Encoded": base64, "headers": headers or {}}


def of_length(length: int) -> str:
    return json.dumps({"a": "x" * (length - len(json.dumps({"a": ""})))})


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        pytest.param(event(""), {}, id="no body"),
        pytest.param(event(" \n"), {}, id="nothing in it"),
        pytest.param(event("[]"), {}, id="PHP's empty object"),
        pytest.param(event('{"a": 1}'), {"a": 1}, id="JSON"),
        pytest.param(event('{"a": 1}', base64=True), {"a": 1}, id="as base64, whatever its type"),
        pytest.param(event('{"a": 1}', {"content-encoding": "identity"}), {"a": 1}, id="not compressed, and said so"),
        pytest.param(event('{"a": 1}', {"content-encoding": "gzip;q=1.0,deflate;q=0.6"}), {"a": 1}, id="the C# SDK's"),
        pytest.param(event("a=1&b[]=2&b[]=3", FORM), {"a": "1", "b[]": ["2", "3"]}, id="a form"),
        pytest.param(event("a=1&b[]=2", FORM, base64=True), {"a": "1", "b[]": ["2"]}, id="a form in base64"),
        pytest.param(event(of_length(MOST)), {"a": "x" * 91}, id="as much as may be"),
        pytest.param(event(of_length(MOST), base64=True), {"a": "x" * 91}, id="as much as may be, in base64"),
    ],
)
def test_a_body_is_read(sent, read):
    assert body_of(sent, most=MOST) == read


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        pytest.param(event("{"), MalformedBody, id="no JSON"),
        pytest.param(event("1"), MalformedBody, id="no object"),
        pytest.param(event('{"a": NaN}'), MalformedBody, id="what only Python calls a number"),
        pytest.param(event('{"a": -Infinity}'), MalformedBody, id="what only Python calls a large number"),
        pytest.param(event('{"a": ' + "9" * 5000 + "}"), MalformedBody, id="a number that takes long to read"),
        pytest.param(event('{"a":' * 2000), MalformedBody, id="deeper than anything is read"),
        pytest.param({"body": "x", "isBase64Encoded": True, "headers": {}}, MalformedBody, id="no base64"),
        pytest.param({"body": "/w==", "isBase64Encoded": True, "headers": {}}, MalformedBody, id="no UTF-8"),
        pytest.param(event("a=%ff", FORM), MalformedBody, id="a form that is not UTF-8"),
        pytest.param(event("a&" * 2000, FORM), MalformedBody, id="a form of too many fields"),
        pytest.param(event("{}", {"content-encoding": "gzip"}), BodyEncoded, id="compressed"),
        pytest.param(event("{}", {"content-encoding": "Identity, BR"}), BodyEncoded, id="compressed after all"),
    ],
)
def test_a_body_is_refused(sent, refusal):
    with pytest.raises(refusal):
        body_of(sent)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(event(of_length(MOST + 1)), id="JSON"),
        pytest.param(event(json.dumps({"a": "é" * 60}, ensure_ascii=False)), id="in bytes, not in characters"),
        pytest.param(event("a=" + "x" * MOST, FORM), id="a form"),
        pytest.param(event(of_length(MOST + 1), base64=True), id="base64, as what it stands for"),
        pytest.param(event(" " * (MOST + 1)), id="nothing at all"),
    ],
)
def test_a_body_has_a_limit(sent):
    with pytest.raises(BodyTooLarge, match="body"):
        body_of(sent, most=MOST)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("x" * (MOST_ANSWERED - 100), 200, id="as large as Lambda lets through"),
        pytest.param("x" * MOST_ANSWERED, 422, id="larger"),
        pytest.param('"' * (MOST_ANSWERED // 2), 422, id="larger as a string in JSON"),
        pytest.param("☃" * (MOST_ANSWERED // 3), 422, id="larger in bytes"),
    ],
)
def test_an_answer_that_lambda_would_not_let_through_is_refused(text, status, capsys):
    app = resolver()

    @app.get("/v1/much")
    def much() -> Response:
        note("acc_1")
        return Response(200, "text/calendar", text)

    request = {
        "version": "2.0",
        "rawPath": "/v1/much",
        "rawQueryString": "",
        "headers": {},
        "routeKey": "GET /v1/much",
        "requestContext": {"http": {"method": "GET", "path": "/v1/much"}, "requestId": "r", "stage": "$default"},
    }
    result = serve(app, request, Context())
    assert result["statusCode"] == status
    (record,) = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "audit" in line]
    assert record["audit"]["outcome"] == status
    if status == 422:
        assert result["headers"]["Content-Type"] == JSON
        assert list(json.loads(result["body"])["errors"]) == ["body"]
