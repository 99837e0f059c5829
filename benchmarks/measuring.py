"""Measuring several things side by side, and saying what came out."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

_Name = TypeVar("_Name", bound=Hashable)

WARM_UP = 3
"""Rounds that do not count: caches fill, connections open, the interpreter specialises its bytecode."""


def interleaved(
    actions: Mapping[_Name, Callable[[], object]],
    *,
    rounds: int,
    in_a_row: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[_Name, list[float]]:
    """Seconds that each action took, ``in_a_row`` times in each round. So a slow moment meets them all.

    The garbage collector runs as it always does. What exists when the measuring starts is kept out of its sight: in
    a function there would be no made-up people to look through.
    """
    taken: dict[_Name, list[float]] = {name: [] for name in actions}
    for turn in range(WARM_UP + rounds):
        if turn == WARM_UP:
            gc.collect()
            gc.freeze()
        for name, action in actions.items():
            for _ in range(in_a_row):
                started = clock()
                action()
                seconds = clock() - started
                if turn >= WARM_UP:
                    taken[name].append(seconds)
    return taken


def yardstick() -> object:
    """A fixed piece of work in pure Python and C, as a measure of the machine."""
    rows = [{"start": number, "end": number + 1800, "who": [f"person {number}"]} for number in range(650)]
    return sorted(json.loads(json.dumps(rows)), key=lambda row: -row["end"])


def milliseconds(seconds: list[float]) -> str:
    """The median, and how far nine of ten stay below."""
    return f"{median_ms(seconds):.2f} ms (p90 {1000 * statistics.quantiles(seconds, n=10)[-1]:.2f})"


def median_ms(seconds: list[float]) -> float:
    return 1000 * statistics.median(seconds)


def verdict(measured: float, goal: float) -> str:
    return "met" if measured <= goal else "over"
