"""A batch that is sent again by its ``Idempotency-Key``; test_enterprise_access.py has the same for mailboxes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import Answer, call
from tests.browsers import FRONT_END_ORIGIN
from tests.people import connected

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
CALENDAR = connected("ana").managed_profile.calendar_id

pytestmark = pytest.mark.usefixtures("people")


def entry(summary: str, **more: Any) -> dict[str, Any]:
    event = {"event_id": "e1", "summary": summary, "start": "2027-01-15T09:00:00Z", "end": "2027-01-15T10:00:00Z"}
    return {"method": "POST", "relative_url": f"/v1/calendars/{CALENDAR}/events", "data": event | more}


def send(*entries: Any, key: str | None = f'"{KEY}"', who: str = "ana") -> Answer:
    headers = {} if key is None else {"idempotency-key": key}
    body = {"batch": list(entries)}
    return call("events", "POST", "/v1/batch", body=body, bearer=f"token of {who}", headers=headers)


def summary(wired) -> str:
    return wired.events.find("ana", "e1").details.summary


def test_the_second_time_it_is_answered_as_the_first_and_undoes_nothing(wired):
    first = send(entry("First"), entry("No end", end=None))
    send(entry("Changed"), key=None)
    again = send(entry("First"), entry("No end", end=None))
    assert (first.status, [each["status"] for each in first.json()["batch"]]) == (207, [202, 422])
    assert (again.status, again.json()) == (207, first.json())
    assert summary(wired) == "Changed"


def test_quotes_belong_to_the_header_and_not_to_the_key(wired):
    send(entry("First"))
    send(entry("Changed"), key="another")
    assert send(entry("First"), key=KEY).status == 207
    assert summary(wired) == "Changed"


def test_without_a_key_it_is_carried_out_each_time(wired):
    for text in ("First", "Changed", "First"):
        send(entry(text), key=None)
    assert summary(wired) == "First"


def test_a_key_of_another_batch_is_refused(wired):
    send(entry("First"))
    answer = send(entry("Second"))
    assert answer.status == 422
    assert [each["key"] for each in answer.json()["errors"]["Idempotency-Key"]] == ["errors.already_used"]
    assert summary(wired) == "First"


def test_somebody_elses_key_is_none_of_ones_own():
    send(entry("First"))
    assert [each["status"] for each in send(entry("First"), who="ben").json()["batch"]] == [404]


def test_what_was_refused_can_be_corrected_under_its_key(wired):
    assert send(*[entry("Too many")] * 51).status == 422
    assert send(entry("First")).status == 207
    assert summary(wired) == "First"


NO_KEYS = ["", '""', " ", "x" * 256, "two words", "☃", 'a"b']


@pytest.mark.parametrize("key", NO_KEYS)
def test_a_key_is_one_word(key):
    answer = send(entry("First"), key=key)
    assert [each["key"] for each in answer.json()["errors"]["Idempotency-Key"]] == ["errors.invalid_format"]


def upsert(text: str, key: str) -> Answer:
    """By itself, in no batch."""
    headers, event = {"idempotency-key": key}, entry(text)
    return call("events", "POST", event["relative_url"], body=event["data"], bearer="token of ana", headers=headers)


def test_a_single_event_is_known_by_its_own_name_and_not_by_a_key(wired):
    assert [upsert(text, KEY).status for text in ("First", "Changed")] == [202, 202]
    assert summary(wired) == "Changed"


@pytest.mark.parametrize("key", NO_KEYS)
def test_and_what_is_no_key_is_a_mistake_there_too(wired, key):
    answer = upsert("First", key)
    assert [each["key"] for each in answer.json()["errors"]["Idempotency-Key"]] == ["errors.invalid_format"]
    assert wired.events.find("ana", "e1") is None


def test_neither_key_nor_body_is_stored_in_clear(wired):
    send(entry("First"), entry("Secret plans", end=None))
    items = wired.dynamodb.scan(TableName=wired.settings.table_name)["Items"]
    (kept,) = (item for item in items if item["pk"]["S"].startswith("ONCE#"))
    assert set(kept) == {"pk", "sk", "application", "sub", "fingerprint", "status", "body", "expires_at"}
    assert KEY not in str(kept)
    assert "Secret plans" not in str(kept)


def test_front_ends_may_send_it(deployment):
    answer = call("preflight", "OPTIONS", "/v1/batch", headers={"origin": FRONT_END_ORIGIN})
    assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"]
