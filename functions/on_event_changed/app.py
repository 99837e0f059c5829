"""The table's stream: an event was written, and whoever that concerns is queued to hear of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.invitations import queue_invitations
from freebusy.entrypoints.observing import observed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return queue_invitations(event, queue=wired.invitation_queue, dead_letters=wired.unread_changes)
