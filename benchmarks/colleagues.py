"""Two hundred colleagues, read through their organization, against as many people who connected by themselves.

The same query about the same week, by the deployed handler. The stores are in memory, and the providers are stood in
for behind the ports: they count their calls, and each call takes the time that it is told to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any

from benchmarks.deployment import (
    PROVIDERS,
    Diary,
    ask_availability,
    availability_body,
    deployed,
    in_memory,
    made_up_credential,
    person,
    sub_of,
)
from benchmarks.measuring import interleaved, median_ms, verdict
from freebusy.bootstrap import Dependencies
from freebusy.domain.account import ProviderName
from freebusy.domain.free_busy import FreeBusyPeriod
from freebusy.service.calendar_reader import CalendarReader
from freebusy.service.organization_reader import OrganizationReader
from tests.fakes.accounts import FakeAccounts
from tests.people import colleague, email_of, organization

MEMBERS = 200
MOST_CALLS = 10
LATENCY_MS = 200
WEEK = Diary(days=7, meetings=40)
MOST_TOGETHER = {ProviderName.MICROSOFT: 20, ProviderName.GOOGLE: 50}
"""How many mailboxes one call may name."""

ROUNDS = 8
IN_A_ROW = 5


class Provider:
    """Of either kind: it reads one calendar, or those of several colleagues."""

    def __init__(self, most_together: int = 1) -> None:
        self.most_together = most_together
        self.latency = 0.0
        self.calls = 0
        self._lock = Lock()
        self._kept = {email_of(sub_of(number)): WEEK.of(number) for number in range(MEMBERS)}

    def free_busy(self, _: Any, asked: str | Sequence[str], *__: Any, **___: Any) -> Any:
        with self._lock:
            self.calls += 1
        if self.latency:
            time.sleep(self.latency)
        return self._kept[asked] if isinstance(asked, str) else self._of_several(asked)

    def _of_several(self, mailboxes: Sequence[str]) -> Mapping[str, Sequence[FreeBusyPeriod]]:
        return {mailbox: self._kept[mailbox] for mailbox in mailboxes}


@dataclass(frozen=True)
class Crowd:
    """Two hundred people, and what stands behind the handler when they are asked about."""

    label: str
    wired: Dependencies
    provider: Provider
    accounts: FakeAccounts
    tokens: Any
    reader: CalendarReader
    body: str

    def ask(self, latency: float = 0.0) -> None:
        self.provider.latency = latency
        self.wired.accounts, self.wired.tokens, self.wired.calendar_reader = self.accounts, self.tokens, self.reader
        ask_availability(self.body)

    def calls(self) -> int:
        """Of one query, when it is not the first."""
        self.ask()
        before = self.provider.calls
        self.ask()
        return self.provider.calls - before


def main() -> None:
    with deployed() as wired:
        crowds = [_individuals(wired), *(_colleagues(wired, provider) for provider in MOST_TOGETHER)]
        calls = [crowd.calls() for crowd in crowds]
        wall = _medians({crowd.label: partial(crowd.ask, LATENCY_MS / 1000) for crowd in crowds})
        processor = _medians({crowd.label: crowd.ask for crowd in crowds}, in_a_row=IN_A_ROW, clock=time.process_time)
    print(f"An availability request about {MEMBERS} people: calls of the provider, and p50 of {ROUNDS} by the clock on")
    print(f"the wall at {LATENCY_MS} ms a call, and of {ROUNDS} × {IN_A_ROW} in processor time; in brackets as a ratio")
    for crowd, called, waited, worked in zip(crowds, calls, wall, processor, strict=True):
        goal = f"   goal ≤ {MOST_CALLS}  {verdict(called, MOST_CALLS)}" if crowd is not crowds[0] else ""
        print(f"  {crowd.label:<36}{called:>4} calls", end="")
        print(f"{waited:>8.0f} ms ({waited / wall[0]:.2f}){worked:>8.2f} ms ({worked / processor[0]:.2f}){goal}")


def _medians(actions: Mapping[str, Callable[[], None]], **how: Any) -> list[float]:
    return [median_ms(taken) for taken in interleaved(actions, rounds=ROUNDS, **how).values()]


def _individuals(wired: Dependencies) -> Crowd:
    accounts, tokens = in_memory([person(number, wired) for number in range(MEMBERS)])
    return _crowd("each connected by themselves", wired, Provider(), accounts, tokens)


def _colleagues(wired: Dependencies, provider: ProviderName) -> Crowd:
    """Of one organization, whose token is stored."""
    giver = organization(provider=provider)
    sealed = wired.vault.seal(made_up_credential(0), client_id=giver.client_id, profile_id=giver.sub)
    giver = replace(giver, sealed_credential=sealed)
    accounts, tokens = in_memory([colleague(sub_of(number), giver) for number in range(MEMBERS)])
    accounts.service_accounts.put(giver)
    return _crowd(f"colleagues, {provider.value}", wired, Provider(MOST_TOGETHER[provider]), accounts, tokens)


def _crowd(label: str, wired: Dependencies, provider: Provider, accounts: FakeAccounts, tokens: Any) -> Crowd:
    stands_in: Any = dict.fromkeys(PROVIDERS, provider)
    organizations = OrganizationReader(
        service_accounts=accounts.service_accounts, calendars=stands_in, vault=wired.vault, clock=wired.clock
    )
    reader = CalendarReader(
        accounts=accounts,
        events=wired.events,
        vault=wired.vault,
        providers=stands_in,
        clock=wired.clock,
        organizations=lambda: organizations,
    )
    body = availability_body([sub_of(number) for number in range(MEMBERS)], WEEK, required="all")
    return Crowd(label, wired, provider, accounts, tokens, reader, body)


if __name__ == "__main__":
    main()
