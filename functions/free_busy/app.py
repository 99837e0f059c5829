"""When one connected person is busy, page by page or as a calendar object."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

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
from freebusy.entrypoints.wire.reading import ReadQuery, first_page, kept_page, read_query
from freebusy.service.free_busy import FreeBusyAnswer, read_free_busy
from freebusy.service.managed_events import Occurrence, read_events

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from freebusy.domain.account import Account

app = resolver()


class Reading(NamedTuple):
    """What was asked, by whom, and what is known of it."""

    account: Account
    asked: ReadQuery
    found: FreeBusyAnswer
    managed: list[Occurrence]


def reading() -> Reading:
    wired, now = dependencies(), dependencies().clock()
    account = person(app.current_event, Permission.READ_FREE_BUSY).account
    asked = read_query(query_of(app.current_event), BOOLEANS)
    found = read_free_busy(account, free_busy_query(asked), reader=wired.calendar_reader, now=now)
    managed = read_events(account, managed_query(asked), events=wired.events, now=now)
    return Reading(account, asked, found, managed)


@app.get("/v1/free_busy")
def read() -> Response[str]:
    wired = dependencies()
    account, asked, found, managed = reading()
    return first_page(
        "/v1/free_busy",
        "free_busy",
        free_busy_rows(found, asked) + managed_rows(managed, asked),
        unreadable_calendars(found),
        account=account,
        public_url=public_url(app.current_event),
        pages=wired.pages,
        now=wired.clock(),
    )


@app.get("/v1/free_busy.ics")
def read_calendar() -> Response[str]:
    wired = dependencies()
    account, asked, found, managed = reading()
    text = wired.free_busy_calendar(
        account,
        told_window(found),
        known_periods(found, managed, asked),
        wired.managed_availability.find(account.sub),
        now=wired.clock(),
    )
    return Response(status_code=HTTPStatus.OK.value, content_type=ICALENDAR, body=text.decode())


@app.get("/v1/free_busy/pages/<token>")
def read_page(token: str) -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_FREE_BUSY)
    return kept_page("/v1/free_busy", token, account=caller.account, pages=wired.pages, now=wired.clock())


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
