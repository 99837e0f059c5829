"""The real handlers: channels that are opened, listed and closed, and what their servers may do to us."""

from __future__ import annotations

import json
import socket
from threading import Event
from typing import Any

import boto3
import pytest
from pycronofy import Client

from freebusy.adapters.callbacks import HttpCallbacks
from freebusy.bootstrap import Dependencies, application_registry
from freebusy.domain.application import Application
from freebusy.domain.channel import MOST_CHANNELS, Channel, NotificationType
from freebusy.domain.errors import StorageUnavailable
from freebusy.service.applications import register_application, rotate_secret
from freebusy.service.callbacks import Callbacks
from tests.api import Answer, Context, call, handler
from tests.fakes.callbacks import FakeHosts
from tests.fakes.clock import NOW
from tests.listening import OK, Respond, listening
from tests.people import CLIENT_ID, connected
from tests.records import queue_record, stream_record

URL = "https://app.example/hook"
TOKEN = "token of ana"


@pytest.fixture
def hosts(monkeypatch) -> FakeHosts:
    hosts = FakeHosts()
    monkeypatch.setattr(Dependencies, "hosts", hosts)
    return hosts


@pytest.fixture
def registry(wired):
    return application_registry(wired.dynamodb, wired.settings.table_name)


@pytest.fixture
def ana(wired, hosts, registry, sign_in) -> Any:
    """Connected to an application that has a secret."""
    registry.create(Application(CLIENT_ID, "Scheduler", ("https://app.example/cb",)))
    rotate_secret(CLIENT_ID, registry=registry, vault=wired.secret_vault, now=NOW)
    return sign_in(connected("ana"), TOKEN)


def open_channel(body: Any, token: str = TOKEN) -> Answer:
    return call("channels", "POST", "/v1/channels", body=body, bearer=token)


def test_a_channel_that_is_asked_for_again_by_its_key_is_opened_once(ana):
    def ask() -> Any:
        sent, key = {"callback_url": URL}, {"idempotency-key": "8e03978e"}
        return call("channels", "POST", "/v1/channels", body=sent, bearer=TOKEN, headers=key).json()

    assert ask() == ask()
    assert len(channels()) == 1


def channels(token: str = TOKEN) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = call("channels", "GET", "/v1/channels", bearer=token).json()["channels"]
    return listed


def close(channel_id: str, token: str = TOKEN) -> int:
    return call("channels", "DELETE", f"/v1/channels/{channel_id}", bearer=token).status


