"""The ``freebusy`` command against a deployed table: what it prints, what it leaves behind, how it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests
from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.events import DynamoEvents, DynamoInvitationLog
from freebusy.adapters.dynamodb.pages import DynamoPages
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.dynamodb.setups import DynamoSetups
from freebusy.adapters.dynamodb.tokens import DynamoTokens
from freebusy.adapters.queue import SqsErasures
from freebusy.adapters.vault import KmsSecretVault, KmsVault
from freebusy.bootstrap import belongings
from freebusy.domain.account import Account, Identity, Profile, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import TokenError
from freebusy.domain.event import Attendee, SentMark
from freebusy.domain.service_account import ServiceAccount
from freebusy.entrypoints.cli import main
from freebusy.service.applications import authenticate_client
from freebusy.service.connecting import connect_mailbox
from freebusy.service.erasure import Erasure
from freebusy.service.invitations import recipient_of
from tests.fakes import NOW
from tests.invitations import KIM, an_event
from tests.people import organization
from tests.pictures import png
from tests.tables import table_properties

pytestmark = pytest.mark.emulator

CALLBACK = "https://app.example/callback"


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="laptop",
        aws_secret_access_key="laptop",
    )


@dataclass
class Deployment:
    endpoint: str
    stack: str
    table: str
    queue: str
    erasures: str
    key_id: str

    @property
    def dynamodb(self) -> Any:
        return client("dynamodb", self.endpoint)

    def items(self) -> list[dict[str, Any]]:
        return self.dynamodb.scan(TableName=self.table)["Items"]


@pytest.fixture(scope="module")
def deployment(emulator) -> Deployment:
    """A stack with the table of template.yaml, a queue of invitations, and the outputs that name them."""
    stack = f"stack-{uuid4().hex}"
    secrets = {"Google": "GoogleSecretArn", "Microsoft": "MicrosoftSecretArn"}
    template = {
        "Parameters": {"MicrosoftTenant": {"Type": "String", "Default": "organizations"}},
        "Resources": {
            **{name: {"Type": "AWS::SecretsManager::Secret", "Properties": {}} for name in secrets},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table_properties()},
            "InvitationQueue": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}},
            "Erasures": {"Type": "AWS::SQS::Queue"},
            "CredentialKey": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17"}}},
        },
        "Outputs": {
            "TableName": {"Value": {"Ref": "Table"}},
            "InvitationQueueUrl": {"Value": {"Ref": "InvitationQueue"}},
            "ErasureQueueUrl": {"Value": {"Ref": "Erasures"}},
            "CredentialKeyId": {"Value": {"Ref": "CredentialKey"}},
            **{output: {"Value": {"Ref": name}} for name, output in secrets.items()},
        },
    }
    cloudformation = client("cloudformation", emulator)
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    return Deployment(
        emulator,
        stack,
        outputs["TableName"],
        outputs["InvitationQueueUrl"],
        outputs["ErasureQueueUrl"],
        outputs["CredentialKeyId"],
    )


@pytest.fixture
def stack_file(deployment, tmp_path) -> Path:
    file = tmp_path / "stack.json"
    file.write_text(
        json.dumps({"url": "http://127.0.0.1:8080", "aws": deployment.endpoint, "logs": str(tmp_path)}),
        encoding="utf-8",
    )
    return file


@pytest.fixture
def freebusy(deployment, stack_file, capsys):
    """Runs a command that works; returns its JSON answer."""

    def run(*arguments: str) -> Any:
        capsys.readouterr()
        status = main([f"--local={stack_file}", "--stack", deployment.stack, "--json", *arguments])
        printed = capsys.readouterr()
        assert status == 0, printed.err
        return json.loads(printed.out)

    return run


@pytest.fixture
def refused(deployment, stack_file, capsys):
    """Runs a command that does not work; returns the one line that says why, which may follow a question."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        status = main([f"--local={stack_file}", "--stack", deployment.stack, *arguments])
        printed = capsys.readouterr()
        assert status == 2
        assert printed.out == ""
        *question, line = printed.err.splitlines()
        assert len(question) <= bool({"delete", "erase"} & {*arguments}) or "rotate" in arguments
        return line

    return run


@pytest.fixture
def created(freebusy) -> dict[str, Any]:
    return freebusy("applications", "create", "Scheduler", "--redirect-uri", CALLBACK)


def works(deployment, client_id, secret) -> bool:
    stores = {
        "applications": DynamoApplications(deployment.dynamodb, deployment.table),
        "tokens": DynamoTokens(deployment.dynamodb, deployment.table),
    }
    try:
        authenticate_client(client_id, secret, now=NOW, **stores)
    except TokenError:
        return False
    return True


