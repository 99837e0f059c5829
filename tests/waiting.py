"""Waiting for what comes about by itself, however much else the machine has to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds: a hundredth of it is usually enough."""


def until(look: Callable[[], T], done: Callable[[T], Any] = bool) -> T:
    """What it looks like, as soon as it is done."""
    deadline = time.monotonic() + PATIENCE
    while not done(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r}"
        time.sleep(0.02)
    return seen
