"""What the audit log proves about an erasure."""

from __future__ import annotations

import pytest

from freebusy.domain.erasure import finished_at

SUB = "acc_000000000000000000000001"


def record(time: int, action: str, outcome: str = "done", client_id: str = "app") -> dict[str, object]:
    accounts = [] if action == "application.erased" else [SUB]
    return {"time": f"2030-01-07T09:00:0{time}.000Z", "action": action, "outcome": outcome} | {
        "client_id": client_id,
        "accounts": accounts,
    }


@pytest.mark.parametrize(
    ("name", "records", "at"),
    [
        pytest.param(SUB, [record(1, "erasure.requested")], None, id="asked for, not done"),
        pytest.param(SUB, [record(1, "erasure.requested"), record(2, "account.erased")], 2, id="done"),
        pytest.param(SUB, [record(1, "account.erased")], 1, id="done with its organization, or asked for long ago"),
        pytest.param(SUB, [record(1, "account.erased"), record(2, "account.erased")], 2, id="done twice: the later"),
        pytest.param(
            SUB,
            [record(1, "account.erased"), record(2, "erasure.requested")],
            1,
            id="done, although by the clock of the operator's machine it was asked for later",
        ),
        pytest.param("app", [record(1, "account.erased"), record(1, "erasure.requested")], None, id="of others"),
        pytest.param("app", [record(1, "application.erased")], 1, id="an application"),
        pytest.param(
            "app",
            [record(1, "application.erased"), record(2, "application.erased", "begun")],
            None,
            id="an application that is being erased once more",
        ),
        pytest.param(
            "app",
            [record(1, "application.erased"), record(2, "erasure.requested")],
            1,
            id="a request of the application for one of its accounts is none for itself",
        ),
    ],
)
def test_an_erasure_is_finished_when_nothing_was_found_and_none_has_begun_since(name, records, at):
    assert finished_at(name, records) == (at and f"2030-01-07T09:00:0{at}.000Z")