class TestOpening:
    @pytest.mark.parametrize(
        ("filters", "shown"),
        [
            pytest.param({}, {}, id="left out, as Python sends it"),
            pytest.param({"filters": {}}, {}, id="empty, as C# sends it"),
            pytest.param({"filters": []}, {}, id="empty, as PHP spells it"),
            pytest.param({"filters": None}, {}, id="null"),
            pytest.param({"filters": {"only_managed": False, "calendar_ids": None}}, {}, id="what narrows nothing"),
            pytest.param({"filters": {"only_managed": True}}, {"only_managed": True}, id="only managed"),
            pytest.param({"filters": {"calendar_ids": ["cal_mana"]}}, {"calendar_ids": ["cal_mana"]}, id="a calendar"),
        ],
    )
    def test_filters_are_an_object_in_every_answer(self, ana, filters, shown):
        answer = open_channel({"callback_url": URL, **filters})
        assert answer.status == 200
        channel = answer.json()["channel"]
        assert channel == {"channel_id": channel["channel_id"], "callback_url": URL, "filters": shown}
        assert channel["channel_id"].startswith("chn_")
        assert channels() == [channel]

    @pytest.mark.parametrize(
        ("body", "field", "key"),
        [
            pytest.param({}, "callback_url", "errors.required", id="nothing"),
            pytest.param({"callback_url": None}, "callback_url", "errors.required", id="null"),
            pytest.param({"callback_url": 7}, "callback_url", "errors.invalid_format", id="no text"),
            pytest.param({"callback_url": ""}, "callback_url", "errors.invalid_format", id="empty"),
            pytest.param({"callback_url": "/hook"}, "callback_url", "errors.invalid_format", id="no host"),
            pytest.param(
                {"callback_url": f"{URL}/{'x' * 128}"}, "callback_url", "errors.too_long", id="more than 128 characters"
            ),
            pytest.param({"callback_url": "http://app.example/"}, "callback_url", "errors.invalid_format", id="no TLS"),
            pytest.param(
                {"callback_url": "https://app.example:8443/"}, "callback_url", "errors.invalid_format", id="other port"
            ),
            pytest.param(
                {"callback_url": "https://me:secret@app.example/"}, "callback_url", "errors.invalid_format", id="user"
            ),
            pytest.param({"callback_url": f"{URL}#x"}, "callback_url", "errors.invalid_format", id="a fragment"),
            pytest.param(
                {"callback_url": "https://\ud800/"}, "callback_url", "errors.invalid_format", id="a surrogate"
            ),
            pytest.param({"callback_url": "https://10.0.0.1/"}, "callback_url", "errors.not_public", id="private"),
            pytest.param({"callback_url": "https://[::1]/"}, "callback_url", "errors.not_public", id="loopback"),
            pytest.param(
                {"callback_url": "https://169.254.169.254/latest"}, "callback_url", "errors.not_public", id="metadata"
            ),
            pytest.param(
                {"callback_url": "https://2130706433/"}, "callback_url", "errors.invalid_format", id="a number"
            ),
            pytest.param({"callback_url": "https://inside.example/"}, "callback_url", "errors.not_public", id="a name"),
            pytest.param(
                {"callback_url": "https://both.example/"}, "callback_url", "errors.not_public", id="one of two"
            ),
            pytest.param(
                {"callback_url": "https://none.example/"}, "callback_url", "errors.unknown_host", id="unknown"
            ),
            pytest.param({"callback_url": URL, "filters": 7}, "filters", "errors.invalid_format", id="no filters"),
            pytest.param(
                {"callback_url": URL, "filters": {"calendar_ids": []}},
                "filters.calendar_ids",
                "errors.required",
                id="no calendar",
            ),
            pytest.param(
                {"callback_url": URL, "filters": {"calendar_ids": ["cal_mben"]}},
                "filters.calendar_ids",
                "errors.invalid_calendar_ids",
                id="somebody else's calendar",
            ),
            pytest.param(
                {"callback_url": URL, "filters": {"only_managed": "perhaps"}},
                "filters.only_managed",
                "errors.must_be_boolean",
                id="no boolean",
            ),
        ],
    )
    def test_what_is_not_right_is_refused_field_by_field(self, ana, hosts, body, field, key):
        hosts.at |= {"inside.example": ("127.0.0.1",), "both.example": ("8.8.8.8", "10.0.0.7"), "none.example": ()}
        answer = open_channel(body)
        assert answer.status == 422
        assert [error["key"] for error in answer.json()["errors"][field]] == [key]
        assert channels() == []

    def test_an_account_has_so_many_and_the_next_is_refused(self, wired, ana):
        for number in range(MOST_CHANNELS):
            assert wired.channels.create(Channel(f"chn_{number}", "ana", CLIENT_ID, URL))
        answer = open_channel({"callback_url": URL})
        assert answer.status == 422
        assert answer.json()["errors"]["callback_url"][0]["key"] == "errors.too_many"
        assert close("chn_7") == 202
        assert open_channel({"callback_url": URL}).status == 200

    def test_an_application_without_a_secret_has_none(self, wired, hosts, registry, sign_in):
        """Nothing could be signed."""
        registry.create(Application(CLIENT_ID, "Front end", ("https://app.example/cb",), public=True))
        sign_in(connected("ana"), TOKEN)
        assert open_channel({"callback_url": URL}).status == 403

    def test_nobody_else_may(self, ana):
        assert open_channel({"callback_url": URL}, token="unknown").status == 401


class TestClosing:
    def test_it_is_gone_at_once(self, ana):
        channel_id = open_channel({"callback_url": URL}).json()["channel"]["channel_id"]
        assert close(channel_id) == 202
        assert channels() == []
        assert close(channel_id) == 404

    def test_another_account_neither_sees_nor_closes_it(self, wired, ana, sign_in):
        sign_in(connected("ben"), "token of ben")
        channel_id = open_channel({"callback_url": URL}).json()["channel"]["channel_id"]
        assert channels("token of ben") == []
        assert close(channel_id, "token of ben") == 404
        assert len(channels()) == 1

    @pytest.mark.parametrize("channel_id", ["chn_unknown", "x" * 3000, "%E2%98%83"])
    def test_what_is_not_there_is_not_found(self, ana, channel_id):
        assert close(channel_id) == 404


