from __future__ import annotations

from collections.abc import Collection
from threading import RLock
from typing import Any

from freebusy.domain.managed_availability import (
    FORGOTTEN_AT_ONCE,
    MOST_AVAILABLE_PERIODS,
    MOST_RULES,
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
)


class FakeManagedAvailability:
    def __init__(self) -> None:
        self._lock = RLock()
        self._stored: dict[str, ManagedAvailability] = {}
        self._applications: dict[str, str] = {}

    def put(self, sub: str, managed: ManagedAvailability) -> None:
        """Not of the port: all that an account has, at once."""
        self._stored[sub] = managed

    def find(self, sub: str) -> ManagedAvailability:
        return self._stored.get(sub, ManagedAvailability())

    def find_many(self, subs: Collection[str]) -> dict[str, ManagedAvailability]:
        return {sub: self.find(sub) for sub in subs}

    def save_rule(self, sub: str, rule: AvailabilityRule, *, client_id: str) -> bool:
        with self._lock:
            others = [each for each in self.find(sub).rules if each.rule_id != rule.rule_id]
            rules = sorted([*others, rule], key=lambda each: each.rule_id)
            return len(others) < MOST_RULES and self._write(sub, client_id, rules=tuple(rules))

    def delete_rule(self, sub: str, rule_id: str) -> None:
        with self._lock:
            self._write(sub, rules=tuple(each for each in self.find(sub).rules if each.rule_id != rule_id))

    def save_period(self, sub: str, period: AvailablePeriod, *, client_id: str) -> bool:
        with self._lock:
            others = [each for each in self.find(sub).periods if each.period_id != period.period_id]
            periods = tuple(sorted([*others, period]))
            return len(others) < MOST_AVAILABLE_PERIODS and self._write(sub, client_id, periods=periods)

    def delete_period(self, sub: str, period_id: str) -> None:
        with self._lock:
            self._write(sub, periods=tuple(each for each in self.find(sub).periods if each.period_id != period_id))

    def delete_periods(self, sub: str) -> None:
        with self._lock:
            self._write(sub, periods=())

    def forget_periods(self, sub: str, *, ended_before: int) -> None:
        with self._lock:
            over = [each for each in self.find(sub).periods if each.end < ended_before][:FORGOTTEN_AT_ONCE]
            self._write(sub, periods=tuple(each for each in self.find(sub).periods if each not in over))

    def erase(self, client_id: str) -> int:
        gone = {sub for sub, owner in self._applications.items() if owner == client_id}
        return sum(self._stored.pop(sub, None) is not None for sub in gone)

    def _write(self, sub: str, client_id: str | None = None, **changed: Any) -> bool:
        self._stored[sub] = self.find(sub)._replace(**changed)
        if client_id:
            self._applications[sub] = client_id
        return True
