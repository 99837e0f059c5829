"""People who connect to the laptop stack through the official Python SDK, unmodified."""

from __future__ import annotations

import httpx
import pycronofy
import pytest

from local.browser import visit
from tests.e2e.days import at


@pytest.fixture(autouse=True)
def _base_url(stack, monkeypatch):
    monkeypatch.setattr(pycronofy.settings, "API_BASE_URL", stack["url"])
    monkeypatch.setattr(pycronofy.settings, "APP_BASE_URL", stack["url"])


@pytest.fixture
def connect(stack):
    def connected(provider: str, email: str, busy: list[tuple[float, float]], **person: object) -> pycronofy.Client:
        simulated = {"busy": [{"start": at(start), "end": at(end)} for start, end in busy], **person}
        httpx.put(f"{stack[provider]}/sim/users/{email}", json=simulated).raise_for_status()
        client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
        name = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}[provider]
        link = client.user_auth_link(
            stack["redirect_uris"][0], scope="free_busy_write", state="s p&ace", provider_name=name
        )
        brought = visit(link, until=stack["redirect_uris"][0], consent={"sim_user": email})
        assert brought["state"] == "s p&ace"
        tokens = client.get_authorization_from_code(brought["code"])
        assert set(tokens) >= {"access_token", "refresh_token", "token_expiration"}
        return client

    return connected
