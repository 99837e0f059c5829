"""The queue of channels that are due: each application is told what happened since it was told last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.channels import notify_channels
from freebusy.entrypoints.observing import observed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return notify_channels(event, notifier=wired.notifier, queue=wired.channel_queue)
