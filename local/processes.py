"""Child processes that never outlive the stack."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

GRACE = 2.0
"""Seconds between being asked to end and being killed."""

START_LIMIT = 60.0
"""Seconds until a child must listen. It takes one or two; a busy machine may take longer."""

LOOPBACK = "127.0.0.1"

LAST_LINES = 15
"""How many lines of a log are shown when something failed. A traceback's reason is at its end."""

_REAPER = Path(__file__).with_name("reaper.py")


class ChildFailed(Exception):
    """A child ended, or did not come up, when it was needed; the message has what it said last."""


class Children:
    """Every process of the stack, each the leader of its own process group, so that Ctrl-C reaches only the parent.

    Leaving the block ends them all. Should the parent be killed instead, the reaper does it.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._living: set[asyncio.subprocess.Process] = set()
        self._servers: dict[asyncio.subprocess.Process, tuple[str, int]] = {}

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for old in self._logs.glob("*.log"):
            old.unlink()
        self._reaper = subprocess.Popen(  # noqa: ASYNC220 - it only starts; nobody waits for it here
            [sys.executable, "-I", "-S", _REAPER], stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(self.end(child) for child in tuple(self._living)))
        self._reaper.communicate()

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    async def start(
        self,
        command: Sequence[str | Path],
        *,
        log: str,
        environment: Mapping[str, str],
        folder: Path | None = None,
        port: int | None = None,
    ) -> asyncio.subprocess.Process:
        """Starts ``command`` with just this environment; what it says is appended to the log of that name.

        One with a ``port`` is a server of the stack: see ``all_listening`` and ``first_to_end``.
        """
        with self.log_of(log).open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._living.add(child)
        self._tell_reaper(f"+{child.pid}")
        if port:
            self._servers[child] = (log, port)
        return child

    async def all_listening(self) -> None:
        """Waits until every server accepts connections. Raises ChildFailed when one ends instead, or takes too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_LIMIT
        for child, (_, port) in self._servers.items():
            while not await _accepts(port):
                if child.returncode is not None:
                    raise ChildFailed(self._told_of(child))
                if loop.time() > deadline:
                    raise ChildFailed(f"nothing listens on port {port}; {self._told_of(child)}")
                await asyncio.sleep(0.05)

    async def first_to_end(self) -> None:
        """Waits while all servers stay up. Raises ChildFailed when one ends."""
        ends = {asyncio.ensure_future(child.wait()): child for child in self._servers}
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        raise ChildFailed(self._told_of(ends[done.pop()]))

    def told(self) -> str:
        """Of each server whether it runs, and what it said last."""
        return "\n".join(map(self._told_of, self._servers))

    def _told_of(self, child: asyncio.subprocess.Process) -> str:
        name, _ = self._servers[child]
        state = "runs" if child.returncode is None else f"has ended ({_ending(child.returncode)})"
        return f"{name} {state}{_last_words(self.log_of(name))}"

    async def ended(self, child: asyncio.subprocess.Process) -> int:
        """Waits for a child to end by itself; returns its exit code."""
        code = await child.wait()
        if child in self._living:
            self._living.discard(child)
            self._tell_reaper(f"-{child.pid}")
        return code

    async def end(self, child: asyncio.subprocess.Process) -> None:
        """Asks the child's whole group to end, then insists."""
        _signal(child, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), GRACE)
        _signal(child, signal.SIGKILL)
        await self.ended(child)

    def _tell_reaper(self, line: str) -> None:
        if self._reaper.stdin:
            self._reaper.stdin.write(f"{line}\n".encode())
            self._reaper.stdin.flush()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except ConnectionError:
        return False
    writer.close()
    return True


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join([f"; the end of {log}:", *(f"    {line}" for line in lines)]) if lines else ", and said nothing"


def kill(child: asyncio.subprocess.Process) -> None:
    """Ends the child's group at once, without asking."""
    _signal(child, signal.SIGKILL)


def inherited_environment() -> dict[str, str]:
    """What a child may know of this machine: where programs, certificates and proxies are, and nothing else.

    PYTHONDONTWRITEBYTECODE is left out on purpose: without ``.pyc`` files every start takes several times longer.
    """
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY")
    environment = {name: value for name in kept if (value := os.environ.get(name))}
    direct = filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"))
    return {**environment, "NO_PROXY": ",".join(direct)}


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
