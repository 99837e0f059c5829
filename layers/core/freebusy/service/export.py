"""Everything that is stored about one account, for its person to read.

It follows what is stored, and no list of what there is: an attribute that comes to be stored is exported too. Only what
is read differently than it is stored is named here.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import NotFound
from freebusy.domain.recurrence import ENDLESS
from freebusy.service.erasure import requests_about

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freebusy.ports import AccessRequestStore, AccountStore, Belongings

FORMAT = 1
"""Rises when what there was is written differently; more may be added without."""

PRESENT = "present"
"""In the place of a value that lets somebody in, or that such a value can be recognised by."""

WITHHELD = frozenset({"sealed", "browser_hash", "link_token_hash", "code_challenge"})
LEFT_OUT = frozenset({"pk", "sk"})
"""Where it is stored. What the keys hold beside hashes of secrets is among the attributes too, or see ``_sent``."""

TIMES = frozenset({"start", "end", "until", "stamp", "leased_until"})
"""Epoch seconds, beside everything whose name ends with ``_at``."""

_NEVER = 0


def export_account(
    sub: str, *, accounts: AccountStore, belongings: Belongings, requests: AccessRequestStore, now: int
) -> dict[str, Any]:
    """``stored`` holds lists by kind, as an erasure names them. Raises NotFound."""
    stored: dict[str, list[Any]] = defaultdict(list)
    for kind, item in belongings.all_of(sub):
        stored[kind].append(_READERS.get(kind, _readable)(item))
    account = accounts.find(sub)
    waiting = [*requests_about(account, requests)] if account else []
    if waiting:
        stored["access"] = [_readable(asdict(request)) for request in waiting]
    if not stored:
        raise NotFound(f"nothing is stored about {sub}")
    return {"format": FORMAT, "sub": sub, "exported_at": _moment(now), "stored": dict(sorted(stored.items()))}


def _readable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in values.items() if name not in LEFT_OUT}


def _value(name: str, value: Any) -> Any:
    if name in WITHHELD:
        return PRESENT if value else None
    if isinstance(value, dict):
        return _readable(value)
    if hasattr(value, "_asdict"):  # a named tuple, of a record that was read as such
        return _readable(value._asdict())
    if isinstance(value, list | tuple):
        return [_value(name, each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and (name in TIMES or name.endswith("_at")):
        return None if value == _NEVER else _moment(value)
    return value


# --- What is stored in another way than it is read -------------------------------------------------


def _event(item: Mapping[str, Any]) -> dict[str, Any]:
    """Its details are JSON, and so are the times from which it was moved away."""
    details = _readable(json.loads(item["details"]))
    for rule in details["recurrence"]:
        rule["exceptions"] = [_moment(each) for each in rule["exceptions"]]
    return _readable(item) | {"details": details, "earlier": _periods(json.loads(item["earlier"]))}


def _sent(item: Mapping[str, Any]) -> dict[str, Any]:
    """What was mailed about an event, and to whom; its key alone says so. Addresses are hashed there."""
    _, uid, recipient = item["sk"].split("#", 2)
    return {"event_uid": uid, "recipient_hash": recipient, **_readable(item)}


def _availability(item: Mapping[str, Any]) -> dict[str, Any]:
    """A rule is JSON without names; a period has its two times alone."""
    periods = {period_id: _periods([period])[0] for period_id, period in item["periods"].items()}
    return _readable(item) | {
        "rules": {rule_id: _rule(*json.loads(rule)) for rule_id, rule in item["rules"].items()},
        "periods": periods,
    }


def _rule(tzid: str, calendar_ids: list[str], weekly_periods: list[list[int]]) -> dict[str, Any]:
    hours = [{"weekday": day, "start": _clock(start), "end": _clock(end)} for day, start, end in weekly_periods]
    return {"tzid": tzid, "calendar_ids": calendar_ids, "weekly_periods": hours}


def _channel(item: Mapping[str, Any]) -> dict[str, Any]:
    """Its key alone says which it is; what is pending names its moments by what happened then."""
    pending = {kind: _moment(since) for kind, since in item["pending"].items()}
    return {"channel_id": item["sk"].partition("#")[2], **_readable(item), "pending": pending}


def _once(item: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that is kept for whoever sends the same again, compressed too; none while that is carried out."""
    body = {"body": zlib.decompress(item["body"]).decode()} if "body" in item else {}
    return _readable(item) | body


def _page(item: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of ours, compressed."""
    return _readable({name: value for name, value in item.items() if name != "page"}) | {
        "page": json.loads(zlib.decompress(item["page"]))
    }


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "event": _event,
    "sent": _sent,
    "availability": _availability,
    "channel": _channel,
    "once": _once,
    "page": _page,
}


def _periods(pairs: list[list[int]]) -> list[dict[str, str]]:
    return [{"start": _moment(start), "end": _moment(end)} for start, end in pairs]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _moment(seconds: int) -> str:
    """RFC 3339, which knows no year 10000."""
    return datetime.fromtimestamp(min(seconds, ENDLESS), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