class TestApplications:
    def test_a_created_application_can_authenticate(self, deployment, created):
        assert created["redirect_uris"] == [CALLBACK]
        assert created["public"] is False
        assert works(deployment, created["client_id"], created["client_secret"])

    def test_a_front_end_is_created_without_a_secret(self, deployment, freebusy):
        created = freebusy(
            "applications",
            "create",
            "Front end",
            "--public",
            "--redirect-uri",
            CALLBACK,
            "--origin",
            "https://a.example",
        )
        assert "client_secret" not in created
        assert (created["public"], created["secrets"], created["origins"]) == (True, [], ["https://a.example"])
        assert works(deployment, created["client_id"], None)

    def test_the_secret_is_shown_once(self, deployment, freebusy, created):
        shown = freebusy("applications", "show", created["client_id"])
        secret = created.pop("client_secret")
        assert shown == {**created, "home_page": None, "logo": None}
        assert secret not in json.dumps([str(item) for item in deployment.items()])

    def test_applications_are_listed(self, freebusy, created):
        assert {"client_id": created["client_id"], "name": "Scheduler"} in freebusy("applications", "list")

    def test_an_application_is_renamed(self, freebusy, created):
        assert freebusy("applications", "rename", created["client_id"], "Planner")["name"] == "Planner"
        assert {"client_id": created["client_id"], "name": "Planner"} in freebusy("applications", "list")

    def test_an_application_has_the_deployments_limit_until_it_has_one_of_its_own(self, freebusy, refused, created):
        assert created["limit"] == "default"
        for limit in ("500", "none", "default"):
            assert freebusy("applications", "limit", created["client_id"], limit)["limit"] == limit
            assert freebusy("applications", "show", created["client_id"])["limit"] == limit
        assert refused("applications", "limit", created["client_id"], "1000001") == (
            "freebusy: a limit is 0 (none) to 1000000 requests a minute"
        )

    def test_a_logo_and_a_home_page_are_shown_until_they_are_removed(self, freebusy, refused, created, tmp_path):
        client_id, file = created["client_id"], tmp_path / "logo.png"
        file.write_bytes(png())
        assert freebusy("applications", "logo", "set", client_id, str(file))["logo"] == f"PNG, {len(png())} bytes"
        freebusy("applications", "home-page", "set", client_id, "https://app.example")
        assert freebusy("applications", "show", client_id)["home_page"] == "https://app.example"
        freebusy("applications", "logo", "remove", client_id)
        freebusy("applications", "home-page", "remove", client_id)
        shown = freebusy("applications", "show", client_id)
        assert (shown["home_page"], shown["logo"]) == (None, None)
        assert "cannot be read" in refused("applications", "logo", "set", client_id, str(tmp_path / "none.png"))
        file.write_bytes(b"<svg/>")
        assert refused("applications", "logo", "set", client_id, str(file)) == "freebusy: a logo is a PNG"

    def test_redirect_uris_are_edited(self, freebusy, created):
        edit = ("applications", "redirect-uris")
        more = [f"{CALLBACK}/2", f"{CALLBACK}/3"]
        assert freebusy(*edit, "add", created["client_id"], *more)["redirect_uris"] == [CALLBACK, *more]
        assert freebusy(*edit, "remove", created["client_id"], CALLBACK)["redirect_uris"] == more

    def test_origins_are_edited(self, deployment, freebusy, created):
        edit, origin = ("applications", "origins"), f"https://{uuid4().hex}.example"
        assert freebusy(*edit, "add", created["client_id"], origin)["origins"] == [origin]
        registry = DynamoApplications(deployment.dynamodb, deployment.table)
        assert registry.with_origin(origin) == {created["client_id"]}
        assert freebusy(*edit, "remove", created["client_id"], origin)["origins"] == []
        assert registry.with_origin(origin) == frozenset()

    def test_a_secret_is_rotated_without_a_moment_in_which_none_works(self, deployment, freebusy, created):
        client_id, first = created["client_id"], created["client_secret"]
        second = freebusy("applications", "secrets", "rotate", client_id)["client_secret"]
        assert works(deployment, client_id, first)
        assert works(deployment, client_id, second)
        left = freebusy("applications", "secrets", "revoke", client_id, created["secrets"][0]["hint"])
        assert [secret["hint"] for secret in left["secrets"]] == [second[:13]]
        assert not works(deployment, client_id, first)
        assert works(deployment, client_id, second)


class TestSigning:
    def test_every_new_secret_can_sign(self, deployment, freebusy, created):
        rotated = freebusy("applications", "secrets", "rotate", created["client_id"])
        application = DynamoApplications(deployment.dynamodb, deployment.table).find(created["client_id"])
        assert application
        kms = client("kms", deployment.endpoint)
        vault = KmsSecretVault(kms, deployment.dynamodb, deployment.table, key_id=deployment.key_id)
        opened = [
            vault.unseal(secret.sealed or b"", client_id=created["client_id"], secret_hash=secret.secret_hash)
            for secret in application.secrets
        ]
        assert opened == [created["client_secret"], rotated["client_secret"]]

    def test_where_the_stack_cannot_be_read_table_and_key_are_named(self, deployment, stack_file, capsys):
        where = [f"--local={stack_file}", "--stack", "no-such-stack", "--table", deployment.table]
        command = ["applications", "create", "Scheduler", "--redirect-uri", CALLBACK]
        assert main([*where, "--key", deployment.key_id, *command]) == 0
        assert main([*where, *command]) == 2
        assert "no-such-stack" in capsys.readouterr().err

    def test_a_table_alone_does_not_say_which_key(self, deployment, capsys):
        command = ["applications", "create", "Scheduler", "--redirect-uri", CALLBACK]
        assert main(["--region", "us-east-1", "--table", deployment.table, *command]) == 2
        assert "--key KEY" in capsys.readouterr().err


