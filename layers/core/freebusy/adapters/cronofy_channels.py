"""Our own push notification channels at Cronofy (https://docs.cronofy.com/developers/api/push-notifications/)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from freebusy.adapters.cronofy_api import CronofyApi
from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing, measured
from freebusy.domain.errors import CalendarUnreadable

if TYPE_CHECKING:
    import httpx

    from freebusy.adapters.secrets import RegistrationSource
    from freebusy.domain.account import ProviderCredential

_CHANNELS = "/v1/channels"
_DONE = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED})


class CronofyChannels:
    """Implements ``ports.UpstreamChannels``."""

    def __init__(
        self, http: httpx.Client, registration: RegistrationSource, *, origin: str | None, timing: Timing = REAL_TIME
    ) -> None:
        self._api = CronofyApi(ProviderHttp(http, origin=origin, timing=timing), registration)

    @measured("cronofy")
    def settle(self, credential: ProviderCredential, callback_url: str, *, wanted: bool, deadline: float) -> None:
        there = self._open(credential, callback_url, deadline)
        if wanted and not there:
            self._write("POST", _CHANNELS, credential, {"callback_url": callback_url}, deadline)
        for channel_id in there[wanted:]:
            self._write("DELETE", f"{_CHANNELS}/{quote(channel_id, safe='')}", credential, {}, deadline)

    def _open(self, credential: ProviderCredential, callback_url: str, deadline: float) -> list[str]:
        """The ids of those channels that lead to this address; others are of other accounts of this deployment."""
        listed = self._api.get(_CHANNELS, credential, deadline=deadline).get("channels")
        if not isinstance(listed, list):
            raise CalendarUnreadable("the answer lists no channels")
        return [
            str(channel["channel_id"])
            for channel in listed
            if isinstance(channel, dict) and channel.get("callback_url") == callback_url and channel.get("channel_id")
        ]

    def _write(
        self, method: str, path: str, credential: ProviderCredential, body: dict[str, Any], deadline: float
    ) -> None:
        """One that is closed already is closed."""
        answer = self._api.write(method, path, credential, body, deadline=deadline)
        closed = method == "DELETE" and answer.status == HTTPStatus.NOT_FOUND
        if answer.status not in _DONE and not closed:
            raise CalendarUnreadable(f"a channel at Cronofy was answered with {answer.status}")
