"""The real handler, from messages of the queue to an application's own server, and back for the tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from pycronofy import Client

from freebusy.bootstrap import Dependencies, application_registry
from freebusy.domain.access_request import AccessRequest
from freebusy.domain.account import ProviderName
from freebusy.domain.errors import CallbackFailed, MailboxWithoutCalendar, ProviderUnavailable
from freebusy.service.applications import register_application, rotate_secret
from tests.api import Context, call, handler
from tests.fakes.callbacks import FakeHosts
from tests.fakes.clock import NOW
from tests.listening import OK, Listener, Received, listening
from tests.organizations import FakeOrganizationCalendars
from tests.people import organization
from tests.records import access_record, queue_record

PEOPLE = [f"person-{number}@example.com" for number in range(50)]


class Answers:
    """Messages to the function, with an application's server that is really called."""

    def __init__(self, wired: Dependencies, application: Listener) -> None:
        self.wired = wired
        self.application = application
        self.calendars = FakeOrganizationCalendars(kept={email: [] for email in PEOPLE})
        self.postponed: list[tuple[str, int]] = []
        self.registry = application_registry(wired.dynamodb, wired.settings.table_name)
        registered, secret = register_application(
            "Scheduler", ["https://app.example/cb"], registry=self.registry, vault=wired.secret_vault, now=NOW
        )
        assert secret
        self.client_id, self.secrets = registered.client_id, [secret]
        wired.service_accounts.connect(organization(client_id=self.client_id))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.application.port}/hook?tenant='7'"

    def postpone(self, receipt: str, *, received: int) -> None:
        self.postponed.append((receipt, received))

    def ask(self, number: int = 0, **changes: Any) -> str:
        """The id under which that person's mailbox was asked for."""
        usual = {
            "request_id": f"req_{number}",
            "client_id": self.client_id,
            "service_account": "ser_1",
            "email": PEOPLE[number],
            "callback_url": self.url,
            "scope": "free_busy_write",
            "state": f"job-{number}",
            "requested_at": NOW,
        }
        request = AccessRequest(**{**usual, **changes})
        self.wired.access_requests.save([request])
        return request.request_id

    def handle(self, *records: dict[str, Any]) -> list[str]:
        """Which of them the function reports as failed."""
        answer = handler("on_access_requested")({"Records": list(records)}, Context())
        assert set(answer) == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def told(self) -> dict[str, dict[str, str]]:
        """What the application was told, by its own state; it checks the signature as the official SDK does."""
        for received in self.application.received:
            assert all(self.recognised(received, secret) for secret in self.secrets)
        answers = [json.loads(received.body)["authorization"] for received in self.application.received]
        return {answer["state"]: answer for answer in answers}

    def recognised(self, received: Received, secret: str) -> bool:
        client = Client(client_id=self.client_id, client_secret=secret)
        return client.hmac_valid(received.headers["cronofy-hmac-sha256"], received.body.decode())


@pytest.fixture
def application() -> Iterator[Listener]:
    with listening() as application:
        yield application


@pytest.fixture
def answers(wired, monkeypatch, application) -> Answers:
    monkeypatch.setattr(wired.settings, "callbacks_may_be_local", True)
    answers = Answers(wired, application)
    monkeypatch.setattr(Dependencies, "organization_calendars", {ProviderName.GOOGLE: answers.calendars})
    monkeypatch.setattr(Dependencies, "access_queue", answers)
    return answers


def record(request_id: str = "req_0", received: int = 1) -> dict[str, Any]:
    return access_record(request_id, message_id=f"message {request_id}", received=received)


def test_the_application_is_told_a_code_that_buys_tokens(answers):
    answers.ask()
    assert answers.handle(record()) == []
    told = answers.told()["job-0"]
    exchange = {
        "client_id": answers.client_id,
        "client_secret": answers.secrets[0],
        "grant_type": "authorization_code",
        "code": told["code"],
    }
    wrong = call("token", "POST", "/oauth/token", body={**exchange, "redirect_uri": answers.url.partition("?")[0]})
    assert (wrong.status, wrong.json()["error"]) == (400, "invalid_grant")
    bought = call("token", "POST", "/oauth/token", body={**exchange, "redirect_uri": answers.url}).json()
    assert bought["scope"] == "free_busy_write"
    assert bought["linking_profile"]["profile_name"] == PEOPLE[0]
    assert bought["linking_profile"]["provider_name"] == "google_free_busy"
    profiles = call("account", "GET", "/v1/profiles", bearer=bought["access_token"]).json()["profiles"]
    assert [profile["profile_connected"] for profile in profiles] == [True, True]


