"""The engine as in ``engine``, for members with everything that a query can say of them.

Each has 20 managed events beside their busy periods, buffers of their own, the hours of a rule on every working day,
available periods in every week, and a day that is full. The yardstick is ``sorted()`` over the endpoints of all that.
"""

from __future__ import annotations

import gc
from random import Random

from benchmarks.engine import DAY, DAYS, HOUR, MONDAY, Pair, busy, print_table
from freebusy.domain.availability import Member

MINUTE = 60


def main() -> None:
    title = "engine with every option, ratio to sorted() over the same endpoints and those of the options (goal ≤ 2.0)"
    print_table(title, with_options)


def with_options(calendars: list[list[Pair]]) -> list[Member]:
    random = Random(3)  # noqa: S311 - the same options in every run
    days = [MONDAY + day * DAY for day in range(DAYS)]
    weeks = days[::7]
    return [
        Member(
            f"acc_{number}",
            periods,
            available=[(week, week + 6 * DAY + random.randrange(24) * HOUR) for week in weeks],
            managed=[*busy(random, MONDAY, days[-1], 20)],
            rules=[(day + 7 * HOUR, day + random.choice([18, 20, 22]) * HOUR) for day in days],
            full=[(day, day + DAY) for day in [random.choice(days)]],
            before=random.choice([0, 5, 10]) * MINUTE,
            after=random.choice([0, 5, 10]) * MINUTE,
        )
        for number, periods in enumerate(calendars)
    ]


if __name__ == "__main__":
    gc.collect()
    main()
