"""The rules and available periods that applications store about their accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.errors import InvalidRequest, NotFound
from freebusy.domain.managed_availability import MOST_AVAILABLE_PERIODS, MOST_RULES

if TYPE_CHECKING:
    from freebusy.domain.account import Account
    from freebusy.domain.managed_availability import AvailabilityRule, AvailablePeriod
    from freebusy.ports import ManagedAvailabilityStore


def save_rule(account: Account, rule: AvailabilityRule, *, store: ManagedAvailabilityStore) -> None:
    """In place of the account's rule of that id. Raises InvalidRequest for others' calendars, and one rule too many."""
    from freebusy.service.accounts import require_calendars  # periods are nobody's calendar

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
    from freebusy.service.free_busy import default_window

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
