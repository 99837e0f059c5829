"""The table of template.yaml, for tests that need a DynamoDB client, and the calls that are made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_TEMPLATE = Path(__file__).parent.parent / "template.yaml"
_REQUIRED = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "BillingMode")


def create_table(client: Any, name: str) -> str:
    """Keys and indexes are the template's own, so that tests fail when the two part ways."""
    client.create_table(TableName=name, **table_properties())
    return name


@cache
def table_properties() -> dict[str, Any]:
    """What emulators need to know about it."""
    template = yaml.load(_TEMPLATE.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    (table,) = (each for each in template["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table")
    return {name: table["Properties"][name] for name in _REQUIRED}


@contextmanager
def counted_calls(client: Any) -> Iterator[Counter[str]]:
    """What is asked of DynamoDB meanwhile, by operation."""
    calls: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    client.meta.events.register("before-call.dynamodb", count)
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-call.dynamodb", count)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's own tags (``!Ref``, ``!Sub``), which say nothing about the table, as nothing."""


_Loader.add_multi_constructor("!", lambda *_: None)
