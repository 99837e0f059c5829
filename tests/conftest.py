"""What many tests share: the laptop stack and the AWS emulator, each started once for the run, if it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from xdist.scheduler import LoadScopeScheduling

from local import emulator as aws
from local.processes import Children
from tests import quick_aws
from tests.background import background_loop
from tests.exchanges import deviations
from tests.laptop import free_ports, running_stack
from tests.waiting import PATIENCE

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

quick_aws.hurry()

# httpx gives up after five seconds, unless it is told otherwise.
for phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, PATIENCE)

TESTS = Path(__file__).parent

LAST = ["test_least_privilege", "test_canaries"]
"""What all other tests have the stack's functions do is compared with what these may do, and with what they log."""

LONGEST_FIRST = ["browser", "e2e", "wire", "integration", "template", "contract", "oracle", "unit"]
"""But the demo before all who use its stack: sign-in pages list so many people, and others have theirs sign in too."""

WITH_THE_STACK = {"browser", "e2e", "wire"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: LONGEST_FIRST.index(item.path.relative_to(TESTS).parts[0]))
    items.sort(key=lambda item: LAST.index(item.path.stem) + 1 if item.path.stem in LAST else 0)


class Shares(LoadScopeScheduling):
    """Where several processes share the tests, one has all those of the stack, and each other file is one's own."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "stack" if file.split("/")[1] in WITH_THE_STACK else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


@pytest.fixture(scope="session")
def recorded_permissions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder to which functions of the stack write which permissions they needed, each to a file of its own."""
    return tmp_path_factory.mktemp("permissions")


@pytest.fixture(scope="session")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that holds all that the stack was asked and answered, a line each."""
    file = tmp_path_factory.mktemp("exchanges") / "exchanges"
    file.touch()
    return file


@pytest.fixture(scope="session")
def stack_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the stack's logs are, at any depth."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(exchanges: Path, stack_logs: Path, recorded_permissions: Path) -> Iterator[dict[str, Any]]:
    """The contents of stack.json of a running laptop stack. All that it was asked must be as its document says."""
    recording = {"EXCHANGES_FILE": str(exchanges), "RECORD_PERMISSIONS": str(recorded_permissions)}
    with running_stack(stack_logs / "stack.json", LOG_LEVEL="DEBUG", **recording) as (_, content):
        yield content
    recorded = [json.loads(line) for line in exchanges.read_text(encoding="utf-8").splitlines()]
    assert [deviation for each in recorded for deviation in deviations(**each)] == []


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an AWS emulator that has nothing in it yet."""
    with background_loop() as run:
        children = run(Children(tmp_path_factory.mktemp("emulator")).__aenter__())
        try:
            endpoint = run(aws.start(children, free_ports(1)))
            run(children.all_listening())
            yield endpoint
        finally:
            run(children.__aexit__(None, None, None))
