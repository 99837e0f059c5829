"""A batch of invitations that are due becomes mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freebusy.domain.identifiers import hashed
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import deliver_in_groups
from freebusy.entrypoints.records import Message, invitation_due
from freebusy.measures import Measure, take
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
