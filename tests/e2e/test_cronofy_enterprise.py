"""Whole organizations by way of Cronofy: two stacks, of which ``up`` stands in Cronofy's place; driven by its SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pycronofy
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from tests.e2e.administrators import ORGANIZATIONS, connect_organization, describe
from tests.e2e.upstream import Somebody, assert_free_with_somebody_direct, follow, have, hours
from tests.receiver import Callback, Receiver, receiving
from tests.waiting import until

pytestmark = pytest.mark.stack

SCOPE = "service_account/accounts/manage service_account/resources/manage"


FREE_BUSY = "https://www.googleapis.com/auth/calendar.freebusy"
ROOMS = "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly"
LETS_US_LIST_ROOMS: dict[str, dict[str, Any]] = {
    "google": {"scopes": [FREE_BUSY, ROOMS]},
    "microsoft": {"places": True},
}


@pytest.fixture
def application() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(params=["google", "microsoft"])
def provider(request) -> str:
    return request.param


@pytest.fixture
def domain() -> str:
    """Of one test alone."""
    return f"org-{uuid4().hex[:12]}.example"


@pytest.fixture
def organize(up, provider, domain) -> Callable[..., None]:
    """The organization at the provider that Cronofy reads; ``eve`` is busy from 9 to 10."""

    def organized(**how: Any) -> None:
        have(up, provider, f"eve@{domain}", (9, 10))
        describe(up, provider, domain, delegated=True, **how)

    return organized


@pytest.fixture
def service(front, provider, domain, organize) -> pycronofy.Client:
    """The SDK with the tokens of the service account: its administrator went through the front stack to Cronofy's."""
    organize()
    brought = connect_organization(front, provider, f"ada@{domain}", scope=SCOPE)
    assert brought["state"] == "s p&ace"
    assert brought["iss"] == front["url"]
    return client_of(front, brought["code"], front["redirect_uris"][0])


def client_of(stack: dict[str, Any], code: str, redirect_uri: str) -> pycronofy.Client:
    pycronofy.settings.API_BASE_URL = pycronofy.settings.APP_BASE_URL = stack["url"]
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    client.get_authorization_from_code(code, redirect_uri=redirect_uri)
    return client


class Member(Somebody):
    """Somebody of the organization, whom nobody asked."""

    def __init__(self, stack: dict[str, Any], callback: Callback, receiver: Receiver) -> None:
        self.stack = stack
        self.client = client_of(stack, callback.authorization["code"], f"{receiver.url}{callback.path}")
        self.email = self.client.userinfo()["email"]


@pytest.fixture
def member(front, domain, service, application) -> Member:
    service.authorize_with_service_account(f"eve@{domain}", "free_busy_write", f"{application.url}/cb", state="job 17")
    (callback,) = application.wait_for(1)
    return Member(front, callback, application)


def test_from_the_administrator_to_a_mailbox(front, provider, domain, service, application):
    userinfo = service.userinfo()
    assert userinfo["sub"].startswith("ser_")
    assert userinfo["email"] == f"ada@{domain}"
    told = userinfo["cronofy.data"]["service_account"]
    assert told == {"provider_name": ORGANIZATIONS[provider][0], "domain": domain}

    service.authorize_with_service_account(
        f"eve@{domain}", "free_busy_write", f"{application.url}/cb?a=1", state="j 17"
    )
    (callback,) = application.wait_for(1)
    assert callback.path == "/cb?a=1"
    assert set(callback.authorization) == {"code", "state"}
    assert callback.authorization["state"] == "j 17"
    assert service.hmac_valid(callback.headers["Cronofy-HMAC-SHA256"], callback.body.decode())

    eve = Member(front, callback, application)
    profiles = eve.client.list_profiles()
    assert [each["provider_name"] for each in profiles] == [ORGANIZATIONS[provider][0], "cronofy"]
    assert {each["profile_name"] for each in profiles} == {f"eve@{domain}"}
    assert all(each["profile_connected"] for each in profiles)
    assert eve.busy() == hours((9, 10))


def test_a_group_of_a_member_and_somebody_who_is_connected_directly(front_freebusy, member):
    assert_free_with_somebody_direct(member, front_freebusy)


