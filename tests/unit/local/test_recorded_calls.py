"""Which permissions a call to AWS needs, as the laptop's functions note them."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.recorder.recorded_calls import initialize_client_plugin, permissions_for


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TABLE_NAME", "a-table")
    monkeypatch.setenv("MAIL_DOMAIN", "invites.example")
    monkeypatch.setenv("CONFIGURATION_SET", "a-set")
    monkeypatch.setenv("INVITATION_QUEUE_URL", "https://sqs.example/due.fifo")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "needed"),
    [
        pytest.param(
            "dynamodb", "GetItem", {"TableName": "a-table"}, {("dynamodb:GetItem", "TABLE_NAME")}, id="a table"
        ),
        pytest.param(
            "dynamodb",
            "Query",
            {"TableName": "a-table", "IndexName": "by_end"},
            {("dynamodb:Query", "TABLE_NAME/index/by_end")},
            id="an index is a resource of its own",
        ),
        pytest.param(
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"a-table": {}}},
            {("dynamodb:BatchGetItem", "TABLE_NAME")},
            id="a batch names its tables",
        ),
        pytest.param(
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "a-table"}}, {"ConditionCheck": {"TableName": "a-table"}}]},
            {("dynamodb:PutItem", "TABLE_NAME"), ("dynamodb:ConditionCheckItem", "TABLE_NAME")},
            id="a transaction needs the permissions of its parts",
        ),
        pytest.param(
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": "https://sqs.example/due.fifo"},
            {("sqs:SendMessage", "INVITATION_QUEUE_URL")},
            id="a batch for a queue has no permission of its own",
        ),
        pytest.param(
            "ses",
            "SendEmail",
            {"FromEmailAddress": "event@invites.example", "ConfigurationSetName": "a-set"},
            {("ses:SendEmail", "MAIL_DOMAIN"), ("ses:SendEmail", "CONFIGURATION_SET")},
            id="mail needs the domain and the configuration set",
        ),
        pytest.param(
            "ses",
            "SendEmail",
            {"FromEmailAddress": "event@invites.example", "Content": {"Raw": {"Data": b""}}},
            {("ses:SendEmail", "MAIL_DOMAIN"), ("ses:SendRawEmail", "MAIL_DOMAIN")},
            id="mail that comes as MIME needs the older operation's permission too",
        ),
        pytest.param(
            "s3",
            "GetObject",
            {"Bucket": "somebody-elses"},
            {("s3:GetObject", "somebody-elses")},
            id="what no variable names stays as it is",
        ),
        pytest.param("sts", "GetCallerIdentity", {}, {("sts:GetCallerIdentity", "*")}, id="a call about nothing"),
    ],
)
def test_a_call_needs_a_permission_for_each_thing_that_it_touches(service, operation, parameters, needed):
    assert permissions_for(service, operation, parameters) == needed


def test_a_function_notes_each_permission_once_even_when_the_call_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("RECORD_PERMISSIONS", str(tmp_path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "reader")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        initialize_client_plugin(client)
        for _ in range(2):
            with pytest.raises(ClientError):
                client.get_item(TableName="a-table", Key={"pk": {"S": "k"}})
    lines = (tmp_path / "reader.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [["dynamodb:GetItem", "TABLE_NAME"]]
