"""An administrator connects an organization, and official SDKs, unmodified, reach its people; on the laptop stack."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pycronofy
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from local.browser import visit
from tests.e2e.days import at
from tests.receiver import receiving

pytestmark = pytest.mark.stack

PROVIDER_NAMES = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}
KIND = {"google": "domains", "microsoft": "tenants"}


@pytest.fixture
def application():
    with receiving() as receiver:
        yield receiver


@pytest.fixture(params=["google", "microsoft"])
def provider(request):
    return request.param


@pytest.fixture
def domain():
    """Of one test alone."""
    return f"org-{uuid4().hex[:12]}.example"


@pytest.fixture
def organize(stack, provider, domain):
    """Makes the organization, with people ``p0``, ``p1`` … who are busy from 9 to 10."""

    def organized(people: int = 1, **described):
        users = [f"p{number}@{domain}" for number in range(people)]
        simulator = stack[provider]
        for user in users:
            busy = [{"start": at(9), "end": at(10)}]
            httpx.put(f"{simulator}/sim/users/{user}", json={"busy": busy}).raise_for_status()
        described = {"admin": f"admin@{domain}", "delegated": True, "users": users} | described
        httpx.put(f"{simulator}/sim/{KIND[provider]}/{domain}", json=described).raise_for_status()
        return users

    return organized


def enterprise_link(stack, **changed):
    asked = {
        "response_type": "code",
        "client_id": stack["client_id"],
        "redirect_uri": stack["redirect_uris"][0],
        "scope": "service_account/accounts/manage",
        "delegated_scope": "free_busy_write",
        "state": "s t",
    } | changed
    return f"{stack['url']}/enterprise_connect/oauth/authorize?{urlencode(asked)}"


@pytest.fixture
def code(stack, provider, domain):
    """Signs in as the administrator; gives the code that the application gets."""

    def brought():
        link = enterprise_link(stack, provider_name=PROVIDER_NAMES[provider])
        answer = visit(link, until=stack["redirect_uris"][0], consent={"sim_user": f"admin@{domain}"})
        assert answer["state"] == "s t"
        return answer["code"]

    return brought


@pytest.fixture
def administrator(stack, code):
    """The Python SDK with the tokens of the service account."""

    def connected():
        client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
        client.get_authorization_from_code(code(), redirect_uri=stack["redirect_uris"][0])
        return client

    return connected


def exchanged(stack, callback, receiver):
    """The client of the person whom the callback brought."""
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    client.get_authorization_from_code(callback.authorization["code"], redirect_uri=receiver.url + callback.path)
    return client


def test_from_the_administrator_to_a_persons_availability(
    stack, provider, domain, organize, administrator, application
):
    (user,) = organize()
    service = administrator()
    userinfo = service.userinfo()
    assert userinfo["sub"].startswith("ser_")
    assert userinfo["cronofy.type"] == "service_account"
    assert userinfo["cronofy.data"]["service_account"] == {"provider_name": PROVIDER_NAMES[provider], "domain": domain}

    service.authorize_with_service_account(user, "free_busy_write", f"{application.url}/cb?job=17", state="job 17")
    (callback,) = application.wait_for(1)
    assert callback.path == "/cb?job=17"
    assert callback.authorization["state"] == "job 17"
    assert service.hmac_valid(callback.headers["Cronofy-HMAC-SHA256"], callback.body.decode())

    person = exchanged(stack, callback, application)
    profiles = person.list_profiles()
    assert [profile["provider_name"] for profile in profiles] == [PROVIDER_NAMES[provider], "cronofy"]
    assert profiles[0]["profile_name"] == user
    rows = person.read_free_busy(from_date=at(0), to_date=at(24)).all()
    assert [(row["start"], row["end"], row["free_busy_status"]) for row in rows] == [(at(9), at(10), "busy")]
    slots = person.availability(
        participants={"members": [person.account()["account_id"]], "required": "all"},
        required_duration=60,
        available_periods=[{"start": at(8), "end": at(12)}],
        response_format="slots",
    )
    assert [slot["start"] for slot in slots] == [at(8), at(10), at(11)]

    # Asking again brings a fresh code for the same account.
    service.authorize_with_service_account(user.upper(), "free_busy_write", f"{application.url}/again")
    again = exchanged(stack, application.wait_for(2)[1], application)
    assert again.account()["account_id"] == person.account()["account_id"]


def test_the_node_sdk_goes_the_same_way(stack, provider, organize, code, application, run_node):
    (user,) = organize()
    given = {
        "code": code(),
        "redirect_uri": stack["redirect_uris"][0],
        "email": user,
        "callback_url": f"{application.url}/cb",
        "callbacks": application.url,
        "from": at(8),
        "to": at(12),
    }
    seen = run_node("enterprise", given)
    assert seen["tokens"]["service_account_id"] == seen["userinfo"]["sub"]
    assert seen["callback"]["authorization"]["state"] == "job 17"
    assert seen["granted"]["linking_profile"]["profile_name"] == user
    assert [(row["start"], row["end"]) for row in seen["free_busy"]] == [(at(9), at(10))]
    assert [slot["start"] for slot in seen["availability"]["available_slots"]] == [at(8), at(10), at(11)]


def test_fifty_people_at_once_though_much_fails(stack, provider, organize, administrator, application):
    users = organize(50)
    service = administrator()
    application.refusals = 20
    faults = {"busy": {"status": 503, "times": 30}, "token": {"status": 500, "times": 5}}
    httpx.put(f"{stack[provider]}/sim/faults", json=faults).raise_for_status()
    try:
        service.authorize_multiple_accounts_via_service_account(
            [
                {"email": user, "scope": "free_busy_write", "callback_url": f"{application.url}/cb", "state": user}
                for user in users
            ],
            state="of all",
        )
        callbacks = application.wait_for(50)
    finally:
        httpx.delete(f"{stack[provider]}/sim/faults").raise_for_status()
    assert sorted(callback.authorization["state"] for callback in callbacks) == sorted(users)
    for callback in (*callbacks, *application.refused):
        assert service.hmac_valid(callback.headers["Cronofy-HMAC-SHA256"], callback.body.decode())
    subs = [exchanged(stack, callback, application).account()["account_id"] for callback in callbacks]
    assert len(set(subs)) == 50

    httpx.delete(f"{stack[provider]}/sim/requests").raise_for_status()
    answer = httpx.post(
        f"{stack['url']}/v1/availability",
        headers={"Authorization": f"Bearer {stack['client_secret']}"},
        json={
            "participants": [{"members": [{"sub": sub} for sub in subs]}],
            "required_duration": {"minutes": 60},
            "query_periods": [{"start": at(8), "end": at(11)}],
            "response_format": "slots",
        },
        timeout=60,
    ).json()
    assert [slot["start"] for slot in answer["available_slots"]] == [at(8), at(10)]
    asked = [request["path"] for request in httpx.get(f"{stack[provider]}/sim/requests").json()]
    assert len(asked) == {"google": 1, "microsoft": 3}[provider], asked


@pytest.mark.parametrize(
    ("trouble", "email", "key"),
    [
        pytest.param({}, "nobody@{domain}", "mailbox_unknown", id="no such mailbox"),
        pytest.param({"suspended": ["p0@{domain}"]}, "p0@{domain}", "mailbox_unknown", id="suspended"),
        pytest.param({"delegated": False}, "p0@{domain}", "delegation_missing", id="access withdrawn"),
    ],
)
def test_what_cannot_be_given_is_told(provider, domain, organize, administrator, application, trouble, email, key):
    organize()
    service = administrator()
    organize(**{name: [v.format(domain=domain) for v in value] if value else value for name, value in trouble.items()})
    address = email.format(domain=domain)
    service.authorize_with_service_account(address, "free_busy_write", f"{application.url}/cb", state="x")
    (callback,) = application.wait_for(1)
    assert (callback.authorization["error_key"], callback.authorization["state"]) == (key, "x")
    assert "code" not in callback.authorization


def test_when_the_administrator_withdraws_everybody_shows_disconnected(
    stack, provider, organize, administrator, application
):
    users = organize(2)
    service = administrator()
    for user in users:
        service.authorize_with_service_account(user, "free_busy_write", f"{application.url}/cb")
    people = [exchanged(stack, callback, application) for callback in application.wait_for(2)]
    assert all(person.list_profiles()[0]["profile_connected"] for person in people)

    organize(2, delegated=False)
    rows = people[0].read_free_busy(from_date=at(0), to_date=at(24)).all()
    assert [row["free_busy_status"] for row in rows] == ["unknown"]
    for person in people:
        profile = person.list_profiles()[0]
        assert not profile["profile_connected"]
        assert profile["profile_relink_url"].startswith(stack["url"])

    organize(2)
    administrator()
    assert all(person.list_profiles()[0]["profile_connected"] for person in people)
    rows = people[0].read_free_busy(from_date=at(0), to_date=at(24)).all()
    assert [row["free_busy_status"] for row in rows] == ["busy"]


def test_revoking_the_service_account_ends_its_access(stack, organize, administrator, application):
    (user,) = organize()
    service = administrator()
    service.authorize_with_service_account(user, "free_busy_write", f"{application.url}/cb")
    person = exchanged(stack, application.wait_for(1)[0], application)
    service.revoke_authorization()
    with pytest.raises(PyCronofyRequestError) as refused:
        service.userinfo()
    assert refused.value.response.status_code == 401
    assert not person.list_profiles()[0]["profile_connected"]
