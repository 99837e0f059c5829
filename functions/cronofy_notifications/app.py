"""What Cronofy tells us about people who are connected through it, at the channels that we have there."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.domain.errors import NotFound
from freebusy.entrypoints.cronofy_notifications import take_notification
from freebusy.entrypoints.http import answer, resolver, serve

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = resolver()


@app.post("/upstream/cronofy/channels/<handle>")
def take(handle: str) -> Response[str]:
    """A channel that nobody needs any more is gone, which ends it at the sender's."""
    notifications = dependencies().upstream_notifications
    try:
        take_notification(app.current_event, handle, notifications=notifications, number=time.time_ns())
    except NotFound:
        return answer(HTTPStatus.GONE, {"error": "gone"})
    return answer(HTTPStatus.ACCEPTED)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(app, event, context, cross_origin=False)
