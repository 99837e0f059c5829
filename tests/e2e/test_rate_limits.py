"""An application that asks too much, through the official Python SDK, against the laptop stack."""

from __future__ import annotations

from typing import Any

import pycronofy
import pytest
from pycronofy.exceptions import PyCronofyRequestError

pytestmark = pytest.mark.stack

LIMIT = 5


@pytest.fixture
def busybody(stack, freebusy, monkeypatch) -> dict[str, Any]:
    """An application of its own, so that nobody else is limited."""
    created = freebusy("applications", "create", "Busybody", "--redirect-uri", stack["redirect_uris"][0])
    freebusy("applications", "limit", created["client_id"], str(LIMIT))
    for name in ("client_id", "client_secret"):
        monkeypatch.setitem(stack, name, created[name])
    return created


def refusal_of(client: pycronofy.Client) -> Any:
    """A minute may end while it is asked."""
    for _ in range(3 * LIMIT):
        try:
            client.account()
        except PyCronofyRequestError as refused:
            return refused.response
    pytest.fail("it was never refused")


def test_an_sdk_is_told_and_others_are_served(stack, connect, busybody, monkeypatch):
    client = connect("google", "rae@google.example", [(9, 10)])
    response = refusal_of(client)
    assert (response.status_code, response.json()) == (429, {"error": "too_many_requests"})
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert response.headers["RateLimit-Policy"] == f'"application";q={LIMIT};w=60'
    monkeypatch.undo()
    monkeypatch.setattr(pycronofy.settings, "API_BASE_URL", stack["url"])
    monkeypatch.setattr(pycronofy.settings, "APP_BASE_URL", stack["url"])
    other = connect("google", "sam@google.example", [(9, 10)])
    assert other.account()["email"] == "sam@google.example"