class TestKeys:
    @pytest.fixture
    def person(self, deployment, created) -> str:
        """The sub of somebody whose credential is sealed."""
        vault = self.vault(deployment)
        credential = ProviderCredential("access", "refresh", NOW)
        sealed = vault.seal(credential, client_id=created["client_id"], profile_id="pro")
        identity = Identity(ProviderName.GOOGLE, uuid4().hex, "ana@example.com")
        profile = Profile("pro", identity.provider, identity.email, "cal", identity, sealed, NOW)
        managed = Profile("pro_m", ProviderName.MANAGED, "Cronofy", "cal_m")
        sub = f"acc_{uuid4().hex}"
        account = Account(sub, created["client_id"], identity.email, None, "UTC", (profile, managed), {})
        assert DynamoAccounts(deployment.dynamodb, deployment.table).create(account)
        return sub

    def vault(self, deployment) -> KmsVault:
        kms = client("kms", deployment.endpoint)
        return KmsVault(kms, deployment.dynamodb, deployment.table, key_id=deployment.key_id)

    def sealed(self, deployment, sub) -> bytes:
        account = DynamoAccounts(deployment.dynamodb, deployment.table).find(sub)
        assert account
        return account.free_busy_profiles[0].sealed_credential or b""

    def test_everything_of_an_application_is_sealed_under_new_keys(self, deployment, freebusy, created, person):
        client_id, before = created["client_id"], self.sealed(deployment, person)
        rotate = ("keys", "rotate", "--settling", "0", "--application", client_id)
        rotated = {"client_id": client_id, "resealed": 2, "checked": 2, "forgotten": 2, "left": []}
        assert freebusy(*rotate) == [rotated]
        vault = self.vault(deployment)
        opened = vault.unseal(self.sealed(deployment, person), client_id=client_id, profile_id="pro")
        assert opened == ProviderCredential("access", "refresh", NOW)
        with pytest.raises(ValueError, match="does not have"):
            vault.unseal(before, client_id=client_id, profile_id="pro")
        application = DynamoApplications(deployment.dynamodb, deployment.table).find(client_id)
        assert application
        assert works(deployment, client_id, created["client_secret"])
        listed = freebusy("keys", "list", "--application", client_id)
        assert {(each["what"], each["id"], each["state"]) for each in listed} == {
            ("client secret", application.secrets[0].hint, "signs"),
            ("data key of credentials", "2", "seals"),
            ("data key of client secrets", "2", "seals"),
        }

    def test_the_keys_of_all_applications_are_listed_the_oldest_first(self, freebusy, created, person):
        listed = freebusy("keys", "list")
        assert [each["made_at"] for each in listed] == sorted(each["made_at"] for each in listed)
        own = [each["what"] for each in listed if each["client_id"] == created["client_id"]]
        assert sorted(own) == ["client secret", "data key of client secrets", "data key of credentials"]

    def test_a_secret_that_cannot_sign_says_so(self, deployment, freebusy, created):
        registry = DynamoApplications(deployment.dynamodb, deployment.table)
        before = registry.find(created["client_id"])
        assert before
        registry.change(before, replace(before, secrets=(replace(before.secrets[0], sealed=None),)))
        states = [each["state"] for each in freebusy("keys", "list", "--application", created["client_id"])]
        assert "cannot sign callbacks: rotate it" in states

    def test_a_rotation_that_finds_what_does_not_open_says_whose_it_is(self, deployment, refused, created, person):
        accounts = DynamoAccounts(deployment.dynamodb, deployment.table)
        broken = self.sealed(deployment, person)[:-1] + b"?"
        assert accounts.renew(person, "pro", sealed=broken, expires_at=NOW, version=0)
        line = refused("keys", "rotate", "--settling", "0", "--application", created["client_id"])
        assert f"{created['client_id']} (pro)" in line
        assert [key.key_id for key in self.vault(deployment).keys(created["client_id"])] == [1, 2]

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            pytest.param(("rotate", "--application", "unknown"), "no application unknown", id="to rotate"),
            pytest.param(("list", "--application", "unknown"), "no application unknown", id="to list"),
        ],
    )
    def test_an_unknown_application_is_told(self, refused, arguments, reason):
        assert reason in refused("keys", *arguments)

    def test_no_deployment_but_the_laptops_settles_faster(self, capsys):
        where = ["--region", "us-east-1", "--table", "table", "--key", "key"]
        assert main([*where, "keys", "rotate", "--all", "--settling", "599"]) == 2
        assert "600 seconds" in capsys.readouterr().err


