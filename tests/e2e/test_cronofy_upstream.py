"""People who connect through Cronofy, in whose place a second stack of this very service stands; driven by its SDK.

``up`` is the stack in Cronofy's place, where people, calendars and mail are; ``front`` is the one under test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from local.browser import visit
from local.demo import parsed
from tests.e2e.days import at
from tests.e2e.upstream import Somebody, assert_free_with_somebody_direct, follow, have, hours
from tests.receiver import Receiver, receiving
from tests.waiting import until

pytestmark = pytest.mark.stack


@pytest.fixture
def person(up, front) -> Callable[..., Somebody]:
    """Somebody new whose calendar is at a provider that Cronofy reads, and who has connected through it."""

    def connected(*busy: tuple[float, float], provider: str = "google", domain: str = "example.com") -> Somebody:
        email = f"{uuid4().hex[:12]}@{domain}"
        have(up, provider, email, *busy)
        somebody = Somebody(front, email, provider)
        somebody.consent()
        return somebody

    return connected


def mail(stack: dict[str, Any], email: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = httpx.get(f"{stack['mailbox']}/messages", params={"to": email}).json()
    return messages


def method_of(message: dict[str, str]) -> str:
    """What the invitation in a message is (RFC 5546)."""
    methods = [str(part.get_param("method")) for part in parsed(message).walk() if part.get_param("method")]
    return methods[0]


def test_the_account_has_the_two_profiles_that_cronofy_has(person):
    somebody = person()
    data = somebody.client.userinfo()["cronofy.data"]
    assert [each["provider_name"] for each in data["profiles"]] == ["google_free_busy", "cronofy"]
    assert all(each["profile_connected"] for each in data["profiles"])
    assert {each["profile_name"] for each in somebody.client.list_profiles()} == {somebody.email}
    assert [each["calendar_readonly"] for each in somebody.client.list_calendars()] == [True, False]


def test_whoever_refuses_at_cronofy_is_refused_here(front, up):
    somebody = Somebody(front, "nobody@example.com")
    uri = front["redirect_uris"][0]
    link = somebody.client.user_auth_link(uri, scope="free_busy_write", state="s", provider_name="google_free_busy")
    assert visit(link, until=uri, consent={"sim_deny": "access_denied"})["error"] == "access_denied"


@pytest.mark.parametrize(("provider", "domain"), [("google", "example.com"), ("microsoft", "contoso.example")])
def test_free_busy_comes_through(person, provider, domain):
    assert person((9, 10), (11, 12.5), provider=provider, domain=domain).busy() == hours((9, 10), (11, 12.5))


def test_what_others_wrote_to_the_calendar_at_cronofy_counts_too(person, up):
    somebody = person((9, 10))
    there = Somebody(up, somebody.email)
    there.consent()
    there.book(13, 14, event_id="of another system")
    assert somebody.busy() == hours((9, 10), (13, 14))


def test_an_event_counts_at_once_and_once_and_is_mailed_by_cronofy_alone(person, up, front):
    somebody = person((9, 10))
    guest = f"{uuid4().hex[:12]}@guests.example"
    somebody.book(13, 14, attendees={"invite": [{"email": guest}], "remove": []})
    assert somebody.busy() == hours((9, 10), (13, 14))
    (invitation,) = until(partial(mail, up, somebody.email))
    assert "Interview" in invitation["subject"]
    assert len(until(partial(mail, up, guest))) == 1
    assert somebody.busy() == hours((9, 10), (13, 14))
    assert mail(front, somebody.email) == mail(front, guest) == []


def test_what_is_answered_there_is_known_here(person, up):
    somebody = person()
    guest = f"{uuid4().hex[:12]}@guests.example"
    somebody.book(13, 14, attendees={"invite": [{"email": guest}], "remove": []})
    (invitation,) = until(partial(mail, up, somebody.email))
    (of_guest,) = until(partial(mail, up, guest))
    for message, answer in ((invitation, "ACCEPTED"), (of_guest, "DECLINED")):
        httpx.post(f"{up['mailbox']}/messages/{message['id']}/reply", json={"partstat": answer}).raise_for_status()

    def answered() -> bool:
        statuses = {each["email"]: each["status"] for each in somebody.event()["attendees"]}
        return statuses == {somebody.email: "accepted", guest: "declined"}

    assert until(answered)
    assert somebody.event()["participation_status"] == "accepted"


def test_who_declines_there_is_free_again(person, up):
    somebody = person()
    somebody.book(13, 14)
    assert somebody.free() == [(at(8), at(13)), (at(14), at(18))]
    (invitation,) = until(partial(mail, up, somebody.email))
    httpx.post(f"{up['mailbox']}/messages/{invitation['id']}/reply", json={"partstat": "DECLINED"}).raise_for_status()
    assert until(lambda: somebody.event()["participation_status"] == "declined")
    assert somebody.free() == [(at(8), at(18))]


def test_an_event_that_moves_and_goes_does_so_there(person, up):
    somebody = person()
    somebody.book(13, 14)
    until(partial(mail, up, somebody.email))
    somebody.book(15, 16)
    until(lambda: len(mail(up, somebody.email)) == 2)
    assert somebody.busy() == hours((15, 16))
    somebody.client.delete_event(somebody.calendar_id, "booking-7")
    assert somebody.busy() == []
    until(lambda: len(mail(up, somebody.email)) == 3)
    assert [method_of(each) for each in mail(up, somebody.email)] == ["REQUEST", "REQUEST", "CANCEL"]


def test_a_group_may_be_connected_in_both_ways(person, front_freebusy):
    assert_free_with_somebody_direct(person((9, 10)), front_freebusy)


def test_what_cronofy_cannot_read_is_unknown_and_never_free(person, up):
    somebody = person((9, 10))
    httpx.put(f"{up['google']}/sim/faults", json={"busy": {"status": 503}}).raise_for_status()
    try:
        assert {status for *_, status in somebody.busy()} == {"unknown"}
        assert somebody.free() == []
    finally:
        httpx.delete(f"{up['google']}/sim/faults").raise_for_status()
    assert somebody.busy() == hours((9, 10))


def test_revoking_here_ends_the_authorization_there(person, up):
    somebody = person()
    there = Somebody(up, somebody.email)
    there.consent()
    somebody.client.revoke_authorization()
    for client in (somebody.client, there.client):
        with pytest.raises(PyCronofyRequestError) as refused:
            client.userinfo()
        assert refused.value.response.status_code == 401


def test_revoking_the_calendar_here_ends_the_authorization_there(person, up):
    somebody = person()
    there = Somebody(up, somebody.email)
    there.consent()
    somebody.client.revoke_profile(somebody.client.list_profiles()[0]["profile_id"])
    with pytest.raises(PyCronofyRequestError) as refused:
        there.client.userinfo()
    assert refused.value.response.status_code == 401


def test_erasing_somebody_here_ends_the_authorization_there(person, up, front_freebusy):
    somebody = person()
    there = Somebody(up, somebody.email)
    there.consent()
    assert "upstream" in {each["kind"] for each in front_freebusy("accounts", "erase", somebody.sub, "--yes")["erased"]}
    with pytest.raises(PyCronofyRequestError) as refused:
        there.client.userinfo()
    assert refused.value.response.status_code == 401


def test_whoever_was_revoked_there_can_connect_again_here(person, up):
    somebody = person((9, 10))
    there = Somebody(up, somebody.email)
    there.consent()
    there.client.revoke_authorization()
    assert {status for *_, status in somebody.busy()} == {"unknown"}
    profile = somebody.client.list_profiles()[0]
    assert profile["profile_connected"] is False
    assert follow(profile["profile_relink_url"], somebody.email) == 200
    assert somebody.busy() == hours((9, 10))


def test_people_move_off_and_keep_their_account_and_their_events(person, up, front, front_freebusy):
    somebody = person((9, 10))
    before = somebody.client.userinfo()
    somebody.book(13, 14)
    (invitation,) = until(partial(mail, up, somebody.email))
    have(front, "google", somebody.email, (8, 9))
    (moving,) = front_freebusy("accounts", "move", somebody.sub)["moving"]
    assert somebody.busy() == hours((9, 10), (13, 14))  # nothing has changed yet
    assert follow(moving["relink_url"], somebody.email) == 200

    assert somebody.client.userinfo() == before
    assert somebody.busy() == hours((8, 9), (13, 14))
    httpx.post(f"{up['mailbox']}/messages/{invitation['id']}/reply", json={"partstat": "ACCEPTED"}).raise_for_status()
    assert until(lambda: somebody.event()["participation_status"] == "accepted")

    somebody.book(14, 15)
    until(lambda: len(mail(up, somebody.email)) == 2)
    somebody.book(16, 17, event_id="booking-8")
    until(partial(mail, front, somebody.email))
    assert len(mail(front, somebody.email)) == 1
    assert len(mail(up, somebody.email)) == 2
    assert somebody.busy() == hours((8, 9), (14, 15), (16, 17))


def test_who_has_moved_ends_by_themselves_what_they_had_at_both(person, up, front, front_freebusy):
    somebody = person((9, 10))
    there = Somebody(up, somebody.email)
    there.consent()
    have(front, "google", somebody.email)
    (moving,) = front_freebusy("accounts", "move", somebody.sub)["moving"]
    assert follow(moving["relink_url"], somebody.email) == 200
    with httpx.Client(base_url=front["url"], timeout=30) as browser:
        assert "by way of Cronofy is not shown here" in browser.get("/connections").text
        screen = browser.get("/connections/sign_in/google").headers["location"]
        address = browser.get(httpx.URL(screen).copy_merge_params({"sim_user": somebody.email})).headers["location"]
        page = browser.get(address, follow_redirects=True).text
        (path,) = re.findall(r'href="(/connections/\w+/disconnect)"', page)
        (token,) = set(re.findall(r'name="form_token" value="([^"]+)"', page))
        sent = browser.post(path, data={"form_token": token}, headers={"Origin": front["url"]}, follow_redirects=True)
        assert "It can no longer see when you are busy." in sent.text
    assert not somebody.client.list_profiles()[0]["profile_connected"]
    with pytest.raises(PyCronofyRequestError) as refused:
        there.client.userinfo()
    assert refused.value.response.status_code == 401


def test_nobody_else_can_move_somebody_by_their_address(person, front, front_freebusy):
    somebody = person()
    (moving,) = front_freebusy("accounts", "move", somebody.sub)["moving"]
    have(front, "google", "eve@example.com")
    assert follow(moving["relink_url"], "eve@example.com") == 400
    assert somebody.client.list_profiles()[0]["profile_connected"]


def test_our_client_secret_at_cronofy_is_replaced_and_comes_back(person, freebusy, up, front_freebusy):
    """What the command line tries a secret out with is answered by Cronofy's token endpoint, here our own."""
    somebody, at_cronofy = person((9, 10)), ("applications", "secrets")
    second = freebusy(*at_cronofy, "rotate", up["client_id"])["client_secret"]

    rotate = ("providers", "rotate", "cronofy")
    assert "invalid_client" in front_freebusy.refused(*rotate, given="fbc_cs_nobodys")
    assert front_freebusy(*rotate, given=second)["data_center"] == "us"
    assert somebody.busy() == person((9, 10)).busy() == hours((9, 10))

    front_freebusy(*rotate, "--back")
    freebusy(*at_cronofy, "revoke", up["client_id"], second[:13])
    assert somebody.busy() == person((9, 10)).busy() == hours((9, 10))


