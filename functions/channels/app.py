"""Where an application wants to be told that something changed for the connected person."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.authentication import person
from freebusy.entrypoints.http import answer, body_of, resolver, serve
from freebusy.entrypoints.idempotency import once
from freebusy.service.channels import close_channel, shown

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/v1/channels")
def create() -> Response[str]:
    from freebusy.entrypoints.wire.channels import wanted_channel  # models, which listing and closing do not need
    from freebusy.service.channels import open_channel

    event, wired = app.current_event, dependencies()
    caller = person(event)

    def carry_out() -> Response[str]:
        channel = open_channel(
            wanted_channel(body_of(event)),
            account=caller.account,
            applications=wired.applications,
            channels=wired.channels,
            resolver=wired.hosts,
            local=wired.settings.callbacks_may_be_local,
            now=wired.clock(),
        )
        return answer(HTTPStatus.OK, {"channel": shown(channel)})

    return once(event, caller.account, carry_out)


@app.get("/v1/channels")
def read_all() -> Response[str]:
    caller = person(app.current_event)
    return answer(
        HTTPStatus.OK, {"channels": [shown(channel) for channel in dependencies().channels.of(caller.account.sub)]}
    )


@app.delete("/v1/channels/<channel_id>")
def close(channel_id: str) -> Response[str]:
    caller = person(app.current_event)
    close_channel(caller.account, channel_id, channels=dependencies().channels)
    return answer(HTTPStatus.ACCEPTED)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context)
