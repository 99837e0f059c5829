"""Running a simulator: in a thread of a test, or as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from threading import Thread

from local.simulators.google import Google
from local.simulators.microsoft import Microsoft
from local.simulators.oauth import Client
from local.simulators.server import LARGEST_BODY, LOOPBACK, Application, listening
from local.simulators.simulator import Simulator

PROVIDERS: dict[str, type[Google | Microsoft]] = {"google": Google, "microsoft": Microsoft}
_PARENT_CHECK = 1.0  # seconds


def client_of(provider: str, client_id: str | None = None, client_secret: str | None = None) -> Client:
    """The registered client; ``sim-google-client`` with ``sim-google-secret``, say, unless told otherwise."""
    return Client(client_id or f"sim-{provider}-client", [client_secret or f"sim-{provider}-secret"])


@contextmanager
def running(
    provider: str, port: int = 0, *, client_id: str | None = None, client_secret: str | None = None
) -> Iterator[str]:
    """Serves in a thread for as long as the context lasts; gives the base URL. Raises ``OSError`` on a taken port."""
    simulated = Simulator(PROVIDERS[provider](client_of(provider, client_id, client_secret)))
    with serving(simulated, port, name=provider) as url:
        yield url


@contextmanager
def serving(application: Application, port: int, *, name: str, largest_body: int = LARGEST_BODY) -> Iterator[str]:
    """Serves any application in a thread, as ``running`` does."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()
    thread = Thread(
        target=lambda: asyncio.run(_serve_until_told(application, port, largest_body, started)),
        name=f"{name} simulator",
    )
    thread.start()
    try:
        loop, stop, bound = started.result()
        try:
            yield f"http://{LOOPBACK}:{bound}"
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()


async def _serve_until_told(
    application: Application,
    port: int,
    largest_body: int,
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]],
) -> None:
    stop = asyncio.Event()
    try:
        async with listening(application, port, largest_body=largest_body) as bound:
            started.set_result((asyncio.get_running_loop(), stop, bound))
            await stop.wait()
    except OSError as error:
        if started.done():
            raise
        started.set_exception(error)


def serve(provider: str, port: int, client: Client) -> None:
    """Serves until SIGTERM or SIGINT, or until the process that started this one is gone.

    Prints one line, with the URL, when it is ready.
    """
    parent = os.getppid()
    asyncio.run(serve_under(parent, provider, Simulator(PROVIDERS[provider](client)), port))


async def serve_under(
    parent: int, name: str, application: Application, port: int, *, largest_body: int = LARGEST_BODY
) -> None:
    """Until told to stop, or while ``parent`` is still the process that started this one."""
    stop = asyncio.Event()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stopping, stop.set)
    async with listening(application, port, largest_body=largest_body) as bound:
        print(f"{name} simulator: http://{LOOPBACK}:{bound}", flush=True)
        while not stop.is_set() and os.getppid() == parent:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PARENT_CHECK)