def test_the_application_is_told_why_there_is_none(answers):
    answers.ask()
    answers.calendars.trouble[PEOPLE[0]] = MailboxWithoutCalendar(PEOPLE[0])
    assert answers.handle(record()) == []
    assert answers.told() == {
        "job-0": {
            "error": "access_denied",
            "error_key": "mailbox_without_calendar",
            "error_description": "The mailbox has no calendar.",
            "state": "job-0",
        }
    }


def test_while_two_secrets_live_either_recognises_the_callback(answers):
    _, second = rotate_secret(answers.client_id, registry=answers.registry, vault=answers.wired.secret_vault, now=NOW)
    answers.secrets.append(second)
    answers.ask()
    assert answers.handle(record()) == []
    (received,) = answers.application.received
    assert len(received.headers["cronofy-hmac-sha256"].split(",")) == 2
    assert not answers.recognised(received, "another secret")
    answers.told()


def test_a_message_that_comes_again_tells_nothing_again(answers):
    answers.ask()
    assert answers.handle(record()) == []
    assert answers.handle(record()) == []
    assert len(answers.application.received) == 1


def test_who_asks_again_gets_a_new_code_for_the_same_account(answers):
    codes = set()
    for _ in range(2):
        answers.ask()
        assert answers.handle(record()) == []
        codes.add(json.loads(answers.application.received[-1].body)["authorization"]["code"])
    assert len(codes) == 2
    items = answers.wired.dynamodb.scan(TableName=answers.wired.settings.table_name)["Items"]
    assert sum(item["pk"]["S"].startswith("ACCOUNT#acc_") for item in items) == 1


def test_one_in_trouble_holds_up_nobody_else(answers):
    for number in range(3):
        answers.ask(number)
    answers.calendars.trouble[PEOPLE[1]] = ProviderUnavailable("503")
    assert answers.handle(record("req_0"), record("req_1", received=4), record("req_2")) == ["message req_1"]
    assert set(answers.told()) == {"job-0", "job-2"}
    assert answers.postponed == [("receipt of message req_1", 4)]


def test_mailboxes_are_looked_at_side_by_side(answers, monkeypatch):
    """Each waits for the two others: one after another, they would wait for ever."""
    together, read = Barrier(3, timeout=30), answers.calendars.own_free_busy
    monkeypatch.setattr(
        answers.calendars, "own_free_busy", lambda *args, **named: (together.wait(), read(*args, **named))[1]
    )
    assert answers.handle(*(record(answers.ask(number)) for number in range(3))) == []


def test_fifty_at_once_end_in_fifty_signed_callbacks_whatever_fails_on_the_way(answers, monkeypatch):
    """Every third probe, every second callback and every fifth note of a success fails."""
    fallible(monkeypatch, answers.calendars, "own_free_busy", ProviderUnavailable("503"), every=3)
    fallible(monkeypatch, answers.wired.access_answers.callbacks.sender, "post", CallbackFailed("status 503"), every=2)
    fallible(monkeypatch, answers.wired.access_requests, "delete", RuntimeError("a crash"), every=5)
    waiting = [record(answers.ask(number)) for number in range(50)]
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds < 20
        failed = [answers.handle(*waiting[first : first + 10]) for first in range(0, len(waiting), 10)]
        waiting = [each for each in waiting if each["messageId"] in set().union(*failed)]
    assert set(answers.told()) == {f"job-{number}" for number in range(50)}
    assert all(told["code"] for told in answers.told().values())
    assert answers.wired.access_requests.find("req_0", NOW) is None
    assert rounds > 1


def fallible(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, trouble: Exception, *, every: int) -> None:
    works, calls = getattr(owner, name), count(1)

    def call(*args: Any, **named: Any) -> Any:
        if next(calls) % every == 0:
            raise trouble
        return works(*args, **named)

    monkeypatch.setattr(owner, name, call)


