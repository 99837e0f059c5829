"""Runs functions as Lambda does: each sandbox is a process that asks the Runtime API for one event at a time.

Cold starts, concurrency, time limits and crashes are real; memory limits and the CPU share that goes with them
are not. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from local.http_server import HttpServer, Request, Response
from local.processes import LOOPBACK, Children, inherited_environment, kill

SANDBOXES = 8
"""How many events of one function are worked on at a time; more wait. AWS has 1,000 for a whole account."""

START_LIMIT = 30.0
"""Seconds a sandbox may take to import its function. Lambda gives 10, on a machine that does nothing else."""

PAYLOAD_LIMIT = 6_291_556
"""Bytes of an event, and of an answer (Lambda quotas: 6 MB each)."""

_RUNTIME_API = "/2018-06-01/runtime"
_RUNTIME_LOOP = Path(__file__).with_name("runtime_loop.py")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the deployment. ``timeout`` in seconds, ``memory`` in MB, ``code`` the folder of its handler."""

    name: str
    arn: str
    code: Path
    handler: str
    timeout: float
    memory: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an invocation: the handler's JSON, or ``{"errorMessage", "errorType", ...}`` when it failed."""

    payload: bytes
    failed: bool = False


@dataclass(eq=False, slots=True)
class Invocation:
    event: bytes
    outcome: asyncio.Future[Outcome]
    request_id: str = field(default_factory=lambda: str(uuid4()))

    def settle(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, kind: str, message: str) -> None:
        error = {"errorType": kind, "errorMessage": f"RequestId: {self.request_id} Error: {message}"}
        self.settle(Outcome(json.dumps(error).encode(), failed=True))


class LambdaHost:
    """The functions of the deployment, by name.

    ``layers`` are the folders that the layers put on the import path; ``environment`` goes over the functions' own.
    """

    def __init__(
        self, functions: Iterable[Function], children: Children, *, layers: list[Path], environment: Mapping[str, str]
    ) -> None:
        path = [*layers, *(Path(entry) for entry in sys.path if entry.endswith("site-packages"))]
        self._pools = {
            function.name: Pool(function, children, {**_environment(function, path), **environment})
            for function in functions
        }

    async def invoke(self, function: str, event: bytes) -> Outcome:
        return await self._pools[function].invoke(event)

    def close(self) -> None:
        """Forgets what waits. The processes end with the ``Children`` they belong to."""
        for pool in self._pools.values():
            pool.close()


class Pool:
    """The sandboxes of one function: started when events wait, kept while idle, replaced when they die."""

    def __init__(self, function: Function, children: Children, environment: Mapping[str, str]) -> None:
        self.function = function
        self.children = children
        self.environment = environment
        self._idle: list[Sandbox] = []
        self._waiting: deque[Invocation] = deque()
        self._sandboxes: dict[Sandbox, asyncio.Task[None]] = {}

    async def invoke(self, event: bytes) -> Outcome:
        """Raises CancelledError when the caller gives up; an event that no sandbox has begun is then dropped."""
        invocation = Invocation(event, asyncio.get_running_loop().create_future())
        if self._idle:
            self._idle.pop().begin(invocation)
        else:
            self._waiting.append(invocation)
            self._scale()
        try:
            return await invocation.outcome
        finally:
            if invocation in self._waiting:
                self._waiting.remove(invocation)

    def close(self) -> None:
        self._waiting.clear()
        for life in self._sandboxes.values():
            life.cancel()

    def ready(self, sandbox: Sandbox) -> None:
        """A sandbox asks for its next event."""
        if self._waiting:
            sandbox.begin(self._waiting.popleft())
        else:
            self._idle.append(sandbox)

    def lost(self, sandbox: Sandbox, kind: str, reason: str) -> None:
        """A sandbox is gone. If it never came up, the event it was started for fails with it, as on AWS."""
        self._sandboxes.pop(sandbox, None)
        if sandbox in self._idle:
            self._idle.remove(sandbox)
        if sandbox.starting and self._waiting:
            self._waiting.popleft().fail(kind, reason)
        self._scale()

    def _scale(self) -> None:
        starting = sum(sandbox.starting for sandbox in self._sandboxes)
        while starting < len(self._waiting) and len(self._sandboxes) < SANDBOXES:
            sandbox = Sandbox(self)
            self._sandboxes[sandbox] = asyncio.get_running_loop().create_task(sandbox.live())
            starting += 1