class TestProviders:
    @pytest.fixture
    def given(self, monkeypatch):
        """Puts it on the standard input of the next command."""

        def give(text: str) -> None:
            monkeypatch.setattr("sys.stdin", io.StringIO(text))

        return give

    @pytest.fixture
    def held(self, deployment, freebusy, given) -> Callable[[], Any]:
        """What functions would read now; to begin with, a client with the secret ``first``."""
        secrets_manager = client("secretsmanager", deployment.endpoint)
        cloudformation = client("cloudformation", deployment.endpoint)
        resource = cloudformation.describe_stack_resource(StackName=deployment.stack, LogicalResourceId="Google")
        secret_id = resource["StackResourceDetail"]["PhysicalResourceId"]
        registration = json.dumps({"client_id": uuid4().hex, "client_secret": "first"})
        secrets_manager.put_secret_value(SecretId=secret_id, SecretString=registration)
        return lambda: json.loads(secrets_manager.get_secret_value(SecretId=secret_id)["SecretString"])

    ROTATE = ("providers", "rotate", "google")

    def test_a_new_secret_is_used_and_the_one_before_comes_back(self, freebusy, refused, given, held):
        client_id = held()["client_id"]
        given("second\n")
        answer = freebusy(*self.ROTATE, "--untried")
        assert (answer["client_id"], answer["replaced"]) == (client_id, [client_id])
        assert held() == {"client_id": client_id, "client_secret": "second"}
        freebusy(*self.ROTATE, "--back", "--untried")
        assert held()["client_secret"] == "first"
        freebusy(*self.ROTATE, "--back", "--untried")
        assert held()["client_secret"] == "second"

    def test_it_is_read_from_a_file_too(self, freebusy, refused, held, tmp_path):
        file = tmp_path / "google.json"
        file.write_text(json.dumps({**held(), "client_secret": "from the file"}), encoding="utf-8")
        freebusy(*self.ROTATE, "--untried", "--file", str(file))
        assert held()["client_secret"] == "from the file"
        assert "cannot be read" in refused(*self.ROTATE, "--file", str(tmp_path / "none.json"))
        file.write_bytes(b"\xff")
        assert "cannot be read" in refused(*self.ROTATE, "--file", str(file))

    def test_neither_answer_nor_refusal_shows_a_secret(self, freebusy, refused, given, held):
        given("hush")
        assert "hush" not in json.dumps(freebusy(*self.ROTATE, "--untried"))
        given('{"client_secret": "hush"}')
        assert "hush" not in refused(*self.ROTATE, "--untried")
        assert held()["client_secret"] == "hush"

    def test_microsoft_is_tried_out_in_the_tenant_of_the_registration(self, refused, given):
        given('{"client_id": "id", "client_secret": "secret"}')
        line = refused("providers", "rotate", "microsoft")
        assert "nothing was changed" in line
        assert "tenant" in line

    def test_secrets_are_listed_by_when_they_were_made(self, freebusy, given, held):
        given(uuid4().hex)
        freebusy(*self.ROTATE, "--untried")
        google, microsoft = freebusy("providers", "list")
        assert (microsoft["provider"], microsoft["one_before"]) == ("microsoft", "-")
        assert google["made_at"] >= google["one_before"] > "2026"

    def test_a_provider_that_is_not_offered_is_told(self, refused, given):
        assert "no secret for cronofy" in refused("providers", "rotate", "cronofy")


