"""Requests to the handlers as API Gateway sends them (HTTP API, payload format 2.0), and their answers.

Every one of them has to be as the OpenAPI document says.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.exchanges import deviations, path_parameters, route_of

FUNCTIONS = Path(__file__).parents[1] / "functions"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str
    cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        return json.loads(self.body)


class Context:
    """As much of a Lambda context as Powertools asks for."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"


@cache
def handler(function: str) -> Any:
    """``lambda_handler`` of functions/<function>/app.py."""
    spec = importlib.util.spec_from_file_location(f"functions_{function}", FUNCTIONS / function / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler


def call(
    function: str,
    method: str,
    path: str,
    *,
    query: Any = (),
    body: Any = None,
    bearer: str | None = None,
    headers: dict[str, str] | None = None,
    cookies: Sequence[str] = (),
    compared: bool = True,
) -> Answer:
    """``query`` is what urlencode takes, or the raw query string; ``body`` a JSON value, or a string sent as it is.

    The exchange is ``compared`` with the OpenAPI document, which takes longer than most of them.
    """
    event = {
        "version": "2.0",
        "routeKey": f"{method} {route_of(path)}",
        "rawPath": path,
        "rawQueryString": query if isinstance(query, str) else urlencode(query),
        "headers": {
            **({"authorization": f"Bearer {bearer}"} if bearer else {}),
            **({} if body is None else {"content-type": "application/json; charset=utf-8"}),
            **(headers or {}),
        },
        "requestContext": {
            "domainName": "api.example.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "id",
            "stage": "$default",
        },
        "isBase64Encoded": False,
        **({"pathParameters": parameters} if (parameters := path_parameters(path)) else {}),
        **({} if body is None else {"body": body if isinstance(body, str) else json.dumps(body)}),
        **({"cookies": list(cookies)} if cookies else {}),
    }
    result = handler(function)(event, Context())
    answer = Answer(result["statusCode"], result["headers"], result.get("body", ""), tuple(result.get("cookies", ())))
    if compared:
        found = deviations(method, path, event.get("body"), answer.status, answer.headers, answer.body)
        assert not found, found
    return answer
