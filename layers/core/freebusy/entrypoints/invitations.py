"""A batch of invitations that are due becomes mail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from freebusy.domain.event import InvitationDue
from freebusy.domain.identifiers import hashed
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import deliver_in_groups
from freebusy.entrypoints.records import Message, UnreadableRecord
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import InvitationQueue
    from freebusy.service.delivery import Sender


def deliver_invitations(event: Mapping[str, Any], *, sender: Sender, queue: InvitationQueue) -> dict[str, Any]:
    def deliver(message: Message) -> None:
        due = invitation_due(message)
        outcome = sender.deliver(due)
        take(Measure.INVITATIONS, outcome)
        logger.info(
            "delivered",
            message_id=message.message_id,
            account=due.sub,
            event=hashed(due.event_id),
            recipient=due.recipient,
            outcome=outcome,
        )

    return deliver_in_groups(event, deliver, queue, late="an invitation has to wait", measure=Measure.INVITATIONS)


def invitation_due(message: Message) -> InvitationDue:
    """Raises UnreadableRecord."""
    try:
        body = json.loads(message.body)
        due = InvitationDue(**body)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord("no invitation that is due") from error
    texts = (due.sub, due.event_id, due.recipient)
    if not all(isinstance(text, str) and text for text in texts) or type(due.version) is not int:
        raise UnreadableRecord("no invitation that is due")
    return due
