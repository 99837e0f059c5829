"""GET /v1/events: the events that the application created, never the person's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from freebusy.bootstrap import dependencies
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import person
from freebusy.entrypoints.http import public_url, query_of, resolver, serve
from freebusy.entrypoints.wire.events import BOOLEANS
from freebusy.entrypoints.wire.reading import first_page, kept_page, read_query
from freebusy.service.accounts import require_calendars

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.get("/v1/events")
def read() -> Response[str]:
    """Always an empty page: there is no way yet to create an event, and the person's own are never shown."""
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_EVENTS)
    require_calendars(caller.account, read_query(query_of(app.current_event), BOOLEANS).calendar_ids)
    return first_page(
        "/v1/events",
        "events",
        [],
        {},
        account=caller.account,
        public_url=public_url(app.current_event),
        pages=wired.pages,
        now=wired.clock(),
    )


@app.get("/v1/events/pages/<token>")
def read_page(token: str) -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_EVENTS)
    return kept_page("/v1/events", token, account=caller.account, pages=wired.pages, now=wired.clock())


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
