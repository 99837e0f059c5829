"""Cronofy calls: a mailbox that it was asked for is ours to read, or is not."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.cronofy_signature import signed
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.wire.upstream_access import upstream_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freebusy.service.upstream_access import UpstreamAnswers


def take_upstream_answer(
    event: Mapping[str, Any], handle: str, *, answers: UpstreamAnswers, has_signed: Callable[[bytes, str], bool]
) -> HTTPStatus:
    """Whoever is not Cronofy learns nothing, not even whether the handle is one. ``has_signed`` says who is.

    Raises ProviderError or StorageUnavailable.
    """
    body, signature = signed(event)
    if not has_signed(body, signature):
        logger.warning("an answer is not Cronofy's")
        return HTTPStatus.FORBIDDEN
    answer = upstream_answer(body)
    request_id = answers.take(handle, answer) if answer else None
    logger.info("Cronofy answered", request=request_id)
    return HTTPStatus.ACCEPTED if request_id else HTTPStatus.NOT_FOUND
