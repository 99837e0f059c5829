"""A restored table says which moment it shows; what is copied out of it is tried in tests/integration/cli."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from freebusy.adapters.dynamodb.snapshot import DynamoSnapshot
from tests.fakes.clock import NOW


@pytest.mark.parametrize(
    ("told", "taken_at"),
    [
        pytest.param(
            {"RestoreSummary": {"RestoreDateTime": datetime.fromtimestamp(NOW, UTC), "RestoreInProgress": False}},
            NOW,
            id="restored",
        ),
        pytest.param({}, None, id="made by somebody else"),
    ],
)
def test_a_restored_table_says_which_moment_it_shows(told, taken_at):
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="nobody", aws_secret_access_key="nobody"
    )
    with Stubber(client) as aws:
        aws.add_response("describe_table", {"Table": told}, {"TableName": "restored"})
        assert DynamoSnapshot(client, "restored", "live").taken_at() == taken_at
