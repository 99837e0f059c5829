"""A batch of requests for access becomes callbacks to whoever asked.

Each is for itself: what fails is reported by its id and comes again, later each time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.audit import record_of, write_record
from freebusy.entrypoints.observing import logger, tell_trouble, trouble
from freebusy.entrypoints.records import (
    Message,
    UnreadableRecord,
    access_request_id,
    batch_failures,
    messages_of,
    postpone,
)
from freebusy.service.access_answers import AWAITED, AccessAnswers
from freebusy.service.audit import begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import AccessRequestQueue


def answer_access_requests(
    event: Mapping[str, Any], *, answers: AccessAnswers, queue: AccessRequestQueue
) -> dict[str, Any]:
    """Side by side, since most of the time is spent waiting for providers and applications."""
    messages = messages_of(event)
    with ThreadPoolExecutor(max(1, len(messages))) as pool:
        done = pool.map(partial(_answer, answers=answers, queue=queue), messages)
        return batch_failures(
            [message.message_id for message, is_done in zip(messages, done, strict=True) if not is_done]
        )


def _answer(message: Message, *, answers: AccessAnswers, queue: AccessRequestQueue) -> bool:
    """Whether that message is done with."""
    try:
        request_id = access_request_id(message)
    except UnreadableRecord as error:
        logger.error("a message of the queue cannot be read", message_id=message.message_id, trouble=trouble(error))
        postpone([message], queue, received=1)
        return False
    notes = begin()
    try:
        outcome = answers.answer(request_id)
    except Exception as error:  # noqa: BLE001 - an error that nobody expected may be mended before the tries end
        known = {"message_id": message.message_id, "request": request_id, "received": message.received}
        tell_trouble("a request for access has to wait", error, **known)
        postpone([message], queue, received=message.received)
        return False
    if notes.accounts:
        write_record(record_of(notes, "access.granted", request_id, outcome))
    told = "a request for access waits for Cronofy" if outcome == AWAITED else "a request for access is answered"
    logger.info(told, message_id=message.message_id, request=request_id, outcome=outcome)
    return True
