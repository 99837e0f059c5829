"""What was lost is copied back while the service runs, and an application goes on as if nothing had been."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pycronofy.exceptions import PyCronofyRequestError

from local import emulator as aws
from tests.e2e.days import at
from tests.tables import create_table

pytestmark = pytest.mark.stack


@pytest.fixture
def dynamodb(stack) -> Any:
    return aws.client("dynamodb", stack["aws"])


@pytest.fixture
def table(stack, dynamodb) -> str:
    outputs = aws.client("cloudformation", stack["aws"]).describe_stacks(StackName="freebusy-connect")["Stacks"][0]
    return next(each["OutputValue"] for each in outputs["Outputs"] if each["OutputKey"] == "TableName")


def items(dynamodb: Any, table: str) -> Iterator[dict[str, Any]]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def test_somebody_who_was_lost_is_back_and_somebody_who_was_erased_is_not(stack, connect, freebusy, dynamodb, table):
    now = time.monotonic_ns()
    lost = connect("google", f"lost-{now}@google.example", [(9, 10)])
    erased = connect("microsoft", f"erased-{now}@microsoft.example", [(9, 10)])
    subs = [client.account()["account_id"] for client in (lost, erased)]
    calendar_id = lost.list_calendars()[1]["calendar_id"]
    lost.upsert_event(calendar_id, {"event_id": "kept", "summary": "Kept", "start": at(11), "end": at(12)})
    taken, as_of = create_table(dynamodb, f"restored-{uuid4().hex}"), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        for item in items(dynamodb, table):
            dynamodb.put_item(TableName=taken, Item=item)
        freebusy("accounts", "erase", subs[1], "--yes")
        gone = [item for item in items(dynamodb, table) if subs[0] in str(item)]
        for item in gone:
            dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})
        with pytest.raises(PyCronofyRequestError):
            lost.account()
        answer = freebusy("restore", "--from-table", taken, "--as-of", as_of, "--everything")
    finally:
        dynamodb.delete_table(TableName=taken)
    assert subs[1] in answer["erased_since"]
    assert lost.account()["account_id"] == subs[0]
    lost.refresh_authorization()
    busy = lost.read_free_busy(from_date=at(0), to_date=at(24), include_managed=True).all()
    assert [row["start"] for row in busy] == [at(9), at(11)]
    with pytest.raises(PyCronofyRequestError):
        erased.account()
    assert not [item for item in items(dynamodb, table) if subs[1] in str(item)]
    freebusy("accounts", "erase", subs[0], "--yes")
