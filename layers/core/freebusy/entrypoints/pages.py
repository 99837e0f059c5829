"""The pages that people see: choosing a provider, and where a trip ends that leads to no application.

They run no scripts but one of our own, load nothing, and nobody may frame them or read them from another site.
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
from freebusy.domain.application import Introduction
from freebusy.domain.errors import AuthorizationRefused, FreeBusyError, NotFound
from freebusy.entrypoints.http import serve, tell
from freebusy.entrypoints.languages import texts_for
from freebusy.entrypoints.observing import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from jinja2 import Environment

LABELS = {ProviderName.GOOGLE: "Google Calendar", ProviderName.MICROSOFT: "Microsoft 365"}

NOBODY = Introduction("")

_SOURCES = Path(__file__).parent / "pages"

STATUS_OF_REASON = dict.fromkeys(
    ("cannot_sign_in", "provider_misconfigured", "provider_trouble", "setup_unavailable", "sign_in_unavailable"),
    HTTPStatus.SERVICE_UNAVAILABLE,
) | {"foreign_form": HTTPStatus.FORBIDDEN}
"""Every other reason to refuse is a 400."""


def page_resolver() -> APIGatewayHttpResolver:
    """A resolver whose errors are pages: one per function, never shared."""
    app = APIGatewayHttpResolver()

    def refuse(error: AuthorizationRefused) -> Response[str]:
        status = STATUS_OF_REASON.get(error.reason, HTTPStatus.BAD_REQUEST)
        return message(app.current_event, error.reason, status)

    def find_nothing(_: Exception) -> Response[str]:
        return message(app.current_event, "not_found", HTTPStatus.NOT_FOUND)

    def be_unavailable(error: FreeBusyError) -> Response[str]:
        tell(error, HTTPStatus.SERVICE_UNAVAILABLE)
        return message(app.current_event, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE)

    def fail(error: Exception) -> Response[str]:
        """Whatever we did not expect: logged with its trace, and nothing about the inside on the page."""
        logger.exception("unexpected error", exc_info=error)
        return message(app.current_event, "failure", HTTPStatus.INTERNAL_SERVER_ERROR)

    app.exception_handler(AuthorizationRefused)(refuse)
    app.exception_handler([NotFound, NotFoundError])(find_nothing)
    app.exception_handler(FreeBusyError)(be_unavailable)
    app.exception_handler(Exception)(fail)
    return app


def serve_pages(app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context, cross_origin=False)


def choose_provider(
    event: Mapping[str, Any], application: Introduction, links: Mapping[ProviderName, str]
) -> Response[str]:
    choices = [(LABELS[name], link) for name, link in links.items()]
    return page(event, "choose_provider.html", application=application, choices=choices)


def reconnected(event: Mapping[str, Any], application: Introduction | None) -> Response[str]:
    return page(event, "reconnected.html", application=application or NOBODY)


def message(event: Mapping[str, Any], reason: str, status: HTTPStatus) -> Response[str]:
    """Every reason has its texts, under ``message``."""
    return page(event, "message.html", status, reason=reason)


def page(  # noqa: PLR0913 - what a page consists of
    event: Mapping[str, Any],
    template: str,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    application: Introduction = NOBODY,
    copying: bool = False,
    asking: bool = False,
    posting: bool = False,
    pictures: bool = False,
    **values: Any,
) -> Response[str]:
    """In the language of whoever sent ``event``. ``application`` is whom it is about, if that is known.

    ``copying``: it has buttons that copy, and so the one script; ``asking``: it has a form; ``posting``: one that
    changes something; ``pictures``: it shows the logos of several applications.
    """
    script, texts = source("copy.js") if copying else "", texts_for(event)
    body = (
        _environment()
        .get_template(template)
        .render(**values, application=application, t=texts, style=source("style.css"), script=script)
    )
    return Response(
        status_code=status.value,
        content_type="text/html; charset=utf-8",
        body=body,
        headers={
            "Content-Language": texts.language,
            "Content-Security-Policy": _content_security_policy(
                script, asking=asking or posting, pictures=pictures or bool(application.logo)
            ),
            # With no-referrer, a browser would not say that a form is our own either (Origin: null).
            "Referrer-Policy": "same-origin" if posting else "no-referrer",
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
    environment.filters["picture"] = lambda png: f"data:image/png;base64,{b64encode(png).decode()}"
    return environment


@cache
def source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")


@cache
def _content_security_policy(script: str, *, asking: bool, pictures: bool) -> str:
    """Style and script are named by their hashes, so that no others can be smuggled in."""
    directives = {
        "default-src": "'none'",
        "style-src": _hash_of(source("style.css")),
        **({"script-src": _hash_of(script)} if script else {}),
        **({"img-src": "data:"} if pictures else {}),
        "base-uri": "'none'",
        "form-action": "'self'" if asking else "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {allowed}" for name, allowed in directives.items())


def _hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
