"""The table's stream: an event, an account or a channel was written, and whoever that concerns is to hear of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.changes import Followers, follow_changes
from freebusy.entrypoints.observing import observed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    followers = Followers(
        invitations=wired.invitation_queue,
        due_channels=wired.channel_queue,
        due_upstream=wired.upstream_queue,
        channels=wired.channels,
        dead_letters=wired.unread_changes,
    )
    return follow_changes(event, followers, now=wired.clock())
