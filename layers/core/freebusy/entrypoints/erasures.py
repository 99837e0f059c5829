"""A batch of accounts that are to be erased, each pass by pass until nothing is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.audit import record_of, write_record
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import handle_each
from freebusy.entrypoints.records import Message, sub_to_erase
from freebusy.service.audit import begin, note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import ErasureQueue
    from freebusy.service.erasure import Erasure

_A_MINUTE = 5
"""A message waits for a minute or more when it was received so often: longer than any function runs."""


def erase_accounts(event: Mapping[str, Any], *, erasure: Erasure, queue: ErasureQueue) -> dict[str, Any]:
    """A message comes again until a pass finds nothing, and when it fails."""

    def erase(message: Message, sub: str) -> int | None:
        removed = erasure.erase(sub)
        if removed:
            told = "erased, and to be looked at again"
            logger.info(told, message_id=message.message_id, account=sub, removed=removed)
            return max(_A_MINUTE, message.received)
        notes = begin()
        note(sub)
        write_record(record_of(notes, "account.erased", message.message_id, "done"))
        logger.info("nothing is left", message_id=message.message_id, account=sub)
        return None

    return handle_each(event, erase, queue, read=sub_to_erase, about="account", late="an erasure has to wait")
