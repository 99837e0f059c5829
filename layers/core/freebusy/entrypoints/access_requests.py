"""A batch of requests for access becomes callbacks to whoever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.audit import record_of, write_record
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import handle_each
from freebusy.entrypoints.records import Message, access_request_id
from freebusy.service.access_answers import AWAITED, AccessAnswers
from freebusy.service.audit import begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import AccessRequestQueue


def answer_access_requests(
    event: Mapping[str, Any], *, answers: AccessAnswers, queue: AccessRequestQueue
) -> dict[str, Any]:
    def answer(message: Message, request_id: str) -> None:
        notes = begin()
        outcome = answers.answer(request_id)
        if notes.accounts:
            write_record(record_of(notes, "access.granted", request_id, outcome))
        told = "a request for access waits for Cronofy" if outcome == AWAITED else "a request for access is answered"
        logger.info(told, message_id=message.message_id, request=request_id, outcome=outcome)

    late = "a request for access has to wait"
    return handle_each(event, answer, queue, read=access_request_id, about="request", late=late)
