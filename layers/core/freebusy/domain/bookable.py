"""When somebody may be booked at all, and which calendars count then, by what is stored about them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from freebusy.domain.free_busy import Period
from freebusy.domain.stretches import merged
from freebusy.domain.weekly_rules import hours

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from freebusy.domain.managed_availability import AvailabilityRule, ManagedAvailability


def bounds_of(managed: ManagedAvailability, rule_ids: Collection[str] | None, window: Period) -> tuple[Period, ...]:
    """When within ``window`` the person may be booked: by any of the rules, or within any available period.

    ``rule_ids`` chooses among the rules (``None``: all of them); one that the account does not have adds nothing.
    Where nothing is stored, there is no time to be booked. Sorted; periods neither overlap nor touch.
    """
    weekly = (hours(rule.tzid, rule.weekly_periods, window) for rule in _chosen(managed, rule_ids))
    once = [
        (max(start, window.start), min(end, window.end))
        for start, end, _ in managed.periods
        if start < window.end and window.start < end
    ]
    return tuple(Period(start, end) for start, end in merged(chain(*weekly, once)))


def calendars_of(managed: ManagedAvailability, rule_ids: Collection[str] | None) -> frozenset[str] | None:
    """Which calendars count for a member who is asked about by these rules; ``None``: all of the account.

    Those that the rules name, when every one of them names some: a rule that names none means all. Available
    periods have no say in it. What a query itself says about calendars comes first.
    """
    named = [rule.calendar_ids for rule in _chosen(managed, rule_ids)]
    return frozenset(chain(*named)) if named and all(named) else None


def _chosen(managed: ManagedAvailability, rule_ids: Collection[str] | None) -> Iterator[AvailabilityRule]:
    return (rule for rule in managed.rules if rule_ids is None or rule.rule_id in rule_ids)
