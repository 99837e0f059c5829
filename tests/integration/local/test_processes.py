"""Children of the stack: what is told of those that fail."""

import sys

import pytest

from local import processes
from local.processes import ChildFailed, Children
from tests.background import background_loop
from tests.laptop import free_ports


@pytest.fixture
def run():
    with background_loop() as run:
        yield run


@pytest.fixture
def children(run, tmp_path):
    children = run(Children(tmp_path).__aenter__())
    yield children
    run(children.__aexit__(None, None, None))


def serve(run, children, program):
    port = free_ports(1)
    run(children.start([sys.executable, "-c", program], log="server", environment={}, port=port))
    return port


@pytest.mark.parametrize("wait", [Children.all_listening, Children.first_to_end])
@pytest.mark.parametrize(
    ("program", "told"),
    [
        pytest.param("exit('no room')", "has ended (exit code 1); the end of {log}:\n    no room", id="its reason"),
        pytest.param("exit(3)", "has ended (exit code 3), and said nothing", id="silent"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)", "has ended (SIGKILL), and said nothing", id="killed from outside"
        ),
    ],
)
def test_a_server_that_ends_is_told_with_its_exit_code_and_what_it_said(run, children, wait, program, told):
    serve(run, children, program)
    with pytest.raises(ChildFailed) as failed:
        run(wait(children))
    assert str(failed.value) == f"server {told.format(log=children.log_of('server'))}"


def test_only_the_end_of_a_long_log_is_told(run, children):
    serve(run, children, "exit('\\n'.join([*map(str, range(1000)), 'no room']))")
    with pytest.raises(ChildFailed) as failed:
        run(children.all_listening())
    _, *lines = str(failed.value).splitlines()
    assert len(lines) == processes.LAST_LINES
    assert lines[-2:] == ["    999", "    no room"]


def test_a_server_that_does_not_listen_in_time_is_told(run, children, monkeypatch):
    monkeypatch.setattr(processes, "START_LIMIT", 0.0)
    port = serve(run, children, "import time; time.sleep(60)")
    with pytest.raises(ChildFailed, match=f"nothing listens on port {port}; server runs, and said nothing"):
        run(children.all_listening())
