"""The laptop stack starts from nothing, says where it is, and leaves nothing behind however it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from unittest.mock import Mock

import httpx
import pytest

from local import emulator as aws
from local import stack as stack_module
from local.deployment import DeploymentFailed
from local.simulators import running
from local.stack import (
    CannotStart,
    Ports,
    Stack,
    port_base,
    real_registration,
    remove_if_ours,
    service_account_key,
    write_atomically,
)
from tests.laptop import PORTS, ROOT, free_ports, ready, running_stack, start_stack
from tests.waiting import PATIENCE


def descendants(pid):
    """Every process that ``pid`` started, and those that these started."""
    parents = dict(tuple(map(int, line.split())) for line in told_by_ps("-A", "-o", "pid=,ppid=").splitlines())
    found, size = {pid}, 0
    while len(found) > size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


def alive(pid):
    state = told_by_ps("-o", "stat=", "-p", str(pid))
    return bool(state) and not state.startswith("Z")


def command_of(pid):
    return told_by_ps("-o", "args=", "-p", str(pid))


def told_by_ps(*options):
    return subprocess.run(["ps", *options], check=False, capture_output=True, text=True).stdout.strip()


def kill_the_emulator_of(stack):
    """And wait until the stack has noticed."""
    (emulator,) = (child for child in descendants(stack.pid) if "ministack" in command_of(child))
    os.kill(emulator, signal.SIGKILL)
    assert stack.wait() == 1


def survivors(pids):
    """Those that are still there after a while."""
    deadline = time.monotonic() + PATIENCE
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.mark.stack
class TestAStackThatRuns:
    def test_says_where_everything_is(self, stack):
        simulators, here = {"google", "microsoft", "mailbox"}, {"url", "aws", "demo", "logs"}
        assert stack.keys() == {"client_id", "client_secret", "redirect_uris", *here, *simulators}
        assert stack["redirect_uris"] == ["http://127.0.0.1:9999/callback"]

    def test_has_the_simulators_where_it_says(self, stack):
        for provider in ("google", "microsoft"):
            assert httpx.get(f"{stack[provider]}/sim/requests").status_code == 200
        assert httpx.get(f"{stack['mailbox']}/messages", params={"to": "nobody@example.com"}).json() == []

    def test_has_a_demo_that_registered_an_application_of_its_own(self, stack):
        link = httpx.get(f"{stack['demo']}/connect").headers["location"]
        asked = httpx.URL(link).params
        assert link.startswith(f"{stack['url']}/oauth/authorize?")
        assert asked["redirect_uri"] == f"{stack['demo']}/callback"
        assert asked["client_id"] != stack["client_id"]

    def test_has_the_simulated_clients_and_service_account_in_the_secrets(self, stack):
        secrets = aws.client("secretsmanager", stack["aws"])
        values = [
            json.loads(secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"])
            for secret in secrets.list_secrets()["SecretList"]
        ]
        clients = [value for value in values if value.keys() == {"client_id", "client_secret"}]
        (key_file,) = [value for value in values if value not in clients]
        assert len(clients) == 2
        assert key_file["type"] == "service_account"

    def test_answers_from_a_function(self, stack):
        answer = httpx.get(f"{stack['url']}/.well-known/oauth-authorization-server", timeout=PATIENCE)
        assert answer.json()["issuer"] == stack["url"]

    def test_answers_from_the_gateway_where_no_function_does(self, stack):
        answer = httpx.get(f"{stack['url']}/nowhere")
        assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loopback has one address")
    def test_lets_only_this_machine_in(self, stack):
        for name in ("url", "google", "microsoft", "mailbox", "aws", "demo"):
            port = httpx.URL(stack[name]).port
            with socket.socket() as other, pytest.raises(ConnectionRefusedError):
                # Another address of the loopback: a server on 0.0.0.0 would answer here.
                other.connect(("127.0.0.2", port))


@pytest.mark.stack
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stack_that_is_told_to_stop_leaves_nothing(tmp_path, number):
    file = tmp_path / "stack.json"
    with running_stack(file) as (process, content):
        httpx.get(f"{content['url']}/v1/account", timeout=PATIENCE)
        children = descendants(process.pid)
        assert len(children) >= 5
        process.send_signal(number)
        assert process.wait() == 0
        assert survivors(children) == set()
        assert not file.exists()


@pytest.mark.stack
def test_the_children_of_a_stack_that_is_killed_end_by_themselves(tmp_path):
    with running_stack(tmp_path / "stack.json") as (process, content):
        httpx.get(f"{content['url']}/v1/account", timeout=PATIENCE)
        children = descendants(process.pid)
        process.kill()
        assert survivors(children) == set()


@pytest.mark.stack
def test_a_stack_that_is_stopped_while_it_starts_leaves_nothing(tmp_path):
    process = start_stack(tmp_path / "stack.json", free_ports(PORTS))
    while not (children := descendants(process.pid)):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert survivors(children) == set()


@pytest.mark.stack
def test_two_stacks_run_side_by_side(stack, tmp_path):
    with running_stack(tmp_path / "stack.json") as (_, other):
        assert other["url"] != stack["url"]
        assert httpx.get(f"{other['url']}/nowhere").status_code == 404
        assert httpx.get(f"{stack['url']}/nowhere").status_code == 404


@pytest.mark.stack
def test_a_stack_whose_emulator_dies_says_so_and_ends(tmp_path):
    file = tmp_path / "stack.json"
    with pytest.raises(AssertionError, match=r"aws has ended \(SIGKILL\)"), running_stack(file) as (process, _):
        kill_the_emulator_of(process)
    assert not file.exists()


@pytest.mark.stack
def test_a_taken_port_is_named_and_nothing_is_started(tmp_path):
    base = free_ports(PORTS)
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", base + 1))
        somebody.listen()
        process = start_stack(tmp_path / "stack.json", base)
        with pytest.raises(AssertionError, match=rf"exit code 1(?s:.*)port {base + 1} \(google\) is taken"):
            ready(process, tmp_path / "stack.json")


@pytest.mark.stack
def test_the_demo_says_why_its_stack_does_not_start(tmp_path):
    base = free_ports(PORTS)
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", base + 1))
        somebody.listen()
        demo = subprocess.run(
            [sys.executable, "-m", "local.demo"],
            cwd=ROOT,
            env={**os.environ, "PORT_BASE": str(base), "STACK_FILE": str(tmp_path / "stack.json")},
            check=False,
            capture_output=True,
            text=True,
        )
    assert demo.returncode == 1
    assert f"port {base + 1} (google) is taken" in demo.stderr
    assert demo.stderr.endswith("The demo needs the service, which did not start.\n")


@pytest.mark.stack
class TestAStackThatCannotStart:
    @pytest.fixture(autouse=True)
    def keeps_no_log(self, monkeypatch):
        monkeypatch.setattr(stack_module, "keep_log", lambda _: None)

    def why(self, tmp_path):
        with pytest.raises(CannotStart) as failed:
            asyncio.run(Stack(Ports.from_base(free_ports(PORTS)), tmp_path / "stack.json").run())
        return str(failed.value)

    @pytest.mark.parametrize(
        ("trouble", "reason"),
        [
            pytest.param(DeploymentFailed("Table: no room"), "DeploymentFailed: Table: no room", id="the template"),
            pytest.param(httpx.ReadTimeout("timed out"), "ReadTimeout: timed out", id="a server that does not answer"),
            pytest.param(OSError("address in use"), "OSError: address in use", id="a port that was taken meanwhile"),
        ],
    )
    def test_says_why_and_how_each_server_is(self, monkeypatch, tmp_path, trouble, reason):
        monkeypatch.setattr(stack_module, "deploy", Mock(side_effect=trouble))
        why = self.why(tmp_path)
        assert why.startswith(reason)
        assert all(f"\n{server} runs" in why for server in ("aws", "google", "microsoft"))

    def test_in_time_says_so(self, monkeypatch, tmp_path):
        monkeypatch.setattr(stack_module, "START_LIMIT", 1.0)
        monkeypatch.setattr(stack_module.emulator, "transform", lambda _: asyncio.Event().wait())
        assert self.why(tmp_path).startswith("it is not ready after 1 s\n")


def test_the_default_ports_are_the_well_known_ones():
    expected = Ports(gateway=8080, google=8081, microsoft=8082, mailbox=8083, aws=4566, demo=8085)
    assert Ports.from_base(8080) == expected


def test_another_base_moves_every_port():
    expected = Ports(gateway=9000, google=9001, microsoft=9002, mailbox=9003, aws=9004, demo=9005)
    assert Ports.from_base(9000) == expected


@pytest.mark.parametrize(
    ("chosen", "base"),
    [
        pytest.param("9000", 9000, id="chosen"),
        pytest.param("", 18080, id="the default where nothing is chosen"),
        pytest.param("1024", 1024, id="the lowest that is not the system's"),
        pytest.param("65530", 65530, id="the last six ports there are"),
    ],
)
def test_ports_begin_where_the_environment_says(monkeypatch, chosen, base):
    monkeypatch.setenv("PORT_BASE", chosen)
    assert port_base(18080) == base


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param("80", id="ports of the system"),
        pytest.param("65531", id="no room for the sixth port"),
        pytest.param("-9000", id="below zero"),
        pytest.param("http", id="no number"),
    ],
)
def test_ports_that_cannot_be_are_refused(monkeypatch, chosen):
    monkeypatch.setenv("PORT_BASE", chosen)
    with pytest.raises(CannotStart, match=f"PORT_BASE is a number from 1024 to 65530, not {chosen}"):
        port_base()


def test_a_client_of_your_own_replaces_the_simulator(monkeypatch):
    monkeypatch.setenv("GOOGLE_CLIENT_ID", "mine")
    monkeypatch.setenv("GOOGLE_CLIENT_SECRET", "hush")
    assert real_registration("google") == {"client_id": "mine", "client_secret": "hush"}
    assert real_registration("microsoft") is None


def test_half_a_client_is_an_oversight(monkeypatch):
    monkeypatch.setenv("GOOGLE_CLIENT_ID", "mine")
    monkeypatch.delenv("GOOGLE_CLIENT_SECRET", raising=False)
    with pytest.raises(CannotStart, match="GOOGLE_CLIENT_SECRET"):
        real_registration("google")


def test_a_simulated_google_brings_its_own_service_account(monkeypatch):
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_FILE", "/nowhere")
    with running("google") as google:
        assert json.loads(service_account_key(google))["type"] == "service_account"


def test_beside_a_real_google_the_service_account_is_your_own(monkeypatch, tmp_path):
    file = tmp_path / "key.json"
    file.write_text('{"type": "service_account"}')
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_FILE", str(file))
    assert service_account_key(None) == '{"type": "service_account"}'


def test_a_service_account_is_not_needed(monkeypatch):
    monkeypatch.delenv("GOOGLE_SERVICE_ACCOUNT_FILE", raising=False)
    assert service_account_key(None) is None


def test_a_key_file_that_is_not_there_is_an_oversight(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_FILE", str(tmp_path / "key.json"))
    with pytest.raises(CannotStart, match="GOOGLE_SERVICE_ACCOUNT_FILE"):
        service_account_key(None)


def test_a_stack_does_not_remove_the_file_of_another(tmp_path):
    file = tmp_path / "stack.json"
    write_atomically(file, {"url": "http://127.0.0.1:9000"})
    remove_if_ours(file, "http://127.0.0.1:8080")
    assert file.exists()
    remove_if_ours(file, "http://127.0.0.1:9000")
    assert not file.exists()
