"""An API Gateway HTTP API in front of the functions: routes, events of payload format 2.0, and their answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html is the
rule for shapes, .../http-api-develop-routes.html for which route wins, .../http-api-quotas.html for the limits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from local.http_server import HttpServer, Request, Response
from local.lambda_host import PAYLOAD_LIMIT, Outcome
from local.recording import Witness

HEAD_LIMIT = 10_240
"""Bytes of the request line and all headers."""

BODY_LIMIT = 10 * 1024 * 1024

INTEGRATION_TIMEOUT = 30.0
"""Seconds, cold start and waiting for a sandbox included."""

DEFAULT_ROUTE = "$default"
ANY = "ANY"

_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
_GREEDY = 2
_OWN_HEADERS = {"connection", "content-length", "keep-alive", "transfer-encoding"}

logger = logging.getLogger(__name__)

Invoke = Callable[[str, bytes], Awaitable[Outcome]]


@dataclass(frozen=True)
class Route:
    """``key`` is ``GET /v1/free_busy/pages/{token}``, ``ANY /path``, ``OPTIONS /{proxy+}`` or ``$default``."""

    key: str
    function: str

    @cached_property
    def method(self) -> str:
        return ANY if self.key == DEFAULT_ROUTE else self.key.split(" ", 1)[0]

    @cached_property
    def segments(self) -> list[str]:
        return [] if self.key == DEFAULT_ROUTE else self.key.split("/")[1:]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A variable takes one segment, a greedy one (``{proxy+}``) all that are left; neither takes nothing."""
        variables = ["", "([^/]+)", "(.+)"]
        parts = (variables[_greed(segment)] or re.escape(segment) for segment in self.segments)
        return re.compile("".join(f"/{part}" for part in parts))

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path parameters when the route fits, None when it does not."""
        if self.method not in {method, ANY}:
            return None
        if self.key == DEFAULT_ROUTE:
            return {}
        fits = self.pattern.fullmatch(path)
        names = [segment.strip("{+}") for segment in self.segments if _greed(segment)]
        return dict(zip(names, fits.groups(), strict=True)) if fits else None

    def specificity(self) -> tuple[bool, bool, list[int], bool]:
        """Sorts the most specific route first: full paths, then variables, then greedy ones, then ``$default``."""
        greed = [_greed(segment) for segment in self.segments]
        return (self.key == DEFAULT_ROUTE, _GREEDY in greed, greed, self.method == ANY)


class Gateway:
    """Serves one API; ``invoke`` runs a function by name. ``witness`` sees what functions were asked and answered."""

    def __init__(
        self,
        routes: Iterable[Route],
        invoke: Invoke,
        *,
        api_id: str,
        account_id: str,
        witness: Witness | None = None,
    ) -> None:
        self._routes = sorted(routes, key=Route.specificity)
        self._invoke = invoke
        self._api_id = api_id
        self._account_id = account_id
        self._witness = witness
        self.server = HttpServer(self.answer, body_limit=BODY_LIMIT)

    async def answer(self, request: Request) -> Response:
        began = time.perf_counter()
        path = unquote(request.target.partition("?")[0])
        route, parameters = self._route(request.method, path)
        if _head_size(request) > HEAD_LIMIT:
            response = _message(431, "Request Header Fields Too Large")
        elif request.body is None:
            response = _message(413, "Request Entity Too Large")
        elif route is None:
            response = _message(404, "Not Found")
        else:
            response = await self._integrate(route, parameters, request)
        # The route and not the path, which may hold a token.
        logger.info(
            "%s %d %.1f ms",
            route.key if route else f"{request.method} without a route",
            response.status,
            (time.perf_counter() - began) * 1000,
        )
        return response

    def _route(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        for route in self._routes:
            parameters = route.match(method, path)
            if parameters is not None:
                return route, parameters
        return None, {}

    async def _integrate(self, route: Route, parameters: Mapping[str, str], request: Request) -> Response:
        event = event_of(request, route, parameters, api_id=self._api_id, account_id=self._account_id)
        request_id = event["requestContext"]["requestId"]
        payload = json.dumps(event).encode()
        if len(payload) > PAYLOAD_LIMIT:
            return _message(413, "Request Entity Too Large", request_id)
        try:
            outcome = await asyncio.wait_for(self._invoke(route.function, payload), INTEGRATION_TIMEOUT)
        except TimeoutError:
            return _message(503, "Service Unavailable", request_id)
        try:
            response = response_of(outcome, request_id)
        except (TypeError, ValueError, AttributeError) as error:
            logger.warning("%s has no answer for %s: %s", route.function, request_id, error)
            return _message(500, "Internal Server Error", request_id)
        if self._witness:
            self._witness(request, response)
        return response


def event_of(
    request: Request, route: Route, parameters: Mapping[str, str], *, api_id: str, account_id: str
) -> dict[str, Any]:
    """The event of payload format 2.0. HTTP APIs deliver the path decoded and the query as it was sent."""
    target, _, query = request.target.partition("?")
    path = unquote(target)
    headers = _joined((name, value) for name, value in request.headers if name not in {"cookie", "connection"})
    domain = headers.get("host", "").partition(":")[0]
    now = datetime.now(UTC)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            **headers,
            "x-forwarded-for": request.peer,
            "x-forwarded-port": headers.get("host", "").partition(":")[2] or "80",
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": account_id,
            "apiId": api_id,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.peer,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid4()),
            "routeKey": route.key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := [value for name, value in request.headers if name == "cookie"]:
        event["cookies"] = [cookie for header in cookies for cookie in header.split("; ")]
    if query:
        event["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
    if parameters:
        event["pathParameters"] = dict(parameters)
    if request.body:
        event["body"], event["isBase64Encoded"] = _encoded(request.body, headers.get("content-type", ""))
    return event


def response_of(outcome: Outcome, request_id: str) -> Response:
    """The HTTP response for what a function returned; without ``statusCode`` all of it is the body of a 200.

    Raises TypeError, ValueError or AttributeError for errors, and for what API Gateway would not understand either.
    """
    answer = json.loads(outcome.payload)
    if outcome.failed:
        raise ValueError(answer.get("errorType"))
    if not isinstance(answer, dict) or "statusCode" not in answer:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(200, [("content-type", "application/json"), ("apigw-requestid", request_id)], text.encode())
    text = answer.get("body") or ""
    body: bytes = b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    if body:
        headers.setdefault("content-type", "text/plain;charset=UTF-8")
    sent = [(name, value) for name, value in headers.items() if name not in _OWN_HEADERS]
    sent += [("set-cookie", cookie) for cookie in answer.get("cookies") or []]
    return Response(
        _valid_status(answer["statusCode"]), [*map(_valid_header, sent), ("apigw-requestid", request_id)], body
    )


def _valid_status(status: Any) -> int:
    if not 200 <= int(status) <= 599:  # noqa: PLR2004 - the range of final statuses, RFC 9110
        raise ValueError(f"{status} is no HTTP status")
    return int(status)


def _valid_header(header: tuple[str, str]) -> tuple[str, str]:
    """Raises ValueError for what HTTP cannot carry (RFC 9110, 5.5): other than one line of Latin-1."""
    header[1].encode("latin-1")
    if any(character in header[1] for character in "\r\n\0"):
        raise ValueError(f"header {header[0]} is not one line")
    return header


def _greed(segment: str) -> int:
    """0 for a fixed segment, 1 for ``{name}``, 2 for ``{name+}``."""
    if not segment.startswith("{"):
        return 0
    return _GREEDY if segment.endswith("+}") else 1


def _head_size(request: Request) -> int:
    return len(request.method) + len(request.target) + sum(len(name) + len(value) for name, value in request.headers)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One value for each name; repeated ones are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encoded(body: bytes, content_type: str) -> tuple[str, bool]:
    """The body as a string, and whether that is base64: only JSON, XML, JavaScript and text/* are passed as text.

    A form is therefore base64, as it is on AWS.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(body).decode(), True


def _message(status: int, text: str, request_id: str | None = None) -> Response:
    """An answer of the gateway itself."""
    headers = [("content-type", "application/json"), ("apigw-requestid", request_id or str(uuid4()))]
    return Response(status, headers, json.dumps({"message": text}, separators=(",", ":")).encode())
