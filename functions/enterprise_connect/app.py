"""GET /enterprise_connect/…: an administrator connects their organization, step by step in their browser.

POST /enterprise_connect/answers/{handle}: Cronofy says what came of a mailbox that was asked for.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.browser import arrive, browser_secret, forgetting, parameters_of, redirect
from freebusy.entrypoints.http import answer, public_url
from freebusy.entrypoints.pages import page_resolver, serve_pages
from freebusy.entrypoints.setup_pages import choose_organization, connected, locked, setup
from freebusy.service.organization_setups import Locked, Progress
from freebusy.service.organization_trips import OrganizationChoice
from freebusy.service.trips import Return

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = page_resolver()


@app.get("/enterprise_connect/oauth/authorize")
def authorize() -> Response[str]:
    wired, event = dependencies(), app.current_event
    parameters = parameters_of(event)
    outcome = wired.organization_trips.begin(parameters, public_url=public_url(event), now=wired.clock())
    if isinstance(outcome, OrganizationChoice):
        return choose_organization(event, outcome, parameters)
    return redirect(event, outcome)


@app.get("/enterprise_connect/callback/<provider>")
def callback(provider: str) -> Response[str]:
    wired, event = dependencies(), app.current_event
    brought = parameters_of(event)
    outcome = wired.organization_trips.come_back(
        provider,
        brought,
        browser_secret=browser_secret(event, brought.get("state", "")),
        public_url=public_url(event),
        now=wired.clock(),
    )
    return arrive(event, outcome, brought["state"])


@app.get("/enterprise_connect/setup/<handle>")
def check(handle: str) -> Response[str]:
    wired, event = dependencies(), app.current_event
    mailbox = parameters_of(event).get("mailbox", "").strip() or None
    outcome = wired.organization_setups.check(
        handle,
        browser_secret=browser_secret(event, handle),
        mailbox=mailbox,
        public_url=public_url(event),
        now=wired.clock(),
    )
    match outcome:
        case Locked():
            return locked(event, handle)
        case Progress():
            return setup(event, outcome, handle)
        case _ if mailbox:  # It was asked with a form.
            return forgetting(event, handle, connected(event, outcome.application, outcome.location))
        case _:
            return arrive(event, Return(outcome.location), handle)


@app.get("/enterprise_connect/setup/<handle>/sign_in")
def sign_in_again(handle: str) -> Response[str]:
    wired, event = dependencies(), app.current_event
    outcome = wired.organization_trips.sign_in_again(handle, public_url=public_url(event), now=wired.clock())
    return redirect(event, outcome)


@app.post("/enterprise_connect/answers/<handle>")
def take_answer(handle: str) -> Response[str]:
    from freebusy.entrypoints.upstream_access import take_upstream_answer  # no browser ever needs it

    wired = dependencies()
    if not wired.settings.cronofy_secret_id:
        return answer(HTTPStatus.NOT_FOUND)
    return answer(
        take_upstream_answer(
            app.current_event, handle, answers=wired.upstream_mailboxes, has_signed=wired.cronofy_has_signed
        )
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve_pages(app, event, context)
