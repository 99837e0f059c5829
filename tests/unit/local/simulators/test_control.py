"""The control surface, which is a contract: people, faults, and the record of requests."""

import asyncio
import json
from urllib.parse import parse_qs

import httpx
import pytest

from local.simulators import control
from local.simulators.control import ControlSurface
from local.simulators.grants import Grants
from local.simulators.organizations import Organization, Organizations
from local.simulators.people import People
from local.simulators.server import Request

BUSY = {"google": "/calendar/v3/freeBusy", "microsoft": "/v1.0/me/calendar/getSchedule"}


def busy_path(provider):
    return BUSY["google" if provider.token_path == "/token" else "microsoft"]


# Our client.


def test_two_secrets_may_work_at_once_and_one_that_was_ended_does_not(provider):
    old = provider.client["client_secret"]
    assert provider.put("/sim/client", json={"secrets": [old, "new"]}).status_code == 200
    for secret, error in ((old, "invalid_grant"), ("new", "invalid_grant"), ("other", "invalid_client")):
        assert provider.refresh("nobody's", client_secret=secret).json()["error"] == error
    provider.put("/sim/client", json={"secrets": ["new"]})
    assert provider.refresh("nobody's", client_secret=old).json()["error"] == "invalid_client"
    assert provider.refresh("nobody's", client_secret="new").json()["error"] == "invalid_grant"


@pytest.mark.parametrize("body", [{}, {"secrets": "secret"}, {"secrets": [""]}, {"secrets": [1]}, []])
def test_secrets_that_are_none_are_told(provider, body):
    assert provider.put("/sim/client", json=body).status_code == 400


# People.


def test_a_person_is_shown_as_they_were_put(provider):
    described = {
        "busy": [{"start": "2026-12-01T10:00:00+01:00", "end": "2026-12-01T11:00:00+01:00", "status": "oof"}],
        "zone": "Europe/Paris",
        "exists": False,
        "scopes_granted": ["openid"],
        "token_lifetime": 60,
    }

    assert provider.put_person("ana@example.com", **described) == {
        "email": "ana@example.com",
        **described,
        "busy": [{"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z", "status": "oof"}],
    }
    assert provider.get("/sim/users/ana@example.com").json()["zone"] == "Europe/Paris"


def test_putting_replaces_all_that_was_said_before(provider):
    provider.put_person("ana@example.com", zone="Europe/Paris", exists=False)

    assert provider.put_person("ana@example.com") == {
        "email": "ana@example.com",
        "busy": [],
        "zone": "UTC",
        "exists": True,
        "scopes_granted": None,
        "token_lifetime": 3600,
    }


@pytest.mark.parametrize("path", ["ana%40example.com", "Ana@Example.com"])
def test_addresses_may_be_encoded_and_have_no_case(provider, path):
    provider.put(f"/sim/users/{path}", json={})

    assert provider.get("/sim/users/ana@example.com").status_code == 200


def test_a_plus_in_an_address_is_a_plus(provider):
    provider.put("/sim/users/ana+work@example.com", json={})

    assert [person["email"] for person in provider.get("/sim/users").json()] == ["ana+work@example.com"]


def test_a_body_may_come_as_curl_sends_it(provider):
    answer = provider.put(
        "/sim/users/ana@example.com",
        content='{"zone": "Asia/Tokyo"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.json()["zone"] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            {"busy": [{"start": "2026-12-01T10:00:00", "end": "2026-12-01T11:00:00"}]}, "timezone", id="local"
        ),
        pytest.param({"busy": [{"start": "2026-12-01T10:00:00Z"}]}, "busy.0.end", id="no end"),
        pytest.param(
            {"busy": [{"start": "2026-12-01T10:00:00Z", "end": "2026-12-01T10:00:00Z"}]}, "end after", id="no length"
        ),
        pytest.param(
            {"busy": [{"start": "2026-12-01T10:00:00Z", "end": "2026-12-01T11:00:00Z", "status": "asleep"}]},
            "status",
            id="a status that nobody knows",
        ),
        pytest.param({"zone": "Mars/Olympus"}, "zone", id="a zone that nobody knows"),
        pytest.param({"bussy": []}, "bussy", id="a slip of the pen"),
        pytest.param([], "JSON object", id="a list"),
    ],
)
def test_a_person_that_makes_no_sense_is_refused_with_the_reason(provider, body, said):
    answer = provider.put("/sim/users/ana@example.com", json=body)

    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert provider.get("/sim/users").json() == []