class TestErasure:
    @pytest.fixture
    def in_use(self, deployment, created) -> str:
        """The client id of an application with an account, a token, a page and a data key."""
        client_id, dynamodb = created["client_id"], deployment.dynamodb
        kms = client("kms", deployment.endpoint)
        vault = KmsVault(kms, dynamodb, deployment.table, key_id=deployment.key_id)
        sealed = vault.seal(ProviderCredential("access", "refresh", NOW), client_id=client_id, profile_id="pro")
        identity = Identity(ProviderName.GOOGLE, uuid4().hex, "ana@example.com")
        connected = Profile("pro", identity.provider, identity.email, "cal", identity, sealed, NOW)
        managed = Profile("pro_m", ProviderName.MANAGED, "Cronofy", "cal_m")
        sub = f"acc_{uuid4().hex}"
        account = Account(sub, client_id, identity.email, None, "UTC", (connected, managed), {})
        assert DynamoAccounts(dynamodb, deployment.table).create(account)
        pages = {uuid4().hex: b"page" for _ in range(30)}
        DynamoPages(dynamodb, deployment.table).save(pages, sub=sub, client_id=client_id, expires_at=NOW)
        return client_id

    def test_deleting_an_application_leaves_nothing_of_it_in_the_table(self, deployment, freebusy, in_use):
        assert sum(in_use in str(item) for item in deployment.items()) > 30
        assert freebusy("applications", "delete", in_use, "--yes")["erased"] > 30
        assert not any(in_use in str(item) for item in deployment.items())

    def test_other_applications_keep_everything(self, deployment, freebusy, in_use):
        other = freebusy("applications", "create", "Other", "--redirect-uri", CALLBACK)
        before = [item for item in deployment.items() if in_use in str(item)]
        freebusy("applications", "delete", other["client_id"], "--yes")
        assert [item for item in deployment.items() if in_use in str(item)] == before

    def test_the_name_is_asked_for(self, freebusy, in_use, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("Scheduler\n"))
        assert freebusy("applications", "delete", in_use)["erased"] > 30

    @pytest.mark.parametrize("typed", ["", "\n", "scheduler\n", "yes\n"])
    def test_another_name_erases_nothing(self, freebusy, refused, in_use, monkeypatch, typed):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert "nothing was erased" in refused("applications", "delete", in_use)
        assert freebusy("applications", "show", in_use)["name"] == "Scheduler"

    def test_an_erasure_that_was_interrupted_is_seen_and_completed(self, deployment, freebusy, in_use):
        key = {"pk": {"S": f"APP#{in_use}"}, "sk": {"S": "APPLICATION"}}
        deployment.dynamodb.delete_item(TableName=deployment.table, Key=key)
        assert {"client_id": in_use, "name": "Scheduler"} in freebusy("applications", "list")
        assert freebusy("applications", "delete", in_use, "--yes")["erased"] > 30
        assert not any(in_use in str(item) for item in deployment.items())


