"""Starting, serving and stopping: in a thread, and as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import httpx
import pytest

from local.simulators import running

START = [sys.executable, "-m", "local.simulators"]


def url_of(process):
    line = process.stdout.readline()
    return line.rstrip().rpartition(" ")[2]


def answers(url):
    try:
        httpx.get(f"{url}/sim/users")
    except httpx.ConnectError:
        return False
    return True


def test_a_thread_serves_for_as_long_as_the_context_lasts():
    with running("google") as url:
        assert urlsplit(url).hostname == "127.0.0.1"
        assert answers(url)

    assert not answers(url)


def test_a_port_can_be_chosen_and_is_free_afterwards():
    with running("google") as url:
        port = urlsplit(url).port

    with running("microsoft", port) as again:
        assert again == url


def test_a_taken_port_is_an_error():
    with running("google") as url, pytest.raises(OSError, match="in use"), running("google", urlsplit(url).port):
        pass


def test_a_context_ends_while_a_caller_waits():
    with running("google") as url, httpx.Client(base_url=url) as client:
        client.put("/sim/faults", json={"busy": {"delay_ms": 60_000}})
        waiting = socket.create_connection(("127.0.0.1", urlsplit(url).port))
        waiting.sendall(b"POST /calendar/v3/freeBusy HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        while not client.get("/sim/requests").json():
            time.sleep(0.01)

    with waiting:
        assert waiting.recv(1) == b""


def test_the_client_can_be_another_one():
    with running("google", client_id="ours", client_secret="kept") as url:
        form = {"grant_type": "refresh_token", "refresh_token": "any", "client_id": "ours", "client_secret": "kept"}

        assert httpx.post(f"{url}/token", data=form).json()["error"] == "invalid_grant"
        assert httpx.post(f"{url}/token", data={**form, "client_secret": "no"}).json()["error"] == "invalid_client"


@pytest.mark.parametrize("stopping", [signal.SIGTERM, signal.SIGINT])
def test_a_process_says_where_it_is_and_stops_when_told_to(stopping):
    with subprocess.Popen([*START, "google"], stdout=subprocess.PIPE, text=True) as process:
        url = url_of(process)
        assert answers(url)

        process.send_signal(stopping)

        assert process.wait(timeout=30) == 0
    assert not answers(url)


def test_a_process_takes_its_client_from_the_environment_or_the_command_line():
    form = {"grant_type": "refresh_token", "refresh_token": "any", "client_id": "ours", "client_secret": "kept"}
    environment = {**os.environ, "SIMULATOR_CLIENT_ID": "overruled", "SIMULATOR_CLIENT_SECRET": "kept"}
    command = [*START, "google", "--client-id", "ours"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        answer = httpx.post(f"{url_of(process)}/token", data=form)
        process.terminate()

    assert answer.json()["error"] == "invalid_grant"


def test_a_process_does_not_outlive_its_parent():
    """The parent hands on what its child prints, and is then killed as nothing can catch it."""
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'local.simulators', 'microsoft'])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        url = url_of(process)
        assert answers(url)

        process.kill()
        process.wait()

        # The pipe ends when its last writer is gone, and that is the simulator.
        assert process.stdout.read() == ""
    assert not answers(url)