class TestTheInside:
    """Without the developer's setting nothing here can be called, whoever says what."""

    @pytest.fixture(autouse=True)
    def _deployed(self, answers, monkeypatch):
        monkeypatch.setattr(answers.wired.settings, "callbacks_may_be_local", False)
        self.hosts = FakeHosts()
        monkeypatch.setattr(Dependencies, "hosts", self.hosts)

    def test_is_not_reached_by_an_address(self, answers):
        answers.ask()
        assert answers.handle(record()) == ["message req_0"]
        assert answers.application.connections == 0

    @pytest.mark.parametrize("addresses", [("127.0.0.1",), ("::ffff:127.0.0.1",), ("8.8.8.8", "127.0.0.1")])
    def test_is_not_reached_by_a_name_that_led_elsewhere_when_it_was_accepted(self, answers, logged, addresses):
        answers.ask(callback_url="https://app.example/hook")
        self.hosts.at["app.example"] = addresses
        assert answers.handle(record()) == ["message req_0"]
        assert answers.application.connections == 0
        assert "not on the public Internet any more" in logged.getvalue()


class TestTheLog:
    def test_says_what_became_of_each_by_ids_alone(self, answers, logged):
        answers.ask()
        answers.handle(record())
        lines = [json.loads(line) for line in logged.getvalue().splitlines()]
        (line,) = (line for line in lines if line["message"] == "a request for access is answered")
        assert (line["request"], line["outcome"]) == ("req_0", "granted")
        self.assert_discreet(answers, logged)

    def test_repeats_nothing_of_what_went_wrong(self, answers, logged):
        answers.ask()
        answers.calendars.trouble[PEOPLE[0]] = ProviderUnavailable("503")
        answers.handle(record())
        answers.calendars.trouble[PEOPLE[0]] = RuntimeError(f"{PEOPLE[0]} is too much for me")
        assert answers.handle(record()) == ["message req_0"]
        assert "RuntimeError at " in logged.getvalue()
        self.assert_discreet(answers, logged)

    def test_says_that_a_secret_must_be_rotated(self, answers, logged):
        key = {"pk": {"S": f"APP#{answers.client_id}"}, "sk": {"S": "APPLICATION"}}
        answers.wired.dynamodb.update_item(
            TableName=answers.wired.settings.table_name, Key=key, UpdateExpression="REMOVE secrets[0].sealed"
        )
        answers.ask()
        assert answers.handle(record()) == ["message req_0"]
        assert f"no secret of {answers.client_id} can sign: rotate it" in logged.getvalue()
        assert answers.application.connections == 0

    def assert_discreet(self, answers, logged) -> None:
        log = logged.getvalue()
        codes = [
            json.loads(received.body)["authorization"].get("code", "") for received in answers.application.received
        ]
        for secret in ("@", "127.0.0.1", "job-0", *filter(None, codes), *answers.secrets):
            assert secret not in log


def test_what_nobody_can_read_is_reported_and_comes_again_soon(answers, logged):
    answers.ask()
    poison = queue_record("{}", "", "poison", received=7)
    assert answers.handle(poison, record()) == ["poison"]
    assert set(answers.told()) == {"job-0"}
    assert answers.postponed == [("receipt", 1)]


def test_a_message_that_cannot_be_postponed_is_reported_all_the_same(answers, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(answers, "postpone", fail)
    answers.ask()
    answers.calendars.trouble[PEOPLE[0]] = ProviderUnavailable("503")
    assert answers.handle(record()) == ["message req_0"]


def test_an_empty_batch_is_no_error(answers):
    assert answers.handle() == []


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n"]
)
def test_what_the_application_does_not_take_comes_again(answers, answer):
    with listening(answer) as refusing:
        answers.ask(callback_url=f"http://127.0.0.1:{refusing.port}/")
        assert answers.handle(record()) == ["message req_0"]
    assert answers.wired.access_requests.find("req_0", NOW)
    with listening(OK) as taking:
        answers.ask(callback_url=f"http://127.0.0.1:{taking.port}/")
        assert answers.handle(record(received=2)) == []
    assert answers.wired.access_requests.find("req_0", NOW) is None
