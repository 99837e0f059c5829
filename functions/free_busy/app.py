"""When one connected person is busy, page by page or as a calendar object."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from freebusy.bootstrap import dependencies
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import person
from freebusy.entrypoints.http import public_url, query_of, resolver, serve
from freebusy.entrypoints.wire.free_busy import (
    BOOLEANS,
    ICALENDAR,
    free_busy_query,
    free_busy_rows,
    known_periods,
    managed_query,
    managed_rows,
    told_window,
    unreadable_calendars,
)
from freebusy.entrypoints.wire.reading import first_page, kept_page, read_query
from freebusy.service.free_busy import read_free_busy
from freebusy.service.managed_events import read_events

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.get("/v1/free_busy")
def read() -> Response[str]:
    wired, now = dependencies(), dependencies().clock()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    asked = read_query(query_of(app.current_event), BOOLEANS)
    found = read_free_busy(caller.account, free_busy_query(asked), reader=wired.calendar_reader, now=now)
    managed = read_events(caller.account, managed_query(asked), events=wired.events, now=now)
    return first_page(
        "/v1/free_busy",
        "free_busy",
        free_busy_rows(found, asked) + managed_rows(managed, asked),
        unreadable_calendars(found),
        account=caller.account,
        public_url=public_url(app.current_event),
        pages=wired.pages,
        now=now,
    )


@app.get("/v1/free_busy.ics")
def read_calendar() -> Response[str]:
    wired, now = dependencies(), dependencies().clock()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    asked = read_query(query_of(app.current_event), BOOLEANS)
    found = read_free_busy(caller.account, free_busy_query(asked), reader=wired.calendar_reader, now=now)
    managed = read_events(caller.account, managed_query(asked), events=wired.events, now=now)
    text = wired.free_busy_calendar(
        caller.account,
        told_window(found),
        known_periods(found, managed, asked),
        wired.managed_availability.find(caller.account.sub),
        now=now,
    )
    return Response(status_code=HTTPStatus.OK.value, content_type=ICALENDAR, body=text.decode())


@app.get("/v1/free_busy/pages/<token>")
def read_page(token: str) -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    return kept_page("/v1/free_busy", token, account=caller.account, pages=wired.pages, now=wired.clock())


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
