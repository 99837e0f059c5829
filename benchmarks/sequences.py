"""A sequence of ten steps with ten members each, over 35 days: processor time of a request as in ``warm_request``.

Everybody has 200 meetings. ``in order``: each step has a place of its own. ``any order``: two times five steps may come
in any order. ``close``: at most an hour between two steps, where else it may be days. The more of a step's members are
needed, the fewer sequences there are; the most that are answered are 512.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

from benchmarks.deployment import SECRET, call, deployed, in_memory, person, sub_of
from benchmarks.measuring import interleaved, median_ms, verdict
from benchmarks.warm_request import LONGEST, Behind, finished
from freebusy.entrypoints.times import format_time
from tests.api import Answer

STEPS, MEMBERS = 10, 10
ROUNDS = 9
GOAL = 100.0
"""Milliseconds."""

ORDERS = {"in order": range(STEPS), "any order": [number // 5 for number in range(STEPS)]}
NEEDED = {"all": 10, "half": 5, "two": 2}


def main() -> None:
    with deployed() as wired:
        people = [person(number, wired) for number in range(STEPS * MEMBERS)]
        Behind(wired, in_memory(people), finished(LONGEST, people)).wire()
        print(f"Sequences of {STEPS} steps × {MEMBERS} members × {LONGEST.days} days: processor time, p50 of {ROUNDS}")
        for order, ordinals in ORDERS.items():
            for close in (False, True):
                rows = {
                    needed: partial(_ask, _body(ordinals, number, close=close)) for needed, number in NEEDED.items()
                }
                taken = interleaved(rows, rounds=ROUNDS, clock=time.process_time)
                print(f"  {order + (', close' if close else ''):<20}", end="")
                for needed, ask in rows.items():
                    measured, found = median_ms(taken[needed]), len(ask().json()["sequences"])
                    print(
                        f"{needed:>6}: {measured:>6.1f} ms ({found}) {verdict(measured, GOAL):<5}", end="", flush=True
                    )
                print()


def _body(ordinals: Any, needed: int, *, close: bool) -> str:
    gap = {"minimum": {"minutes": 5}, **({"maximum": {"minutes": 60}} if close else {})}
    steps = [
        {
            "sequence_id": f"step {number}",
            "ordinal": ordinal,
            "participants": [
                {"members": [{"sub": sub_of(number * MEMBERS + each)} for each in range(MEMBERS)], "required": needed}
            ],
            "required_duration": {"minutes": 30},
            "buffer": {"before": gap, "after": gap},
        }
        for number, ordinal in enumerate(ordinals)
    ]
    written = [{"start": format_time(start), "end": format_time(end)} for start, end in LONGEST.windows]
    return json.dumps({"sequence": steps, "query_periods": written})


def _ask(body: str) -> Answer:
    answer = call("availability", "POST", "/v1/sequenced_availability", body=body, bearer=SECRET)
    if answer.status != 200 or "unreadable_members" in answer.body:  # noqa: PLR2004 - OK
        raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")
    return answer


if __name__ == "__main__":
    main()
