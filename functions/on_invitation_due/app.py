"""The queue of invitations that are due: each attendee is mailed how their event stands now, by us or by Cronofy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.invitations import deliver_invitations
from freebusy.entrypoints.observing import observed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return deliver_invitations(event, sender=wired.deliverer, queue=wired.invitation_queue)
