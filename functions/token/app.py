"""POST /oauth/token, POST /oauth/token/revoke: tokens, and their end; GET /.well-known/oauth-authorization-server."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.http import answer, public_url, resolver, serve
from freebusy.entrypoints.limits import count_request
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.wire.oauth import Client, CodeGrant, metadata_json, revocation, token_request, tokens_json
from freebusy.service.audit import By, note_caller
from freebusy.service.callers import authenticate_client
from freebusy.service.erasure import request_erasure, require_may_erase
from freebusy.service.tokens import exchange_code, refresh, revoke_account, revoke_token

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from freebusy.domain.application import Application

app = resolver()


@app.post("/oauth/token")
def issue() -> Response[str]:
    wired, now = dependencies(), dependencies().clock()
    request = token_request(app.current_event)
    grant = request.grant
    application = _application(request.client)
    if isinstance(grant, CodeGrant):
        issued = exchange_code(
            application,
            grant.code,
            redirect_uri=grant.redirect_uri,
            code_verifier=grant.code_verifier,
            tokens=wired.tokens,
            accounts=wired.accounts,
            now=now,
        )
    else:
        issued = refresh(
            application,
            grant.refresh_token,
            tokens=wired.tokens,
            accounts=wired.accounts,
            vault=wired.vault,
            now=now,
        )
    return answer(HTTPStatus.OK, tokens_json(issued), {"Pragma": "no-cache"})


@app.post("/oauth/token/revoke")
def revoke() -> Response[str]:
    wired, now = dependencies(), dependencies().clock()
    asked = revocation(app.current_event)
    application = _application(asked.client)
    if asked.erase:
        require_may_erase(application)
    sub = None
    if asked.token:
        sub = revoke_token(
            application,
            asked.token,
            tokens=wired.tokens,
            accounts=wired.accounts,
            service_accounts=wired.service_accounts,
            end_upstream=wired.end_upstream,
            now=now,
        )
    elif asked.sub:
        sub = revoke_account(
            application,
            asked.sub,
            accounts=wired.accounts,
            service_accounts=wired.service_accounts,
            end_upstream=wired.end_upstream,
            now=now,
        )
    if asked.erase and sub:
        request_erasure(sub, queue=wired.erasure_queue)
    return answer(HTTPStatus.OK)


@app.get("/.well-known/oauth-authorization-server")
def metadata() -> Response[str]:
    return answer(HTTPStatus.OK, metadata_json(public_url(app.current_event)))


def _application(client: Client) -> Application:
    """Whose request it is, which counts as one of theirs once they have proved it.

    A public application cannot: anybody may name its ``client_id``, and could so use up its requests.
    """
    wired = dependencies()
    application = authenticate_client(
        client.client_id,
        client.client_secret,
        applications=wired.applications,
        tokens=wired.tokens,
        now=wired.clock(),
    )
    logger.append_keys(application=application.client_id)
    note_caller(application.client_id, By.APPLICATION)
    if not application.public:
        count_request(application.client_id)
    return application


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
