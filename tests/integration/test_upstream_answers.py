"""The real handlers, from a mailbox that is asked for at Cronofy to its answer, and from there to the application."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from freebusy.adapters.callbacks import HttpCallbacks
from freebusy.adapters.cronofy_organizations import CronofyOrganizations
from freebusy.adapters.secrets import ProviderRegistration
from freebusy.bootstrap import Dependencies
from freebusy.domain.access_request import AccessRequest
from freebusy.domain.account import Upstream
from freebusy.domain.callback import is_signed, signature
from freebusy.domain.credential import ProviderCredential
from freebusy.domain.errors import StorageUnavailable
from freebusy.service.upstream_access import PAUSE
from tests.api import Answer, Context, call, handler
from tests.browsers import APP, PUBLIC_URL, SECRET
from tests.fakes.callbacks import FakeCallbackSender, FakeHosts
from tests.fakes.clock import NOW
from tests.fakes.queues import FakeAccessQueue
from tests.people import organization_at_cronofy
from tests.records import access_record

HOOK = "https://app.example/hook"
MAILBOX = "ana@example.com"
OURS = "our secret at Cronofy"


class Cronofy:
    """Its API, which lets us into every mailbox; codes are good once and for one ``redirect_uri``."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.exchanges: list[dict[str, list[str]]] = []
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            return httpx.Response(503)
        if request.url.path == "/v1/service_account_authorizations":
            self.asked.append(json.loads(request.content))
            return httpx.Response(202)
        assert request.url.path == "/oauth/token"
        self.exchanges.append(dict(httpx.QueryParams(request.content.decode()).multi_items()))
        profile = {"provider_name": "google_free_busy", "profile_name": MAILBOX}
        told = {"sub": "acc_there", "scope": "free_busy_write", "linking_profile": profile}
        tokens = {"access_token": "access-token", "refresh_token": "refresh-token", "expires_in": 3600}
        return httpx.Response(200, json={**tokens, **told})


