"""The real handler, for what Cronofy posts: nothing is done that it did not sign."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from freebusy.adapters.secrets import ProviderSecrets
from freebusy.bootstrap import Dependencies
from freebusy.domain.callback import is_signed, signature
from freebusy.domain.channel import NotificationType
from freebusy.domain.identifiers import hashed
from tests.api import Context, call, handler
from tests.fakes.clock import NOW
from tests.fakes.queues import FakeUpstreamQueue
from tests.fakes.secrets_manager import FakeSecretsManager

SECRET, HANDLE = "our secret at Cronofy", "handle"
PATH = f"/upstream/cronofy/channels/{HANDLE}"


@pytest.fixture
def queue(wired, monkeypatch) -> FakeUpstreamQueue:
    """With a channel of ours at Cronofy, for somebody's profile."""
    queue = FakeUpstreamQueue()
    monkeypatch.setattr(Dependencies, "upstream_queue", queue)
    monkeypatch.setattr(Dependencies, "cronofy_has_signed", lambda _, *signed: is_signed(*signed, [SECRET]))
    wired.upstream_handles.save(hashed(HANDLE), client_id="client-1", sub="acc_1", profile_id="pro_1")
    return queue


def notification(kind: Any = "change", **more: Any) -> str:
    told = {"type": kind, **({"changes_since": "2027-01-15T08:00:00Z"} if kind == "change" else {}), **more}
    return json.dumps({"notification": told, "channel": {"channel_id": "chn_1", "filters": {}}})


def post(body: str, header: str | None = None, path: str = PATH) -> int:
    signed = signature(body.encode(), [SECRET]) if header is None else header
    return call("cronofy_notifications", "POST", path, body=body, headers={"cronofy-hmac-sha256": signed}).status


@pytest.mark.parametrize(
    "kind", [NotificationType.CHANGE, NotificationType.PROFILE_DISCONNECTED, "profile_initial_sync_completed"]
)
def test_what_concerns_applications_is_queued(queue, kind):
    assert post(notification(kind)) == 202
    (due,) = queue.waiting
    assert (due.sub, due.profile_id, due.told) == ("acc_1", "pro_1", kind)
    assert due.since == (1_800_000_000 if kind == "change" else 0)


def test_two_that_say_the_same_are_two(queue):
    for _ in range(2):
        post(notification())
    assert len({due.version for due in queue.waiting}) == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(notification("verification"), id="that the channel was opened"),
        pytest.param(notification("profile_connected"), id="connected there, for which nobody consented here"),
        pytest.param(notification("gdpr_requested"), id="a type that we do not know"),
        pytest.param(notification(7), id="no type"),
        pytest.param(notification("change", changes_since=None), id="since no time"),
        pytest.param(notification("change", changes_since="yesterday"), id="since what is no time"),
        pytest.param("{}", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("7", id="a number"),
        pytest.param("not JSON", id="no JSON"),
        pytest.param("[" * 100_000, id="nested without end"),
    ],
)
def test_what_is_not_known_is_taken_and_ignored(queue, body):
    event_is_described = not body.startswith(("[", "7", "not"))
    headers = {"cronofy-hmac-sha256": signature(body.encode(), [SECRET])}
    answer = call("cronofy_notifications", "POST", PATH, body=body, headers=headers, compared=event_is_described)
    assert answer.status == 202
    assert queue.waiting == []


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("AAAA", id="of something else"),
        pytest.param(signature(notification().encode(), ["another secret"]), id="with another secret"),
        pytest.param(signature(notification("verification").encode(), [SECRET]), id="of another body"),
        pytest.param("é,☃", id="no ASCII"),
        pytest.param("," * 10_000, id="many of nothing"),
    ],
)
def test_what_was_not_signed_by_cronofy_is_refused(queue, header):
    assert post(notification(), header) == 401
    assert queue.waiting == []


def test_while_cronofys_client_has_two_secrets_ours_is_enough(queue):
    body = notification()
    assert post(body, signature(body.encode(), ["a new one", SECRET])) == 202


def test_the_signature_is_of_the_bytes(queue):
    body = notification("change", note="où")
    event = {
        "version": "2.0",
        "rawPath": PATH,
        "routeKey": f"POST {PATH}",
        "headers": {"cronofy-hmac-sha256": signature(body.encode(), [SECRET])},
        "requestContext": {"http": {"method": "POST", "path": PATH}, "stage": "$default", "requestId": "r"},
        "body": b64encode(body.encode()).decode(),
        "isBase64Encoded": True,
    }
    assert handler("cronofy_notifications")(event, Context())["statusCode"] == 202
    assert len(queue.waiting) == 1


def test_what_no_encoding_has_is_not_signed(queue):
    assert post("\ud800", "AAAA") == 401
    assert queue.waiting == []


def test_forgers_do_not_have_our_secret_read_for_each_of_theirs(wired, monkeypatch):
    """Secrets Manager is paid for by the call: it is asked once, and once more in case that we are late to know."""
    manager = FakeSecretsManager(json.dumps({"client_id": "id", "client_secret": SECRET}))
    monkeypatch.setattr(wired.settings, "cronofy_secret_id", "cronofy")
    monkeypatch.setattr(wired, "_secrets", ProviderSecrets(manager, clock=lambda: NOW))
    assert [post(notification(), "AAAA") for _ in range(9)] == [401] * 9
    assert manager.reads == ["cronofy"] * 2


@pytest.mark.parametrize("handle", ["another", "x" * 3000, "%E2%98%83"])
def test_a_channel_that_nobody_needs_is_gone(queue, handle):
    assert post(notification(), path=f"/upstream/cronofy/channels/{handle}") == 410
    assert queue.waiting == []


def test_without_cronofy_nothing_is_authentic(wired):
    body = notification()
    assert post(body, signature(body.encode(), [""])) == 401
