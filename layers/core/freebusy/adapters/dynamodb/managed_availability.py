"""Rules and available periods: one item for each account that has any, so that a query reads 100 people at once.

They are maps in it, by the application's own ids, so that callers who write at the same time do not undo each other's
work. A rule is JSON, a period a list of two numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.table import Item, Key, Table, Value, attributes, may_be_ours
from freebusy.domain.managed_availability import (
    FORGOTTEN_AT_ONCE,
    MOST_AVAILABLE_PERIODS,
    MOST_RULES,
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
    WeeklyPeriod,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_NOTHING = ManagedAvailability()
_MOST = {"rules": MOST_RULES, "periods": MOST_AVAILABLE_PERIODS}


class DynamoManagedAvailability:
    """Implements ``ports.ManagedAvailabilityStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def find(self, sub: str) -> ManagedAvailability:
        item = self._table.get(managed_availability_key(sub)) if may_be_ours(sub) else None
        return _NOTHING if item is None else _managed_availability(item)

    def find_many(self, subs: Collection[str]) -> dict[str, ManagedAvailability]:
        items = self._table.get_many(managed_availability_key(sub) for sub in dict.fromkeys(subs) if may_be_ours(sub))
        stored = {item["pk"]["S"].removeprefix("AVAILABILITY#"): item for item in items}
        return {sub: _managed_availability(stored[sub]) if sub in stored else _NOTHING for sub in subs}

    def save_rule(self, sub: str, rule: AvailabilityRule, *, client_id: str) -> bool:
        return self._save(sub, client_id, "rules", rule.rule_id, ManagedAvailability(rules=(rule,)))

    def delete_rule(self, sub: str, rule_id: str) -> None:
        self._delete(sub, "rules", rule_id)

    def save_period(self, sub: str, period: AvailablePeriod, *, client_id: str) -> bool:
        return self._save(sub, client_id, "periods", period.period_id, ManagedAvailability(periods=(period,)))

    def delete_period(self, sub: str, period_id: str) -> None:
        self._delete(sub, "periods", period_id)

    def delete_periods(self, sub: str) -> None:
        self._change(sub, "SET #periods = :none", condition="attribute_exists(pk)", values={"none": {}})

    def forget_periods(self, sub: str, *, ended_before: int) -> None:
        over = [period for period in self.find(sub).periods if period.end < ended_before][:FORGOTTEN_AT_ONCE]
        named = {f"period{place}": period for place, period in enumerate(over)}
        if named:
            self._change(
                sub,
                "REMOVE " + ", ".join(f"#periods.#{name}" for name in named),
                condition=" AND ".join(f"#periods.#{name} = :{name}" for name in named),
                values={name: [period.start, period.end] for name, period in named.items()},
                names={name: period.period_id for name, period in named.items()},
            )

    def _save(self, sub: str, client_id: str, kind: str, name: str, alone: ManagedAvailability) -> bool:
        """An entry can only be set in an item that is there, so the first one is stored with its item."""
        item = managed_availability_item(sub, alone, client_id)
        first = self._table.putting(item, condition="attribute_not_exists(pk)")

        def entered() -> bool:
            return self._change(
                sub,
                f"SET #{kind}.#name = :value",
                condition=f"attribute_exists(pk) AND (attribute_exists(#{kind}.#name) OR size(#{kind}) < :most)",
                values={"value": _values(alone)[kind][name], "most": _MOST[kind]},
                names={"name": name},
            )

        return entered() or self._table.write(first) or entered()

    def _delete(self, sub: str, kind: str, name: str) -> None:
        self._change(sub, f"REMOVE #{kind}.#name", condition="attribute_exists(pk)", names={"name": name})

    def _change(
        self,
        sub: str,
        change: str,
        *,
        condition: str,
        values: Mapping[str, Value] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        key = managed_availability_key(sub)
        return self._table.write(
            self._table.updating(key, change, condition=condition, values=values or {}, names=names or {})
        )


def managed_availability_key(sub: str) -> Key:
    return f"AVAILABILITY#{sub}", "AVAILABILITY"


def managed_availability_item(sub: str, managed: ManagedAvailability, client_id: str) -> Item:
    pk, sk = managed_availability_key(sub)
    return attributes({"pk": pk, "sk": sk, "application": client_id, **_values(managed)})


def _values(managed: ManagedAvailability) -> dict[str, dict[str, Value]]:
    return {
        "rules": {rule.rule_id: _rule_text(rule) for rule in managed.rules},
        "periods": {period.period_id: [period.start, period.end] for period in managed.periods},
    }


def _rule_text(rule: AvailabilityRule) -> str:
    return json.dumps([rule.tzid, rule.calendar_ids, rule.weekly_periods], separators=(",", ":"))


def _managed_availability(item: Item) -> ManagedAvailability:
    rules, periods = item["rules"]["M"], item["periods"]["M"]
    return ManagedAvailability(
        rules=tuple(_rule(rule_id, rules[rule_id]["S"]) for rule_id in sorted(rules)),
        periods=tuple(sorted(_period(period_id, times["L"]) for period_id, times in periods.items())),
    )


def _rule(rule_id: str, text: str) -> AvailabilityRule:
    tzid, calendar_ids, weekly_periods = json.loads(text)
    return AvailabilityRule(rule_id, tzid, tuple(WeeklyPeriod(*each) for each in weekly_periods), tuple(calendar_ids))


def _period(period_id: str, times: Sequence[Item]) -> AvailablePeriod:
    start, end = times
    return AvailablePeriod(int(start["N"]), int(end["N"]), period_id)