class Desk:
    """One request for a mailbox, and what is sent about it."""

    def __init__(self, wired: Dependencies, cronofy: Cronofy) -> None:
        self.wired = wired
        self.cronofy = cronofy
        self.queue = FakeAccessQueue()
        self.sender = FakeCallbackSender()

    def ask(self, request_id: str = "req_1") -> None:
        request = AccessRequest(
            request_id, APP, "ser_1", MAILBOX, HOOK, "free_busy_write", "job-17", NOW, public_url=PUBLIC_URL
        )
        self.wired.access_requests.save([request])
        self.work(request_id)

    def work(self, request_id: str = "req_1") -> list[str]:
        """What of the message the worker reports as failed."""
        record = access_record(request_id, message_id=f"message {request_id}", received=1)
        answer = handler("on_access_requested")({"Records": [record]}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    @property
    def told(self) -> list[dict[str, str]]:
        return [callback.json()["authorization"] for callback in self.sender.sent]

    def answer(
        self,
        body: Any = None,
        *,
        asked: int = -1,
        secrets: tuple[str, ...] = (OURS,),
        path: str | None = None,
        signed: bytes | None = None,
    ) -> Answer:
        """As Cronofy sends it: a code for what was ``asked``, unless said otherwise."""
        question = self.cronofy.asked[asked]
        if body is None:
            body = {"authorization": {"code": "C" * 32, "state": question["state"]}}
        raw = body if isinstance(body, str) else json.dumps(body)
        header = {"cronofy-hmac-sha256": signature(raw.encode() if signed is None else signed, secrets)}
        path = path or urlsplit(question["callback_url"]).path
        return call("enterprise_connect", "POST", path, body=raw, headers=header)


@pytest.fixture
def desk(deployment, wired, monkeypatch) -> Desk:
    cronofy = Cronofy()
    desk = Desk(wired, cronofy)
    organizations = CronofyOrganizations(
        httpx.Client(transport=httpx.MockTransport(cronofy)),
        lambda *, fresh=False: ProviderRegistration("id", OURS, "us"),
        origin=None,
    )
    for name, value in {
        "cronofy_organizations": organizations,
        "cronofy_has_signed": lambda _, *signed: is_signed(*signed, [OURS]),
        "access_queue": desk.queue,
        "hosts": FakeHosts(),
    }.items():
        monkeypatch.setattr(Dependencies, name, value)
    monkeypatch.setattr(HttpCallbacks, "post", lambda _, *told, **signed: desk.sender.post(*told, **signed))
    monkeypatch.setattr(wired.settings, "cronofy_secret_id", "cronofy")
    wired.service_accounts.connect(organization_at_cronofy(client_id=APP))
    credential = ProviderCredential("service-token", "refresh-token", NOW + 1800)
    sealed = wired.vault.seal(credential, client_id=APP, profile_id="ser_1")
    wired.service_accounts.renew("ser_1", sealed=sealed, version=0)
    return desk


def exchanged(told: dict[str, str]) -> Answer:
    form = {
        "client_id": APP,
        "client_secret": SECRET,
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": HOOK,
    }
    return call("token", "POST", "/oauth/token", body=form)


def test_an_answer_becomes_tokens_for_the_mailbox(desk):
    desk.ask()
    (question,) = desk.cronofy.asked
    assert question["email"] == MAILBOX
    assert question["callback_url"].startswith(f"{PUBLIC_URL}/enterprise_connect/answers/")
    assert desk.told == []

    answer = desk.answer()
    assert (answer.status, answer.body) == (202, "")
    (exchange,) = desk.cronofy.exchanges
    assert exchange["redirect_uri"] == question["callback_url"]
    assert desk.queue.waiting == ["req_1", "req_1"]  # one for when the time is over
    assert desk.work() == []
    (told,) = desk.told
    assert (set(told), told["state"]) == ({"code", "state"}, "job-17")
    bought = exchanged(told).json()
    assert bought["linking_profile"]["profile_name"] == MAILBOX
    (profile, _) = desk.wired.accounts.find(bought["sub"]).profiles
    assert (profile.upstream, profile.service_account) == (Upstream.CRONOFY, "ser_1")


def test_an_answer_is_written_down_with_organization_and_mailbox(desk, audited):
    desk.ask()
    audited()
    desk.answer()
    (record,) = audited()
    sub = desk.wired.access_requests.find("req_1", NOW).granted.sub
    assert (record["action"], record["by"], record["client_id"]) == ("access.answered", "service", APP)
    assert record["accounts"].split() == ["ser_1", sub]
    assert MAILBOX not in str(record)


def test_an_error_becomes_an_error(desk):
    desk.ask()
    state = desk.cronofy.asked[0]["state"]
    wrong = {"error": "access_denied", "error_key": "mailbox_unknown", "error_description": "No.", "state": state}
    assert desk.answer({"authorization": wrong}).status == 202
    assert desk.work() == []
    assert desk.told[0]["error_key"] == "mailbox_unknown"
    assert desk.told[0]["error_description"] != "No."


@pytest.mark.parametrize(
    ("forged", "status"),
    [
        pytest.param({"secrets": ("guessed",)}, 403, id="signed by somebody else"),
        pytest.param({"secrets": ()}, 403, id="unsigned"),
        pytest.param({"secrets": ("guessed",) * 50}, 403, id="many signatures"),
        pytest.param({"secrets": (SECRET,)}, 403, id="signed with the application's own secret"),
        pytest.param({"signed": b"another body"}, 403, id="another body's signature"),
        pytest.param({"body": ""}, 404, id="nothing"),
        pytest.param({"body": "["}, 404, id="no JSON"),
        pytest.param({"body": "[" * 100_000}, 404, id="nested beyond reason"),
        pytest.param({"body": []}, 404, id="no object"),
        pytest.param({"body": {"authorization": "code"}}, 404, id="no authorization"),
        pytest.param({"body": {"authorization": {"code": "C" * 32}}}, 404, id="no state"),
        pytest.param({"body": {"authorization": {"code": "C" * 32, "state": "other"}}}, 404, id="another state"),
        pytest.param({"body": {"authorization": {"code": 7, "state": "other"}}}, 404, id="no code"),
        pytest.param({"path": "/enterprise_connect/answers/guessed"}, 404, id="another address"),
        pytest.param({"path": f"/enterprise_connect/answers/{'x' * 5000}"}, 404, id="a long address"),
    ],
)
def test_what_is_no_answer_has_no_effect(desk, forged, status):
    desk.ask()
    assert desk.answer(**forged).status == status
    assert desk.cronofy.exchanges == []
    assert desk.queue.waiting == ["req_1"]
    assert desk.answer().status == 202
    desk.work()
    assert exchanged(desk.told[0]).status == 200


def test_an_answer_for_somebody_elses_request_has_no_effect(desk):
    desk.ask("req_1")
    desk.ask("req_2")
    other = urlsplit(desk.cronofy.asked[0]["callback_url"]).path
    assert desk.answer(path=other).status == 404
    assert desk.cronofy.exchanges == []
    assert [desk.answer(asked=each).status for each in (0, 1)] == [202, 202]


def test_an_answer_counts_once(desk):
    desk.ask()
    assert [desk.answer().status for _ in range(3)] == [202, 404, 404]
    assert len(desk.cronofy.exchanges) == 1
    desk.work()
    desk.work()
    assert len(desk.told) == 1
    assert desk.answer().status == 404


def test_nobody_hears_of_it_twice_from_a_message_that_comes_later(desk):
    desk.ask()
    desk.answer()
    for _ in range(2):
        assert desk.work() == []
    assert len(desk.told) == 1


def test_without_a_stored_answer_cronofy_hears_that_it_failed(desk, monkeypatch):
    desk.ask()

    def fail(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("throttled")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(desk.wired.access_requests, "take_answer", fail)
        assert desk.answer().status == 503
    assert desk.answer().status == 202


def test_a_code_that_cannot_be_exchanged_now_is_asked_for_again(desk, monkeypatch):
    desk.ask()
    desk.cronofy.down = True
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("freebusy.adapters.cronofy_organizations.EXCHANGE_SECONDS", 0.01)
        assert desk.answer().status == 202
    desk.cronofy.down = False
    assert desk.queue.delays[-1] == PAUSE
    desk.work()
    assert len(desk.cronofy.asked) == 2
    assert desk.answer().status == 202
    desk.work()
    assert exchanged(desk.told[0]).status == 200


def test_where_cronofy_is_not_offered_nobody_listens(desk, monkeypatch):
    desk.ask()
    monkeypatch.setattr(desk.wired.settings, "cronofy_secret_id", None)
    assert desk.answer().status == 404


def test_logs_hold_neither_codes_nor_addresses(desk, logged):
    desk.ask()
    desk.answer(secrets=("guessed",))
    desk.answer()
    desk.work()
    handle = desk.cronofy.asked[0]["callback_url"].rpartition("/")[2]
    for secret in ("C" * 32, handle, desk.cronofy.asked[0]["state"], MAILBOX, OURS, "access-token"):
        assert secret not in logged.getvalue()
    assert "req_1" in logged.getvalue()
