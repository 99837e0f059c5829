"""Keys and secrets of the laptop stack are replaced by the command line while everybody goes on asking."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from freebusy.domain.pkce import challenge_of
from freebusy.entrypoints.cli import main
from local import emulator
from local.browser import visit
from tests.e2e.days import at

pytestmark = pytest.mark.stack

NAMES = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}
ALWAYS_RENEWED = 30
"""Seconds that the providers' access tokens last here: every query refreshes them, since they end within a minute."""


@pytest.fixture
def freebusy(stack, tmp_path) -> Callable[..., Any]:
    """The command line, on the stack under test; gives its answer."""
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(stack), encoding="utf-8")

    def run(*arguments: str) -> Any:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main([f"--local={file}", "--json", *arguments]) == 0
        return json.loads(printed.getvalue())

    return run


@dataclass
class Application:
    """One that people connect to; without a secret it is a front end, whose refresh tokens are replaced at each use."""

    stack: dict[str, Any]
    client_id: str
    client_secret: str | None = None

    def token(self, **asked: str) -> dict[str, Any]:
        own = {"client_id": self.client_id, **({"client_secret": self.client_secret} if self.client_secret else {})}
        answer = httpx.post(f"{self.stack['url']}/oauth/token", json={**own, **asked}, timeout=30)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def connect(self, provider: str, email: str) -> dict[str, Any]:
        """The tokens of somebody who is busy from nine to ten."""
        person = {"busy": [{"start": at(9), "end": at(10)}], "token_lifetime": ALWAYS_RENEWED}
        httpx.put(f"{self.stack[provider]}/sim/users/{email}", json=person).raise_for_status()
        back, verifier = self.stack["redirect_uris"][0], secrets.token_urlsafe(48)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": back,
            "scope": "free_busy_write",
            "provider_name": NAMES[provider],
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        link = f"{self.stack['url']}/oauth/authorize?{urlencode(asked)}"
        code = visit(link, until=back, consent={"sim_user": email})["code"]
        return self.token(grant_type="authorization_code", code=code, redirect_uri=back, code_verifier=verifier)

    def renew(self, tokens: dict[str, Any]) -> dict[str, Any]:
        return self.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])


@pytest.fixture
def application(stack, freebusy) -> Application:
    made = freebusy("applications", "create", "Rotated", "--redirect-uri", stack["redirect_uris"][0])
    return Application(stack, made["client_id"], made["client_secret"])


@pytest.fixture
def front_end(stack, freebusy) -> Application:
    made = freebusy("applications", "create", "Front end", "--public", "--redirect-uri", stack["redirect_uris"][0])
    return Application(stack, made["client_id"])


@dataclass
class Load:
    """Asks for one thing after another until it is told to stop; whatever is not as it should be is a trouble."""

    asks: list[Callable[[], None]]
    troubles: list[BaseException] = field(default_factory=list)
    asked: int = 0
    over: Event = field(default_factory=Event)

    def go_on(self, ask: Callable[[], None]) -> None:
        while not self.over.is_set():
            try:
                ask()
            except Exception as error:  # noqa: BLE001 - counted, and shown by the test
                self.troubles.append(error)
            self.asked += 1

    @contextlib.contextmanager
    def meanwhile(self) -> Iterator[None]:
        threads = [Thread(target=self.go_on, args=(ask,)) for ask in self.asks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


def sharing(application: Application, people: list[dict[str, Any]]) -> Callable[[], None]:
    """Asks when all are free; everybody's calendar must be read."""

    def ask() -> None:
        query = {
            "participants": [{"members": [{"sub": each["sub"]} for each in people], "required": "all"}],
            "required_duration": {"minutes": 60},
            "query_periods": [{"start": at(8), "end": at(12)}],
            "on_unreadable": "fail",
        }
        headers = {"Authorization": f"Bearer {application.client_secret}"}
        answer = httpx.post(f"{application.stack['url']}/v1/availability", json=query, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        free = [(period["start"], period["end"]) for period in answer.json()["available_periods"]]
        assert free == [(at(8), at(9)), (at(10), at(12))]

    return ask


def renewing(application: Application, tokens: dict[str, Any]) -> Callable[[], None]:
    """Renews the tokens over and over, as a front end does, with what it got last."""

    def ask() -> None:
        tokens.update(application.renew(tokens))

    return ask


def people_of(application: Application, count: int = 2) -> list[dict[str, Any]]:
    return [
        application.connect(provider, f"p{number}-{uuid4().hex[:8]}@{provider}.example")
        for provider in NAMES
        for number in range(count)
    ]


def test_data_keys_are_replaced_while_everybody_asks(stack, freebusy, application, front_end):
    """Sandboxes of several functions have the old keys in memory, and each query seals new credentials."""
    people = people_of(application)
    browser = front_end.connect("google", f"browser-{uuid4().hex[:8]}@google.example")
    load = Load(
        [
            *[sharing(application, people)] * 2,
            sharing(application, people[:1]),
            renewing(application, people[0]),
            renewing(front_end, browser),
        ]
    )
    with load.meanwhile():
        for _ in range(2):
            rotated = freebusy("keys", "rotate", "--all", "--settling", "5")
            assert {each["forgotten"] for each in rotated if each["client_id"] == application.client_id} == {2}
            assert [each for each in rotated if each["left"]] == []
    assert load.troubles == []
    assert load.asked > len(load.asks)
    sharing(application, people)()
    listed = freebusy("keys", "list", "--application", application.client_id)
    assert [each["id"] for each in listed if each["what"] == "data key of credentials"] == ["3"]
    assert sealed_under(stack, [each["sub"] for each in people]) == {3}


def sealed_under(stack: dict[str, Any], subs: list[str]) -> set[int]:
    """The ids of the keys that the credentials in the table are sealed under."""
    dynamodb = emulator.client("dynamodb", stack["aws"])
    (table,) = dynamodb.list_tables()["TableNames"]
    keys = [{"pk": {"S": f"ACCOUNT#{sub}"}, "sk": {"S": "ACCOUNT"}} for sub in subs]
    items = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})["Responses"][table]
    profiles = [profile["M"] for item in items for profile in item["profiles"]["M"].values()]
    return {int.from_bytes(profile["sealed"]["B"][1:3]) for profile in profiles if "sealed" in profile}