# --- What servers do to us ---------------------------------------------------------------------------------


def waiting(_stream: socket.socket, over: Event) -> None:
    over.wait()


def trickling(stream: socket.socket, over: Event) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not over.wait(0.01):
        stream.sendall(b"x")


class Deliveries:
    """Messages to the function about channels whose servers are really called."""

    def __init__(self, wired: Dependencies) -> None:
        self.wired = wired
        self.postponed: list[tuple[str, int]] = []
        registry = application_registry(wired.dynamodb, wired.settings.table_name)
        application, self.secret = register_application(
            "Scheduler", ["https://app.example/cb"], registry=registry, vault=wired.secret_vault, now=NOW
        )
        self.client_id = application.client_id
        assert wired.accounts.create(connected("ana", client_id=self.client_id))

    def postpone(self, receipt: str, *, received: int) -> None:
        self.postponed.append((receipt, received))

    def open(self, name: str, port: int) -> None:
        url = f"http://127.0.0.1:{port}/hook?channel={name}"
        pending = {NotificationType.CHANGE: NOW}
        assert self.wired.channels.create(Channel(name, "ana", self.client_id, url, pending=pending))

    def handle(self, *names: str) -> list[str]:
        """Which of the channels the function reports as failed."""
        records = [
            queue_record(json.dumps({"sub": "ana", "channel_id": name, "version": 1}), name, name, receipt=name)
            for name in names
        ]
        answer = handler("on_channel_due")({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def deliveries(wired, monkeypatch) -> Deliveries:
    monkeypatch.setattr(wired.settings, "callbacks_may_be_local", True)
    deliveries = Deliveries(wired)
    monkeypatch.setattr(Dependencies, "channel_queue", deliveries)
    quick = Callbacks(wired.hosts, HttpCallbacks(exchange_seconds=0.3), wired.secret_vault, local=True)
    object.__setattr__(wired.notifier, "callbacks", quick)
    return deliveries


def test_what_is_sent_is_recognised_by_the_official_sdk(deliveries):
    with listening(OK) as application:
        deliveries.open("chn_1", application.port)
        assert deliveries.handle("chn_1") == []
    (received,) = application.received
    assert received.line == "POST /hook?channel=chn_1 HTTP/1.1"
    client = Client(client_id=deliveries.client_id, client_secret=deliveries.secret)
    assert client.hmac_valid(received.headers["cronofy-hmac-sha256"], received.body.decode())
    assert json.loads(received.body)["notification"] == {"type": "change", "changes_since": "2027-01-15T08:00:00Z"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", id="an error"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", id="unknown"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", id="elsewhere"),
        pytest.param(b"hello\r\n\r\n", id="no HTTP"),
        pytest.param(b"", id="hangs up"),
        pytest.param(waiting, id="says nothing"),
        pytest.param(trickling, id="never ends"),
    ],
)
def test_a_server_that_does_not_take_it_is_asked_again_and_holds_up_no_other(deliveries, answer: bytes | Respond):
    with listening(answer) as failing, listening(OK) as well:
        deliveries.open("chn_bad", failing.port)
        deliveries.open("chn_good", well.port)
        assert deliveries.handle("chn_bad", "chn_good") == ["chn_bad"]
    assert len(well.received) == 1
    assert deliveries.postponed == [("chn_bad", 1)]
    bad, good = deliveries.wired.channels.of("ana")
    assert (bool(bad.pending), bad.failing_since) == (True, NOW)
    assert (bool(good.pending), good.failing_since) == (False, None)


def test_a_server_that_is_gone_is_left(deliveries):
    with listening(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n") as application:
        deliveries.open("chn_1", application.port)
        assert deliveries.handle("chn_1") == []
    assert deliveries.wired.channels.of("ana") == []


def test_logs_hold_ids_alone(deliveries, logged):
    with listening(b"HTTP/1.1 500 Oops\r\n\r\n") as failing, listening(OK) as well:
        deliveries.open("chn_bad", failing.port)
        deliveries.open("chn_good", well.port)
        deliveries.handle("chn_bad", "chn_good")
    assert "chn_good" in logged.getvalue()
    assert "/hook" not in logged.getvalue()


# --- From the table's stream ---------------------------------------------------------------------------------


class Stream:
    """What was written to the channels of an account, brought to the function as the table's stream brings it."""

    def __init__(self, wired: Dependencies, sqs: Any, queue: str) -> None:
        self.wired, self.sqs, self.queue = wired, sqs, queue

    def item(self, pk: str, sk: str) -> Any:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self.wired.dynamodb.get_item(TableName=self.wired.settings.table_name, Key=key).get("Item")

    def carry(self, *records: dict[str, Any]) -> dict[str, Any]:
        return handler("on_event_changed")({"Records": list(records)}, Context())

    def queued(self) -> list[dict[str, Any]]:
        messages = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture
def stream(wired, monkeypatch) -> Stream:
    sqs = boto3.client("sqs")
    queues = {
        name: sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        for name in ("invitations", "channels")
    }
    urls = {"invitation_queue_url": queues["invitations"], "channel_queue_url": queues["channels"]}
    for name, url in urls.items():
        monkeypatch.setattr(wired.settings, name, url)
    wired.accounts.create(connected("ana"))
    wired.channels.create(Channel("chn_1", "ana", CLIENT_ID, URL))
    return Stream(wired, sqs, queues["channels"])


def test_a_channel_in_which_something_was_noted_is_queued(stream):
    pk, sk = "CHANNELS#ana", "CHANNEL#chn_1"
    opened = stream.item(pk, sk)
    assert stream.carry(stream_record(None, opened)) == {"batchItemFailures": []}
    assert stream.queued() == [{"sub": "ana", "channel_id": "chn_1", "version": 1}]


def test_a_channel_that_was_told_is_not(stream):
    pk, sk = "CHANNELS#ana", "CHANNEL#chn_1"
    before = stream.item(pk, sk)
    stream.wired.channels.told(stream.wired.channels.find("ana", "chn_1"))
    assert stream.carry(stream_record(before, stream.item(pk, sk))) == {"batchItemFailures": []}
    assert stream.queued() == []


def test_a_profile_that_was_disconnected_is_noted(stream):
    before = stream.item("ACCOUNT#ana", "ACCOUNT")
    account = stream.wired.accounts.find("ana")
    stream.wired.accounts.disconnect("ana", account.profiles[0].profile_id, because="credential_revoked")
    stream.carry(stream_record(before, stream.item("ACCOUNT#ana", "ACCOUNT")))
    assert stream.wired.channels.find("ana", "chn_1").pending == {NotificationType.PROFILE_DISCONNECTED: NOW}


def test_while_the_table_does_not_answer_nothing_is_passed_over(stream, monkeypatch):
    before = stream.item("ACCOUNT#ana", "ACCOUNT")
    account = stream.wired.accounts.find("ana")
    stream.wired.accounts.disconnect("ana", account.profiles[0].profile_id, because="credential_revoked")
    record = stream_record(before, stream.item("ACCOUNT#ana", "ACCOUNT"))

    def of(_sub: str) -> None:
        raise StorageUnavailable("DynamoDB")

    with monkeypatch.context() as patch:
        patch.setattr(stream.wired.channels, "of", of)
        assert stream.carry(record)["batchItemFailures"] == [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
    assert stream.carry(record) == {"batchItemFailures": []}
    assert stream.wired.channels.find("ana", "chn_1").pending


def test_what_was_noted_is_not_noted_again_for_somebody_elses_trouble(stream, monkeypatch):
    """Each time would be another notification, for as long as the trouble lasts."""
    stream.wired.accounts.create(connected("ben"))
    stream.wired.channels.create(Channel("chn_2", "ben", CLIENT_ID, URL))
    records = []
    for number, sub in enumerate(("ana", "ben"), start=1):
        before = stream.item(f"ACCOUNT#{sub}", "ACCOUNT")
        profile_id = stream.wired.accounts.find(sub).profiles[0].profile_id
        stream.wired.accounts.disconnect(sub, profile_id, because="credential_revoked")
        records.append(stream_record(before, stream.item(f"ACCOUNT#{sub}", "ACCOUNT"), number=number))
    of = stream.wired.channels.of

    def troubled(sub: str) -> Any:
        if sub == "ben":
            raise KeyError("version")
        return of(sub)

    monkeypatch.setattr(stream.wired.channels, "of", troubled)
    assert stream.carry(*records)["batchItemFailures"] == [{"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}]
    assert stream.wired.channels.find("ana", "chn_1").pending
