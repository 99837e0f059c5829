"""``Idempotency-Key``: a request that changes something can be sent again, and changes it once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from freebusy.bootstrap import dependencies
from freebusy.domain.errors import InvalidRequest
from freebusy.entrypoints.http import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freebusy.domain.account import Account
    from freebusy.domain.service_account import ServiceAccount

_KEY = re.compile(r'"?([!#-\[\]-~]{1,255})"?')
"""A string of structured fields (RFC 9651, 3.3.3), which many clients send without its quotes."""


def once(
    event: Mapping[str, Any], holder: Account | ServiceAccount, carry_out: Callable[[], Response[str]]
) -> Response[str]:
    """The answer of ``carry_out``, or the one that this holder's request with the same key got in the last 24 hours.

    Without the header it is just carried out. What it raises is not kept. Raises InvalidRequest for a key that is
    malformed or was another request's, and RequestInProgress.
    """
    key = key_of(event)
    if key is None:
        return carry_out()
    # Most requests have no key, and a cold start need not load what they are.
    from freebusy.domain.idempotency import Answered, KeyedRequest
    from freebusy.service.idempotency import carry_out_once

    def carried_out() -> Answered:
        answer = carry_out()
        return Answered(answer.status_code, answer.body or "")

    http, wired = event["requestContext"]["http"], dependencies()
    request = KeyedRequest(holder.client_id, holder.sub, key, http["method"], http["path"], event.get("body") or "")
    status, body = carry_out_once(request, carried_out, answers=wired.kept_answers, now=wired.clock())
    return Response(status_code=status, content_type=JSON, body=body)


def key_of(event: Mapping[str, Any]) -> str | None:
    """None without the header. Raises InvalidRequest for one that is malformed."""
    sent = event.get("headers", {}).get("idempotency-key")
    if sent is None:
        return None
    if not (key := _KEY.fullmatch(sent)):
        raise InvalidRequest.of("Idempotency-Key", "errors.invalid_format", "must be of 1 to 255 printable characters")
    return key[1]
