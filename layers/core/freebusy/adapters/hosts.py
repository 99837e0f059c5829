"""Where hosts are, by the operating system's resolver.

It knows no time limit that could be set, so lookups run in threads which nobody waits for longer than they want.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PARALLEL_LOOKUPS = 64


class SystemResolver:
    """Implements ``ports.HostResolver``."""

    def __init__(self, *, getaddrinfo: Callable[..., Any] = socket.getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo

    def addresses(self, hosts: Collection[str], *, within: float) -> dict[str, tuple[str, ...]]:
        lookups = {host: _pool().submit(self._look_up, host) for host in hosts}
        wait(lookups.values(), timeout=within)
        # What still stands in the queue is taken out of it, or it would hold up the next request.
        in_time = [host for host, lookup in lookups.items() if not lookup.cancel() and lookup.done()]
        return {host: found for host in in_time if (found := lookups[host].result())}

    def _look_up(self, host: str) -> tuple[str, ...]:
        try:
            found = self._getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ()
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PARALLEL_LOOKUPS, thread_name_prefix="lookup")
