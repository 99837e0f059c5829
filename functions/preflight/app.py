"""OPTIONS on any path: tells browsers what front ends of listed origins may send."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from freebusy.entrypoints.http import preflight_headers, resolver, serve

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.route(".+", method="OPTIONS")
def preflight() -> Response[str]:
    """To an origin that nobody lists, the same answer without a permission: browsers take that as a no."""
    headers = preflight_headers(app.current_event)
    return Response(status_code=HTTPStatus.NO_CONTENT.value, body="", headers=dict(headers))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context, cross_origin=False)