@pytest.mark.parametrize("content", ["{", "\xff".encode("latin-1")])
def test_what_is_no_json_is_refused(provider, content):
    assert provider.put("/sim/users/ana@example.com", content=content).status_code == 400


def test_what_is_no_address_is_refused(provider):
    assert provider.put("/sim/users/ana", json={}).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/revoke")])
def test_nobody_is_made_by_asking(provider, method, path):
    assert provider.request(method, f"/sim/users/ana@example.com{path}").status_code == 404


# Faults.


def test_a_fault_strikes_its_own_operation_only(provider):
    tokens = provider.connect("ana@example.com")
    provider.fault(refresh={"status": 500})

    assert provider.refresh(tokens["refresh_token"]).status_code == 500
    assert provider.exchange("any").status_code == 400
    assert provider.post(busy_path(provider), json={}).status_code == 401


def test_times_counts_down(provider):
    code = provider.sent_back(sim_user="ana@example.com")["code"]
    provider.fault(token={"status": 503, "times": 2})

    assert [provider.exchange(code).status_code for _ in range(3)] == [503, 503, 200]


def test_without_times_a_fault_stays_until_it_is_cleared(provider):
    provider.fault(busy={"status": 503})

    assert {provider.post(busy_path(provider)).status_code for _ in range(5)} == {503}

    assert provider.delete("/sim/faults").status_code == 204
    assert provider.post(busy_path(provider)).status_code == 401


def test_faults_replace_those_before(provider):
    provider.fault(busy={"status": 503})
    provider.fault(token={"status": 503, "times": 4})

    assert provider.post(busy_path(provider)).status_code == 401
    assert provider.get("/sim/faults").json() == {"token": {"status": 503, "times": 4}}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        pytest.param({"odd": [1]}, '{"odd": [1]}', id="JSON goes out as JSON"),
        pytest.param("<h1>proxy</h1>", "<h1>proxy</h1>", id="a string goes out as it is"),
        pytest.param("", "", id="and may be empty"),
    ],
)
def test_a_fault_says_what_it_was_told_to(provider, body, sent):
    provider.fault(busy={"status": 429, "body": body, "headers": {"Retry-After": 7, "content-type": "text/odd"}})

    answer = provider.post(busy_path(provider))

    assert (answer.status_code, answer.text) == (429, sent)
    assert answer.headers["retry-after"] == "7"
    assert answer.headers.get_list("content-type") == ["text/odd"]


@pytest.mark.parametrize(
    ("operation", "status", "error"),
    [
        ("busy", 429, "rateLimitExceeded"),
        ("busy", 401, "authError"),
        ("busy", 503, "backendError"),
        ("refresh", 400, "invalid_grant"),
        ("refresh", 401, "invalid_client"),
        ("token", 500, "internal_failure"),
    ],
)
def test_google_fails_in_its_own_words(google, operation, status, error):
    google.fault(**{operation: {"status": status}})

    answer = {"busy": lambda: google.post(BUSY["google"]), "refresh": lambda: google.refresh("any")}.get(
        operation, lambda: google.exchange("any")
    )()

    body = answer.json()["error"]
    assert answer.status_code == status
    assert (body if isinstance(body, str) else body["errors"][0]["reason"]) == error


@pytest.mark.parametrize(
    ("operation", "status", "error"),
    [
        ("busy", 429, "ApplicationThrottled"),
        ("busy", 401, "InvalidAuthenticationToken"),
        ("busy", 503, "ServiceUnavailable"),
        ("refresh", 400, "invalid_grant"),
        ("refresh", 401, "invalid_client"),
        ("token", 500, "temporarily_unavailable"),
    ],
)
def test_microsoft_fails_in_its_own_words(microsoft, operation, status, error):
    microsoft.fault(**{operation: {"status": status}})

    answer = {"busy": lambda: microsoft.post(BUSY["microsoft"]), "refresh": lambda: microsoft.refresh("any")}.get(
        operation, lambda: microsoft.exchange("any")
    )()

    body = answer.json()["error"]
    assert answer.status_code == status
    assert (body if isinstance(body, str) else body["code"]) == error


