"""POST /v1/availability: when enough people are free together."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from freebusy.bootstrap import dependencies
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import caller_of
from freebusy.entrypoints.http import JSON, body_of, resolver, serve
from freebusy.entrypoints.wire.availability import answer_keys, availability_json, availability_request
from freebusy.service.availability import query_availability

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/v1/availability")
def query() -> Response[str]:
    wired = dependencies()
    caller = caller_of(app.current_event, Permission.READ_FREE_BUSY)
    body = body_of(app.current_event)
    found = query_availability(
        availability_request(body),
        client_id=caller.client_id,
        accounts=wired.accounts,
        events=wired.events,
        reader=wired.calendar_reader,
    )
    return Response(
        status_code=HTTPStatus.OK.value, content_type=JSON, body=availability_json(found, answer_keys(body))
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
