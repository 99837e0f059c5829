"""Carrying out once what a client may send more often, because it never heard of the answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from freebusy.domain.errors import InvalidRequest, RequestInProgress, StorageUnavailable
from freebusy.domain.idempotency import CARRYING_OUT, KEPT, Answered, KeyedRequest
from freebusy.service.audit import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.ports import AnswerStore

logger = logging.getLogger(__name__)


def carry_out_once(
    request: KeyedRequest, carry_out: Callable[[], Answered], *, answers: AnswerStore, now: int
) -> Answered:
    """What ``carry_out`` returns, or has returned to the first of these requests.

    What it raises is not kept, so that the request can be sent again. Raises RequestInProgress too, and InvalidRequest
    where the key stands for another request.
    """
    if not answers.begin(request, now=now, expires_at=now + CARRYING_OUT):
        return _first_answer(request, answers)
    try:
        answered = carry_out()
    except Exception:
        _finish(request, None, answers, expires_at=now)
        raise
    _finish(request, answered, answers, expires_at=now + KEPT)
    return answered


def _first_answer(request: KeyedRequest, answers: AnswerStore) -> Answered:
    first = answers.first(request)
    if first is not None and first.fingerprint != request.fingerprint:
        raise InvalidRequest.of("Idempotency-Key", "errors.already_used", "another request had this key: use a new one")
    if first is None or first.answered is None:
        raise RequestInProgress("the first request with this key is being carried out")
    note(action="answer.repeated")
    return first.answered


def _finish(request: KeyedRequest, answered: Answered | None, answers: AnswerStore, *, expires_at: int) -> None:
    """What was done is done, and is answered, even where that cannot be written down."""
    try:
        answers.finish(request, answered, expires_at=expires_at)
    except StorageUnavailable:
        logger.exception("the outcome of a request cannot be kept", extra={"client_id": request.client_id})
