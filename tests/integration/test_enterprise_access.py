"""The real handler: who may ask for which mailboxes, and what is refused before anything is sent anywhere."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlencode

import boto3
import pytest

from freebusy.bootstrap import Dependencies, application_registry
from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.application import Application
from freebusy.domain.errors import DelegationMissing, MailboxUnknown, ProviderUnavailable
from freebusy.domain.identifiers import hashed
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES, Resource
from freebusy.domain.token import TokenKind, TokenRecord
from tests.access import ROOM
from tests.api import Answer, call
from tests.fakes.callbacks import FakeHosts
from tests.fakes.clock import NOW
from tests.organizations import FakeOrganizationCalendars
from tests.people import CLIENT_ID, connected, organization

PATH = "/v1/service_account_authorizations"
BATCH = "service_account_authorizations"
ASKED = {
    "email": "ana@example.com",
    "callback_url": "https://app.example/hook",
    "scope": "free_busy_write",
    "state": "job-17",
}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Enterprise:
    """An organization that is connected to an application, and the bearer tokens of everybody concerned."""

    def __init__(self, wired: Dependencies) -> None:
        self.wired = wired
        self.sqs = boto3.client("sqs")
        self.queue = self.sqs.create_queue(QueueName="access")["QueueUrl"]
        self.calendars = FakeOrganizationCalendars(kept={"admin@example.com": []})
        self.hosts = FakeHosts()

    def connect(self, token: str, scope: str) -> None:
        """One more grant of the organization, with its access token."""
        self.wired.service_accounts.connect(organization())
        record = TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 60, "ser_1", "g1", scope)
        self.wired.dynamodb.update_item(
            TableName=self.wired.settings.table_name,
            Key={"pk": {"S": "ACCOUNT#ser_1"}, "sk": {"S": "ACCOUNT"}},
            UpdateExpression="SET grants.g1.#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues={":scope": {"S": scope}},
        )
        self.wired.tokens.save(hashed(token), record)

    def ask(self, body: Any, bearer: str | None = "admin", **more: Any) -> Answer:
        return call("enterprise_access", "POST", PATH, body=body, bearer=bearer, **more)

    def queued(self) -> list[str]:
        """The ids that wait in the queue."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"])["request_id"] for message in messages]
        return found

    def taken(self) -> list[tuple[str, str | None]]:
        """Mailbox and state of everything that waits to be answered."""
        requests = [self.wired.access_requests.find(each, NOW) for each in self.queued()]
        return sorted((request.email, request.state) for request in requests if request)

    def stored(self) -> int:
        items = self.wired.dynamodb.scan(TableName=self.wired.settings.table_name)["Items"]
        return sum(item["pk"]["S"].startswith("ACCESS#") for item in items)

    def refused(self, body: Any, **more: Any) -> dict[str, list[str]]:
        """The keys of a 422 by field; nothing was taken."""
        answer = self.ask(body, **more)
        assert answer.status == 422, answer
        assert (self.stored(), self.queued()) == (0, [])
        return {name: [entry["key"] for entry in entries] for name, entries in answer.json()["errors"].items()}


@pytest.fixture
def enterprise(wired, monkeypatch) -> Enterprise:
    """Of the application ``client-1``; ``admin`` is a token of the organization with the scope for accounts."""
    enterprise = Enterprise(wired)
    monkeypatch.setattr(wired.settings, "access_queue_url", enterprise.queue)
    monkeypatch.setattr(Dependencies, "hosts", enterprise.hosts)
    monkeypatch.setattr(Dependencies, "organization_calendars", {ProviderName.GOOGLE: enterprise.calendars})
    register(wired, CLIENT_ID)
    enterprise.connect("admin", MANAGE_ACCOUNTS)
    return enterprise


def register(wired: Dependencies, client_id: str, *, public: bool = False) -> None:
    registry = application_registry(wired.dynamodb, wired.settings.table_name)
    registry.create(Application(client_id, "Scheduler", ("https://app.example/cb",), public=public))


def entry(place: int, **changes: Any) -> dict[str, Any]:
    return {**ASKED, "email": f"person-{place}@example.com", "state": f"job-{place}", **changes}