class TestErasingPeople:
    @pytest.fixture
    def person(self, deployment, created) -> str:
        """The sub of an account with an event and a page."""
        sub, dynamodb = f"acc_{uuid4().hex}", deployment.dynamodb
        identity = Identity(ProviderName.GOOGLE, uuid4().hex, "ana@example.com")
        connected = Profile("pro", identity.provider, identity.email, "cal", identity, b"sealed", NOW)
        managed = Profile("pro_m", ProviderName.MANAGED, "Cronofy", "cal_m")
        account = Account(sub, created["client_id"], identity.email, None, "UTC", (connected, managed), {})
        assert DynamoAccounts(dynamodb, deployment.table).create(account)
        event = an_event()
        event = replace(event, sub=sub, organizer=sub, updated_at=event.created_at)
        DynamoEvents(dynamodb, deployment.table).save(event, over=None)
        DynamoPages(dynamodb, deployment.table).save({sub: b"{}"}, sub=sub, client_id="app", expires_at=NOW)
        return sub

    @pytest.fixture
    def worker(self, deployment, monkeypatch) -> Callable[[], None]:
        """What the queue's function does, each time that the command waits."""
        sqs, stored = client("sqs", deployment.endpoint), belongings(deployment.dynamodb, deployment.table)

        def work(_: float = 0) -> None:
            for message in sqs.receive_message(QueueUrl=deployment.erasures).get("Messages", []):
                stored.erase(json.loads(message["Body"])["sub"], deadline=inf)
                sqs.delete_message(QueueUrl=deployment.erasures, ReceiptHandle=message["ReceiptHandle"])

        monkeypatch.setattr("freebusy.entrypoints.cli.sleep", work)
        return work

    @pytest.mark.usefixtures("worker")
    def test_nothing_is_left_of_somebody_who_was_erased(self, deployment, freebusy, person):
        answer = freebusy("accounts", "erase", person, "--yes")
        kinds = ("account", "event", "identity", "organizer", "page", "person")
        assert answer == {"account": person, "erased": [{"kind": kind, "items": 1} for kind in kinds]}
        assert not any(person in str(item) for item in deployment.items())
        assert freebusy("accounts", "erase", person, "--verify") == {"account": person, "left": 0}

    def test_what_is_stored_is_exported_before(self, freebusy, refused, person):
        exported = freebusy("accounts", "export", person)
        assert (exported["sub"], exported["stored"]["account"][0]["email"]) == (person, "ana@example.com")
        assert exported["stored"]["account"][0]["profiles"]["pro"]["sealed"] == "present"
        assert set(exported["stored"]) == {"account", "event", "identity", "organizer", "page", "person"}
        assert "nothing is stored" in refused("accounts", "export", "acc_000000000000000000000000")

    def test_who_exported_them_is_written_down(self, freebusy, person):
        freebusy("accounts", "export", person)
        (record,) = freebusy("accounts", "audit", person)
        assert (record["action"], record["by"], record["outcome"]) == ("account.exported", "operator", "done")
        assert freebusy("accounts", "audit", person, "--since", "0m") in ([], [record])

    @pytest.mark.parametrize("sub", ["", "acc_", 'acc_1" or 1', "kim@example.com", "acc_1 acc_2"])
    @pytest.mark.parametrize("command", ["audit", "export"])
    def test_nothing_but_the_id_of_an_account_comes_into_the_audit_log(self, refused, command, sub):
        assert "no account's sub" in refused("accounts", command, sub)

    @pytest.mark.parametrize("since", ["", "d", "7", "7w", "-7d", "1.5h"])
    def test_how_far_back_is_a_number_with_its_unit(self, person, since, capsys):
        with pytest.raises(SystemExit):
            main(["accounts", "audit", person, f"--since={since}"])
        assert "is not like 90m, 36h or 7d" in capsys.readouterr().err

    @pytest.mark.usefixtures("worker")
    def test_others_keep_everything(self, deployment, freebusy, person, created):
        before = [item for item in deployment.items() if person not in str(item)]
        freebusy("accounts", "erase", person, "--yes")
        assert [item for item in deployment.items() if item in before] == before

    def test_looking_erases_nothing_and_fails_as_long_as_something_is_there(self, deployment, refused, person):
        before = deployment.items()
        said = "1 account, 1 event, 1 identity, 1 organizer, 1 page, 1 person"
        assert refused("accounts", "erase", person, "--verify") == f"freebusy: of {person} there is still: {said}"
        assert deployment.items() == before

    @pytest.mark.usefixtures("worker")
    def test_the_sub_is_asked_for(self, freebusy, person, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{person}\n"))
        assert freebusy("accounts", "erase", person)["account"] == person

    @pytest.mark.parametrize("typed", ["", "\n", "yes\n", "acc_\n"])
    def test_another_one_erases_nothing(self, deployment, refused, person, worker, monkeypatch, typed):
        before = deployment.items()
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert "nothing was erased" in refused("accounts", "erase", person)
        worker()
        assert deployment.items() == before

    @pytest.mark.parametrize("sub", ["acc_000000000000000000000000", "", "ünknown", "x" * 5000])
    def test_of_somebody_unknown_there_is_nothing_to_erase(self, refused, sub):
        assert "nothing is stored" in refused("accounts", "erase", sub, "--yes")

    def test_somebody_who_waits_too_long_is_told_that_it_goes_on(self, refused, person, monkeypatch):
        moments = iter([0, 10_000])
        monkeypatch.setattr("freebusy.entrypoints.cli.monotonic", lambda: next(moments))
        assert "goes on by itself" in refused("accounts", "erase", person, "--yes")


class TestOrganizations:
    @pytest.fixture
    def giver(self, deployment, created) -> ServiceAccount:
        giver = organization(f"ser_{uuid4().hex}", client_id=created["client_id"])
        DynamoServiceAccounts(deployment.dynamodb, deployment.table).connect(giver)
        return giver

    @pytest.fixture
    def eve(self, deployment, giver) -> str:
        """The sub of somebody whose mailbox the organization gives access to."""
        accounts = DynamoAccounts(deployment.dynamodb, deployment.table)
        return connect_mailbox(giver, "eve@example.com", accounts=accounts, now=NOW).sub

    @pytest.fixture
    def worker(self, deployment, monkeypatch) -> None:
        """What the queue's function does, each time that the command waits."""
        sqs, dynamodb, table = client("sqs", deployment.endpoint), deployment.dynamodb, deployment.table
        queue = SqsErasures(sqs, deployment.erasures)
        erasure = Erasure(
            DynamoAccounts(dynamodb, table),
            DynamoServiceAccounts(dynamodb, table),
            DynamoAccessRequests(dynamodb, table),
            DynamoSetups(dynamodb, table),
            belongings(dynamodb, table),
            queue,
            lambda *_: None,
            count(NOW, 60).__next__,
        )

        def work(_: float) -> None:
            for message in sqs.receive_message(QueueUrl=deployment.erasures).get("Messages", []):
                sub = json.loads(message["Body"])["sub"]
                if erasure.erase(sub):
                    queue.put([sub])
                sqs.delete_message(QueueUrl=deployment.erasures, ReceiptHandle=message["ReceiptHandle"])

        monkeypatch.setattr("freebusy.entrypoints.cli.sleep", work)

    def test_are_listed_and_shown(self, freebusy, giver, eve):
        (listed,) = freebusy("organizations", "list", giver.client_id)
        assert listed == {"organization": giver.sub, "name": "example.com", "connected": "connected"}
        assert freebusy("organizations", "show", giver.sub) == {
            "organization": giver.sub,
            "client_id": giver.client_id,
            "provider": "google_free_busy",
            "name": "example.com",
            "domains": ["example.com"],
            "administrator": "admin@example.com",
            "delegated_scope": "free_busy_write",
            "disconnected": None,
            "accounts": [eve],
            "created_at": "2027-01-15T08:00:00Z",
        }

    @pytest.mark.usefixtures("worker")
    def test_one_is_erased_with_its_people(self, deployment, freebusy, giver, eve):
        kinds = {"account": 2, "identity": 1, "organization": 1, "person": 1}
        erased = [{"kind": kind, "items": number} for kind, number in kinds.items()]
        assert freebusy("organizations", "erase", giver.sub, "--yes") == {"organization": giver.sub, "erased": erased}
        assert not any(name in str(item) for item in deployment.items() for name in (giver.sub, eve))
        assert freebusy("organizations", "erase", giver.sub, "--verify")["left"] == 0
        assert freebusy("organizations", "list", giver.client_id) == []

    def test_an_unknown_one_is_said_to_be_unknown(self, refused):
        assert "no organization ser_1" in refused("organizations", "show", "ser_1")
        assert "nothing is stored" in refused("organizations", "erase", "ser_1", "--yes")

    def test_and_people_are_erased_each_by_their_own_command(self, refused, giver, eve):
        assert "organizations erase" in refused("accounts", "erase", giver.sub, "--yes")
        assert "no organization" in refused("organizations", "erase", eve, "--yes")

    def test_of_an_unknown_application_there_are_none(self, refused):
        assert "no application" in refused("organizations", "list", "unknown")


class TestUpstream:
    @pytest.fixture
    def person(self, deployment, created) -> str:
        """The sub of somebody who connected to the application by way of Cronofy."""
        identity = Identity(ProviderName.GOOGLE, f"acc_{uuid4().hex}", "ana@example.com", upstream=Upstream.CRONOFY)
        profile = Profile("pro", identity.provider, identity.email, "cal", identity, b"sealed", NOW)
        managed = Profile("pro_m", ProviderName.MANAGED, "Cronofy", "cal_m")
        sub = f"acc_{uuid4().hex}"
        account = Account(sub, created["client_id"], identity.email, None, "UTC", (profile, managed), {})
        assert DynamoAccounts(deployment.dynamodb, deployment.table).create(account)
        return sub

    def is_moving(self, deployment, sub) -> bool:
        account = DynamoAccounts(deployment.dynamodb, deployment.table).find(sub)
        assert account
        return account.free_busy_profiles[0].moving

    def test_an_application_has_the_deployments_upstream_until_it_has_one_of_its_own(self, freebusy, created):
        assert created["upstream"] == "default"
        for upstream in ("cronofy", "direct", "default"):
            assert freebusy("applications", "upstream", created["client_id"], upstream)["upstream"] == upstream
            assert freebusy("applications", "show", created["client_id"])["upstream"] == upstream

    def test_an_account_is_marked_and_where_its_person_consents_is_shown(self, deployment, freebusy, person):
        url = f"http://127.0.0.1:8080/oauth/relink/{person}/pro"
        assert freebusy("accounts", "move", person) == {"moving": [{"account": person, "relink_url": url}]}
        assert self.is_moving(deployment, person)
        assert freebusy("accounts", "move", person, "--undo")["stay"][0]["account"] == person
        assert not self.is_moving(deployment, person)

    def test_an_application_moves_with_all_its_people_and_nobody_new_connects_at_cronofy(
        self, deployment, freebusy, created, person
    ):
        freebusy("applications", "upstream", created["client_id"], "cronofy")
        moving = freebusy("applications", "move", created["client_id"])["moving"]
        assert [each["account"] for each in moving] == [person]
        assert self.is_moving(deployment, person)
        assert freebusy("applications", "show", created["client_id"])["upstream"] == "direct"

    def test_where_nobody_is_at_cronofy_nobody_moves(self, freebusy, created):
        assert freebusy("applications", "move", created["client_id"]) == {"moving": []}

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("applications", "upstream", "unknown", "direct"), "there is no application unknown"),
            (("applications", "limit", "unknown", "500"), "there is no application unknown"),
            (("applications", "move", "unknown"), "there is no application unknown"),
            (("accounts", "move", "acc_unknown"), "there is no account acc_unknown"),
        ],
    )
    def test_who_is_not_there_is_told(self, refused, arguments, reason):
        assert reason in refused(*arguments)


