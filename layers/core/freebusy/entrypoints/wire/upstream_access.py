"""What Cronofy sends about a mailbox that it was asked for."""

from __future__ import annotations

import json

from freebusy.service.upstream_access import Answer


def upstream_answer(body: bytes) -> Answer | None:
    """None for anything but an answer. Which of its two words says why there is no code, its documentation leaves open
    (https://docs.cronofy.com/developers/api/enterprise-connect/delegated-access).
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"authorization": {"code": str(code), "state": str(state)}} if code:
            return Answer(state, code, "")
        case {"authorization": {"error_key": str(key), "state": str(state)}} if key:
            return Answer(state, "", key)
        case {"authorization": {"error": str(error), "state": str(state)}} if error:
            return Answer(state, "", error)
    return None