class TestSentAgain:
    KEY: ClassVar = {"idempotency-key": '"job-17"'}

    def test_with_its_key_each_mailbox_is_asked_for_once(self, enterprise):
        assert [enterprise.ask(ASKED, headers=self.KEY).status for _ in range(3)] == [202] * 3
        assert enterprise.taken() == [("ana@example.com", "job-17")]

    def test_without_one_it_is_asked_for_each_time(self, enterprise):
        assert [enterprise.ask(ASKED).status for _ in range(2)] == [202] * 2
        assert len(enterprise.taken()) == 2

    def test_with_another_body_its_key_is_refused(self, enterprise):
        enterprise.ask(ASKED, headers=self.KEY)
        answer = enterprise.ask({**ASKED, "state": "job-18"}, headers=self.KEY)
        assert (answer.status, list(answer.json()["errors"])) == (422, ["Idempotency-Key"])

    def test_what_was_refused_can_be_corrected_under_its_key(self, enterprise):
        assert enterprise.ask({**ASKED, "email": "ana@other.example"}, headers=self.KEY).status == 422
        assert enterprise.ask(ASKED, headers=self.KEY).status == 202


class TestAsking:
    def test_one_mailbox_is_taken_with_an_empty_202(self, enterprise):
        answer = enterprise.ask(ASKED)
        assert (answer.status, answer.body) == (202, "")
        assert enterprise.taken() == [("ana@example.com", "job-17")]

    def test_fifty_are_taken_at_once(self, enterprise):
        assert enterprise.ask({BATCH: [entry(place) for place in range(50)]}).status == 202
        assert len(enterprise.taken()) == 50

    def test_a_form_will_do_for_one(self, enterprise):
        assert enterprise.ask(urlencode(ASKED), headers=FORM).status == 202
        assert enterprise.taken() == [("ana@example.com", "job-17")]

    @pytest.mark.parametrize("state", [{"state": None}, {}], ids=["null, as Ruby sends it", "left out"])
    def test_a_state_is_optional(self, enterprise, state):
        asked = {name: value for name, value in ASKED.items() if name != "state"}
        assert enterprise.ask({**asked, **state}).status == 202
        assert enterprise.taken() == [("ana@example.com", None)]

    def test_a_state_beside_a_batch_is_that_of_entries_without_one(self, enterprise):
        """As the Python SDK sends it."""
        batch = [entry(1), entry(2, state=None), {**entry(3), "state": ""}]
        assert enterprise.ask({BATCH: batch, "state": "all"}).status == 202
        assert enterprise.taken() == [
            ("person-1@example.com", "job-1"),
            ("person-2@example.com", "all"),
            ("person-3@example.com", ""),
        ]

    def test_what_is_unknown_or_null_is_ignored(self, enterprise):
        assert enterprise.ask({**ASKED, "colour": "red", BATCH: None}).status == 202
        assert enterprise.ask({BATCH: [entry(1, colour="red")], "email": None, "colour": "red"}).status == 202

    def test_an_address_is_understood_as_mail_is(self, enterprise):
        assert enterprise.ask({**ASKED, "email": " Ana.Lee+work@EXAMPLE.com "}).status == 202
        assert enterprise.taken() == [("Ana.Lee+work@example.com", "job-17")]

    def test_a_withdrawn_organization_may_still_ask_and_is_told_later(self, enterprise):
        enterprise.wired.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW)
        assert enterprise.ask(ASKED).status == 202


class TestBadInput:
    def test_one_bad_mailbox_of_a_batch_is_told_by_its_path_and_nothing_is_taken(self, enterprise):
        enterprise.hosts.at["metadata.example"] = ("169.254.169.254",)
        batch = [entry(0), entry(1, callback_url="https://metadata.example/"), entry(2, email="ana@elsewhere.example")]
        assert enterprise.refused({BATCH: batch}) == {
            f"{BATCH}[1].callback_url": ["errors.not_public"],
            f"{BATCH}[2].email": ["errors.outside_organization"],
        }

    @pytest.mark.parametrize("body", ["{", '"text"', "[1]", '{"email": "\\ud800", "state": "\\ud800"}'])
    def test_whatever_it_is_there_is_an_answer(self, enterprise, body):
        assert enterprise.refused(body)


