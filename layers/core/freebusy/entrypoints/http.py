"""What every HTTP function shares: reading requests, answering errors, CORS.

The wire contract forces our own request reading (cronofy protocol): bodies come as JSON, as a form or as
``[]``, GETs carry bodies, DELETE bodies matter, and query lists are spelled ``name[]=``.
"""

from __future__ import annotations

import json
from base64 import b64decode
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from freebusy.domain.errors import (
    AuthenticationFailed,
    DelegationMissing,
    FieldError,
    FreeBusyError,
    InsufficientScope,
    InvalidRequest,
    MembersUnreadable,
    NotFound,
    ProfileLocked,
    ProviderError,
    RequestInProgress,
    StorageUnavailable,
    TokenError,
    TooManyRequests,
)
from freebusy.entrypoints.audit import write_request
from freebusy.entrypoints.limits import forget_standing, standing_headers
from freebusy.entrypoints.observing import invocation, logger, trouble
from freebusy.measures import Measure, take
from freebusy.service.audit import begin
from freebusy.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"

MOST_FIELDS = 1000
ONE_THING, ONE_EVENT, MANY_THINGS = 64_000, 512_000, 4_000_000
"""The most bytes of a body, by what it holds. Lambda would take 6 MB, in which the body is a string in JSON."""

MOST_ANSWERED = 6_000_000
"""The most bytes of an answer, as a string in JSON as well: past 6 MB Lambda would fail, and the caller get a 500."""

_COMPRESSED = frozenset({"br", "compress", "deflate", "gzip", "x-gzip", "zstd"})
"""Content codings (RFC 9110, 8.4.1). The C# SDK sends ``gzip;q=1.0, …``, which is none, with bodies that are not."""

_EXPOSED = "RateLimit, RateLimit-Policy, Retry-After"
"""What front ends may read of an answer beside what the Fetch standard allows them anyway."""


class MalformedBody(InvalidRequest):
    """The body is neither a JSON object nor a form; told as an error of the field ``body``."""

    key = "errors.invalid_format"

    def __init__(self, problem: str) -> None:
        super().__init__({"body": [FieldError(self.key, problem)]})
        self.problem = problem


class BodyTooLarge(MalformedBody):
    key = "errors.too_long"


class BodyEncoded(MalformedBody):
    """It is compressed: a small one could become any size."""


STATUS_OF: dict[type[FreeBusyError], HTTPStatus] = {
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BodyEncoded: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    AuthenticationFailed: HTTPStatus.UNAUTHORIZED,
    InsufficientScope: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    RequestInProgress: HTTPStatus.CONFLICT,
    ProfileLocked: HTTPStatus.LOCKED,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    TokenError: HTTPStatus.BAD_REQUEST,
    DelegationMissing: HTTPStatus.FORBIDDEN,
    ProviderError: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Where a class is not listed, its nearest ancestor decides."""


def answer(status: HTTPStatus, body: Any = None, headers: Mapping[str, str] | None = None) -> Response[str]:
    """A JSON answer; without ``body`` an empty one, as the contract has it for 202 and for revocations."""
    return Response(
        status_code=status.value,
        content_type=JSON,
        body="" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False),
        headers=dict(headers or {}),
    )


def body_of(event: Mapping[str, Any], *, most: int = ONE_THING, repeatable: bool = True) -> dict[str, Any]:
    """The request's parameters from a JSON object or a form; ``{}`` for no body and for PHP's ``[]``.

    Form fields named ``name[]`` become lists under that name; other repeated fields keep their last value, or, where
    they are not ``repeatable`` (RFC 6749, 3.2), are malformed. ``most`` bytes are read. Raises MalformedBody.
    """
    text = _text_of(event, most)
    if not text.strip():
        return {}
    if event.get("headers", {}).get("content-type", "").lower().startswith(FORM):
        return _form(text, repeatable=repeatable)
    try:
        parsed = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedBody("the body is not JSON") from error
    if parsed == []:
        return {}
    if not isinstance(parsed, dict):
        raise MalformedBody("the body is not a JSON object")
    return parsed


def bytes_of(event: Mapping[str, Any]) -> bytes:
    """The body as it was sent, whatever that was. Raises ``ValueError`` for base64 that is none."""
    raw: str = event.get("body") or ""
    return b64decode(raw) if event.get("isBase64Encoded") else raw.encode(errors="surrogatepass")


def _text_of(event: Mapping[str, Any], most: int) -> str:
    codings = event.get("headers", {}).get("content-encoding", "").lower().replace(" ", "").split(",")
    if event.get("body") and not _COMPRESSED.isdisjoint(codings):
        raise BodyEncoded("send the body as it is, without Content-Encoding")
    try:
        sent = bytes_of(event)
        text = sent.decode()
    except ValueError as error:
        raise MalformedBody("the body is not UTF-8") from error
    if len(sent) > most:
        raise BodyTooLarge(f"the body has more than {most} bytes: send less at once")
    return text


def _refuse_constant(name: str) -> NoReturn:
    """Python reads NaN and Infinity, which JSON has not (RFC 8259, 6)."""
    raise ValueError(name)


def _form(text: str, *, repeatable: bool) -> dict[str, Any]:
    try:
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise MalformedBody("the body is not a form in UTF-8, or has too many fields") from error
    if not repeatable and any(len(values) > 1 for values in fields.values()):
        raise MalformedBody("a parameter is given twice")
    return {name: values if name.endswith("[]") else values[-1] for name, values in fields.items()}


def query_of(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Every query parameter with all its values. The gateway's own map joins repeated ones by commas."""
    return parse_qs(event.get("rawQueryString") or "", keep_blank_values=True)


def bearer_of(event: Mapping[str, Any]) -> str | None:
    scheme, _, token = event.get("headers", {}).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def public_url(event: Mapping[str, Any]) -> str:
    """This deployment's own address, without a trailing slash."""
    return settings().public_url or f"https://{event['requestContext']['domainName']}"


def resolver() -> APIGatewayHttpResolver:
    """A resolver with our errors: one per function, never shared."""
    app = APIGatewayHttpResolver()
    app.exception_handler(FreeBusyError)(refusal)
    app.exception_handler(Exception)(_failure)
    app.exception_handler(NotFoundError)(lambda _: answer(HTTPStatus.NOT_FOUND))
    return app


def refusal(error: FreeBusyError) -> Response[str]:
    """The answer to a request that was refused, as one entry of a batch has it too."""
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    tell(error, status)
    # The official Ruby SDK reads its exception message from a header named Status.
    headers = {"Status": f"{status.value} {status.phrase}"}
    match error:
        case InvalidRequest():
            errors = {
                name: [{"key": entry.key, "description": entry.description} for entry in entries]
                for name, entries in error.errors.items()
            }
            return answer(status, {"errors": errors}, headers)
        case TokenError():
            status = HTTPStatus.UNAUTHORIZED if error.code == "invalid_client" else status
            return answer(status, {"error": error.code, "error_description": error.description})
        case AuthenticationFailed():
            return answer(status, {"error": "invalid_token"}, {**headers, "WWW-Authenticate": "Bearer"})
        case MembersUnreadable():
            members = [member._asdict() for member in error.members]
            return answer(status, {"error": error.reason, "unreadable_members": members}, headers)
        case ProviderError():
            return answer(status, {"error": error.reason}, headers)
    return answer(status, {"error": status.phrase.lower().replace(" ", "_")}, headers)


def tell(error: FreeBusyError, status: HTTPStatus) -> None:
    """Logs what a request met. Of what callers do wrong, the kind alone: the words may repeat names that they sent."""
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.debug("a request is refused", status=status.value, trouble=type(error).__name__)
    elif isinstance(error, ProviderError):
        logger.warning("a provider is in the way of a request", trouble=trouble(error))
    else:
        logger.error("a request fails", exc_info=error)


def _failure(error: Exception) -> Response[str]:
    """Whatever we did not expect: logged with its trace, and nothing about the inside in the answer."""
    logger.exception("unexpected error", exc_info=error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "server_error"})


