"""Our own channels at Cronofy: of one person just one leads to an address, or none."""

from __future__ import annotations

import json

import httpx
import pytest

from freebusy.adapters.cronofy_channels import CronofyChannels
from freebusy.adapters.provider_http import Timing
from freebusy.adapters.secrets import ProviderRegistration
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from tests.provider_harness import CREDENTIAL

URL = "https://calendar.example.com/upstream/cronofy/channels/handle"
OURS = {"channel_id": "chn_1", "callback_url": URL, "filters": {}}
ELSEWHERE = {"channel_id": "chn_2", "callback_url": f"{URL}-of-another-account", "filters": {}}


class Cronofy:
    def __init__(self, *channels: object) -> None:
        self.listed = httpx.Response(200, json={"channels": channels})
        self.written = httpx.Response(200, json={"channel": OURS})
        self.requests: list[httpx.Request] = []
        self.adapter = CronofyChannels(
            httpx.Client(transport=httpx.MockTransport(self._reply)),
            lambda *, fresh=False: ProviderRegistration("id", "secret", "de"),
            origin=None,
            timing=Timing(sleep=lambda _: None),
        )

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.listed if request.method == "GET" else self.written

    def settle(self, *, wanted: bool) -> list[tuple[str, str]]:
        """What was written, after the channels were listed."""
        self.adapter.settle(CREDENTIAL, URL, wanted=wanted, deadline=Timing().monotonic() + 10)
        return [(request.method, str(request.url)) for request in self.requests[1:]]


@pytest.mark.parametrize(
    ("channels", "wanted", "written"),
    [
        pytest.param([], True, [("POST", "")], id="none yet"),
        pytest.param([ELSEWHERE], True, [("POST", "")], id="only one of another account of this deployment"),
        pytest.param([ELSEWHERE, OURS], True, [], id="there already"),
        pytest.param([OURS, {**OURS, "channel_id": "chn_3"}], True, [("DELETE", "/chn_3")], id="two, by a crash"),
        pytest.param([ELSEWHERE, OURS], False, [("DELETE", "/chn_1")], id="not needed any more"),
        pytest.param([ELSEWHERE], False, [], id="not there, not needed"),
        pytest.param([{**OURS, "channel_id": "a/b"}], False, [("DELETE", "/a%2Fb")], id="an id that is no path"),
        pytest.param(["chn", {}, {"callback_url": URL}], False, [], id="what is no channel"),
    ],
)
def test_what_is_there_is_made_what_is_wanted(channels, wanted, written):
    cronofy = Cronofy(*channels)
    base = "https://api-de.cronofy.com/v1/channels"
    assert cronofy.settle(wanted=wanted) == [(method, f"{base}{path}") for method, path in written]
    for request in cronofy.requests:
        assert request.headers["authorization"] == f"Bearer {CREDENTIAL.access_token}"


def test_every_notification_is_asked_for():
    cronofy = Cronofy()
    cronofy.settle(wanted=True)
    assert json.loads(cronofy.requests[-1].content) == {"callback_url": URL}


def test_a_channel_that_is_closed_already_is_closed():
    cronofy = Cronofy(OURS)
    cronofy.written = httpx.Response(404)
    cronofy.settle(wanted=False)


@pytest.mark.parametrize(
    ("listed", "written", "error"),
    [
        pytest.param(httpx.Response(401), None, AccessTokenRejected, id="a rejected token"),
        pytest.param(None, httpx.Response(401), AccessTokenRejected, id="a token that was rejected in between"),
        pytest.param(None, httpx.Response(402), ProviderMisconfigured, id="not in the plan"),
        pytest.param(None, httpx.Response(404), CalendarUnreadable, id="not found"),
        pytest.param(None, httpx.Response(422, json={"errors": {}}), CalendarUnreadable, id="an address it refuses"),
        pytest.param(None, httpx.Response(503), ProviderUnavailable, id="down"),
        pytest.param(httpx.Response(200, json={"channels": None}), None, CalendarUnreadable, id="no list"),
        pytest.param(httpx.Response(200, json=[]), None, ProviderUnavailable, id="no object"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_somebody_tries_again_after(listed, written, error: type[ProviderError]):
    cronofy = Cronofy()
    cronofy.listed, cronofy.written = listed or cronofy.listed, written or cronofy.written
    with pytest.raises(error):
        cronofy.settle(wanted=True)
