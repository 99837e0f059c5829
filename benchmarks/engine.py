"""The availability engine against ``sorted()`` over the same endpoints, packed as integers.

The yardstick: every start and every end of every busy period becomes ``time * 2 + 1`` or ``time * 2`` in one list,
member after member, and each member's in the order in which calendars answer them, which is by time; ``sorted()``
makes the most of that. The engine starts from the same periods as ``Member`` values and ends with its results. The
processor time of both is measured in turn, with the garbage collector as it is by default; the ratio is that of the
medians.

Two kinds of calendars, busy for half of the time asked about. ``office``: from nine to five on weekdays. ``any hour``:
all of 35 days, where half of ten members are free together more often than the 512 results that are given; the
engine stops when it has those, and naming them all costs more than finding them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from random import Random
from statistics import median
from time import process_time

from freebusy.domain.availability import Group, Member, Query, ResponseFormat, find_availability

SIZES = [(10, 200), (10, 2_000), (50, 200), (200, 200), (200, 2_000)]
MONDAY = 1_893_456_000 - 86_400 + 7 * 86_400  # 2030-01-07T00:00:00Z
DAY, HOUR = 86_400, 3_600
DAYS = 35

Pair = tuple[int, int]


def main() -> None:
    print_table("engine, ratio to sorted() over the same endpoints (goal ≤ 2.0), with the number of results", plain)


def plain(calendars: list[list[Pair]]) -> list[Member]:
    return [Member(f"acc_{number}", busy) for number, busy in enumerate(calendars)]


def print_table(title: str, members_of: Callable[[list[list[Pair]]], list[Member]]) -> None:
    print(title)
    heads = [f"{who} {form}" for who in ("all", "half") for form in ("periods", "slots", "overlapping")]
    print(f"{'calendars':<10}{'members×busy':>14}{'sorted()':>11}" + "".join(f"{head:>18}" for head in heads))
    for kind, make in (("office", office), ("any hour", any_hour)):
        for number, count in SIZES:
            calendars, asked = make(number, count)
            print_row(kind, members_of(calendars), asked)


def print_row(kind: str, members: list[Member], asked: list[Pair]) -> None:
    endpoints = [
        time
        for member in members
        for periods in (member.busy, member.managed, member.available or (), member.rules or (), member.full)
        for start, end in periods
        for time in (start * 2 + 1, end * 2)
    ]
    queries = [
        Query([Group(members, required)], 30 * 60, asked, response_format=form)
        for required in (len(members), len(members) // 2)
        for form in ResponseFormat
    ]
    rows = [measured(query, endpoints) for query in queries]
    size = f"{len(members)}×{len(members[0].busy)}"
    print(f"{kind:<10}{size:>14}{median(base for base, _, _ in rows) * 1e3:>8.2f} ms", end="")
    print("".join(f"{f'{ours / base:.2f} ({found})':>18}" for base, ours, found in rows), flush=True)


def measured(query: Query, endpoints: list[int]) -> tuple[float, float, int]:
    """Seconds of the yardstick, seconds of the engine, and how many results it found."""
    rounds = max(7, min(41, 1_000_000 // len(endpoints)))
    pairs = [(seconds(lambda: sorted(endpoints)), seconds(lambda: find_availability(query))) for _ in range(rounds)]
    return median(base for base, _ in pairs), median(ours for _, ours in pairs), len(find_availability(query).found)


def seconds(work: Callable[[], object]) -> float:
    started = process_time()
    work()
    return process_time() - started


def office(members: int, count: int) -> tuple[list[list[Pair]], list[Pair]]:
    days = [MONDAY + day * DAY + 9 * HOUR for day in range(DAYS) if day % 7 < 5]  # noqa: PLR2004 - weekdays
    random = Random(1)  # noqa: S311 - the same calendars in every run
    calendars = [
        [period for day in days for period in busy(random, day, day + 8 * HOUR, count // len(days))]
        for _ in range(members)
    ]
    return calendars, [(day, day + 8 * HOUR) for day in days]


def any_hour(members: int, count: int) -> tuple[list[list[Pair]], list[Pair]]:
    random = Random(2)  # noqa: S311 - the same calendars in every run
    end = MONDAY + DAYS * DAY
    return [[*busy(random, MONDAY, end, count)] for _ in range(members)], [(MONDAY, end)]


def busy(random: Random, since: int, until: int, count: int) -> Iterator[Pair]:
    """So many periods on whole minutes, which fill about half of the time."""
    cuts = sorted(random.sample(range(since, until + 1, 60), 2 * count))
    return zip(cuts[::2], cuts[1::2], strict=True)


if __name__ == "__main__":
    gc.collect()
    main()
