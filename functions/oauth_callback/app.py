"""GET /oauth/callback/{provider}: the person comes back from the provider, and the calendar is connected.

Or they signed in to see what they have connected: which of the two it is, the state says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.browser import arrive, browser_secret, parameters_of
from freebusy.entrypoints.http import public_url
from freebusy.entrypoints.pages import page_resolver, serve_pages
from freebusy.service.consenting import finish_authorization
from freebusy.service.person_trips import is_of_person

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = page_resolver()


@app.get("/oauth/callback/<provider>")
def callback(provider: str) -> Response[str]:
    wired, event = dependencies(), app.current_event
    answer = parameters_of(event)
    state = answer.get("state", "")
    secret, address = browser_secret(event, state), public_url(event)
    if is_of_person(state):
        departure = wired.person_trips.come_back(
            provider, answer, browser_secret=secret, public_url=address, now=wired.clock()
        )
        return arrive(event, departure, state)
    outcome = finish_authorization(
        provider,
        answer,
        browser_secret=secret,
        public_url=address,
        applications=wired.applications,
        accounts=wired.accounts,
        tokens=wired.tokens,
        vault=wired.vault,
        providers=wired.providers,
        now=wired.clock(),
    )
    return arrive(event, outcome, state)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve_pages(app, event, context)