class TestCallers:
    @pytest.fixture(autouse=True)
    def _tokens(self, enterprise):
        wired = enterprise.wired
        wired.accounts.create(connected())
        wired.tokens.save(
            hashed("person"), TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 60, "acc_1", "g1", "free_busy_write")
        )
        wired.tokens.save(hashed("secret"), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))

    @pytest.mark.parametrize(
        ("bearer", "status"),
        [
            pytest.param(None, 401, id="nobody"),
            pytest.param("unknown", 401, id="an unknown token"),
            pytest.param("person", 403, id="an individual's token"),
            pytest.param("secret", 403, id="a client secret"),
        ],
    )
    @pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("GET", "/v1/resources")])
    def test_only_a_service_account_may(self, enterprise, bearer, status, method, path):
        assert call("enterprise_access", method, path, body=ASKED, bearer=bearer).status == status
        assert enterprise.stored() == 0

    def test_a_caller_is_looked_at_before_what_they_sent(self, enterprise):
        assert enterprise.ask("{", bearer="person").status == 403

    def test_the_scope_for_resources_does_not_do_for_accounts(self, enterprise):
        enterprise.connect("rooms only", MANAGE_RESOURCES)
        assert enterprise.ask(ASKED, bearer="rooms only").status == 403

    def test_a_revoked_organization_is_not_known_any_more(self, enterprise):
        enterprise.wired.accounts.revoke_grants("ser_1")
        assert enterprise.ask(ASKED).status == 401

    def test_a_public_application_cannot_be_called_back(self, enterprise):
        register(enterprise.wired, "public", public=True)
        enterprise.wired.service_accounts.connect(organization("ser_2", client_id="public"))
        record = TokenRecord(TokenKind.ACCESS, "public", NOW + 60, "ser_2", "g1", MANAGE_ACCOUNTS)
        enterprise.wired.tokens.save(hashed("of a front end"), record)
        assert enterprise.ask(ASKED, bearer="of a front end").status == 403
        assert enterprise.stored() == 0


class TestResources:
    def resources(self, enterprise, bearer: str = "rooms") -> Answer:
        return call("enterprise_access", "GET", "/v1/resources", bearer=bearer)

    @pytest.fixture(autouse=True)
    def _rooms(self, enterprise):
        enterprise.connect("rooms", f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}")
        enterprise.calendars.rooms = [Resource(ROOM, "Room 1")]

    def test_are_listed_with_address_and_name(self, enterprise):
        assert self.resources(enterprise).json() == {"resources": [{"email": ROOM, "name": "Room 1"}]}

    def test_may_be_asked_for_as_people_are(self, enterprise):
        assert enterprise.ask({**ASKED, "email": ROOM}, bearer="rooms").status == 202

    def test_need_a_scope_of_their_own(self, enterprise):
        enterprise.connect("accounts only", MANAGE_ACCOUNTS)
        assert self.resources(enterprise, "accounts only").status == 403

    @pytest.mark.parametrize(
        ("trouble", "status", "reason"),
        [
            pytest.param(DelegationMissing("places"), 403, "delegation_missing", id="not permitted"),
            pytest.param(MailboxUnknown("admin"), 403, "delegation_missing", id="the administrator has left"),
            pytest.param(ProviderUnavailable("503"), 503, "provider_unavailable", id="out of order"),
        ],
    )
    def test_that_cannot_be_listed_are_not_an_empty_list(self, enterprise, monkeypatch, trouble, status, reason):
        def fail(*_, **__):
            raise trouble

        monkeypatch.setattr(enterprise.calendars, "resources", fail)
        answer = self.resources(enterprise)
        assert (answer.status, answer.json()) == (status, {"error": reason})

    def test_are_not_there_where_no_organization_can_be_read(self, enterprise, monkeypatch):
        monkeypatch.setattr(Dependencies, "organization_calendars", {})
        assert self.resources(enterprise).json() == {"error": "provider_misconfigured"}
