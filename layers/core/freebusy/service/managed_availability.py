"""When people may be booked at all: the rules and available periods that applications store about their accounts."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from freebusy.domain.errors import InvalidRequest, NotFound
from freebusy.domain.free_busy import Period
from freebusy.domain.managed_availability import (
    MOST_AVAILABLE_PERIODS,
    MOST_RULES,
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
)
from freebusy.domain.stretches import merged
from freebusy.domain.weekly_rules import hours
from freebusy.service.accounts import require_calendars
from freebusy.service.free_busy import default_window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from freebusy.domain.account import Account
    from freebusy.ports import ManagedAvailabilityStore

# --- What a query needs to know --------------------------------------------------------------------


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


# --- What applications store -----------------------------------------------------------------------


def save_rule(account: Account, rule: AvailabilityRule, *, store: ManagedAvailabilityStore) -> None:
    """In place of the account's rule of that id. Raises InvalidRequest for others' calendars, and one rule too many."""
    require_calendars(account, frozenset(rule.calendar_ids))
    if not store.save_rule(account.sub, rule, client_id=account.client_id):
        problem = f"an account has at most {MOST_RULES} rules: delete one first"
        raise InvalidRequest.of("availability_rule_id", "errors.too_many", problem)


def find_rule(account: Account, rule_id: str, *, store: ManagedAvailabilityStore) -> AvailabilityRule:
    """Raises NotFound."""
    for rule in store.find(account.sub).rules:
        if rule.rule_id == rule_id:
            return rule
    raise NotFound("no such availability rule")


def save_period(account: Account, period: AvailablePeriod, *, store: ManagedAvailabilityStore, now: int) -> None:
    """In place of the account's period of that id. Raises InvalidRequest for one too many.

    Where there is no room left, those give way that are over for longer than free/busy can be read back: an
    application that offers new times every week need not tidy up.
    """
    if store.save_period(account.sub, period, client_id=account.client_id):
        return
    store.forget_periods(account.sub, ended_before=default_window(now).start)
    if not store.save_period(account.sub, period, client_id=account.client_id):
        problem = f"an account has at most {MOST_AVAILABLE_PERIODS} available periods: delete some first"
        raise InvalidRequest.of("available_period_id", "errors.too_many", problem)


def delete_periods(account: Account, period_id: str | None, *, store: ManagedAvailabilityStore) -> None:
    """One of them, or, without an id, all. What is not there is no error."""
    if period_id is None:
        store.delete_periods(account.sub)
    else:
        store.delete_period(account.sub, period_id)


def find_periods(
    account: Account, start: int | None, end: int | None, *, store: ManagedAvailabilityStore
) -> list[AvailablePeriod]:
    """Those that begin before ``end`` and end at or after ``start``, by start; ``None`` is no bound."""
    return [
        period
        for period in store.find(account.sub).periods
        if (end is None or period.start < end) and (start is None or start <= period.end)
    ]
