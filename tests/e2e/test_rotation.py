"""Keys and secrets of the laptop stack are replaced by the command line while everybody goes on asking."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pycronofy
import pytest

from freebusy.adapters.secrets import FRESH_SECONDS
from freebusy.domain.pkce import challenge_of
from local import emulator
from local.browser import visit
from tests.e2e.days import at
from tests.receiver import receiving

pytestmark = pytest.mark.stack

NAMES = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}
ALWAYS_RENEWED = 30
"""Seconds that the providers' access tokens last here: every query refreshes them, since they end within a minute."""


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

    def wait_for(self, more: int) -> None:
        """Until so much more was asked, and everybody's turn has come again."""
        enough = self.asked + more
        while self.asked < enough:
            time.sleep(0.05)

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


def people_of(application: Application, *providers: str) -> list[dict[str, Any]]:
    """Two at each provider."""
    return [
        application.connect(provider, f"p{number}-{uuid4().hex[:8]}@{provider}.example")
        for provider in providers
        for number in range(2)
    ]


# --- Data keys -------------------------------------------------------------------------------------


def test_data_keys_are_replaced_while_everybody_asks(stack, freebusy, application, front_end):
    """Sandboxes of several functions have the old keys in memory, and each query seals new credentials."""
    people = people_of(application, *NAMES)
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


# --- Provider secrets ------------------------------------------------------------------------------

# Functions do not read a secret again that they read less than FRESH_SECONDS ago, even when the provider refuses it.
# An operator ends the old one ten minutes after it was replaced; here that much has to pass.


class Registration:
    """Our client at a provider: which secrets work there, and which one the stack uses."""

    def __init__(self, stack: dict[str, Any], provider: str) -> None:
        self.stack, self.provider = stack, provider

    @property
    def used(self) -> str:
        cloudformation = emulator.client("cloudformation", self.stack["aws"])
        (described,) = cloudformation.describe_stacks()["Stacks"]
        (arn,) = (
            output["OutputValue"]
            for output in described["Outputs"]
            if output["OutputKey"] == f"{self.provider.title()}SecretArn"
        )
        held = emulator.client("secretsmanager", self.stack["aws"]).get_secret_value(SecretId=arn)
        secret: str = json.loads(held["SecretString"])["client_secret"]
        return secret

    def let(self, *live: str) -> None:
        """From now on these work, and no others."""
        httpx.put(f"{self.stack[self.provider]}/sim/client", json={"secrets": live}).raise_for_status()


@pytest.mark.parametrize("provider", list(NAMES))
def test_a_client_secret_of_ours_is_replaced_while_everybody_asks(stack, freebusy, application, provider):
    """Functions that use the old one notice when the provider does not take it any more."""
    tenant = {"admin": "admin@home.example", "delegated": True}
    httpx.put(f"{stack['microsoft']}/sim/tenants/home.example", json=tenant).raise_for_status()
    rotate = ("providers", "rotate", provider, *(["--tenant", "home.example"] if provider == "microsoft" else []))
    registration = Registration(stack, provider)
    old, new = registration.used, secrets.token_urlsafe(24)
    people = people_of(application, provider)
    load = Load([sharing(application, people)] * 2)
    with load.meanwhile():
        load.wait_for(6)
        assert "invalid_client" in freebusy.refused(*rotate, given=new), "the provider does not know it yet"
        registration.let(old, new)
        freebusy(*rotate, given=new)
        load.wait_for(8)
        time.sleep(FRESH_SECONDS)
        registration.let(new)
        load.wait_for(8)
    assert load.troubles == []
    assert registration.used == new
    listed = {each["provider"]: each for each in freebusy("providers", "list")}
    assert listed[provider]["one_before"] != "-"

    assert "invalid_client" in freebusy.refused(*rotate, "--back"), "the old one does not work any more"
    registration.let(old, new)
    freebusy(*rotate, "--back")
    assert registration.used == old
    sharing(application, people)()


class TestServiceAccount:
    """Of Google, which reads for organizations."""

    @pytest.fixture
    def service(self, stack, application) -> pycronofy.Client:
        """The application with the tokens of an organization whose administrator has just connected it."""
        admin, user = "admin@rotated.example", "kim@rotated.example"
        for email in (admin, user):
            person = {"busy": [{"start": at(9), "end": at(10)}], "token_lifetime": ALWAYS_RENEWED}
            httpx.put(f"{stack['google']}/sim/users/{email}", json=person).raise_for_status()
        organization = {"admin": admin, "delegated": True, "users": [user]}
        httpx.put(f"{stack['google']}/sim/domains/rotated.example", json=organization).raise_for_status()
        asked = {
            "response_type": "code",
            "client_id": application.client_id,
            "redirect_uri": stack["redirect_uris"][0],
            "scope": "service_account/accounts/manage",
            "delegated_scope": "free_busy_write",
            "provider_name": NAMES["google"],
        }
        link = f"{stack['url']}/enterprise_connect/oauth/authorize?{urlencode(asked)}"
        code = visit(link, until=stack["redirect_uris"][0], consent={"sim_user": admin})["code"]
        client = pycronofy.Client(client_id=application.client_id, client_secret=application.client_secret)
        client.get_authorization_from_code(code, redirect_uri=stack["redirect_uris"][0])
        return client

    def test_its_key_is_replaced_while_everybody_asks(self, stack, freebusy, application, service):
        """Beforehand the secret of the application: callbacks are signed with both while both live."""
        rotated = freebusy("applications", "secrets", "rotate", application.client_id)
        other = pycronofy.Client(client_id=application.client_id, client_secret=rotated["client_secret"])
        with receiving() as receiver:
            service.authorize_with_service_account("kim@rotated.example", "free_busy_write", f"{receiver.url}/cb")
            (callback,) = receiver.wait_for(1)
        signature, body = callback.headers["Cronofy-HMAC-SHA256"], callback.body.decode()
        assert service.hmac_valid(signature, body)
        assert other.hmac_valid(signature, body)
        freebusy("applications", "secrets", "revoke", application.client_id, rotated["secrets"][0]["hint"])
        application.client_secret = rotated["client_secret"]
        code = callback.authorization["code"]
        colleague = application.token(
            grant_type="authorization_code", code=code, redirect_uri=receiver.url + callback.path
        )

        keys = f"{stack['google']}/sim/service_account"
        old = httpx.get(keys).json()
        new = httpx.post(f"{keys}/keys").json()
        rotate = ("providers", "rotate", "google-service-account")
        load = Load([sharing(application, [colleague])] * 2)
        with load.meanwhile():
            load.wait_for(6)
            told = freebusy.refused(*rotate, given=json.dumps({**new, "client_id": "1"}))
            assert "--another-client" in told
            answer = freebusy(*rotate, given=json.dumps(new))
            assert answer["private_key_id"] == new["private_key_id"]
            assert old["private_key_id"] in answer["replaced"]
            load.wait_for(8)
            time.sleep(FRESH_SECONDS)
            httpx.delete(f"{keys}/keys/{old['private_key_id']}").raise_for_status()
            load.wait_for(8)
        assert load.troubles == []
        assert "does not take this key" in freebusy.refused(*rotate, "--back")
