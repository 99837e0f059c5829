"""A batch of a FIFO queue, group by group, or of a standard queue, whose messages are each for themselves.

Whatever fails is reported by its id and comes again, later each time; it never takes anything of another group, or any
other message, with it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.observing import logger, tell_trouble, trouble
from freebusy.entrypoints.records import Message, UnreadableRecord, batch_failures, groups_of, messages_of, postpone
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
            _put_off_unreadable(message, error, queue)
            if measure:
                take(measure, "unreadable")
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


def handle_each(  # noqa: PLR0913 - what is said of one queue
    event: Mapping[str, Any],
    handle: Callable[[Message, str], int | None],
    queue: RetriedQueue,
    *,
    read: Callable[[Message], str],
    about: str,
    late: str,
) -> dict[str, Any]:
    """Messages of a standard queue side by side, since most of the time is spent waiting.

    ``handle`` gets each with the id that ``read`` finds in it, which logs call ``about``. It returns None for what is
    done with; else the message comes again, as if it had been received so often. It raises what has to be tried again,
    which is logged as ``late``.
    """

    def is_done(message: Message) -> bool:
        known = {"message_id": message.message_id, "received": message.received}
        try:
            identifier = read(message)
        except UnreadableRecord as error:
            _put_off_unreadable(message, error, queue)
            return False
        try:
            again = handle(message, identifier)
        except Exception as error:  # noqa: BLE001 - an error that nobody expected may be mended before the tries end
            tell_trouble(late, error, **{about: identifier}, **known)
            again = message.received
        if again is not None:
            postpone([message], queue, received=again)
        return again is None

    messages = messages_of(event)
    with ThreadPoolExecutor(max(1, len(messages))) as pool:
        done = pool.map(is_done, messages)
        return batch_failures(
            [message.message_id for message, is_over in zip(messages, done, strict=True) if not is_over]
        )


def _put_off_unreadable(message: Message, error: UnreadableRecord, queue: RetriedQueue) -> None:
    logger.error("a message of the queue cannot be read", message_id=message.message_id, trouble=trouble(error))
    postpone([message], queue, received=1)
