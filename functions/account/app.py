"""Who the connected person is: account, userinfo, profiles, calendars; linking and disconnecting profiles."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.domain.account import Account
from freebusy.domain.errors import InsufficientScope
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.authentication import caller_of, person
from freebusy.entrypoints.http import answer, public_url, resolver, serve
from freebusy.entrypoints.wire.identity import (
    account_json,
    calendars_json,
    profiles_json,
    service_account_json,
    userinfo_json,
)
from freebusy.service.accounts import current, revoke_profile
from freebusy.service.linking import issue_link_token

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.get("/v1/account")
def read_account() -> Response[str]:
    caller = person(app.current_event, Permission.READ_ACCOUNT)
    return answer(HTTPStatus.OK, account_json(caller.account, caller.scope))


@app.get("/v1/userinfo")
def read_userinfo() -> Response[str]:
    caller = caller_of(app.current_event)
    match caller.holder:
        case None:
            raise InsufficientScope("this needs the access token of an account or a service account")
        case Account() as account:
            shown = userinfo_json(_current(account), caller.scope, public_url(app.current_event))
        case service_account:
            shown = service_account_json(service_account, caller.scope)
    return answer(HTTPStatus.OK, shown)


@app.get("/v1/profiles")
def list_profiles() -> Response[str]:
    caller = person(app.current_event)
    return answer(HTTPStatus.OK, profiles_json(_current(caller.account), public_url(app.current_event)))


@app.get("/v1/calendars")
def list_calendars() -> Response[str]:
    caller = person(app.current_event, Permission.LIST_CALENDARS)
    return answer(HTTPStatus.OK, calendars_json(caller.account))


@app.post("/v1/calendars")
def create_calendar() -> Response[str]:
    person(app.current_event)
    raise InsufficientScope("an account has one managed calendar, and no access to make others")


@app.post("/v1/permissions")
def request_permissions() -> Response[str]:
    person(app.current_event)
    raise InsufficientScope("free/busy access cannot be extended")


@app.post("/v1/link_tokens")
def create_link_token() -> Response[str]:
    wired = dependencies()
    caller = person(app.current_event)
    link_token = issue_link_token(caller.account, tokens=wired.tokens, now=wired.clock())
    return answer(HTTPStatus.OK, {"link_token": link_token})


@app.post("/v1/profiles/<profile_id>/revoke")
def disconnect_profile(profile_id: str) -> Response[str]:
    caller = person(app.current_event)
    wired = dependencies()
    revoke_profile(caller.account, profile_id, accounts=wired.accounts, end_upstream=wired.end_upstream)
    return answer(HTTPStatus.ACCEPTED)


def _current(account: Account) -> Account:
    return current(account, service_accounts=dependencies().service_accounts)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