def serve(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext, *, cross_origin: bool = True
) -> dict[str, Any]:
    """Routes the request, then adds what every answer carries; pages for people are not ``cross_origin``."""
    began, status = perf_counter(), HTTPStatus.INTERNAL_SERVER_ERROR.value
    with invocation(context, request_id=event["requestContext"]["requestId"]):
        try:
            result = _answer(app, event, context, cross_origin=cross_origin)
            status = result["statusCode"]
        finally:
            milliseconds = round((perf_counter() - began) * 1000)
            take(Measure.REQUEST_TIME, event["routeKey"], f"{status // 100}xx", value=milliseconds)
        return result


def _answer(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext, *, cross_origin: bool
) -> dict[str, Any]:
    forget_standing()
    notes = begin()
    result = app.resolve(event, context)
    headers = result.setdefault("headers", {})
    if _is_too_large(result["body"]):
        instead = refusal(InvalidRequest.of("body", "errors.too_long", "the answer is too large: ask for less at once"))
        result |= {"statusCode": instead.status_code, "body": instead.body}
        headers |= {"Content-Type": JSON, **instead.headers}
    write_request(notes, event, result["statusCode"])
    headers.setdefault("Cache-Control", "no-store")
    headers.update(standing_headers())
    if cross_origin:
        headers.update(cross_origin_headers(event))
        if "Access-Control-Allow-Origin" in headers:
            headers["Access-Control-Expose-Headers"] = _EXPOSED
    return result


def _is_too_large(body: str) -> bool:
    """A character takes up to four bytes, so that most answers need not be measured."""
    return 4 * len(body) > MOST_ANSWERED and len(json.dumps(body, ensure_ascii=False).encode()) > MOST_ANSWERED


def cross_origin_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """CORS for front ends: an origin counts when the deployment or any application lists it.

    Nothing is gained by a foreign origin: the API reads no cookie, so a caller needs the bearer token anyway.
    """
    origin = event.get("headers", {}).get("origin")
    if not origin:
        return {}
    return {"Vary": "Origin", **({"Access-Control-Allow-Origin": origin} if _is_listed(origin) else {})}


def _is_listed(origin: str) -> bool:
    """While the table does not answer, nobody is: that must not turn an answer that we have into a failure."""
    if origin in settings().allowed_origins:
        return True
    from freebusy.bootstrap import dependencies  # most who ask are no front ends

    try:
        return bool(dependencies().applications.with_origin(origin))
    except StorageUnavailable:
        logger.exception("the origins of applications cannot be read")
        return False


def preflight_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """What a browser asks before it sends a front end's request (Fetch standard, CORS preflight)."""
    headers = cross_origin_headers(event)
    if "Access-Control-Allow-Origin" in headers:
        headers |= {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key",
            "Access-Control-Max-Age": "600",
        }
    return headers
