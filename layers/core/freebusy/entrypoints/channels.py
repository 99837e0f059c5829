"""A batch of channels that are due becomes notifications to their applications."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from freebusy.domain.channel import ChannelDue
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import deliver_in_groups
from freebusy.entrypoints.records import Message, UnreadableRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import ChannelQueue
    from freebusy.service.notifications import Notifier


def notify_channels(event: Mapping[str, Any], *, notifier: Notifier, queue: ChannelQueue) -> dict[str, Any]:
    def notify(message: Message) -> None:
        due = channel_due(message)
        outcome = notifier.deliver(due)
        logger.info(
            "a channel is done with",
            message_id=message.message_id,
            account=due.sub,
            channel=due.channel_id,
            outcome=outcome,
        )

    return deliver_in_groups(event, notify, queue, late="a channel has to wait")


def channel_due(message: Message) -> ChannelDue:
    """Raises UnreadableRecord."""
    try:
        due = ChannelDue(**json.loads(message.body))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord("no channel that is due") from error
    if not all(isinstance(text, str) and text for text in (due.sub, due.channel_id)):
        raise UnreadableRecord("no channel that is due")
    return due
