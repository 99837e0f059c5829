"""The ``freebusy`` command against a deployed table."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from freebusy.adapters.audit_log import AuditLogInFiles
from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests
from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.belongings import DynamoBelongings
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.dynamodb.setups import DynamoSetups
from freebusy.adapters.dynamodb.upstream_channels import DynamoUpstreamHandles
from freebusy.adapters.queue import SqsErasures
from freebusy.domain.account import Account, Profile
from freebusy.domain.service_account import ServiceAccount
from freebusy.entrypoints.audit import line_of, record_of
from freebusy.entrypoints.cli import main
from freebusy.service.audit import Notes
from freebusy.service.erasure import Erasure
from local.emulator import client
from tests.command_line import CommandLine
from tests.fakes.clock import NOW
from tests.integration.cli.deployment import CALLBACK, Deployment
from tests.tables import table_properties


@pytest.fixture(scope="module")
def deployment(emulator) -> Deployment:
    """A stack with the table of template.yaml, a queue of invitations, and the outputs that name them."""
    stack = f"stack-{uuid4().hex}"
    secrets = {"Google": "GoogleSecretArn", "Microsoft": "MicrosoftSecretArn"}
    template = {
        "Parameters": {
            "MicrosoftTenant": {"Type": "String", "Default": "organizations"},
            "LogRetentionDays": {"Type": "Number", "Default": 60},
        },
        "Resources": {
            **{name: {"Type": "AWS::SecretsManager::Secret", "Properties": {}} for name in secrets},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table_properties()},
            "InvitationQueue": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}},
            "Erasures": {"Type": "AWS::SQS::Queue"},
            "CredentialKey": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17"}}},
            "FunctionLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{stack}/functions"}},
        },
        "Outputs": {
            "TableName": {"Value": {"Ref": "Table"}},
            "InvitationQueueUrl": {"Value": {"Ref": "InvitationQueue"}},
            "ErasureQueueUrl": {"Value": {"Ref": "Erasures"}},
            "CredentialKeyId": {"Value": {"Ref": "CredentialKey"}},
            "FunctionLogGroup": {"Value": {"Ref": "FunctionLogs"}},
            "ApiUrl": {"Value": "https://api.example.com"},
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
def logged(tmp_path) -> Callable[..., str]:
    """Writes a record down, as functions and the command line do, and says when that was."""

    def write(action: str, *accounts: str, client_id: str = "", outcome: str = "done") -> str:
        line = line_of(record_of(Notes(dict.fromkeys(accounts), client_id), action, "", outcome))
        AuditLogInFiles(tmp_path).add(line)
        at: str = json.loads(line)["timestamp"]
        return at

    return write


@pytest.fixture
def freebusy(deployment, stack_file) -> CommandLine:
    return CommandLine((f"--local={stack_file}", "--stack", deployment.stack))


@pytest.fixture
def misused(freebusy, capsys) -> Callable[..., str]:
    """Runs a command with arguments that nothing can be; returns the line that says which, below the usage."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as exited:
            main([*freebusy.where, *arguments])
        assert exited.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    return run


@pytest.fixture
def refused(freebusy) -> Callable[..., str]:
    """Runs a command that does not work; returns the one line that says why, which may follow a question."""

    def run(*arguments: str, given: str = "") -> str:
        *question, line = freebusy.refused(*arguments, given=given).splitlines()
        assert len(question) <= bool({"delete", "erase"} & {*arguments}) or "rotate" in arguments
        return line

    return run


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """How long the erasure of an application has waited for requests under way, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("freebusy.entrypoints.cli.applications.sleep", waited.append)
    return waited


@pytest.fixture
def ended_at_cronofy(deployment, monkeypatch) -> list[str]:
    """The queue's function works each time that a command waits. What it revoked at Cronofy, with which token."""
    ended: list[str] = []
    sqs, dynamodb, table = client("sqs", deployment.endpoint), deployment.dynamodb, deployment.table
    queue = SqsErasures(sqs, deployment.erasures)

    def end(holder: Account | ServiceAccount, profile: Profile | None = None) -> None:
        """Only what can still be opened can be revoked."""
        sealed = profile.sealed_credential if profile else holder.sealed_credential
        sealed_for = profile.sealed_for if profile else holder.sub
        credential = deployment.vault.unseal(sealed, client_id=holder.client_id, profile_id=sealed_for)
        ended.append(f"{holder.sub} {credential.refresh_token}")

    erasure = Erasure(
        accounts=DynamoAccounts(dynamodb, table),
        service_accounts=DynamoServiceAccounts(dynamodb, table),
        requests=DynamoAccessRequests(dynamodb, table),
        setups=DynamoSetups(dynamodb, table),
        handles=DynamoUpstreamHandles(dynamodb, table),
        belongings=DynamoBelongings(dynamodb, table),
        queue=queue,
        end_upstream=lambda holder, *profile: end(holder, *profile) if _is_at_cronofy(holder) else None,
        clock=count(NOW, 60).__next__,
    )

    def work(_: float) -> None:
        for message in sqs.receive_message(QueueUrl=deployment.erasures).get("Messages", []):
            sub = json.loads(message["Body"])["sub"]
            if erasure.erase(sub):
                queue.put([sub])
            sqs.delete_message(QueueUrl=deployment.erasures, ReceiptHandle=message["ReceiptHandle"])

    monkeypatch.setattr("freebusy.entrypoints.cli.people.sleep", work)
    return ended


def _is_at_cronofy(holder: Account | ServiceAccount) -> bool:
    return bool(holder.at_cronofy) if isinstance(holder, Account) else holder.organization.at_cronofy


@pytest.fixture
def created(freebusy) -> dict[str, Any]:
    return freebusy("applications", "create", "Scheduler", "--redirect-uri", CALLBACK)
