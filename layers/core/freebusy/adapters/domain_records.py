"""TXT records by DNS over HTTPS (https://developers.google.com/speed/public-dns/docs/doh/json)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing, measured
from freebusy.domain.errors import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

RESOLVE_URL = "https://dns.google/resolve"

TXT = 16
NO_ERROR, NO_SUCH_NAME = 0, 3
"""https://www.iana.org/assignments/dns-parameters, DNS RCODEs."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_STRINGS = re.compile(rf"{_STRING}(?:\s*{_STRING})*", re.DOTALL)


class GoogleDns:
    """A resolver that validates DNSSEC, so that a forged answer is a failure."""

    def __init__(self, http: httpx.Client, *, origin: str | None, timing: Timing = REAL_TIME) -> None:
        self._http = ProviderHttp(http, origin=origin, timing=timing)

    @measured("google")
    def texts(self, name: str, *, deadline: float) -> tuple[str, ...]:
        answer = self._http.send("GET", RESOLVE_URL, deadline=deadline, params={"name": name, "type": "TXT"})
        code = answer.body.get("Status")
        if answer.status != HTTPStatus.OK or code not in (NO_ERROR, NO_SUCH_NAME):
            told = code if isinstance(code, int) else "no code"
            raise ProviderUnavailable(f"the name could not be looked up: {answer.status}, {told}")
        records = answer.body.get("Answer")
        return tuple(_text(record) for record in (records if isinstance(records, list) else ()) if _is_text(record))


def _is_text(record: Any) -> bool:
    """An alias on the way to the records (CNAME) is listed among them."""
    return isinstance(record, dict) and record.get("type") == TXT and isinstance(record.get("data"), str)


def _text(record: Mapping[str, Any]) -> str:
    """A record is one text or several strings of 255 octets that make one (RFC 7208, 3.3), quoted or not."""
    data: str = record["data"]
    if not _STRINGS.fullmatch(data):
        return data
    return "".join(re.sub(r"\\(.)", r"\1", string[1:-1], flags=re.DOTALL) for string in re.findall(_STRING, data))
