"""The table, and how its items are read and written.

Items stay in DynamoDB's own notation (``{"S": "…"}``); each store maps them by hand, because boto3's
deserialiser costs more than everything else we do with an account. In expressions every attribute
but ``pk`` is written ``#name``, so that no reserved word of DynamoDB is ever met.
"""

from __future__ import annotations

import json
import random
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from time import sleep
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from freebusy.adapters.aws import aws_errors
from freebusy.domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
Action: TypeAlias = dict[str, Any]
"""One write in the notation of a transaction, as ``putting``, ``updating`` and ``deleting`` make them."""
Value: TypeAlias = str | int | bytes | Sequence["Value"] | Mapping[str, "Value"] | None

CONDITION_FAILED = "ConditionalCheckFailed"

_Element = TypeVar("_Element")

_NOTHING: Mapping[str, Any] = {}
_PAUSES = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
_PASSING_REASONS = frozenset({"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_MOST_READ_AT_ONCE = 100
_MOST_WRITTEN_AT_ONCE = 25
_LONGEST_IDENTIFIER = 256
_NAME = re.compile(r"#(\w+)")


def attributes(values: Mapping[str, Value]) -> Item:
    """In DynamoDB's notation; what is ``None`` is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def attribute(value: Value) -> Item:
    match value:
        case bool():
            encoded: Item = {"BOOL": value}
        case str():
            encoded = {"S": str(value)}
        case int():
            encoded = {"N": str(value)}
        case bytes():
            encoded = {"B": value}
        case Mapping():
            encoded = {"M": attributes(value)}
        case None:
            encoded = {"NULL": True}
        case _:
            encoded = {"L": [attribute(element) for element in value]}
    return encoded


def text(item: Item, name: str) -> str | None:
    value = item.get(name)
    return None if value is None else value["S"]


def number(item: Item, name: str) -> int | None:
    value = item.get(name)
    return None if value is None else int(value["N"])


def binary(item: Item, name: str) -> bytes | None:
    value = item.get(name)
    return None if value is None else value["B"]


def plain(attribute: Item) -> Any:
    """What ``attribute`` was made of: a text, a number, a truth, bytes, or lists and dictionaries of those."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value)
        case "NULL":
            return None
        case "M":
            return {name: plain(each) for name, each in value.items()}
        case "L":
            return [plain(each) for each in value]
    return value


def may_be_ours(identifier: str) -> bool:
    """Whether an identifier that a caller sent can exist at all; DynamoDB refuses overlong keys with an error."""
    return len(identifier) <= _LONGEST_IDENTIFIER and identifier.isascii()


def kind_of(key: Key) -> str:
    """What an item is, by its key: ``account``, ``token``; ``event``, ``sent``, ``channel`` in partitions of many."""
    pk, sk = key
    return (sk if pk.startswith(("EVENTS#", "CHANNELS#")) else pk).partition("#")[0].lower()


class Table:
    """Reads are strongly consistent. Collisions with transactions and what a batch left over are tried again.

    A condition that does not hold is an answer, not an error. Raises StorageUnavailable when AWS does not
    answer or throttles us, or when the tries are used up.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name
        for operation in ("GetItem", "BatchGetItem", "Query"):
            client.meta.events.register(
                f"before-parse.dynamodb.{operation}", _read_items, unique_id=f"freebusy-{operation}"
            )

    def get(self, key: Key) -> Item | None:
        with aws_errors():
            return self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True).get("Item")

    def get_many(self, keys: Iterable[Key]) -> Iterator[Item]:
        """The items of distinct keys, in no order; 100 keys a call."""
        for chunk in chunks(keys, _MOST_READ_AT_ONCE):
            wanted: Any = {self._name: {"Keys": [_key(key) for key in chunk], "ConsistentRead": True}}
            tries = _tries("reads are being throttled")
            while wanted:
                next(tries)
                with aws_errors():
                    answer = self._client.batch_get_item(RequestItems=wanted)
                yield from answer["Responses"].get(self._name, ())
                wanted = answer.get("UnprocessedKeys")

    def query(self, pk: str, *, newest_first: bool = False) -> Iterator[Item]:
        """The items of one partition in the order of their sort keys, read as they are asked for."""
        return self._pages(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
            ScanIndexForward=not newest_first,
        )

    def query_prefix(self, pk: str, prefix: str) -> Iterator[Item]:
        """As ``query``, only the items whose sort keys begin so."""
        return self._pages(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=_values({"pk": pk, "prefix": prefix}),
            ConsistentRead=True,
        )

    def query_window(self, pk: str, *, start: int, end: int) -> Iterator[Item]:
        """The items of one partition whose ``starts_at`` to ``ends_at`` overlaps the window, in the order they end."""
        return self._pages(
            IndexName="by_end",
            KeyConditionExpression="pk = :pk AND ends_at > :start",
            FilterExpression="starts_at < :end",
            ExpressionAttributeValues=_values({"pk": pk, "start": start, "end": end}),
            ConsistentRead=True,
        )

    def keys_of(self, application: str, prefix: str = "") -> Iterator[Key]:
        """The keys of all that belongs to an application, as far as the index has caught up; or of one kind alone."""
        return self._keys_of(application, prefix)

    def some_keys_of(self, application: str, prefix: str, *, after: Key | None, most: int) -> list[Key]:
        """As ``keys_of``, in their order: those that follow ``after``, which need not be there any more."""
        start = {"ExclusiveStartKey": {**_key(after), **attributes({"application": application})}} if after else {}
        return [*islice(self._keys_of(application, prefix, Limit=most, **start), most)]

    def _keys_of(self, application: str, prefix: str, **query: Any) -> Iterator[Key]:
        condition, values = "#application = :application", {"application": application}
        if prefix:
            condition, values = f"{condition} AND begins_with(pk, :prefix)", {**values, "prefix": prefix}
        return self._keys(condition, values, IndexName="by_application", **query)

    def keys_about(self, sub: str) -> Iterator[Key]:
        """The keys of all items with this ``sub``, as far as the index has caught up."""
        return self._keys("#sub = :sub", {"sub": sub}, IndexName="by_account")

    def keys_in(self, pk: str) -> Iterator[Key]:
        """The keys of one partition."""
        return self._keys("pk = :pk", {"pk": pk}, ProjectionExpression="pk, sk", ConsistentRead=True)

    def _keys(self, condition: str, values: Mapping[str, Value], **query: Any) -> Iterator[Key]:
        expressions = _expressions(values, KeyConditionExpression=condition)
        return ((item["pk"]["S"], item["sk"]["S"]) for item in self._pages(**expressions, **query))

    def write(self, action: Action) -> bool:
        """Carries out one action; False when its condition does not hold."""
        return self._written(action) is not None

    def take(self, action: Action) -> Item | None:
        """The item that this deletion deleted; None when its condition does not hold. Of many callers, one gets it."""
        deleted: Item | None = self._written(action, ReturnValues="ALL_OLD")
        return None if deleted is None else deleted.get("Attributes")

    def update(self, action: Action) -> Item | None:
        """What this update has changed, as it is now; None when its condition does not hold."""
        answer = self._written(action, ReturnValues="UPDATED_NEW")
        changed: Item | None = None if answer is None else answer["Attributes"]
        return changed

    def put_many(self, items: Iterable[Item]) -> None:
        self._write_many({"PutRequest": {"Item": item}} for item in items)

    def delete_many(self, keys: Iterable[Key]) -> None:
        self._write_many({"DeleteRequest": {"Key": _key(key)}} for key in keys)

    def transact(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """All or nothing. Empty when written, else one code per action, ``CONDITION_FAILED`` among them."""
        tries = _tries("transactions keep colliding")
        while True:
            next(tries)
            try:
                with aws_errors():
                    self._client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = tuple(reason["Code"] for reason in error.response["CancellationReasons"])
                if CONDITION_FAILED in reasons:
                    return reasons
                if not _PASSING_REASONS.issuperset(reasons):
                    raise
            else:
                return ()

    def putting(self, item: Item, *, condition: str = "", values: Mapping[str, Value] = _NOTHING) -> Action:
        expressions = _expressions(values, ConditionExpression=condition)
        return {"Put": {"TableName": self._name, "Item": item, **expressions}}

    def updating(
        self,
        key: Key,
        change: str,
        *,
        condition: str,
        values: Mapping[str, Value] = _NOTHING,
        names: Mapping[str, str] = _NOTHING,
    ) -> Action:
        """Without a condition, an item that is missing would be made. For ``names`` see ``_expressions``."""
        expressions = _expressions(values, names, UpdateExpression=change, ConditionExpression=condition)
        return {"Update": {"TableName": self._name, "Key": _key(key), **expressions}}

    def deleting(self, key: Key, *, condition: str = "", values: Mapping[str, Value] = _NOTHING) -> Action:
        expressions = _expressions(values, ConditionExpression=condition)
        return {"Delete": {"TableName": self._name, "Key": _key(key), **expressions}}

    def _pages(self, **query: Any) -> Iterator[Item]:
        while True:
            with aws_errors():
                answer = self._client.query(TableName=self._name, **query)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _write_many(self, requests: Iterable[Item]) -> None:
        for chunk in chunks(requests, _MOST_WRITTEN_AT_ONCE):
            unwritten: Any = {self._name: chunk}
            tries = _tries("writes are being throttled")
            while unwritten:
                next(tries)
                with suppress(self._client.exceptions.TransactionConflictException), aws_errors():
                    unwritten = self._client.batch_write_item(RequestItems=unwritten).get("UnprocessedItems")

    def _written(self, action: Action, **options: Any) -> Any:
        """The answer; None when the condition does not hold."""
        ((kind, request),) = action.items()
        operations: dict[str, Callable[..., Any]] = {
            "Put": self._client.put_item,
            "Update": self._client.update_item,
            "Delete": self._client.delete_item,
        }
        tries = _tries("transactions keep colliding")
        while True:
            next(tries)
            try:
                with aws_errors():
                    return operations[kind](**request, **options)
            except self._client.exceptions.ConditionalCheckFailedException:
                return None
            except self._client.exceptions.TransactionConflictException:
                continue


def _read_items(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Hands items past botocore's parser, which tries every type there is on every value.

    What comes out is the same, in a fifth of the time: an availability query reads up to 200 accounts.
    """
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    answer = json.loads(response_dict["body"], object_hook=_decoded)
    customized_response_dict.update(
        {name: answer.pop(name) for name in ("Item", "Items", "Responses") if name in answer}
    )
    response_dict["body"] = json.dumps(answer).encode()


def _decoded(value: Item) -> Item:
    """A binary value is the one object whose ``B`` is text; an attribute of that name would hold an object."""
    if "B" in value and isinstance(value["B"], str):
        return {"B": b64decode(value["B"])}
    if "BS" in value and isinstance(value["BS"], list):
        return {"BS": [b64decode(content) for content in value["BS"]]}
    return value


def _key(key: Key) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _expressions(
    values: Mapping[str, Value] = _NOTHING, names: Mapping[str, str] = _NOTHING, **expressions: str
) -> Item:
    """The expressions that are not empty, with what ``#name`` and ``:value`` in them stand for.

    ``names`` says it where a name is not the attribute's own, as with the keys of maps.
    """
    request: Item = {kind: expression for kind, expression in expressions.items() if expression}
    used = {name for expression in request.values() for name in _NAME.findall(expression)}
    if used:
        request["ExpressionAttributeNames"] = {f"#{name}": names.get(name, name) for name in used}
    if values:
        request["ExpressionAttributeValues"] = _values(values)
    return request


def _values(values: Mapping[str, Value]) -> Item:
    return {f":{name}": attribute(value) for name, value in values.items()}


def chunks(elements: Iterable[_Element], size: int) -> Iterator[list[_Element]]:
    remaining = iter(elements)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _tries(trouble: str) -> Iterator[None]:
    """The first at once, each later one after a pause that doubles; then StorageUnavailable."""
    yield
    for pause in _PAUSES:
        sleep(random.uniform(0, pause))  # noqa: S311 - jitter keeps callers apart, nothing is guessed
        yield
    raise StorageUnavailable(trouble)
