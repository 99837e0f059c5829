"""GET /openapi.json, GET /docs, GET /docs/{section}: what the API is, for programs and for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.documentation import overview, section_page
from freebusy.entrypoints.http import answer, public_url
from freebusy.entrypoints.openapi.document import openapi
from freebusy.entrypoints.pages import page_resolver, serve_pages

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = page_resolver()


@app.get("/openapi.json")
def document() -> Response[str]:
    return answer(HTTPStatus.OK, openapi(public_url(app.current_event)))


@app.get("/docs")
def read_overview() -> Response[str]:
    return overview(app.current_event, public_url(app.current_event))


@app.get("/docs/<section>")
def read_section(section: str) -> Response[str]:
    return section_page(app.current_event, section)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve_pages(app, event, context)
