"""Reading the audit log: what a query asks of CloudWatch Logs, and what is made of what comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from freebusy.adapters.audit_log import MOST_RECORDS, AuditLogInFiles, CloudWatchAuditLog
from freebusy.domain.errors import AuditUnavailable
from tests.fakes.clock import NOW

SUB, OTHER, LONGER = "acc_1", "acc_2", "acc_12"


class Taken(Exception):
    pass


class FakeLogs:
    """Answers a query when it was asked for ``running`` times."""

    class exceptions:  # noqa: N801 - boto3's spelling
        ResourceAlreadyExistsException = Taken

    def __init__(self, *lines: str, status: str = "Complete", running: int = 2) -> None:
        self.lines, self.status, self.running = lines, status, running
        self.asked: list[dict[str, Any]] = []
        self.streams: set[str] = set()
        self.put: list[dict[str, Any]] = []

    def start_query(self, **asked: Any) -> dict[str, str]:
        self.asked.append(asked)
        return {"queryId": "q1"}

    def get_query_results(self, *, queryId: str) -> dict[str, Any]:  # noqa: N803 - boto3's spelling
        assert queryId == "q1"
        if self.running:
            self.running -= 1
            return {"status": "Running", "results": []}
        pointers = {"field": "@ptr", "value": "…"}
        rows = [[{"field": "@message", "value": line}, pointers] for line in self.lines]
        return {"status": self.status, "results": rows}

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None:  # noqa: N803 - as above
        if logStreamName in self.streams:
            raise Taken
        self.streams.add(logStreamName)

    def put_log_events(self, **put: Any) -> None:
        self.put.append(put)


def line(*accounts: str, second: int = 0, **record: Any) -> str:
    time = datetime.fromtimestamp(NOW + second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    usual = {"action": "free_busy.read", "accounts": " ".join(accounts), "outcome": 200}
    return json.dumps({"level": "FATAL", "timestamp": time, "message": "audit", "audit": {**usual, **record}})


def about(*lines: str, **changed: Any) -> list[Any]:
    log = CloudWatchAuditLog(FakeLogs(*lines, **changed), "group", pause=lambda _: None)
    return list(log.about(SUB, since=NOW - 60, until=NOW + 60))


def test_a_query_names_account_group_and_time():
    logs = FakeLogs()
    CloudWatchAuditLog(logs, "group", pause=lambda _: None).about(SUB, since=1, until=2)
    (asked,) = logs.asked
    assert (asked["logGroupName"], asked["startTime"], asked["endTime"]) == ("group", 1, 2)
    assert f'audit.accounts like "{SUB}"' in asked["queryString"]


def test_a_record_is_told_with_its_time_and_without_naming_others():
    (record,) = about(line(SUB, OTHER, LONGER, by="grant"))
    assert record == {
        "time": "2027-01-15T08:00:00.000Z",
        "action": "free_busy.read",
        "outcome": 200,
        "by": "grant",
        "other_accounts": 2,
    }


def test_records_come_in_the_order_of_time():
    assert [each["outcome"] for each in about(line(SUB, second=2, outcome=2), line(SUB, second=1, outcome=1))] == [1, 2]


def test_an_account_whose_name_begins_alike_is_somebody_else():
    assert about(line(LONGER)) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '{"audit": 7}', '{"audit": {}}', '{"audit": {"accounts": "acc_1"}}']
)
def test_what_is_no_record_is_passed_over(text):
    assert about(text, line(SUB)) == about(line(SUB))


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout", "Unknown"])
def test_a_query_that_fails_is_no_empty_answer(status):
    with pytest.raises(AuditUnavailable, match=status):
        about(status=status)


class FullLogs(FakeLogs):
    """Holds as many records as a query gives in each of its seconds, and gives no more of them."""

    def get_query_results(self, *, queryId: str) -> dict[str, Any]:  # noqa: N803 - boto3's spelling
        seconds = range(self.asked[-1]["startTime"], self.asked[-1]["endTime"] + 1)
        self.lines = tuple(line(SUB, second=second - NOW) for second in seconds for _ in range(self.in_a_second))
        self.lines = self.lines[:MOST_RECORDS]
        return super().get_query_results(queryId=queryId)

    in_a_second = MOST_RECORDS // 2


def test_of_more_than_one_query_gives_each_half_of_the_time_is_asked_for():
    log = CloudWatchAuditLog(FullLogs(running=0), "group", pause=lambda _: None)
    assert len(log.about(SUB, since=NOW, until=NOW + 4)) == 5 * FullLogs.in_a_second


def test_an_answer_that_is_not_all_of_it_is_none(monkeypatch):
    monkeypatch.setattr(FullLogs, "in_a_second", MOST_RECORDS)
    with pytest.raises(AuditUnavailable, match="within one second"):
        CloudWatchAuditLog(FullLogs(running=0), "group", pause=lambda _: None).about(SUB, since=NOW, until=NOW + 4)


def test_erasures_are_told_with_whom_they_are_about(tmp_path):
    lines = [
        line(SUB, OTHER, action="account.erased", outcome="done"),
        line(SUB, second=1),
        line(action="application.erased", client_id="app", second=2),
        line(SUB, action="erasure.requested", second=3),
        line(SUB, action="account.erased", second=90),
    ]
    logs = FakeLogs(*lines)
    (tmp_path / "log.log").write_text("\n".join(lines), encoding="utf-8")
    for log in (CloudWatchAuditLog(logs, "group", pause=lambda _: None), AuditLogInFiles(tmp_path)):
        told = log.erasures(since=NOW, until=NOW + 60)
        assert [(each["action"], each["accounts"]) for each in told] == [
            ("account.erased", [SUB, OTHER]),
            ("application.erased", []),
            ("erasure.requested", [SUB]),
        ]
    asked = logs.asked[0]["queryString"]
    assert 'audit.action in ["account.erased", "application.erased", "erasure.requested"]' in asked


def test_what_the_operator_does_is_added_each_time():
    logs = FakeLogs()
    log = CloudWatchAuditLog(logs, "group")
    log.add("first")
    log.add("second")
    assert [put["logEvents"][0]["message"] for put in logs.put] == ["first", "second"]


def test_a_laptops_log_is_all_its_files_within_the_time(tmp_path):
    (tmp_path / "free_busy.log").write_text(f"START\n{line(SUB)}\n{line(OTHER)}\n{line(SUB, second=-90)}\n", "utf-8")
    (tmp_path / "token.log").write_bytes(b"\xff\xfe\n" + line(SUB, second=1).encode())
    log = AuditLogInFiles(tmp_path)
    log.add(line(SUB, second=2, action="account.exported"))
    found = log.about(SUB, since=NOW - 60, until=NOW + 60)
    assert [each["action"] for each in found] == ["free_busy.read", "free_busy.read", "account.exported"]
