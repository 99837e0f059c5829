"""What the engine takes at its peak, beside the calendars that it is given: 200 members, 2000 busy periods each."""

from __future__ import annotations

import gc
import tracemalloc

from benchmarks.engine import any_hour, office
from freebusy.domain.availability import Group, Member, Query, ResponseFormat, find_availability

MEMBERS, PERIODS = 200, 2000
DURATION = 60
"""Seconds; the shortest that can be asked for, so that every gap between two periods counts."""

REQUIRED = {"all must be free": MEMBERS, "all but one": MEMBERS - 1, "half of them": MEMBERS // 2}
"""Where more are required than are ever free, the engine looks through everything and finds nothing."""


def main() -> None:
    print(f"Memory: the engine's peak, {MEMBERS} members with {PERIODS} busy periods each over 35 days")
    for kind, calendars in (("office hours", office), ("any hour", any_hour)):
        busy, asked = calendars(MEMBERS, PERIODS)
        members = [Member(f"acc_{number}", periods) for number, periods in enumerate(busy)]
        for label, required in REQUIRED.items():
            group = [Group(members, required)]
            peaks = [
                _peak(Query(group, DURATION, asked, response_format=response_format))
                for response_format in ResponseFormat
            ]
            each = max(peaks) / sum(map(len, busy))
            print(f"  {kind + ', ' + label:<36}{max(peaks) / 2**20:>8.1f} MiB{each:>8.0f} bytes for each period")


def _peak(query: Query) -> int:
    gc.collect()
    tracemalloc.start()
    find_availability(query)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
