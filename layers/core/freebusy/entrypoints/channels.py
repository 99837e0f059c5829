"""A batch of channels that are due becomes notifications to their applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import deliver_in_groups
from freebusy.entrypoints.records import Message, channel_due
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