def test_a_delay_alone_is_answered_normally(provider):
    code = provider.sent_back(sim_user="ana@example.com")["code"]
    provider.fault(token={"delay_ms": 20, "times": 1})

    assert provider.exchange(code).status_code == 200
    assert provider.get("/sim/faults").json() == {"token": {"delay_ms": 20, "times": 0}}


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        pytest.param({"free": {"status": 500}}, "free", id="an operation that is none"),
        pytest.param({"busy": {}}, "status or a delay_ms", id="nothing happens"),
        pytest.param({"busy": {"status": 99}}, "busy.status", id="a status that is none"),
        pytest.param({"busy": {"status": 500, "time": 1}}, "busy.time", id="a slip of the pen"),
    ],
)
def test_faults_that_make_no_sense_are_refused_and_change_nothing(provider, faults, said):
    provider.fault(token={"status": 503})

    answer = provider.put("/sim/faults", json=faults)

    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert provider.get("/sim/faults").json() == {"token": {"status": 503}}


# Requests.


def test_requests_are_recorded_in_order_with_all_that_was_sent(provider):
    code = provider.sent_back(sim_user="ana@example.com")["code"]
    provider.exchange(code)
    provider.post(
        busy_path(provider), json={"question": "née"}, headers={"Authorization": "Bearer wrong", "X-Own": "1"}
    )

    authorized, exchanged, asked = provider.get("/sim/requests").json()

    assert (authorized["method"], authorized["path"]) == ("GET", provider.authorize_path)
    assert parse_qs(authorized["query"])["scope"] == [provider.query["scope"]]
    assert (exchanged["method"], exchanged["path"]) == ("POST", provider.token_path)
    assert parse_qs(exchanged["body"])["code"] == [code]
    assert (asked["method"], asked["path"], asked["query"]) == ("POST", busy_path(provider), "")
    assert (asked["headers"]["authorization"], asked["headers"]["x-own"]) == ("Bearer wrong", "1")
    assert json.loads(asked["body"]) == {"question": "née"}


def test_failed_and_unknown_calls_are_recorded_and_control_calls_are_not(provider):
    provider.fault(token={"status": 500})
    provider.exchange("any")
    assert provider.get("/nowhere").status_code == 404

    assert [request["path"] for request in provider.get("/sim/requests").json()] == [provider.token_path, "/nowhere"]


def test_the_record_can_be_cleared(provider):
    provider.get("/nowhere")

    assert provider.delete("/sim/requests").status_code == 204
    assert provider.get("/sim/requests").json() == []


def test_the_record_is_bounded(monkeypatch):
    monkeypatch.setattr(control, "MOST_REQUESTS", 3)
    people = People()
    surface = ControlSurface(people, Grants(), Organizations(Organization, people, called="domains"))
    for number in range(5):
        surface.record(Request("GET", f"/{number}", "", {}, b""))

    recorded = json.loads(surface.answer(Request("GET", "/sim/requests", "", {}, b"")).body)

    assert [request["path"] for request in recorded] == ["/2", "/3", "/4"]


@pytest.mark.parametrize("path", ["/sim/", "/sim/planets/example.com", "/sim/users/a/b/c"])
def test_there_is_nothing_else(provider, path):
    assert provider.put(path, json={}).status_code == 404


# Load.


def test_two_hundred_callers_may_wait_and_hold_nobody_else_up(provider):
    """None of them is answered before the test is over."""
    provider.fault(busy={"delay_ms": 600_000})

    async def crowd():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=provider.base_url, timeout=600, limits=limits) as client:
            waiting = [asyncio.create_task(client.post(busy_path(provider), json={})) for _ in range(200)]
            recorded = []
            while len(recorded) < len(waiting):
                recorded = (await client.get("/sim/requests")).json()
            quick = await client.get(provider.authorize_path)
            assert not any(each.done() for each in waiting)
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return quick.status_code

    assert asyncio.run(crowd()) == 400
