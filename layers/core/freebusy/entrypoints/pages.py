"""The few pages that people see: choosing a provider, and where a trip ends that leads to no application.

They run no scripts but one of our own, load nothing, and nobody may frame them or read them from another site.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import AuthorizationRefused, FreeBusyError, NotFound
from freebusy.entrypoints.http import logger, serve

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from jinja2 import Environment

LABELS = {ProviderName.GOOGLE: "Google Calendar", ProviderName.MICROSOFT: "Microsoft 365"}

_SOURCES = Path(__file__).parent / "pages"

STATUS_OF_REASON = dict.fromkeys(
    ("provider_trouble", "setup_unavailable", "sign_in_unavailable"), HTTPStatus.SERVICE_UNAVAILABLE
)
"""Every other reason to refuse is a 400."""


def page_resolver() -> APIGatewayHttpResolver:
    """A resolver whose errors are pages: one per function, never shared."""
    app = APIGatewayHttpResolver()
    app.exception_handler(AuthorizationRefused)(_refusal)
    app.exception_handler([NotFound, NotFoundError])(lambda _: message("not_found", HTTPStatus.NOT_FOUND))
    app.exception_handler(FreeBusyError)(_unavailability)
    app.exception_handler(Exception)(_failure)
    return app


def serve_pages(app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context, cross_origin=False)


def choose_provider(application_name: str, links: dict[ProviderName, str]) -> Response[str]:
    choices = [(LABELS[name], link) for name, link in links.items()]
    return page("choose_provider.html", application_name=application_name, choices=choices)


def reconnected(application_name: str) -> Response[str]:
    return page("reconnected.html", application_name=application_name)


def message(reason: str, status: HTTPStatus) -> Response[str]:
    """``message.html`` has a text for every reason."""
    return page("message.html", status, reason=reason)


def _refusal(error: AuthorizationRefused) -> Response[str]:
    return message(error.reason, STATUS_OF_REASON.get(error.reason, HTTPStatus.BAD_REQUEST))


def _unavailability(error: FreeBusyError) -> Response[str]:
    logger.error("a page could not be made", exc_info=error)
    return message("unavailable", HTTPStatus.SERVICE_UNAVAILABLE)


def _failure(error: Exception) -> Response[str]:
    """Whatever we did not expect: logged with its trace, and nothing about the inside on the page."""
    logger.exception("unexpected error", exc_info=error)
    return message("failure", HTTPStatus.INTERNAL_SERVER_ERROR)


def page(
    template: str, status: HTTPStatus = HTTPStatus.OK, *, copying: bool = False, asking: bool = False, **values: Any
) -> Response[str]:
    """``copying``: it has buttons that copy, and so the one script; ``asking``: it has a form."""
    script = source("copy.js") if copying else ""
    return Response(
        status_code=status.value,
        content_type="text/html; charset=utf-8",
        body=_environment().get_template(template).render(**values, style=source("style.css"), script=script),
        headers={
            "Content-Security-Policy": _content_security_policy(script, asking=asking),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        },
    )


@cache
def _environment() -> Environment:
    """Made with the first page, since most requests need none."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_SOURCES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": _moment, "clock": _clock}
    return environment


def _moment(seconds: int) -> str:
    """As people read it, "25 November 2026, 13:04 UTC"."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _clock(seconds: int) -> str:
    """To the second, so that people see that something was done, "13:04:09 UTC"."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"


@cache
def source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")


@cache
def _content_security_policy(script: str, *, asking: bool) -> str:
    """Style and script are named by their hashes, so that no others can be smuggled in."""
    directives = {
        "default-src": "'none'",
        "style-src": _hash_of(source("style.css")),
        **({"script-src": _hash_of(script)} if script else {}),
        "base-uri": "'none'",
        "form-action": "'self'" if asking else "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {allowed}" for name, allowed in directives.items())


def _hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
