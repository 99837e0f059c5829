"""A batch of accounts that are to be erased, each pass by pass until nothing is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.audit import record_of, write_record
from freebusy.entrypoints.observing import logger, tell_trouble, trouble
from freebusy.entrypoints.records import (
    Message,
    UnreadableRecord,
    batch_failures,
    messages_of,
    postpone,
    sub_to_erase,
)
from freebusy.service.audit import begin, note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import ErasureQueue
    from freebusy.service.erasure import Erasure

_A_MINUTE = 5
"""A message waits for a minute or more when it was received so often: longer than any function runs."""


def erase_accounts(event: Mapping[str, Any], *, erasure: Erasure, queue: ErasureQueue) -> dict[str, Any]:
    """A message comes again until a pass finds nothing, and when it fails."""
    return batch_failures(
        [message.message_id for message in messages_of(event) if not _is_erased(message, erasure, queue)]
    )


def _is_erased(message: Message, erasure: Erasure, queue: ErasureQueue) -> bool:
    try:
        sub = sub_to_erase(message)
    except UnreadableRecord as error:
        logger.error("a message of the queue cannot be read", message_id=message.message_id, trouble=trouble(error))
        postpone([message], queue, received=1)
        return False
    try:
        removed = erasure.erase(sub)
    except Exception as error:  # noqa: BLE001 - an error that nobody expected may be mended before the tries end
        known = {"message_id": message.message_id, "received": message.received}
        tell_trouble("an erasure has to wait", error, account=sub, **known)
        postpone([message], queue, received=message.received)
        return False
    if removed:
        logger.info(
            "erased, and looked at again in a minute", message_id=message.message_id, account=sub, removed=removed
        )
        postpone([message], queue, received=_A_MINUTE)
        return False
    notes = begin()
    note(sub)
    write_record(record_of(notes, "account.erased", message.message_id, "done"))
    logger.info("nothing is left", message_id=message.message_id, account=sub)
    return True
