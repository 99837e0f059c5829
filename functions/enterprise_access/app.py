"""What an application may do with a connected organization: ask for access to mailboxes, and list rooms."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES
from freebusy.entrypoints.authentication import organization
from freebusy.entrypoints.http import MANY_THINGS, answer, body_of, public_url, resolver, serve
from freebusy.entrypoints.idempotency import once
from freebusy.entrypoints.wire.resources import resources_json
from freebusy.service.resources import list_resources

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/v1/service_account_authorizations")
def request_authorizations() -> Response[str]:
    from freebusy.entrypoints.wire.access import wanted_access  # models, which listing rooms does not need
    from freebusy.service.access_requests import request_access

    event, wired = app.current_event, dependencies()
    caller = organization(event, MANAGE_ACCOUNTS)

    def carry_out() -> Response[str]:
        request_access(
            wanted_access(body_of(event, most=MANY_THINGS)),
            service_account=caller.service_account,
            scope=caller.scope,
            applications=wired.applications,
            requests=wired.access_requests,
            queue=wired.access_queue,
            resolver=wired.hosts,
            local=wired.settings.callbacks_may_be_local,
            public_url=public_url(event),
            now=wired.clock(),
        )
        return answer(HTTPStatus.ACCEPTED)

    return once(event, caller.service_account, carry_out)


@app.get("/v1/resources")
def read_resources() -> Response[str]:
    caller = organization(app.current_event, MANAGE_RESOURCES)
    wired = dependencies()
    resources = list_resources(
        caller.service_account,
        calendars=wired.organization_calendars,
        upstream=lambda: wired.organizations_at_cronofy,
    )
    return answer(HTTPStatus.OK, resources_json(resources))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
