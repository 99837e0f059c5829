"""Where audit records are: among all that the functions log, in CloudWatch Logs or, on a laptop, in files."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from time import sleep
from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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
        query = self._client.start_query(
            logGroupName=self._group,
            startTime=since,
            endTime=until,
            queryString="fields @message"
            f' | filter message = "audit" and audit.accounts like "{sub}" | sort @timestamp | limit {MOST_RECORDS}',
        )["queryId"]
        lines = (field["value"] for row in self._rows(query) for field in row if field["field"] == "@message")
        return _concerning(sub, lines, since, until)

    def add(self, line: str) -> None:
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=_STREAM)
        self._client.put_log_events(
            logGroupName=self._group,
            logStreamName=_STREAM,
            logEvents=[{"timestamp": int(time.time() * 1000), "message": line}],
        )

    def _rows(self, query: str) -> list[list[dict[str, str]]]:
        given_up = time.monotonic() + _PATIENCE
        while (answer := self._client.get_query_results(queryId=query))["status"] in {"Scheduled", "Running"}:
            if time.monotonic() > given_up:
                raise AuditUnavailable("the query takes too long: ask for a shorter time, with --since")
            self._pause(_BETWEEN_LOOKS)
        if answer["status"] != "Complete":
            raise AuditUnavailable(f"the query of CloudWatch Logs ended as {answer['status']}")
        if len(answer["results"]) == MOST_RECORDS:
            raise AuditUnavailable("there are too many records: ask for a shorter time, with --since")
        rows: list[list[dict[str, str]]] = answer["results"]
        return rows


class AuditLogInFiles:
    """Implements ``ports.AuditLog``, of the folder to which the functions of a laptop stack log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def about(self, sub: str, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        return _concerning(sub, self._lines(), since, until)

    def add(self, line: str) -> None:
        with (self._folder / f"{_STREAM}.log").open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def _lines(self) -> Iterator[str]:
        for file in sorted(self._folder.glob("*.log")):
            with file.open(encoding="utf-8", errors="replace") as lines:
                yield from lines


def _concerning(sub: str, lines: Iterator[str], since: int, until: int) -> list[dict[str, Any]]:
    """Those that name just this account: it may be part of another one's name."""
    found = []
    for line in lines:
        with suppress(ValueError, TypeError, LookupError, AttributeError):
            logged = json.loads(line)
            record = logged["audit"]
            if sub in record["accounts"].split() and since <= _seconds(logged["timestamp"]) <= until:
                others = len(record["accounts"].split()) - 1
                told = {name: value for name, value in record.items() if name != "accounts"}
                found.append({"time": logged["timestamp"], **told, "other_accounts": others})
    return sorted(found, key=lambda record: str(record["time"]))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
