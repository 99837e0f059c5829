"""The few pages that people see: choosing a provider, and where a trip ends that leads to no application.

They run no scripts, load nothing, and nobody may frame them or read them from another site.
"""

from __future__ import annotations

from base64 import b64encode
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

STATUS_OF_REASON = {"provider_trouble": HTTPStatus.SERVICE_UNAVAILABLE}
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
    return _page("choose_provider.html", HTTPStatus.OK, application_name=application_name, choices=choices)


def reconnected(application_name: str) -> Response[str]:
    return _page("reconnected.html", HTTPStatus.OK, application_name=application_name)


def message(reason: str, status: HTTPStatus) -> Response[str]:
    """``message.html`` has a text for every reason."""
    return _page("message.html", status, reason=reason)


def _refusal(error: AuthorizationRefused) -> Response[str]:
    return message(error.reason, STATUS_OF_REASON.get(error.reason, HTTPStatus.BAD_REQUEST))


def _unavailability(error: FreeBusyError) -> Response[str]:
    logger.error("a page could not be made", exc_info=error)
    return message("unavailable", HTTPStatus.SERVICE_UNAVAILABLE)


def _failure(error: Exception) -> Response[str]:
    """Whatever we did not expect: logged with its trace, and nothing about the inside on the page."""
    logger.exception("unexpected error", exc_info=error)
    return message("failure", HTTPStatus.INTERNAL_SERVER_ERROR)


def _page(template: str, status: HTTPStatus, **values: Any) -> Response[str]:
    return Response(
        status_code=status.value,
        content_type="text/html; charset=utf-8",
        body=_environment().get_template(template).render(**values, style=_style()),
        headers={
            "Content-Security-Policy": _content_security_policy(),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        },
    )


@cache
def _environment() -> Environment:
    """Made with the first page, since most requests need none."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_SOURCES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return (_SOURCES / "style.css").read_text(encoding="utf-8")


@cache
def _content_security_policy() -> str:
    """The one style is named by its hash, so that no other can be smuggled in."""
    style = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
