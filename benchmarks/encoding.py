"""Encoding availability answers, and the size of the largest that there can be."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from functools import partial

from benchmarks.deployment import sub_of
from benchmarks.measuring import interleaved, median_ms, verdict
from freebusy.domain.availability import MAX_RESULTS, Availability
from freebusy.entrypoints.wire.availability import answer_keys, availability_json
from freebusy.entrypoints.wire.participants import MAX_MEMBERS
from freebusy.service.availability import AvailabilityAnswer

ROUNDS = 30
MEMBERS = 50
GOAL = 1.0
ABOUT = 1.25
"""Milliseconds for 512 slots of 50 members: "about one", which is taken as up to a quarter more."""

LAMBDA_LIMIT = 6 * 1024 * 1024
"""Bytes that an invocation may answer (Lambda quotas), in which the body is a string within a JSON document."""

KEYS = answer_keys({"response_format": "overlapping_slots"})
FIRST, QUARTER = 1_800_000_000, 900


def main() -> None:
    rows = {sets: partial(availability_json, _answer(_halves(MEMBERS, sets), MEMBERS), KEYS) for sets in (1, 64, 512)}
    plainly = partial(json.dumps, json.loads(rows[64]()))
    taken = interleaved({**rows, 0: plainly}, rounds=ROUNDS, clock=time.process_time)
    unit = median_ms(taken.pop(0))
    print(f"Encoding {MAX_RESULTS} slots, about 25 of {MEMBERS} members free in each: processor time, p50 of {ROUNDS}")
    for sets, seconds in taken.items():
        measured = median_ms(seconds)
        label = f"in {sets} different combinations" if sets > 1 else "always the same"
        print(f"  {label:<36}{measured:>12.2f} ms  goal about {GOAL:.0f} ms  {verdict(measured, ABOUT):<6}", end="")
        print(f"{measured / unit:>6.2f} × json.dumps")

    everybody = [(1 << MAX_MEMBERS) - 1] * MAX_RESULTS
    largest = _in_lambda(availability_json(_answer(everybody, MAX_MEMBERS), KEYS))
    print(f"  the largest answer, {MAX_RESULTS} × {MAX_MEMBERS:<14}{largest / 2**20:>12.2f} MiB goal ≤ 6 MiB", end="")
    print(f"      {verdict(largest, LAMBDA_LIMIT)}")


def _halves(members: int, sets: int) -> list[int]:
    """Who is free in each slot: ``sets`` different masks, each for some slots on end."""
    draw = random.Random(1)  # noqa: S311 - made-up people
    masks = [draw.getrandbits(members) for _ in range(sets)]
    return [masks[number * sets // MAX_RESULTS] for number in range(MAX_RESULTS)]


def _answer(masks: Sequence[int], members: int) -> AvailabilityAnswer:
    starts = range(FIRST, FIRST + MAX_RESULTS * QUARTER, QUARTER)
    found = [(start, start + 2 * QUARTER, mask) for start, mask in zip(starts, masks, strict=True)]
    return AvailabilityAnswer(Availability(tuple(map(sub_of, range(members))), found), [])


def _in_lambda(body: str) -> int:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return len(json.dumps({"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": False}).encode())


if __name__ == "__main__":
    main()
