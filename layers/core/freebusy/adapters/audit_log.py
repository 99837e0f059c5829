"""Where audit records are: among all that the functions log, in CloudWatch Logs or, on a laptop, in files."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from time import sleep
from typing import TYPE_CHECKING, Any

from freebusy.domain.erasure import ERASING
from freebusy.domain.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MOST_RECORDS = 10_000
"""As many as one query of CloudWatch Logs gives."""

_PATIENCE = 300.0
_BETWEEN_LOOKS = 1.0
"""Seconds. A query reads everything that was logged in its time."""

_STREAM = "operator"


class CloudWatchAuditLog:
    """Implements ``ports.AuditLog``; ``client`` is boto3's for ``logs``, whose own errors come out too.

    Queries: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
    """

    def __init__(self, client: Any, group: str, *, pause: Callable[[float], None] = sleep) -> None:
        self._client = client
        self._group = group
        self._pause = pause

    def about(self, sub: str, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        """``sub`` becomes part of a query: it must be one."""
        return _about(sub, _records(self._lines(f'audit.accounts like "{sub}"', since, until), since, until))

    def erasures(self, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        actions = ", ".join(f'"{action}"' for action in ERASING)
        return _erasures(_records(self._lines(f"audit.action in [{actions}]", since, until), since, until))

    def add(self, line: str) -> None:
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=_STREAM)
        self._client.put_log_events(
            logGroupName=self._group,
            logStreamName=_STREAM,
            logEvents=[{"timestamp": int(time.time() * 1000), "message": line}],
        )

    def _lines(self, condition: str, since: int, until: int) -> Iterator[str]:
        """Of more than one query gives, half of the time is asked for, and then the other half."""
        query = self._client.start_query(
            logGroupName=self._group,
            startTime=since,
            endTime=until,
            queryString="fields @message"
            f' | filter message = "audit" and {condition} | sort @timestamp | limit {MOST_RECORDS}',
        )["queryId"]
        rows = self._rows(query)
        if len(rows) < MOST_RECORDS:
            return (field["value"] for row in rows for field in row if field["field"] == "@message")
        if since == until:
            raise AuditUnavailable(f"there are more than {MOST_RECORDS} records within one second")
        middle = (since + until) // 2
        return chain(self._lines(condition, since, middle), self._lines(condition, middle + 1, until))

    def _rows(self, query: str) -> list[list[dict[str, str]]]:
        given_up = time.monotonic() + _PATIENCE
        while (answer := self._client.get_query_results(queryId=query))["status"] in {"Scheduled", "Running"}:
            if time.monotonic() > given_up:
                raise AuditUnavailable("the query takes too long: ask for a shorter time, with --since")
            self._pause(_BETWEEN_LOOKS)
        if answer["status"] != "Complete":
            raise AuditUnavailable(f"the query of CloudWatch Logs ended as {answer['status']}")
        rows: list[list[dict[str, str]]] = answer["results"]
        return rows


class AuditLogInFiles:
    """Implements ``ports.AuditLog``, of the folder to which the functions of a laptop stack log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def about(self, sub: str, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        return _about(sub, _records(self._lines(), since, until))

    def erasures(self, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        return _erasures(_records(self._lines(), since, until))

    def add(self, line: str) -> None:
        with (self._folder / f"{_STREAM}.log").open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def _lines(self) -> Iterator[str]:
        for file in sorted(self._folder.glob("*.log")):
            with file.open(encoding="utf-8", errors="replace") as lines:
                yield from lines


def _about(sub: str, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that name just this account: it may be part of another one's name. The others are only counted."""
    found = []
    for record in records:
        accounts = record.pop("accounts")
        if sub in accounts:
            found.append({**record, "other_accounts": len(accounts) - 1})
    return found


def _erasures(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["action"] in ERASING]


def _records(lines: Iterable[str], since: int, until: int) -> list[dict[str, Any]]:
    """In the order of time. What is no record is passed over."""
    found = []
    for line in lines:
        with suppress(ValueError, TypeError, LookupError, AttributeError):
            logged = json.loads(line)
            record, at = logged["audit"], logged["timestamp"]
            if since <= _seconds(at) <= until:
                found.append({"time": at, **record, "accounts": record["accounts"].split()})
    return sorted(found, key=lambda record: str(record["time"]))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
