"""When enough people are free together, why not, and when several meetings can follow each other."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from freebusy.bootstrap import dependencies
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import caller_of
from freebusy.entrypoints.http import JSON, MANY_THINGS, body_of, resolver, serve
from freebusy.entrypoints.wire.availability import answer_keys, availability_json, availability_request
from freebusy.service.availability import query_availability
from freebusy.service.participants import ParticipantReader

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/v1/availability")
def query() -> Response[str]:
    caller = caller_of(app.current_event, Permission.READ_FREE_BUSY)
    body = body_of(app.current_event, most=MANY_THINGS)
    found = query_availability(availability_request(body), participants=_participants(caller.client_id))
    return _found(availability_json(found, answer_keys(body)))


@app.post("/v1/availability/explain")
def explain() -> Response[str]:
    from freebusy.entrypoints.wire.explanation import explanation_request, start_json
    from freebusy.service.availability import explain_start

    caller = caller_of(app.current_event, Permission.READ_FREE_BUSY)
    request, start = explanation_request(body_of(app.current_event, most=MANY_THINGS))
    return _found(start_json(explain_start(request, start, participants=_participants(caller.client_id))))


@app.post("/v1/sequenced_availability")
def query_sequences() -> Response[str]:
    from freebusy.entrypoints.wire.sequenced_availability import sequence_request, sequences_json
    from freebusy.service import sequenced_availability

    caller = caller_of(app.current_event, Permission.READ_FREE_BUSY)
    request = sequence_request(body_of(app.current_event, most=MANY_THINGS))
    found = sequenced_availability.query_sequences(request, participants=_participants(caller.client_id))
    return _found(sequences_json(found, request))


def _participants(client_id: str) -> ParticipantReader:
    wired = dependencies()
    return ParticipantReader(
        wired.accounts,
        wired.events,
        wired.managed_availability,
        wired.calendar_reader,
        client_id=client_id,
        now=wired.clock(),
    )


def _found(body: str) -> Response[str]:
    return Response(status_code=HTTPStatus.OK.value, content_type=JSON, body=body)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
