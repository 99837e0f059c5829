"""GET /oauth/authorize, GET /oauth/relink/{sub}/{profile_id}: sends the person to their provider's consent screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.browser import depart, parameters_of
from freebusy.entrypoints.http import public_url
from freebusy.entrypoints.pages import page_resolver, serve_pages
from freebusy.service.authorization import begin_authorization, begin_reconnection

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = page_resolver()


@app.get("/oauth/authorize")
def authorize() -> Response[str]:
    wired, event = dependencies(), app.current_event
    parameters = parameters_of(event)
    outcome = begin_authorization(
        parameters,
        public_url=public_url(event),
        applications=wired.applications,
        tokens=wired.tokens,
        providers=wired.providers,
        upstream=wired.upstream,
        now=wired.clock(),
    )
    return depart(event, outcome, parameters)


@app.get("/oauth/relink/<sub>/<profile_id>")
def relink(sub: str, profile_id: str) -> Response[str]:
    wired, event = dependencies(), app.current_event
    departure = begin_reconnection(
        sub,
        profile_id,
        public_url=public_url(event),
        accounts=wired.accounts,
        tokens=wired.tokens,
        providers=wired.providers,
        now=wired.clock(),
    )
    return depart(event, departure)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve_pages(app, event, context)
