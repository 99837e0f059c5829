"""How much the engine takes while it works, at the largest query there is."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Sequence

from freebusy.domain.availability import Group, Member, Query, ResponseFormat, find_availability

MEMBERS, PERIODS, DAYS = 200, 2000, 35
DURATION = 600
LONGEST = 600
"""Seconds. So many busy periods leave free time only when they are short."""

START = 1_800_000_000
END = START + DAYS * 86400


def main() -> None:
    members = [Member(f"member {number}", _busy(number)) for number in range(MEMBERS)]
    calendars = MEMBERS * PERIODS
    print(f"Memory: what the engine takes at its peak, {MEMBERS} members × {PERIODS} busy periods over {DAYS} days")
    for label, required in (("all must be free", MEMBERS), ("half of them must", MEMBERS // 2)):
        for response_format in ResponseFormat:
            query = Query([Group(members, required)], DURATION, [(START, END)], response_format=response_format)
            peak = _peak(query)
            print(f"  {label + ', ' + response_format:<40}{peak / 2**20:>8.1f} MiB", end="")
            print(f"{peak / calendars:>8.0f} bytes for each busy period")


def _busy(seed: int) -> Sequence[tuple[int, int]]:
    draw = random.Random(seed)  # noqa: S311 - made-up meetings
    starts = sorted(draw.randrange(START, END) for _ in range(PERIODS))
    return [(start, start + draw.randrange(60, LONGEST)) for start in starts]


def _peak(query: Query) -> int:
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    find_availability(query)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before


if __name__ == "__main__":
    main()
