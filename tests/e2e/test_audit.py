"""What applications and the operator did about somebody is read back from the functions' log."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.e2e.days import at

pytestmark = pytest.mark.stack


def test_everything_that_was_done_about_somebody_is_told_in_order(stack, connect, freebusy):
    client = connect("google", f"eve-{time.monotonic_ns()}@google.example", [(9, 10)])
    other = connect("microsoft", f"fay-{time.monotonic_ns()}@microsoft.example", [])
    sub, others = client.account()["account_id"], other.account()["account_id"]
    client.refresh_authorization()
    client.read_free_busy(from_date=at(0), to_date=at(24)).all()
    query = {
        "participants": [{"members": [{"sub": sub}, {"sub": others}], "required": "all"}],
        "required_duration": {"minutes": 60},
        "query_periods": [{"start": at(8), "end": at(12)}],
    }
    secret = {"Authorization": f"Bearer {stack['client_secret']}"}
    httpx.post(f"{stack['url']}/v1/availability", json=query, headers=secret, timeout=30).raise_for_status()
    freebusy("accounts", "export", sub)
    client.revoke_authorization()
    records = freebusy("accounts", "audit", sub, "--since", "1h")
    assert [(each["action"], each["by"], each["outcome"], each["other_accounts"]) for each in records] == [
        ("consent.given", "person", 302, 0),
        ("code.redeemed", "application", 200, 0),
        ("account.read", "grant", 200, 0),
        ("token.refreshed", "application", 200, 0),
        ("free_busy.read", "grant", 200, 0),
        ("availability.queried", "application", 200, 1),
        ("account.exported", "operator", "done", 0),
        ("authorization.revoked", "application", 200, 0),
    ]
    assert {each["client_id"] for each in records} == {stack["client_id"], ""}
    assert [each["action"] for each in freebusy("accounts", "audit", others)][-1] == "availability.queried"
