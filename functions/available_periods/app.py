"""Single periods in which an application lets somebody be booked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import person
from freebusy.entrypoints.http import answer, body_of, public_url, query_of, resolver, serve
from freebusy.entrypoints.wire.available_periods import (
    available_period,
    period_deletion,
    periods_json,
    periods_query,
)
from freebusy.entrypoints.wire.reading import first_page, kept_page
from freebusy.service.managed_availability import delete_periods, find_periods, save_period

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/v1/available_periods")
def upsert() -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    period = available_period(body_of(app.current_event))
    save_period(caller.account, period, store=wired.managed_availability, now=wired.clock())
    return answer(HTTPStatus.ACCEPTED)


@app.delete("/v1/available_periods")
def delete() -> Response[str]:
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    period_id = period_deletion(body_of(app.current_event))
    delete_periods(caller.account, period_id, store=dependencies().managed_availability)
    return answer(HTTPStatus.ACCEPTED)


@app.get("/v1/available_periods")
def read() -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    asked = periods_query(query_of(app.current_event))
    found = find_periods(caller.account, asked.start, asked.end, store=wired.managed_availability)
    return first_page(
        "/v1/available_periods",
        "available_periods",
        periods_json(found, asked),
        {},
        account=caller.account,
        public_url=public_url(app.current_event),
        pages=wired.pages,
        now=wired.clock(),
    )


@app.get("/v1/available_periods/pages/<token>")
def read_page(token: str) -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    return kept_page("/v1/available_periods", token, account=caller.account, pages=wired.pages, now=wired.clock())


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
