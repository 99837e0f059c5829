"""A batch of a FIFO queue, group by group.

Whatever fails is reported by its id and comes again; it never takes anything of another group with it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.observing import logger, tell_trouble, trouble
from freebusy.entrypoints.records import Message, UnreadableRecord, batch_failures, groups_of, postpone
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freebusy.ports import RetriedQueue


def deliver_in_groups(
    event: Mapping[str, Any],
    deliver: Callable[[Message], None],
    queue: RetriedQueue,
    *,
    late: str,
    measure: Measure | None = None,
) -> dict[str, Any]:
    """Groups side by side, since most of the time is spent waiting; within a group, one after another.

    ``deliver`` raises what has to be tried again, which is logged as ``late``, and counted by ``measure``.
    """
    groups = groups_of(event)
    with ThreadPoolExecutor(max(1, len(groups))) as pool:
        held_back = pool.map(lambda group: _deliver_group(group, deliver, queue, late, measure), groups)
        return batch_failures([message.message_id for group in held_back for message in group])


def _deliver_group(
    messages: list[Message], deliver: Callable[[Message], None], queue: RetriedQueue, late: str, measure: Measure | None
) -> list[Message]:
    """What has to come again: the message that failed, and all behind it, as order matters within a group.

    A message that nobody can read says nothing that those behind it would have to wait for. It comes again soon, until
    it has come often enough to be among the dead letters.
    """
    unreadable: list[Message] = []
    for position, message in enumerate(messages):
        try:
            deliver(message)
        except UnreadableRecord as error:
            logger.error("a message of the queue cannot be read", message_id=message.message_id, trouble=trouble(error))
            if measure:
                take(measure, "unreadable")
            postpone([message], queue, received=1)
            unreadable.append(message)
        except Exception as error:  # noqa: BLE001 - an error that nobody expected may be mended before the tries end
            known = {"message_id": message.message_id, "received": message.received}
            tell_trouble(late, error, **known)
            if measure:
                take(measure, "waiting")
            # Together, since a FIFO queue gives out nothing of a group while any of its messages is still hidden.
            postpone(messages[position:], queue, received=message.received)
            return [*unreadable, *messages[position:]]
    return unreadable
