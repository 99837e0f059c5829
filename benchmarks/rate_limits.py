"""What a limit for applications adds to a warm request, all of it processor time as in ``warm_request``.

The AWS SDK is in it, on answers that are replayed: what it does for one more read or write is most of what there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.deployment import (
    Diary,
    ask_availability,
    availability_body,
    call,
    deployed,
    person,
    replay_aws,
    sub_of,
)
from benchmarks.measuring import interleaved, median_ms
from benchmarks.warm_request import finished
from freebusy.bootstrap import Dependencies
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.service.rate_limits import RateLimiter
from tests.people import CLIENT_ID

ROUNDS = 30
IN_A_ROW = 3
MEMBERS = 10
WEEK = Diary(days=7, meetings=40)
ACCESS_TOKEN = "fbc_at_of-the-benchmark"  # noqa: S105 - of made-up people
MANY = 1_000_000


def main() -> None:
    with deployed() as wired:
        people = [person(number, wired) for number in range(MEMBERS)]
        for account in people:
            wired.accounts.create(account)
        token = TokenRecord(TokenKind.ACCESS, CLIENT_ID, None, sub_of(0), grant_id="g1", scope="free_busy_write")
        wired.tokens.save(hashed(ACCESS_TOKEN), token)
        wired.providers = finished(WEEK, people)
        replay_aws(wired)
        body = availability_body([sub_of(number) for number in range(MEMBERS)], WEEK, required="all")
        print(f"A limit: processor time of a warm request against the one without, p50 of {ROUNDS} × {IN_A_ROW}")
        _report(f"availability, {MEMBERS} members", lambda: ask_availability(body), wired)
        _report("account", _ask_account, wired)


def _report(label: str, ask: Callable[[], object], wired: Dependencies) -> None:
    without, permitted = _limiter(wired, 0), _limiter(wired, MANY)

    def asking(limiter: Callable[[], RateLimiter]) -> Callable[[], None]:
        def asked() -> None:
            wired.rate_limiter = limiter()
            ask()

        return asked

    taken = interleaved(
        {
            "without": asking(lambda: without),
            "permitted": asking(lambda: permitted),
            "first": asking(lambda: _limiter(wired, MANY)),
        },
        rounds=ROUNDS,
        in_a_row=IN_A_ROW,
        clock=time.process_time,
    )
    plain, held, first = (median_ms(seconds) for seconds in taken.values())
    print(
        f"  {label:<26}with a permit in hand {held / plain:.2f}   "
        f"first of a minute, a read and a write {first / plain:.2f}"
    )


def _limiter(wired: Dependencies, limit: int) -> RateLimiter:
    return RateLimiter(applications=wired.applications, permits=lambda: wired.permits, default=limit, clock=wired.clock)


def _ask_account() -> None:
    answer = call("account", "GET", "/v1/account", bearer=ACCESS_TOKEN)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")


if __name__ == "__main__":
    main()
