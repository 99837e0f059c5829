"""What an explanation adds to a warm availability request, all of it processor time as in ``warm_request``.

The same query with and without ``explain``, and one start of it at ``/v1/availability/explain``. In a full calendar of
everybody, nearly every start is missing for reasons of its own, so that explanations are as long as they may be.
"""

from __future__ import annotations

import json
import time
from functools import partial

from benchmarks.deployment import (
    SECRET,
    Diary,
    ask_availability,
    availability_body,
    call,
    deployed,
    in_memory,
    person,
    sub_of,
)
from benchmarks.measuring import interleaved, median_ms, verdict
from benchmarks.warm_request import LONGEST, WEEK, Behind, finished
from freebusy.entrypoints.times import format_time

ROUNDS = 12
MEMBERS = (10, 50, 200)
GOAL = 3.0
BUFFER = {"before": {"minutes": 10}, "after": {"minutes": 10}}
ROWS = (
    ("7 days, 40 meetings each: all", WEEK, False),
    ("7 days, 40 meetings each: half", WEEK, True),
    ("35 days, 200 meetings each: all", LONGEST, False),
    ("35 days, 200 meetings each: half", LONGEST, True),
)


def main() -> None:
    with deployed() as wired:
        people = [person(number, wired) for number in range(max(MEMBERS))]
        memory = in_memory(people)
        print(f"Explanations: processor time of a request against the plain one's, p50 of {ROUNDS} (goal ≤ {GOAL})")
        for label, diary, half in ROWS:
            Behind(wired, memory, finished(diary, people)).wire()
            cells = "".join(_cell(diary, members, half=half) for members in MEMBERS)
            print(f"  {label:<33}{cells}", flush=True)


def _cell(diary: Diary, members: int, *, half: bool) -> str:
    shape = {"required": members // 2, "response_format": "slots"} if half else {"required": "all"}
    asking = partial(availability_body, [sub_of(number) for number in range(members)], diary, buffer=BUFFER, **shape)
    one = json.dumps({**json.loads(asking()), "start": format_time(diary.windows[0].start + 3600)})
    bodies = {"plain": asking(), "explained": asking(explain=True)}
    asked = {name: partial(ask_availability, body) for name, body in bodies.items()}
    taken = interleaved({**asked, "one": partial(_explain, one)}, rounds=ROUNDS, in_a_row=3, clock=time.process_time)
    plain, explained, one_start = (median_ms(seconds) for seconds in taken.values())
    mark = verdict(explained / plain, GOAL)
    return f"{members:>5} members: {explained / plain:.2f} {mark:<5} one start {one_start / plain:.2f}"


def _explain(body: str) -> None:
    answer = call("availability", "POST", "/v1/availability/explain", body=body, bearer=SECRET)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")


if __name__ == "__main__":
    main()
