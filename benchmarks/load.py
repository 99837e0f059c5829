"""``make load``: how the laptop stack bears more and more clients at once, and when it begins to fail.

It starts a stack of its own, connects some people, and has 1, 5, 10, 25 and 50 clients ask as fast as they are
answered, each number for ten seconds. Everything stays on the loopback, and clients and service share this machine:
what the figures say is how they move, not what AWS would bear. ``SECONDS=3 make load`` is shorter. In the end an
application asks that has a limit, which it never reaches: what counting its requests costs.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pycronofy

from freebusy.domain.registration import MOST_REQUESTS_PER_MINUTE
from freebusy.entrypoints.cli import main as freebusy
from tests.laptop import connect, running_stack

OWN = Path(__file__).parents[1] / ".local" / "load" / "stack.json"
SECONDS = float(os.environ.get("SECONDS") or 10)
CLIENTS = (1, 5, 10, 25, 50)
COUNTED = 10
MOST_REQUESTS = 5000
"""Of one number of clients, however fast they are answered."""

PEOPLE = 6
PATIENCE = 30.0
"""Seconds that a client waits for an answer; longer than any function runs."""

Request = Callable[[httpx.Client], httpx.Response]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: how long its answer took, in seconds, and what was wrong with it.

    ``limited`` is no error: the application has a limit, and was told so.
    """

    kind: str
    seconds: float
    trouble: str | None = None
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What came of one number of clients."""

    clients: int
    seconds: float
    asked: Sequence[Asked]

    @property
    def throughput(self) -> float:
        """Answers a second to what was asked, neither errors nor refusals for a limit."""
        return sum(not (each.trouble or each.limited) for each in self.asked) / self.seconds

    @property
    def errors(self) -> float:
        """As a share of all requests."""
        return sum(bool(each.trouble) for each in self.asked) / len(self.asked)

    @property
    def limited(self) -> float:
        """As a share of all requests."""
        return sum(each.limited for each in self.asked) / len(self.asked)

    @property
    def troubles(self) -> set[str]:
        return {each.trouble for each in self.asked if each.trouble}

    def percentile(self, hundredths: int) -> float:
        """Seconds within which so many of a hundred requests were done, whatever came of them."""
        taken = [each.seconds for each in self.asked]
        return statistics.quantiles(taken, n=100, method="inclusive")[hundredths - 1] if taken[1:] else taken[0]


class Traffic:
    """What an application does all day, drawn by lot: mostly asking when people are free."""

    def __init__(self, stack: dict[str, Any]) -> None:
        pycronofy.settings.API_BASE_URL = pycronofy.settings.APP_BASE_URL = stack["url"]
        self._numbers = count()
        self._secret = stack["client_secret"]
        clients = [connect(stack, f"load-{number}@google.example") for number in range(PEOPLE)]
        self._tokens = [client.auth.access_token for client in clients]
        self._subs = [client.account()["account_id"] for client in clients]
        self._calendars = [client.list_calendars()[1]["calendar_id"] for client in clients]
        self._day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=7)

    def draw(self, dice: random.Random) -> tuple[str, Request]:
        """The kind of a request, and the request."""
        requests = {"availability": self._availability, "free_busy": self._free_busy}
        requests |= {"upsert": self._upsert, "account": self._account}
        (kind,) = dice.choices(list(requests), weights=(5, 3, 1, 1))
        return kind, requests[kind](dice)

    def _availability(self, dice: random.Random) -> Request:
        members = [{"sub": sub} for sub in dice.sample(self._subs, 3)]
        body = {"participants": [{"members": members, "required": "all"}], "required_duration": {"minutes": 60}}
        body["query_periods"] = [{"start": self._at(8), "end": self._at(18)}]
        return lambda http: http.post("/v1/availability", json=body, headers=_bearer(self._secret))

    def _free_busy(self, dice: random.Random) -> Request:
        query = {"tzid": "Etc/UTC", "from": self._at(0), "to": self._at(24)}
        token = dice.choice(self._tokens)
        return lambda http: http.get("/v1/free_busy", params=query, headers=_bearer(token))

    def _upsert(self, dice: random.Random) -> Request:
        number, who = next(self._numbers), dice.randrange(PEOPLE)
        event = {"event_id": f"load-{number}", "summary": f"Load {number}"}
        event |= {"start": self._at(20 + number % 3), "end": self._at(21 + number % 3)}
        path = f"/v1/calendars/{self._calendars[who]}/events"
        return lambda http: http.post(path, json=event, headers=_bearer(self._tokens[who]))

    def _account(self, dice: random.Random) -> Request:
        token = dice.choice(self._tokens)
        return lambda http: http.get("/v1/account", headers=_bearer(token))

    def _at(self, hour: int) -> str:
        return (self._day + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


def measure(url: str, traffic: Traffic, *, clients: int, seconds: float, most: int = MOST_REQUESTS) -> Level:
    """Has so many clients ask for so long, in seconds, or until they have asked ``most`` times.

    Raises ValueError for a service on another host.
    """
    if httpx.URL(url).host != "127.0.0.1":
        raise ValueError(f"{url} is not on this machine: load is for the laptop stack alone")
    turns = count()

    def ask(seed: int, http: httpx.Client) -> list[Asked]:
        dice, asked = random.Random(seed), []  # noqa: S311 - chance that can be repeated
        while time.perf_counter() - began < seconds and next(turns) < most:
            asked.append(_timed(http, *traffic.draw(dice)))
        return asked

    with ExitStack() as opened, ThreadPoolExecutor(clients) as pool:
        # Making one takes longer than many an answer.
        https = [opened.enter_context(httpx.Client(base_url=url, timeout=PATIENCE)) for _ in range(clients)]
        began = time.perf_counter()
        asked = [each for one in pool.map(ask, range(clients), https) for each in one]
        return Level(clients, time.perf_counter() - began, asked)


def _timed(http: httpx.Client, kind: str, request: Request) -> Asked:
    began = time.perf_counter()
    try:
        answer = request(http)
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return Asked(kind, time.perf_counter() - began, limited=True)
        trouble = None if answer.status_code < HTTPStatus.BAD_REQUEST else f"{kind}: {answer.status_code}"
        if "unreadable" in answer.text:
            trouble = f"{kind}: a calendar could not be read"
    except httpx.HTTPError as error:
        trouble = f"{kind}: {type(error).__name__}"
    return Asked(kind, time.perf_counter() - began, trouble)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _with_a_limit(stack: dict[str, Any]) -> dict[str, Any]:
    """The stack for one more application, whose requests are counted."""
    created, where = StringIO(), f"--local={OWN}"
    with redirect_stdout(created):
        freebusy(["applications", "create", "Limited", "--redirect-uri", stack["redirect_uris"][0], "--json", where])
    application = {name: json.loads(created.getvalue())[name] for name in ("client_id", "client_secret")}
    with redirect_stdout(StringIO()):
        freebusy(["applications", "limit", application["client_id"], str(MOST_REQUESTS_PER_MINUTE), where])
    return {**stack, **application}


def main() -> int:
    OWN.unlink(missing_ok=True)
    with running_stack(OWN) as (_, stack):
        traffic = Traffic(stack)
        print(f"Load: {SECONDS:.0f} s each; half of it availability of three people, a tenth writes", flush=True)
        measure(stack["url"], traffic, clients=max(CLIENTS), seconds=SECONDS)  # cold starts do not count
        levels: list[Level] = []
        for clients in CLIENTS:
            levels.append(measure(stack["url"], traffic, clients=clients, seconds=SECONDS))
            _report(levels[-1], levels[0])
        counted = Traffic(_with_a_limit(stack))
        print("The same with a limit, without one, with one", flush=True)
        for each in (counted, traffic, counted):
            _report(measure(stack["url"], each, clients=COUNTED, seconds=SECONDS), levels[0])
    return 0


def _report(level: Level, first: Level) -> None:
    p50, p99 = level.percentile(50), level.percentile(99)
    print(
        f"  {level.clients:>3} clients {level.throughput:>8.1f} a second ({level.throughput / first.throughput:.1f} x)"
        f"   p50 {1000 * p50:>7.0f} ms ({p50 / first.percentile(50):.1f} x)   p99 {1000 * p99:>7.0f} ms"
        f"   errors {level.errors:.1%}   limited {level.limited:.1%}   {', '.join(sorted(level.troubles))}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
