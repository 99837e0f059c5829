"""Event source mappings: which records go to which function, in batches of what size, and what counts as done.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.lambda_host import PAYLOAD_LIMIT, SANDBOXES, Outcome

Record = dict[str, Any]
"""One of the ``Records`` of an event."""

_USUAL_CONCURRENCY = 5
_ENVELOPE = len(b'{"Records":[]}')


@dataclass(frozen=True, slots=True)
class EventSource:
    """One mapping. ``retries`` and ``on_failure`` (the ARN of a queue) are of streams; None retries for ever."""

    arn: str
    function: str
    batch_size: int
    filters: tuple[Mapping[str, Any], ...] = ()
    reports_failures: bool = False
    bisects: bool = False
    from_the_start: bool = False
    retries: int | None = None
    on_failure: str | None = None
    concurrency: int = _USUAL_CONCURRENCY

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> EventSource:
        """``mapping`` as Lambda's API describes it, with references resolved."""
        retries = int(mapping.get("MaximumRetryAttempts", -1))
        return cls(
            arn=mapping["EventSourceArn"],
            function=mapping["FunctionArn"].split(":")[6],
            batch_size=int(mapping["BatchSize"]),
            filters=tuple(json.loads(each["Pattern"]) for each in mapping.get("FilterCriteria", {}).get("Filters", [])),
            reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
            bisects=bool(mapping.get("BisectBatchOnFunctionError")),
            from_the_start=mapping.get("StartingPosition") == "TRIM_HORIZON",
            retries=None if retries < 0 else retries,
            on_failure=mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
            concurrency=min(
                int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", _USUAL_CONCURRENCY)), SANDBOXES
            ),
        )

    @property
    def is_stream(self) -> bool:
        return self.arn.split(":")[2] == "dynamodb"

    def wants(self, record: Record) -> bool:
        """Without filters every record; with some, those that fit one of them."""
        return not self.filters or any(matches(pattern, record) for pattern in self.filters)

    def failures(self, outcome: Outcome) -> frozenset[str] | None:
        """The identifiers of records that failed; None when all did.

        What is no list of identifiers fails everything, as on AWS
        (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
        """
        if outcome.failed:
            return None
        if not self.reports_failures:
            return frozenset()
        try:
            listed = (json.loads(outcome.payload) or {}).get("batchItemFailures") or []
            identifiers = [each["itemIdentifier"] for each in listed]
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
        return frozenset(identifiers) if all(isinstance(each, str) and each for each in identifiers) else None


def batches(records: Sequence[Record], size: int) -> Iterator[list[Record]]:
    """At most ``size`` records each, and no more than fit into an event."""
    batch: list[Record] = []
    length = _ENVELOPE
    for record in records:
        added = len(json.dumps(record)) + 2
        if batch and (len(batch) == size or length + added > PAYLOAD_LIMIT):
            yield batch
            batch, length = [], _ENVELOPE
        batch.append(record)
        length += added
    if batch:
        yield batch


def event_of(batch: Sequence[Record]) -> bytes:
    return json.dumps({"Records": batch}).encode()


def matches(pattern: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """A filter pattern (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html).

    Raises ValueError for a comparison that is not known here, rather than let a record through or hold it back.
    """
    for name, wanted in pattern.items():
        if name == "$or":
            fits = any(matches(each, record) for each in wanted)
        elif isinstance(wanted, Mapping):
            inner = _parsed(record.get(name))
            fits = matches(wanted, inner if isinstance(inner, Mapping) else {})
        else:
            fits = any(_accepts(each, name in record, record.get(name)) for each in wanted)
        if not fits:
            return False
    return True


def _parsed(value: Any) -> Any:
    """The body of a queue's message is text; a pattern looks inside when it is JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _accepts(rule: Any, present: bool, value: Any) -> bool:  # noqa: FBT001, PLR0911 - one line for each comparison
    if not isinstance(rule, Mapping):
        return present and value == rule and isinstance(value, bool) is isinstance(rule, bool)
    ((comparison, operand),) = rule.items()
    match comparison:
        case "exists":
            return present is operand
        case "prefix":
            return isinstance(value, str) and value.startswith(operand)
        case "suffix":
            return isinstance(value, str) and value.endswith(operand)
        case "equals-ignore-case":
            return isinstance(value, str) and value.lower() == operand.lower()
        case "anything-but":
            refused = operand if isinstance(operand, list) else [operand]
            return present and not any(_accepts(each, present, value) for each in refused)
        case "numeric":
            return _in_range(value, operand)
    raise ValueError(f"the laptop does not know the filter comparison {comparison!r}")


def _in_range(value: Any, rule: Sequence[Any]) -> bool:
    """``rule`` is ``[">", 0, "<=", 5]``, say."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    holds = {
        "=": value.__eq__,
        "<": value.__lt__,
        "<=": value.__le__,
        ">": value.__gt__,
        ">=": value.__ge__,
    }
    return all(holds[sign](number) is True for sign, number in zip(rule[::2], rule[1::2], strict=True))
