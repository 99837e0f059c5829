"""A batch of stream records becomes invitations that are due, and a batch of those becomes mail.

Whatever fails is reported by its id and comes again; it never takes anything else of its batch with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from freebusy.domain.event import InvitationDue
from freebusy.domain.identifiers import hashed
from freebusy.entrypoints.observing import logger, tell_trouble, trouble
from freebusy.entrypoints.records import (
    Message,
    UnreadableRecord,
    batch_failures,
    event_change,
    groups_of,
    invitation_due,
    name_of,
    postpone,
    sequence_number,
)
from freebusy.measures import Measure, take
from freebusy.ports import DeadLetters, InvitationQueue
from freebusy.service.delivery import Sender
from freebusy.service.invitations import due_after


def queue_invitations(event: Mapping[str, Any], *, queue: InvitationQueue, dead_letters: DeadLetters) -> dict[str, Any]:
    """A record that nobody can read goes to the dead letters at once: reported, it would hold up its whole shard.

    When a queue does not answer, the batch fails as a whole: what was queued before is recognised as queued.
    """
    records: Sequence[Mapping[str, Any]] = event["Records"]
    try:
        due: list[InvitationDue] = []
        for record in records:
            due += _due_of(record, dead_letters)
        queue.put(due)
    except Exception as error:  # noqa: BLE001 - whatever it is, no change of an event may be passed over
        for record in records:
            tell_trouble("an event's change is not queued yet", error, change=name_of(record))
        return batch_failures([sequence_number(records[0])])
    logger.info("queued", records=len(records), due=len(due))
    return batch_failures([])


def _due_of(record: Mapping[str, Any], dead_letters: DeadLetters) -> list[InvitationDue]:
    try:
        change = event_change(record)
    except UnreadableRecord as error:
        logger.error("a record of the stream cannot be read", change=name_of(record), trouble=trouble(error))
        dead_letters.put({"condition": "UnreadableRecord", **name_of(record)})
        return []
    return due_after(change.before, change.after)


def deliver_invitations(event: Mapping[str, Any], *, sender: Sender, queue: InvitationQueue) -> dict[str, Any]:
    """Groups side by side, since most of the time is spent waiting; within a group, one after another."""
    groups = groups_of(event)
    with ThreadPoolExecutor(max(1, len(groups))) as pool:
        held_back = pool.map(partial(_deliver_group, sender=sender, queue=queue), groups)
        return batch_failures([message.message_id for group in held_back for message in group])


def _deliver_group(messages: list[Message], *, sender: Sender, queue: InvitationQueue) -> list[Message]:
    """What has to come again: the message that failed, and all behind it, as order matters within a group.

    A message that nobody can read says nothing that those behind it would have to wait for. It comes again soon, until
    it has come often enough to be among the dead letters.
    """
    unreadable: list[Message] = []
    for position, message in enumerate(messages):
        try:
            _deliver(message, sender)
        except UnreadableRecord as error:
            logger.error("a message of the queue cannot be read", message_id=message.message_id, trouble=trouble(error))
            take(Measure.INVITATIONS, "unreadable")
            postpone([message], queue, received=1)
            unreadable.append(message)
        except Exception as error:  # noqa: BLE001 - an error that nobody expected may be mended before the tries end
            known = {"message_id": message.message_id, "received": message.received}
            tell_trouble("an invitation has to wait", error, **known)
            take(Measure.INVITATIONS, "waiting")
            # Together, since a FIFO queue gives out nothing of a group while any of its messages is still hidden.
            postpone(messages[position:], queue, received=message.received)
            return [*unreadable, *messages[position:]]
    return unreadable


def _deliver(message: Message, sender: Sender) -> None:
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
