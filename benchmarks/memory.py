"""What the engine takes at its peak, beside the calendars that it is given: 200 members, 2000 busy periods each."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from benchmarks.engine import Pair, any_hour, office, plain
from benchmarks.measuring import verdict
from benchmarks.options import with_options
from freebusy.domain.availability import Group, Member, Query, ResponseFormat, find_availability
from freebusy.domain.explanation import explain

MEMBERS, PERIODS = 200, 2000
DURATION = 60
"""Seconds; the shortest that can be asked for, so that every gap between two periods counts."""

REQUIRED = {"all must be free": MEMBERS, "all but one": MEMBERS - 1, "half of them": MEMBERS // 2}
"""Where more are required than are ever free, the engine looks through everything and finds nothing."""


GOAL = 3.0
"""MiB."""


def main() -> None:
    print(f"Memory: the peak beside the calendars, {MEMBERS} members with {PERIODS} busy periods each over 35 days")
    for kind, calendars in (("office hours", office), ("any hour", any_hour)):
        busy, asked = calendars(MEMBERS, PERIODS)
        for label, required in REQUIRED.items():
            _print_row(f"{kind}, {label}", _queries(plain(busy), required, asked), find_availability)
        half = _queries(with_options(busy), MEMBERS // 2, asked)
        _print_row(f"{kind}, half of them, every option", half, find_availability)
        _print_row(f"{kind}, all must be free, explained", _queries(plain(busy), MEMBERS, asked), _explained)


def _queries(members: list[Member], required: int, asked: list[Pair]) -> list[Query]:
    group = [Group(members, required)]
    return [Query(group, DURATION, asked, response_format=response_format) for response_format in ResponseFormat]


def _explained(query: Query) -> None:
    explain(query, find_availability(query))


def _print_row(label: str, queries: list[Query], work: Callable[[Query], object]) -> None:
    peak = max(_peak(query, work) for query in queries)
    each = peak / (MEMBERS * PERIODS)
    mark = verdict(peak / 2**20, GOAL)
    print(f"  {label:<44}{peak / 2**20:>8.1f} MiB{each:>6.0f} bytes for each period  goal {GOAL:.0f} MiB  {mark}")


def _peak(query: Query, work: Callable[[Query], object]) -> int:
    gc.collect()
    tracemalloc.start()
    work(query)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
