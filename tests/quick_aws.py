"""What boto3 and moto do again for each test, or for each call, although once is enough.

Each test has an AWS of its own, which is empty. None of this changes what that AWS answers: the stores' contract holds
moto, as it is then, and the emulator to the same rules.
"""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from functools import cache
from typing import Any

import boto3
import botocore.session
import moto.core.models
import moto.kms.models
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

_make_client = boto3.client
_update_item = DynamoDBBackend.update_item
_serialize_structure = BaseJSONSerializer._serialize_type_structure


def hurry() -> None:
    """For the whole process."""
    # AWS's descriptions of its services.
    botocore.session.create_loader = cache(botocore.session.create_loader)
    # An RSA pair for every symmetric key, which nobody uses.
    moto.kms.models.generate_private_key = cache(moto.kms.models.generate_private_key)
    # Addresses that are listened to in `requests`, with which nobody here talks to AWS: boto3 is answered before that.
    moto.core.models.RESPONSES_METHODS = []
    # Copies of the whole table for each transaction, in case that it has to be taken back.
    Table.__deepcopy__ = _with_the_same_items
    DynamoDBBackend.update_item = _updated_in_a_copy
    # Ten questions for each attribute of an answer: whether it is a number, or a list, or nothing …
    BaseJSONSerializer._serialize_type_structure = _with_what_is_there


def client(service: str, *, config: Any = None, **named: Any) -> Any:
    """As ``boto3.client``, which takes longer to make one than most tests do with it; the same for the same wishes.

    Whoever uses it must leave it as it was.
    """
    wishes = repr(sorted((config._user_provided_options if config else {}).items()))
    whose = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _client(service, wishes, whose, _Unseen(config), **named)


class _Unseen:
    """Not looked at by a cache."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Unseen)

    def __hash__(self) -> int:
        return 0


@cache
def _client(service: str, wishes: str, whose: tuple[tuple[str, str], ...], config: _Unseen, **named: Any) -> Any:
    return _make_client(service, config=config.value, **named)


def _with_the_same_items(table: Table, memo: dict[int, Any]) -> Table:
    copied = copy.copy(table)
    copied.items = defaultdict(dict, {key: copy.copy(partition) for key, partition in table.items.items()})
    return copied


def _updated_in_a_copy(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *args: Any, **named: Any) -> Any:
    """Nothing else in moto changes an item where it is."""
    table = backend.get_table(table_name)
    partition, sort = backend.get_keys_value(table, key)
    item = table.get_item(partition, sort)
    if item is not None:
        table.items[partition][sort] = copy.deepcopy(item)
    return _update_item(backend, table_name, key, *args, **named)


def _with_what_is_there(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name != "AttributeValue" or not key:
        _serialize_structure(serializer, serialized, value, shape, key)
        return
    serialized[key] = {}
    for kind, content in value.items():
        serializer._serialize(serialized[key], content, shape.members[kind], kind)