class Sandbox:
    """One process that runs one function, and the Runtime API it talks to."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._current: Invocation | None = None
        self._next: asyncio.Future[Invocation] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._failure = ("Runtime.ExitError", "the runtime ended before it was done")
        self._process: asyncio.subprocess.Process | None = None
        self.starting = True

    async def live(self) -> None:
        """From start to end of the process."""
        api = HttpServer(self._answer, body_limit=PAYLOAD_LIMIT)
        pool = self._pool
        try:
            address = f"{LOOPBACK}:{await api.listen()}"
            self._process = await pool.children.start(
                _command(pool.function.handler),
                log=pool.function.code.name,
                environment={**pool.environment, "AWS_LAMBDA_RUNTIME_API": address},
                folder=pool.function.code,
            )
            self._end_after(START_LIMIT, "Sandbox.Timedout", f"the function was not imported in {START_LIMIT:.0f} s")
            await pool.children.ended(self._process)
        except OSError as error:
            self._failure = ("Runtime.StartError", str(error))
        finally:
            api.close()
            if self._limit:
                self._limit.cancel()
            if self._current:
                self._current.fail(*self._failure)
            pool.lost(self, *self._failure)

    def begin(self, invocation: Invocation) -> None:
        """Hands the event to the process, which has asked for one."""
        if self._next is None:
            raise RuntimeError("a sandbox takes an event only when it has asked for one")
        self._current = invocation
        timeout = self._pool.function.timeout
        self._end_after(timeout, "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds")
        self._next.set_result(invocation)

    def _end_after(self, seconds: float, kind: str, message: str) -> None:
        if self._limit:
            self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_later(seconds, self._end, kind, message)

    def _end(self, kind: str, message: str) -> None:
        self._failure = (kind, message)
        function = self._pool.function
        request_id = self._current.request_id if self._current else "none"
        with self._pool.children.log_of(function.code.name).open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {request_id} {message}\n")
        if self._process:
            kill(self._process)

    async def _answer(self, request: Request) -> Response:
        match request.target.removeprefix(_RUNTIME_API).strip("/").split("/"):
            case ["invocation", "next"]:
                return await self._next_event()
            case ["invocation", request_id, "response" | "error" as how]:
                return self._settle(request_id, request.body, failed=how == "error")
            case ["init", "error"]:
                error = json.loads(request.body or b"{}")
                self._failure = (error.get("errorType", "Runtime.InitError"), error.get("errorMessage", ""))
                return Response(202)
        return Response(404)

    async def _next_event(self) -> Response:
        self.starting = False
        if self._limit:
            self._limit.cancel()
        self._next = asyncio.get_running_loop().create_future()
        self._pool.ready(self)
        invocation = await self._next
        function = self._pool.function
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + function.timeout) * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", function.arn),
            ("Lambda-Runtime-Trace-Id", f"Root=1-{int(time.time()):08x}-{uuid4().hex[:24]};Sampled=0"),
        ]
        return Response(200, headers, invocation.event)

    def _settle(self, request_id: str, body: bytes | None, *, failed: bool) -> Response:
        if self._current is None or self._current.request_id != request_id:
            return Response(400)
        if body is None:
            self._current.fail("Function.ResponseSizeTooLarge", f"the answer has more than {PAYLOAD_LIMIT} bytes")
        else:
            self._current.settle(Outcome(body, failed=failed))
        self._current = None
        return Response(202)


def _command(handler: str) -> list[str | Path]:
    if find_spec("awslambdaric"):
        return [sys.executable, "-m", "awslambdaric", handler]
    return [sys.executable, "-P", _RUNTIME_LOOP, handler]


def _environment(function: Function, path: list[Path]) -> dict[str, str]:
    """What Lambda sets for every function, with the function's own variables.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        **inherited_environment(),
        **function.environment,
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": function.code.name,
        "LAMBDA_TASK_ROOT": str(function.code),
        "PYTHONPATH": ":".join(map(str, [function.code, *path])),
        "PYTHONUNBUFFERED": "1",
        "TZ": ":UTC",
    }
