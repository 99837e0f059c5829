"""Events that the application creates, changes, deletes and reads; the person's own are never touched or shown."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.domain.errors import InsufficientScope
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import person
from freebusy.entrypoints.http import (
    MANY_THINGS,
    ONE_EVENT,
    answer,
    body_of,
    public_url,
    query_of,
    resolver,
    serve,
)
from freebusy.entrypoints.idempotency import key_of, once
from freebusy.entrypoints.wire.events import BOOLEANS, events_json, events_query
from freebusy.entrypoints.wire.reading import first_page, kept_page, read_query
from freebusy.service.accounts import current, require_calendars
from freebusy.service.managed_events import read_events, window_of

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from freebusy.entrypoints.event_writing import EventWriter

app = resolver()


# --- Writing ---------------------------------------------------------------------------------------


def writer() -> EventWriter:
    """For the caller of this request. What it needs is loaded by the first request that writes."""
    from freebusy.entrypoints.event_writing import EventWriter

    wired, caller = dependencies(), person(app.current_event)
    account = current(caller.account, service_accounts=wired.service_accounts)
    return EventWriter(caller._replace(account=account), wired)


@app.post("/v1/calendars/<calendar_id>/events")
def upsert(calendar_id: str) -> Response[str]:
    """A key changes nothing here, since the event has a name; but one that is none is a mistake everywhere."""
    writing = writer()
    key_of(app.current_event)
    writing.upsert(calendar_id, body_of(app.current_event, most=ONE_EVENT))
    return answer(HTTPStatus.ACCEPTED)


@app.delete("/v1/calendars/<calendar_id>/events")
def delete(calendar_id: str) -> Response[str]:
    writer().delete(calendar_id, body_of(app.current_event))
    return answer(HTTPStatus.ACCEPTED)


@app.delete("/v1/events")
def delete_many() -> Response[str]:
    writer().delete_many(body_of(app.current_event), query_of(app.current_event))
    return answer(HTTPStatus.ACCEPTED)


@app.post("/v1/batch")
def batch() -> Response[str]:
    event, writing = app.current_event, writer()

    def carry_out() -> Response[str]:
        return answer(HTTPStatus.MULTI_STATUS, writing.batch(body_of(event, most=MANY_THINGS)))

    return once(event, writing.account, carry_out)


@app.post("/v1/calendars/<calendar_id>/events/<event_uid>/participation_status")
def change_participation(calendar_id: str, event_uid: str) -> Response[str]:  # noqa: ARG001 - nothing depends on them
    person(app.current_event)
    raise InsufficientScope("people answer their invitations themselves, by mail")


# --- Reading ---------------------------------------------------------------------------------------


@app.get("/v1/events")
def read() -> Response[str]:
    wired, now = dependencies(), dependencies().clock()
    caller = person(app.current_event, Permission.READ_EVENTS)
    asked = read_query(query_of(app.current_event), BOOLEANS)
    require_calendars(caller.account, asked.calendar_ids)
    query = events_query(asked)
    if query and caller.account.has_events and caller.account.at_cronofy and wired.cronofy:
        # What people answered to Cronofy's invitations is there alone.
        wired.upstream_answers.take_in(caller.account, window_of(query, now))
    found = read_events(caller.account, query, events=wired.events, now=now)
    return first_page(
        "/v1/events",
        "events",
        events_json(found, asked, wired.settings.mail_domain),
        {},
        account=caller.account,
        public_url=public_url(app.current_event),
        pages=wired.pages,
        now=now,
    )


@app.get("/v1/events/pages/<token>")
def read_page(token: str) -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event, Permission.READ_EVENTS)
    return kept_page("/v1/events", token, account=caller.account, pages=wired.pages, now=wired.clock())


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
