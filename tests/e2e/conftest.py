"""People who connect to the laptop stack through the official SDKs, unmodified."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pycronofy
import pytest

from local.browser import visit
from tests.command_line import CommandLine
from tests.e2e.days import at
from tests.laptop import running_stack
from tests.npm import NODE_IS_MISSING, installed

NODE_SDK = "cronofy@3.8.4"
NODE_JOBS = Path(__file__).with_name("node_sdk.cjs")


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


@pytest.fixture
def freebusy(stack, tmp_path) -> CommandLine:
    return CommandLine.on(stack, tmp_path)


@pytest.fixture
def run_node(stack):
    """Has the Node SDK do one of its jobs; gives what it saw."""
    if NODE_IS_MISSING:
        pytest.skip("Node is not installed")
    node_modules = installed(NODE_SDK)

    def ran(job: str, given: dict[str, Any]) -> Any:
        done = subprocess.run(
            ["node", str(NODE_JOBS), job, json.dumps({**stack, **given})],
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(node_modules)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ran


# --- Through Cronofy -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def up(stack: dict[str, Any]) -> dict[str, Any]:
    """The stack in Cronofy's place."""
    return stack


@pytest.fixture(scope="session")
def files(up, stack_logs) -> dict[str, Any]:
    folder = stack_logs / "upstream"
    folder.mkdir()
    (folder / "up.json").write_text(json.dumps(up), encoding="utf-8")
    return {"up": folder / "up.json", "front": folder / "front.json"}


@pytest.fixture(scope="session")
def front(files, recorded_permissions) -> Iterator[dict[str, Any]]:
    """The stack that reaches calendars through the other."""
    more = {
        "LOG_LEVEL": "DEBUG",
        "UPSTREAM_STACK_FILE": str(files["up"]),
        "RECORD_PERMISSIONS": str(recorded_permissions),
    }
    with running_stack(files["front"], **more) as (_, content):
        yield content


@pytest.fixture
def front_freebusy(files) -> CommandLine:
    """On the stack under test."""
    return CommandLine((f"--local={files['front']}",))
