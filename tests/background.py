"""An event loop in a thread, for tests that talk to asyncio servers with ordinary clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Any

from tests.waiting import PATIENCE

LONGEST = 10 * PATIENCE
"""Seconds: what is run may be many things, each of which is waited for."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@contextmanager
def background_loop() -> Iterator[Run]:
    """Gives a function that runs a coroutine in the loop and returns what it returns."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()

    thread = Thread(target=lambda: asyncio.run(main()), name="background loop")
    thread.start()
    loop, stop = started.result()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(LONGEST)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
