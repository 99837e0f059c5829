"""/connections/…: a person sees which applications their calendar is connected to, and disconnects them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints import connection_pages
from freebusy.entrypoints.browser import parameters_of, redirect, see
from freebusy.entrypoints.cookies import forgotten, kept
from freebusy.entrypoints.forms import require_own
from freebusy.entrypoints.http import public_url
from freebusy.entrypoints.pages import page_resolver, serve_pages
from freebusy.service.provider_leg import SESSION

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from freebusy.service.person_trips import SignedIn

app = page_resolver()


@app.get("/connections")
def show() -> Response[str]:
    event, signed_in = app.current_event, _signed_in()
    if signed_in is None:
        return _sign_in()
    ended = parameters_of(event).get("disconnected")
    return connection_pages.connections(event, signed_in, dependencies().connections.of(signed_in.person), ended)


@app.get("/connections/sign_in/<provider>")
def sign_in(provider: str) -> Response[str]:
    wired, event = dependencies(), app.current_event
    departure = wired.person_trips.begin(provider, public_url=public_url(event), now=wired.clock())
    return redirect(event, departure)


@app.get("/connections/<profile_id>/disconnect")
def confirm(profile_id: str) -> Response[str]:
    event, signed_in = app.current_event, _signed_in()
    if signed_in is None:
        return _sign_in(over=True)
    connection = dependencies().connections.one(signed_in.person, profile_id)
    if not connection.can_be_ended:
        return see(event, f"/connections?disconnected={profile_id}")
    return connection_pages.confirm(event, signed_in, connection)


@app.post("/connections/<profile_id>/disconnect")
def disconnect(profile_id: str) -> Response[str]:
    event, signed_in = app.current_event, _signed_in()
    if signed_in is None:
        return _sign_in(over=True)
    require_own(event, signed_in.handle)
    dependencies().connections.end(signed_in.person, profile_id)
    return see(event, f"/connections?disconnected={profile_id}")


@app.post("/connections/sign_out")
def sign_out() -> Response[str]:
    event, signed_in = app.current_event, _signed_in()
    answer = see(event, "/connections")
    if signed_in is not None:
        require_own(event, signed_in.handle)
        dependencies().person_trips.sign_out(signed_in)
        answer.cookies.append(forgotten(event, SESSION))
    return answer


def _signed_in() -> SignedIn | None:
    wired, session = dependencies(), kept(app.current_event, SESSION)
    return wired.person_trips.signed_in(session.secret, now=wired.clock()) if session else None


def _sign_in(*, over: bool = False) -> Response[str]:
    wired = dependencies()
    through_cronofy = wired.settings.cronofy_secret_id is not None
    return connection_pages.sign_in(
        app.current_event, wired.person_sign_ins, through_cronofy=through_cronofy, over=over
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve_pages(app, event, context)