def test_events_are_written_to_cronofy(up, member):
    member.book(13, 14)
    assert member.busy() == hours((9, 10), (13, 14))
    mailbox = f"{up['mailbox']}/messages"
    (invitation,) = until(lambda: httpx.get(mailbox, params={"to": member.email}).json())
    httpx.post(f"{mailbox}/{invitation['id']}/reply", json={"partstat": "ACCEPTED"}).raise_for_status()
    assert until(lambda: member.event()["participation_status"] == "accepted")


def test_asking_again_brings_the_same_account(front, domain, service, application, member):
    service.authorize_with_service_account(f"EVE@{domain}", "free_busy_write", f"{application.url}/again")
    again = Member(front, application.wait_for(2)[1], application)
    assert again.sub == member.sub


def test_a_mailbox_that_there_is_not_ends_in_an_error(domain, service, application):
    service.authorize_with_service_account(f"no@{domain}", "free_busy_write", f"{application.url}/cb", state="x")
    (callback,) = application.wait_for(1)
    assert callback.authorization["error"] == "access_denied"
    assert callback.authorization["error_key"] == "mailbox_unknown"
    assert callback.authorization["state"] == "x"
    assert "code" not in callback.authorization


def test_many_at_once_are_each_answered(domain, organize, service, application):
    users = [f"p{number}@{domain}" for number in range(10)]
    organize(users=users[:8])
    service.authorize_multiple_accounts_via_service_account(
        [
            {"email": user, "scope": "free_busy_write", "callback_url": f"{application.url}/cb", "state": user}
            for user in users
        ]
    )
    answers = [callback.authorization for callback in application.wait_for(10)]
    assert sorted(each["state"] for each in answers if "code" in each) == users[:8]


@pytest.mark.parametrize("provider", ["google"], indirect=True)
def test_whoever_is_not_cronofy_is_refused(front, up, domain, service, application):
    body = json.dumps({"authorization": {"code": "forged", "state": "forged"}})
    address = f"{front['url']}/enterprise_connect/answers/{'x' * 32}"
    for headers in ({}, {"Cronofy-HMAC-SHA256": "forged"}, {"Cronofy-HMAC-SHA256": "x," * 100}):
        assert httpx.post(address, content=body, headers=headers).status_code == 403
    service.authorize_with_service_account(f"eve@{domain}", "free_busy_write", f"{application.url}/cb")
    assert "code" in application.wait_for(1)[0].authorization


def test_an_administrator_who_comes_back_elsewhere_connects_nothing(front):
    address = f"{front['url']}/enterprise_connect/callback/cronofy"
    answer = httpx.get(address, params={"code": "c", "state": "s"})
    assert answer.status_code == 400


def test_rooms_are_those_that_cronofy_lists(provider, domain, organize, service):
    room = {"email": f"room@{domain}", "name": "Room"}
    organize(rooms=[room], **LETS_US_LIST_ROOMS[provider])
    assert service.resources() == [room]
    organize(rooms=[room])
    with pytest.raises(PyCronofyRequestError) as refused:
        service.resources()
    assert refused.value.response.json() == {"error": "delegation_missing"}


def test_revoking_the_service_account_ends_its_access(service, member):
    assert member.client.list_profiles()[0]["profile_connected"]
    service.revoke_authorization()
    with pytest.raises(PyCronofyRequestError) as refused:
        service.userinfo()
    assert refused.value.response.status_code == 401
    assert not member.client.list_profiles()[0]["profile_connected"]
    assert {status for *_, status in member.busy()} == {"unknown"}
    with pytest.raises(PyCronofyRequestError) as locked:
        member.book(13, 14)
    assert locked.value.response.status_code == 423


def test_a_member_can_move_off_and_only_move(front, provider, front_freebusy, member):
    have(front, provider, member.email, (8, 9))
    profile = member.client.list_profiles()[0]
    relink = f"{front['url']}/oauth/relink/{member.sub}/{profile['profile_id']}"
    assert follow(relink, member.email) == 400
    front_freebusy("accounts", "move", member.sub)
    assert member.busy() == hours((9, 10))
    assert follow(relink, member.email) == 200
    assert member.busy() == hours((8, 9))
