"""Starting and stopping laptop stacks, as `make run` does, on ports of their own."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pycronofy

from local.browser import visit

ROOT = Path(__file__).parent.parent
PORTS = 6

_CHOSEN_BY_NOBODY = (15_000, 32_000)
"""Systems give connections ports above these."""

_REAL_CLIENTS = {
    "CRONOFY_DATA_CENTER",
    *(f"{provider}_CLIENT_{part}" for provider in ("GOOGLE", "MICROSOFT", "CRONOFY") for part in ("ID", "SECRET")),
}


@contextmanager
def running_stack(file: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process of a stack that is ready, and what its stack.json says. ``more`` goes into its environment."""
    with start_stack(file, free_ports(PORTS), **more) as process:
        content = ready(process, file)
        try:
            yield process, content
        finally:
            process.terminate()
            output, _ = process.communicate()
            assert process.returncode <= 0, f"the stack ended by itself:\n{output}"  # below 0: it was killed


def start_stack(file: Path, base: int, **more: str) -> subprocess.Popen[str]:
    """It ends with this process, if not before."""
    environment = {name: value for name, value in os.environ.items() if name not in _REAL_CLIENTS}
    return subprocess.Popen(
        [sys.executable, "-m", "local.stack"],
        cwd=ROOT,
        env={**environment, **more, "PORT_BASE": str(base), "STACK_FILE": str(file), "STOP_WITH_PARENT": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ready(process: subprocess.Popen[str], file: Path) -> dict[str, Any]:
    """What the stack says of itself once it is ready. Otherwise it ends within a limit of its own, and says why."""
    while not file.exists():
        with suppress(subprocess.TimeoutExpired):
            output, _ = process.communicate(timeout=0.05)
            raise AssertionError(f"the stack did not start (exit code {process.returncode}):\n{output}")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that nobody uses, and that no connection is given meanwhile."""
    while True:
        first = random.randrange(*_CHOSEN_BY_NOBODY)  # noqa: S311 - no secret
        with ExitStack() as taken:
            try:
                for port in range(first, first + count):
                    taken.enter_context(_bound(port))
            except OSError:
                continue
            return first


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


def connect(stack: dict[str, Any], email: str) -> pycronofy.Client:
    """The SDK of the demo application, for somebody at Google who has just connected and is never busy."""
    httpx.put(f"{stack['google']}/sim/users/{email}", json={"busy": []}).raise_for_status()
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    back = stack["redirect_uris"][0]
    link = client.user_auth_link(back, scope="free_busy_write", provider_name="google_free_busy")
    client.get_authorization_from_code(visit(link, until=back, consent={"sim_user": email})["code"])
    return client