class TestRedelivery:
    def test_queues_what_attendees_were_never_sent(self, freebusy, deployment):
        """Of two attendees one was mailed the event before the other's record was lost."""
        events, log = (store(deployment.dynamodb, deployment.table) for store in (DynamoEvents, DynamoInvitationLog))
        event = an_event(attendees=(KIM, Attendee("lee@example.test")))
        events.save(event, over=None)
        log.mark(event, recipient_of(KIM.email), SentMark(1, cancelled=False, version=1))
        assert freebusy("invitations", "redeliver", event.sub, "acc_unknown")["queued"] == 1
        sqs = client("sqs", deployment.endpoint)
        (message,) = sqs.receive_message(QueueUrl=deployment.queue, MaxNumberOfMessages=10)["Messages"]
        due = {
            "sub": event.sub,
            "event_id": event.event_id,
            "recipient": recipient_of("lee@example.test"),
            "version": 1,
        }
        assert json.loads(message["Body"]) == due

    def test_needs_the_stack_which_names_the_queue(self, deployment, capsys):
        assert main(["--region", "us-east-1", "--table", deployment.table, "invitations", "redeliver", "acc_1"]) == 2
        assert "--stack" in capsys.readouterr().err


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            pytest.param(("show", "unknown"), "there is no application unknown", id="unknown application"),
            pytest.param(("delete", "unknown", "--yes"), "there is no application unknown", id="nothing to erase"),
            pytest.param(("create", "", "--redirect-uri", CALLBACK), "a name has", id="no name"),
            pytest.param(("create", "S", "--redirect-uri", "http://app.example"), "plain http", id="plain http"),
            pytest.param(("create", "S", "--redirect-uri", "/callback"), "not an absolute", id="relative URI"),
            pytest.param(
                ("create", "S", "--redirect-uri", CALLBACK, "--origin", "https://a.example/app"),
                "an origin ends",
                id="an origin with a path",
            ),
        ],
    )
    def test_what_cannot_be_done_is_told_in_one_line(self, refused, arguments, reason):
        line = refused("applications", *arguments)
        assert line.startswith("freebusy: ")
        assert reason in line

    def test_a_third_secret_is_refused(self, freebusy, refused, created):
        freebusy("applications", "secrets", "rotate", created["client_id"])
        assert "revoke one first" in refused("applications", "secrets", "rotate", created["client_id"])

    def test_a_stack_that_does_not_exist_is_told(self, capsys, stack_file):
        assert main([f"--local={stack_file}", "--stack", "no-such-stack", "applications", "list"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "no-such-stack" in line

    def test_a_stack_of_something_else_is_told(self, deployment, capsys, stack_file):
        template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
        stack = f"stack-{uuid4().hex}"
        client("cloudformation", deployment.endpoint).create_stack(StackName=stack, TemplateBody=json.dumps(template))
        assert main([f"--local={stack_file}", "--stack", stack, "applications", "list"]) == 2
        assert "no output TableName" in capsys.readouterr().err

    def test_a_table_that_does_not_exist_is_told(self, capsys, stack_file):
        assert main([f"--local={stack_file}", "--table", "no-such-table", "applications", "list"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1

    def test_a_deployment_must_be_named(self, capsys):
        assert main(["applications", "list"]) == 2
        assert "--stack NAME, --table NAME, or --local" in capsys.readouterr().err

    def test_a_laptop_stack_that_is_not_running_is_told(self, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert main(["--local", "applications", "list"]) == 2
        assert "make run" in capsys.readouterr().err

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": "http://127.0.0.1:8080"}'])
    def test_a_file_of_something_else_is_told(self, capsys, tmp_path, content):
        file = tmp_path / "stack.json"
        file.write_text(content, encoding="utf-8")
        assert main([f"--local={file}", "applications", "list"]) == 2
        assert "is not the file of a laptop stack" in capsys.readouterr().err

    def test_an_emulator_that_is_gone_is_told(self, capsys, tmp_path):
        file = tmp_path / "stack.json"
        file.write_text('{"aws": "http://127.0.0.1:1"}', encoding="utf-8")
        assert main([f"--local={file}", "--table", "table", "applications", "list"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["applications"],
            ["applications", "create", "Scheduler"],
            ["nonsense"],
            ["keys", "rotate"],
            ["keys", "rotate", "--all", "--application", "app"],
            ["keys", "rotate", "--all", "--settling", "-1"],
            ["providers", "rotate", "nobody"],
            ["providers", "rotate", "google", "secret"],
        ],
    )
    def test_a_command_that_is_not_complete_shows_its_usage(self, capsys, arguments):
        with pytest.raises(SystemExit) as exited:
            main(arguments)
        assert exited.value.code == 2
        assert "usage: freebusy" in capsys.readouterr().err


class TestText:
    def test_people_get_columns_and_a_word_about_the_secret(self, deployment, stack_file, capsys):
        arguments = ["applications", "create", "My app", "--redirect-uri", CALLBACK, "--redirect-uri", f"{CALLBACK}/2"]
        where = [f"--local={stack_file}", "--table", deployment.table, "--key", deployment.key_id]
        assert main([*arguments, *where]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[1] == "name           My app"
        assert lines[3:6] == [
            "redirect_uris  https://app.example/callback",
            "               https://app.example/callback/2",
            "origins        -",
        ]
        assert lines[-1].startswith("Keep the client_secret now")

    def test_options_may_stand_before_or_after_the_command(self, deployment, stack_file, capsys):
        options = [f"--local={stack_file}", "--table", deployment.table, "--json"]
        for arguments in ([*options, "applications", "list"], ["applications", "list", *options]):
            assert main(arguments) == 0
            assert isinstance(json.loads(capsys.readouterr().out), list)


@pytest.mark.stack
def test_the_laptop_stack_is_found_by_its_file_alone(stack, tmp_path, monkeypatch, capsys):
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(stack), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["--local", "applications", "show", stack["client_id"], "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["redirect_uris"]) >= set(stack["redirect_uris"])
