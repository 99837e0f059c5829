"""Push notifications by the official Python SDK, unmodified: what happens to a person arrives at their application."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from tests.e2e.days import at
from tests.receiver import Receiver, receiving
from tests.waiting import until

pytestmark = pytest.mark.stack


@pytest.fixture
def application() -> Iterator[Receiver]:
    with receiving() as application:
        yield application


@pytest.fixture
def email() -> str:
    return f"ana-{time.monotonic_ns()}@google.example"


@pytest.fixture
def ana(connect, email) -> Any:
    return connect("google", email, [(9, 10)])


def invited(client: Any, stack: dict[str, Any], email: str) -> dict[str, Any]:
    """The mail about a meeting that the application has just written."""
    _, calendar = client.list_calendars()
    wanted = {"event_id": "interview", "summary": "Interview", "start": at(11), "end": at(12)}
    client.upsert_event(calendar["calendar_id"], wanted)
    messages = until(lambda: httpx.get(f"{stack['mailbox']}/messages", params={"to": email}).json())
    invitation: dict[str, Any] = messages[0]
    return invitation


def answer(stack: dict[str, Any], invitation: dict[str, Any], partstat: str) -> None:
    reply = f"{stack['mailbox']}/messages/{invitation['id']}/reply"
    httpx.post(reply, json={"partstat": partstat}).raise_for_status()


def kinds(application: Receiver) -> list[str]:
    return [callback.notification["type"] for callback in application.received]


def hears(application: Receiver, kind: str) -> None:
    """Waits for it, whatever else comes before."""
    while kind not in kinds(application):
        application.wait_for(len(application.received) + 1)


def test_what_happens_to_a_person_arrives_signed_until_the_channel_is_closed(ana, email, stack, application):
    channel = ana.create_notification_channel(f"{application.url}/first", only_managed=True)
    assert channel["filters"] == {"only_managed": True}
    (verification,) = application.wait_for(1)
    assert verification.notification == {"type": "verification"}
    assert ana.list_notification_channels() == [channel]

    invitation = invited(ana, stack, email)
    answer(stack, invitation, "ACCEPTED")
    *_, change = application.wait_for(2)
    assert change.notification["type"] == "change"
    (event,) = ana.read_events(
        from_date=at(0), to_date=at(24), last_modified=change.notification["changes_since"], only_managed=True
    ).all()
    assert event["participation_status"] == "accepted"

    profile, _ = ana.userinfo()["cronofy.data"]["profiles"]
    ana.revoke_profile(profile["profile_id"])
    *_, disconnected = application.wait_for(3)
    assert disconnected.notification == {"type": "profile_disconnected"}

    for callback in application.received:
        assert ana.hmac_valid(callback.headers["Cronofy-HMAC-SHA256"], callback.body.decode())
        assert callback.path == "/first"

    ana.close_notification_channel(channel["channel_id"])
    assert ana.list_notification_channels() == []
    with pytest.raises(PyCronofyRequestError) as again:
        ana.close_notification_channel(channel["channel_id"])
    assert again.value.response.status_code == 404
    with receiving() as another:
        ana.create_notification_channel(another.url)
        answer(stack, invitation, "DECLINED")
        hears(another, "change")
    assert kinds(application) == ["verification", "change", "profile_disconnected"]


def test_a_server_that_fails_hears_of_it_later_and_holds_up_nobody(ana, application):
    with receiving() as failing:
        failing.refusals = 2
        ana.create_notification_channel(failing.url)
        ana.create_notification_channel(application.url)
        application.wait_for(1)
        failing.wait_for(1)
        assert kinds(failing) == kinds(application) == ["verification"]
        assert [callback.notification["type"] for callback in failing.refused] == ["verification"] * 2


def test_answers_that_come_together_are_told_together(ana, email, stack, application):
    ana.create_notification_channel(application.url)
    application.wait_for(1)
    invitation = invited(ana, stack, email)
    for partstat in ("TENTATIVE", "ACCEPTED", "DECLINED"):
        answer(stack, invitation, partstat)
    *_, change = application.wait_for(2)
    (event,) = ana.read_events(
        from_date=at(0), to_date=at(24), last_modified=change.notification["changes_since"], only_managed=True
    ).all()
    assert event["event_id"] == "interview"


def test_a_person_who_consents_again_is_connected_again(ana, connect, email, application):
    ana.create_notification_channel(application.url)
    profile, _ = ana.userinfo()["cronofy.data"]["profiles"]
    ana.revoke_profile(profile["profile_id"])
    hears(application, "profile_disconnected")
    connect("google", email, [(9, 10)])
    hears(application, "profile_connected")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://app.example.com/hook", "errors.invalid_format"),
        ("https://10.0.0.1/hook", "errors.not_public"),
        ("https://169.254.169.254/latest/meta-data", "errors.not_public"),
        (f"https://app.example.com/{'x' * 128}", "errors.too_long"),
    ],
)
def test_an_address_that_must_not_be_called_is_refused(ana, url, key):
    with pytest.raises(PyCronofyRequestError) as refused:
        ana.create_notification_channel(url)
    assert refused.value.response.status_code == 422
    assert refused.value.response.json()["errors"]["callback_url"][0]["key"] == key
