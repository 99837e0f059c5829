"""What a function has done when it is ready for its first request: as little as possible, and nothing only once.

Where SnapStart is on, every sandbox begins with a copy of that moment: what was random, open or told the time then
would be the same in all of them. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from benchmarks.imports import MODELS, NEEDS
from tests.template.deployment import ANSWERING, LOGICAL_ID, REACTING, ROOT, TEMPLATE
from tests.template.used_modules import is_module, used_modules

CORE = ROOT / "layers" / "core"

LATER = {"boto3", "httpx", "joserfc", "jinja2", "cryptography", "icalendar", "dateutil", "aws_xray_sdk"}
"""What takes long to load, and is loaded by the first request that needs it: bootstrap.py."""

NESTED = {function for function, needs in NEEDS.items() if MODELS in needs}
"""Functions whose body is nested, so that pydantic reads it."""

PROGRAM = """
import json, os, sys, threading
def files():
    fds = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return {os.readlink(fd) for fd in fds if os.path.exists(fd)}
opened = files() if sys.platform == "linux" else set()
before = set(sys.modules)
sought = []
sys.addaudithook(lambda event, told: event == "open" and sought.append(str(told[0])))
import app
loaded = set(sys.modules) - before
from freebusy.bootstrap import dependencies
from freebusy.settings import settings
print(json.dumps({
    "modules": sorted(loaded),
    "plugins": [path for path in sought if path.endswith("entry_points.txt")],
    "opened": sorted(files() - opened) if sys.platform == "linux" else [],
    "threads": threading.active_count(),
    "made": dependencies.cache_info().currsize + settings.cache_info().currsize,
}))
"""


@cache
def started(function: str) -> dict[str, Any]:
    """How a fresh interpreter is once it has imported the function."""
    told_to_all = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'functions' / function}{os.pathsep}{CORE}",
        "TABLE_NAME": "table",
        **{name: value for name, value in told_to_all.items() if isinstance(value, str)},
    }
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def packages(function: str) -> set[str]:
    return {module.partition(".")[0] for module in started(function)["modules"]}


@pytest.mark.parametrize("function", LOGICAL_ID)
class TestAFunctionThatIsReady:
    def test_has_loaded_nothing_that_only_requests_need(self, function):
        assert not packages(function) & LATER

    def test_has_loaded_no_adapter_and_no_command_line(self, function):
        unwanted = ("freebusy.adapters.", "freebusy.entrypoints.cli")
        assert not [module for module in started(function)["modules"] if module.startswith(unwanted)]

    def test_has_loaded_no_module_of_ours_that_it_does_not_use(self, function):
        loaded = {module for module in started(function)["modules"] if is_module(module)}
        assert loaded - used_modules(function) == set()

    def test_has_loaded_pydantic_only_to_read_nested_bodies(self, function):
        assert ("pydantic" in packages(function)) == (function in NESTED)

    def test_has_looked_for_plugins_in_no_package(self, function):
        """Each would be a file to open, and there are none: PYDANTIC_DISABLE_PLUGINS."""
        assert started(function)["plugins"] == []

    def test_has_made_nothing_that_bootstrap_makes(self, function):
        """No client, no setting, and so no connection: what was there at the snapshot may be gone at the restore."""
        assert started(function)["made"] == 0

    def test_has_opened_nothing_and_started_no_thread(self, function):
        assert started(function)["opened"] == []
        assert started(function)["threads"] == 1


@pytest.mark.parametrize("function", REACTING)
def test_what_nobody_waits_for_loads_no_router(function):
    assert "aws_lambda_powertools.event_handler.api_gateway" not in started(function)["modules"]


@pytest.mark.parametrize("function", ANSWERING)
def test_what_answers_loads_nothing_of_those_who_react(function):
    assert not {f"freebusy.entrypoints.{name}" for name in ("invitations", "notifications", "records")} & set(
        started(function)["modules"]
    )


def made_by(answer: dict[str, Any], sample: str) -> list[str]:
    """What of an answer must never be made twice."""
    body = json.loads(answer["body"]) if answer.get("body", "").startswith("{") else {}
    match sample:
        case "authorize" | "connections_sign_in" | "enterprise_connect":
            return [answer["headers"]["Location"], *answer["cookies"]]
        case "oauth_callback":
            return [answer["headers"]["Location"]]
        case "oauth_callback_signed_in":
            return [cookie for cookie in answer["cookies"] if "connections" in cookie]
        case "token_code":
            return [body["access_token"], body["refresh_token"]]
        case "account_link_tokens":
            return [body["link_token"]]
        case "free_busy_all_calendars":
            return [body["pages"]["next_page"]]
    raise AssertionError(sample)


SNAPSHOTS = {
    "authorize": "state, nonce, challenge and browser secret",
    "enterprise_connect": "those of an administrator",
    "connections_sign_in": "those of somebody who signs in",
    "oauth_callback": "code",
    "oauth_callback_signed_in": "session",
    "token_code": "tokens",
    "account_link_tokens": "link token",
    "free_busy_all_calendars": "page token",
}


@pytest.fixture(scope="module")
def restored() -> dict[str, list[dict[str, Any]]]:
    """What two sandboxes answered to each sample."""
    command = [sys.executable, "-m", "tests.template.restored", *SNAPSHOTS]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    print(told.stderr)  # noqa: T201 - shown where a test fails
    lines = [json.loads(line) for line in told.stdout.splitlines() if line.startswith('{"sample"')]
    return {sample: [line for line in lines if line["sample"] == sample] for sample in SNAPSHOTS}


@pytest.mark.parametrize("sample", [pytest.param(sample, id=secrets) for sample, secrets in SNAPSHOTS.items()])
def test_two_sandboxes_from_one_snapshot_make_different_secrets_and_know_the_time(sample, restored):
    first, second = restored[sample]
    assert first["went_on"]
    assert second["went_on"]
    pairs = list(zip(made_by(first["answer"], sample), made_by(second["answer"], sample), strict=True))
    assert pairs
    assert not [one for one, other in pairs if one == other]


SPREADS = {"adapters.provider_http", "adapters.dynamodb.table", "adapters.queue", "service.callbacks"}
"""What uses ``random``, for pauses between tries and for which of a host's addresses to try: a fork seeds it anew and a
restored snapshot does not, so several sandboxes may choose the same. Secrets come from the operating system.
"""


def test_nothing_secret_is_left_to_a_generator_that_a_snapshot_copies():
    importing = {
        ".".join(path.relative_to(CORE / "freebusy").with_suffix("").parts)
        for path in (CORE / "freebusy").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and "random" in {alias.name for alias in node.names}
    }
    assert importing == SPREADS
