"""What a warm availability request costs the processor, with the time of provider and AWS taken out.

The handler is the deployed one and gets the gateway's events. In it: routing, authentication, reading the
body, finding the accounts, opening their sealed credentials, one task per calendar in the thread pool, the engine,
encoding. The stores are in memory, and the providers answer at once with finished periods. What the AWS SDK and the
provider adapters add is shown below, without a goal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import httpx

from benchmarks.deployment import (
    PROVIDERS,
    Diary,
    access_token,
    ask_availability,
    availability_body,
    deployed,
    in_memory,
    person,
    replay_aws,
    sub_of,
)
from benchmarks.measuring import interleaved, median_ms, verdict, yardstick
from freebusy.adapters.google import Google
from freebusy.adapters.microsoft import Microsoft
from freebusy.adapters.provider_times import rfc3339, wall_clock
from freebusy.adapters.secrets import ProviderRegistration
from freebusy.bootstrap import Dependencies
from freebusy.domain.account import Account, ProviderName
from freebusy.domain.credential import ProviderCredential
from freebusy.domain.free_busy import FreeBusyPeriod, Period
from freebusy.ports import AccountStore, CalendarProvider, TokenStore
from freebusy.service.calendar_reader import CalendarReader
from tests.organizations import no_organizations

ROUNDS = 12
IN_A_ROW = 5
GOALS = {10: 2.0, 50: 5.0, 200: 15.0}
"""Milliseconds of processor time (p50) by members."""

WEEK = Diary(days=7, meetings=40)
LONGEST = Diary(days=35, meetings=200)


@dataclass(frozen=True)
class Behind:
    """What stands behind the ports."""

    wired: Dependencies
    stores: tuple[AccountStore, TokenStore]
    providers: Mapping[ProviderName, CalendarProvider]

    @cached_property
    def reader(self) -> CalendarReader:
        return CalendarReader(
            accounts=self.stores[0],
            events=self.wired.events,
            vault=self.wired.vault,
            providers=self.providers,
            clock=self.wired.clock,
            organizations=no_organizations,
        )

    def wire(self) -> None:
        self.wired.accounts, self.wired.tokens = self.stores
        self.wired.calendar_reader = self.reader

    def ask(self, body: str) -> None:
        self.wire()
        ask_availability(body)


@dataclass(frozen=True)
class Row:
    """One kind of query: of everybody at once, or of half of them. It has goals when nothing but our own work is in."""

    label: str
    diary: Diary
    behind: Behind
    half: bool
    has_goals: bool = False

    def asking(self, members: int) -> Callable[[], None]:
        subs = [sub_of(number) for number in range(members)]
        shape = {"required": members // 2, "response_format": "slots"} if self.half else {"required": "all"}
        return partial(self.behind.ask, availability_body(subs, self.diary, **shape))

    def cell(self, members: int, measured: float, unit: float) -> str:
        mark = verdict(measured, GOALS[members]) if self.has_goals else ""
        return f"{measured:.2f} ms{measured / unit:>7.1f} {mark:<4}"


def main() -> None:
    with deployed() as wired:
        rows = _rows(wired)
        taken = interleaved(
            {"yardstick": yardstick} | {(row.label, members): row.asking(members) for row in rows for members in GOALS},
            rounds=ROUNDS,
            in_a_row=IN_A_ROW,
            clock=time.process_time,
        )
    unit = median_ms(taken.pop("yardstick"))
    print(
        f"A warm availability request: processor time, p50 of {ROUNDS} × {IN_A_ROW}, and in yardsticks of {unit:.2f} ms"
    )
    print(_line("", *(f"{members} members     " for members in GOALS)))
    print(_line("goal", *(f"{goal:.0f} ms            " for goal in GOALS.values())))
    for row in rows:
        print(_line(row.label, *(row.cell(members, median_ms(taken[row.label, members]), unit) for members in GOALS)))


def _rows(wired: Dependencies) -> list[Row]:
    people = [person(number, wired) for number in range(max(GOALS))]
    for account in people:
        wired.accounts.create(account)
    table, memory = (wired.accounts, wired.tokens), in_memory(people)
    replay_aws(wired)
    week = Behind(wired, memory, finished(WEEK, people))
    longest = Behind(wired, memory, finished(LONGEST, people))
    return [
        Row("7 days, 40 meetings each: all", WEEK, week, half=False, has_goals=True),
        Row("7 days, 40 meetings each: half", WEEK, week, half=True, has_goals=True),
        Row("35 days, 200 meetings each: all", LONGEST, longest, half=False),
        Row("35 days, 200 meetings each: half", LONGEST, longest, half=True),
        Row("7 days: all, with the AWS SDK", WEEK, Behind(wired, table, finished(WEEK, people)), half=False),
        Row("7 days: all, with adapters", WEEK, Behind(wired, memory, adapters(WEEK, people)), half=False),
    ]


def _line(label: str, *cells: str) -> str:
    return f"  {label:<34}" + "".join(f"{cell:>25}" for cell in cells)


# --- Calendars -----------------------------------------------------------------------------------------------


class Finished:
    """A provider that answers at once with what everybody's diary holds; all of it lies within the window."""

    def __init__(self, kept: Mapping[str, Sequence[FreeBusyPeriod]]) -> None:
        self._kept = kept

    def free_busy(self, _: ProviderCredential, mailbox: str, *__: Period, **___: float) -> Sequence[FreeBusyPeriod]:
        return self._kept[mailbox]


def finished(diary: Diary, people: Iterable[Account]) -> Mapping[ProviderName, CalendarProvider]:
    provider: Any = Finished({account.email: diary.of(number) for number, account in enumerate(people)})
    return dict.fromkeys(PROVIDERS, provider)


def adapters(diary: Diary, people: Iterable[Account]) -> Mapping[ProviderName, CalendarProvider]:
    """The real ones, on an HTTP client that answers from memory."""
    answers = {
        f"Bearer {access_token(number)}": _answer(number, account.email, diary.of(number))
        for number, account in enumerate(people)
    }
    http = httpx.Client(
        transport=httpx.MockTransport(
            lambda request: httpx.Response(200, content=answers[request.headers["authorization"]])
        )
    )
    registration = ProviderRegistration("client", "secret")
    return {
        ProviderName.GOOGLE: Google(http, lambda **_: registration, origin=None),
        ProviderName.MICROSOFT: Microsoft(http, lambda **_: registration, tenant="organizations", origin=None),
    }


def _answer(number: int, mailbox: str, busy: Sequence[FreeBusyPeriod]) -> bytes:
    """As the person's provider sends it."""
    if PROVIDERS[number % 2] is ProviderName.GOOGLE:
        periods = [{"start": rfc3339(start), "end": rfc3339(end)} for start, end, _ in busy]
        return json.dumps({"kind": "calendar#freeBusy", "calendars": {"primary": {"busy": periods}}}).encode()
    items = [{"status": "busy", "start": _graph_time(start), "end": _graph_time(end)} for start, end, _ in busy]
    schedule = {"scheduleId": mailbox, "availabilityView": "", "scheduleItems": items}
    return json.dumps({"value": [schedule]}).encode()


def _graph_time(moment: int) -> dict[str, str]:
    return {"dateTime": f"{wall_clock(moment)}.0000000", "timeZone": "UTC"}


if __name__ == "__main__":
    main()
