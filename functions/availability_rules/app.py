"""Hours of every week in which an application lets somebody be booked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import person
from freebusy.entrypoints.http import answer, body_of, resolver, serve
from freebusy.entrypoints.wire.availability_rules import availability_rule, rule_json
from freebusy.service.managed_availability import find_rule, save_rule

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/v1/availability_rules")
def upsert() -> Response[str]:
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    rule = availability_rule(body_of(app.current_event))
    save_rule(caller.account, rule, store=dependencies().managed_availability)
    return answer(HTTPStatus.OK, {"availability_rule": rule_json(rule)})


@app.get("/v1/availability_rules")
def read_all() -> Response[str]:
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    stored = dependencies().managed_availability.find(caller.account.sub)
    return answer(HTTPStatus.OK, {"availability_rules": [rule_json(rule) for rule in stored.rules]})


@app.get("/v1/availability_rules/<availability_rule_id>")
def read(availability_rule_id: str) -> Response[str]:
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    rule = find_rule(caller.account, availability_rule_id, store=dependencies().managed_availability)
    return answer(HTTPStatus.OK, {"availability_rule": rule_json(rule)})


@app.delete("/v1/availability_rules/<availability_rule_id>")
def delete(availability_rule_id: str) -> Response[str]:
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    dependencies().managed_availability.delete_rule(caller.account.sub, availability_rule_id)
    return answer(HTTPStatus.ACCEPTED)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
