from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from freebusy.adapters.dynamodb import table as table_module
from freebusy.adapters.dynamodb.table import CONDITION_FAILED, Table, attributes
from freebusy.domain.errors import StorageUnavailable

ITEM = {"pk": {"S": "a"}, "sk": {"S": "b"}}
TRIES = 7


class Script:
    """What DynamoDB answers, call by call; in the end all of it must have been asked for."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self._stubber = Stubber(self.client)
        self._stubber.activate()
        self.table = Table(self.client, "table")
        self.requests: list[dict[str, Any]] = []
        self.client.meta.events.register_first(
            "provide-client-params.dynamodb", lambda params, **_: self.requests.append(params)
        )

    def answers(self, operation: str, **response: Any) -> None:
        self._stubber.add_response(operation, response)

    def fails(self, operation: str, code: str, times: int = 1, **response: Any) -> None:
        for _ in range(times):
            self._stubber.add_client_error(operation, code, modeled_fields=response)

    def is_over(self) -> bool:
        self._stubber.assert_no_pending_responses()
        return True


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(table_module, "sleep", slept.append)
    return slept


@pytest.fixture
def script() -> Script:
    return Script()


def cancelled(*codes: str) -> dict[str, Any]:
    return {"CancellationReasons": [{"Code": code} for code in codes]}


class TestTransactions:
    def test_a_collision_is_tried_again_after_a_pause(self, script, pauses):
        for _ in range(2):
            script.fails(
                "transact_write_items", "TransactionCanceledException", **cancelled("None", "TransactionConflict")
            )
        script.answers("transact_write_items")
        assert script.table.transact([script.table.putting(ITEM)]) == ()
        assert len(pauses) == 2
        assert script.is_over()

    def test_a_condition_that_does_not_hold_is_the_answer_even_beside_a_collision(self, script):
        reasons = ("TransactionConflict", CONDITION_FAILED)
        script.fails("transact_write_items", "TransactionCanceledException", **cancelled(*reasons))
        assert script.table.transact([script.table.putting(ITEM)] * 2) == reasons
        assert script.is_over()

    def test_collisions_without_end_are_trouble_to_wait_out(self, script, pauses):
        reasons = cancelled("TransactionConflict")
        script.fails("transact_write_items", "TransactionCanceledException", times=TRIES, **reasons)
        with pytest.raises(StorageUnavailable):
            script.table.transact([script.table.putting(ITEM)])
        assert len(pauses) == TRIES - 1
        assert script.is_over()

    def test_a_fault_of_ours_is_not_tried_again(self, script):
        script.fails("transact_write_items", "TransactionCanceledException", **cancelled("ValidationError"))
        with pytest.raises(script.client.exceptions.TransactionCanceledException):
            script.table.transact([script.table.putting(ITEM)])
        assert script.is_over()


class TestSingleWrites:
    def test_meeting_a_transaction_is_tried_again(self, script, pauses):
        script.fails("put_item", "TransactionConflictException")
        script.answers("put_item")
        assert script.table.write(script.table.putting(ITEM))
        assert len(pauses) == 1
        assert script.is_over()

    def test_a_condition_that_does_not_hold_is_an_answer(self, script):
        script.fails("update_item", "ConditionalCheckFailedException")
        action = script.table.updating(("a", "b"), "SET #x = :x", condition="attribute_exists(pk)", values={"x": 1})
        assert not script.table.write(action)
        assert script.is_over()

    def test_what_was_deleted_is_handed_over_to_one_caller(self, script):
        script.answers("delete_item", Attributes=ITEM)
        script.fails("delete_item", "ConditionalCheckFailedException")
        action = script.table.deleting(("a", "b"), condition="attribute_exists(pk)")
        assert [script.table.take(action), script.table.take(action)] == [ITEM, None]
        assert script.is_over()

    def test_names_that_dynamodb_reserves_never_stand_in_an_expression(self, script):
        script.answers("update_item")
        script.table.write(
            script.table.updating(
                ("a", "b"),
                "SET #profiles.#profile.#name = :name",
                condition="attribute_exists(pk)",
                values={"name": "Ana"},
                names={"profile": "pro_1"},
            )
        )
        (request,) = script.requests
        assert request["ExpressionAttributeNames"] == {"#profiles": "profiles", "#profile": "pro_1", "#name": "name"}
        assert request["ExpressionAttributeValues"] == {":name": {"S": "Ana"}}


class TestBatches:
    def test_keys_that_were_left_over_are_asked_for_again(self, script, pauses):
        keys = [("a", str(number)) for number in range(130)]
        as_sent = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys]
        rest = {"table": {"Keys": as_sent[90:100], "ConsistentRead": True}}
        script.answers("batch_get_item", Responses={"table": as_sent[:90]}, UnprocessedKeys=rest)
        script.answers("batch_get_item", Responses={"table": as_sent[90:100]}, UnprocessedKeys={})
        script.answers("batch_get_item", Responses={"table": as_sent[100:]}, UnprocessedKeys={})
        assert list(script.table.get_many(keys)) == as_sent
        asked = [request["RequestItems"]["table"] for request in script.requests]
        assert [len(each["Keys"]) for each in asked] == [100, 10, 30]
        assert all(each["ConsistentRead"] for each in asked)
        assert len(pauses) == 1
        assert script.is_over()

    def test_keys_that_are_left_over_without_end_are_trouble_to_wait_out(self, script):
        rest = {"table": {"Keys": [ITEM], "ConsistentRead": True}}
        for _ in range(TRIES):
            script.answers("batch_get_item", Responses={}, UnprocessedKeys=rest)
        with pytest.raises(StorageUnavailable):
            list(script.table.get_many([("a", "b")]))
        assert script.is_over()

    def test_writes_that_were_left_over_are_sent_again(self, script):
        rest = {"table": [{"PutRequest": {"Item": ITEM}}]}
        script.answers("batch_write_item", UnprocessedItems=rest)
        script.answers("batch_write_item", UnprocessedItems={})
        script.answers("batch_write_item", UnprocessedItems={})
        script.table.put_many([ITEM] * 30)
        assert [len(request["RequestItems"]["table"]) for request in script.requests] == [25, 1, 5]
        assert script.is_over()

    def test_a_batch_that_meets_a_transaction_is_sent_again(self, script):
        script.fails("batch_write_item", "TransactionConflictException")
        script.answers("batch_write_item", UnprocessedItems={})
        script.table.delete_many([("a", "b")])
        assert script.is_over()

    def test_nothing_is_asked_for_nothing(self, script):
        assert list(script.table.get_many([])) == []
        script.table.put_many([])
        script.table.delete_many([])
        assert script.requests == []


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError", "RequestLimitExceeded"],
)
def test_throttling_and_outages_are_trouble_to_wait_out(script, code):
    script.fails("get_item", code)
    with pytest.raises(StorageUnavailable):
        script.table.get(("a", "b"))


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFoundException", "AccessDeniedException"])
def test_faults_of_ours_are_not_hidden(script, code):
    script.fails("get_item", code)
    with pytest.raises(ClientError):
        script.table.get(("a", "b"))


def test_a_network_that_is_down_is_trouble_to_wait_out():
    client = boto3.client(
        "dynamodb",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(StorageUnavailable):
        Table(client, "table").get(("a", "b"))


def test_every_kind_of_value_is_written_in_dynamodbs_notation():
    values = {
        "s": "x",
        "n": 7,
        "b": b"x",
        "yes": True,
        "no": False,
        "l": ["x", 1],
        "m": {"a": None, "b": ""},
        "x": None,
    }
    assert attributes(values) == {
        "s": {"S": "x"},
        "n": {"N": "7"},
        "b": {"B": b"x"},
        "yes": {"BOOL": True},
        "no": {"BOOL": False},
        "l": {"L": [{"S": "x"}, {"N": "1"}]},
        "m": {"M": {"b": {"S": ""}}},
    }