# --- Push notifications ----------------------------------------------------------------------------------


@pytest.fixture
def application() -> Iterator[Receiver]:
    with receiving() as application:
        yield application


def channels_at(up: dict[str, Any], somebody: Somebody) -> list[dict[str, Any]]:
    """The channels of this person at Cronofy, as any authorization of the same client sees them."""
    there = Somebody(up, somebody.email)
    there.consent()
    listed: list[dict[str, Any]] = there.client.list_notification_channels()
    return listed


def hears(application: Receiver, kind: str) -> dict[str, Any]:
    """Waits for it, whatever else comes before."""
    while not (heard := [each for each in application.received if each.notification["type"] == kind]):
        application.wait_for(len(application.received) + 1)
    return heard[-1].notification


def test_an_answer_that_is_given_there_is_told_here(person, up, application):
    somebody = person()
    channel = somebody.client.create_notification_channel(application.url, only_managed=True)
    hears(application, "verification")
    (there,) = until(partial(channels_at, up, somebody))
    assert there["callback_url"].startswith(f"{somebody.stack['url']}/upstream/cronofy/channels/")

    somebody.book(13, 14)
    (invitation,) = until(partial(mail, up, somebody.email))
    httpx.post(f"{up['mailbox']}/messages/{invitation['id']}/reply", json={"partstat": "ACCEPTED"}).raise_for_status()
    since = hears(application, "change")["changes_since"]
    (event,) = somebody.client.read_events(
        from_date=at(0), to_date=at(24), only_managed=True, last_modified=since
    ).all()
    assert event["participation_status"] == "accepted"

    somebody.client.close_notification_channel(channel["channel_id"])
    assert until(lambda: channels_at(up, somebody) == [])


def test_a_connection_that_is_lost_there_is_told_here(person, up, application):
    somebody = person()
    somebody.client.create_notification_channel(application.url)
    until(partial(channels_at, up, somebody))
    there = Somebody(up, somebody.email)
    there.consent()
    there.client.revoke_profile(there.client.list_profiles()[0]["profile_id"])
    hears(application, "profile_disconnected")
