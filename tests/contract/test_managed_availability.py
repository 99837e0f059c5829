"""What every implementation of the store of rules and available periods promises: the fake and DynamoDB, as two
emulators know it, pass the same rules."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.managed_availability import DynamoManagedAvailability, managed_availability_item
from freebusy.domain.managed_availability import (
    FORGOTTEN_AT_ONCE,
    MOST_AVAILABLE_PERIODS,
    MOST_CALENDARS,
    MOST_RULES,
    MOST_WEEKLY_PERIODS,
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
    WeeklyPeriod,
)
from freebusy.ports import ManagedAvailabilityStore
from tests.fakes.clock import NOW
from tests.fakes.managed_availability import FakeManagedAvailability
from tests.tables import create_table

HOUR = 3600
NOTHING = ManagedAvailability()
WORK = AvailabilityRule(
    "work_hours",
    "Europe/Lisbon",
    (WeeklyPeriod(0, 540, 1020), WeeklyPeriod(6, 1320, 1440), WeeklyPeriod(5, 0, 0)),
    ("cal_1", "cal_2"),
)
LONGEST_ID = "~" * 64


@dataclass(frozen=True)
class Stores:
    managed: ManagedAvailabilityStore
    erase: Any
    put: Callable[[str, ManagedAvailability], object]
    """All that an account has, at once."""


@pytest.fixture(params=["fake", "moto", pytest.param("ministack", marks=pytest.mark.emulator)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        fake = FakeManagedAvailability()
        return Stores(fake, fake.erase, fake.put)
    dynamodb = request.getfixturevalue(request.param)
    table = create_table(dynamodb, f"table-{uuid4().hex}")
    applications = DynamoApplications(dynamodb, table, pause=lambda _: None)

    def put(sub: str, managed: ManagedAvailability) -> None:
        dynamodb.put_item(TableName=table, Item=managed_availability_item(sub, managed, "app"))

    return Stores(DynamoManagedAvailability(dynamodb, table), applications.erase, put)


@pytest.fixture
def managed(stores: Stores) -> ManagedAvailabilityStore:
    return stores.managed


def period(period_id: str = "slot", start: int = NOW, hours: int = 1) -> AvailablePeriod:
    return AvailablePeriod(start, start + hours * HOUR, period_id)


def save(managed: ManagedAvailabilityStore, *stored: AvailabilityRule | AvailablePeriod, sub: str = "acc_1") -> None:
    for each in stored:
        write = managed.save_rule if isinstance(each, AvailabilityRule) else managed.save_period
        assert write(sub, each, client_id="app")


def test_an_account_has_nothing_until_something_is_stored(managed):
    assert managed.find("acc_1") == NOTHING


def test_a_rule_comes_back_as_it_was_stored(managed):
    save(managed, WORK)
    assert managed.find("acc_1") == ManagedAvailability((WORK,))


def test_a_rule_takes_the_place_of_the_one_of_its_id(managed):
    changed = WORK._replace(tzid="Asia/Kathmandu", weekly_periods=(), calendar_ids=())
    save(managed, WORK, changed)
    assert managed.find("acc_1").rules == (changed,)


def test_rules_come_by_id_and_periods_by_start(managed):
    late, early = period("a", NOW + HOUR), period("b", NOW)
    save(managed, WORK, late, WORK._replace(rule_id="evenings"), early)
    found = managed.find("acc_1")
    assert [rule.rule_id for rule in found.rules] == ["evenings", "work_hours"]
    assert found.periods == (early, late)


def test_a_period_takes_the_place_of_the_one_of_its_id(managed):
    save(managed, period(), period(start=NOW + HOUR, hours=2))
    assert managed.find("acc_1").periods == (period(start=NOW + HOUR, hours=2),)


@pytest.mark.parametrize("name", ["a", LONGEST_ID, "a.b", "#n", ":v", "0", "size", "with space", '"', "[0]"])
def test_ids_may_be_of_any_letters(managed, name):
    rule = WORK._replace(rule_id=name)
    save(managed, rule, period(name), period("other"))
    assert managed.find("acc_1").rules == (rule,)
    managed.delete_rule("acc_1", name)
    managed.delete_period("acc_1", name)
    assert managed.find("acc_1") == ManagedAvailability(periods=(period("other"),))


def test_what_is_deleted_is_gone_and_the_rest_stays(managed):
    save(managed, WORK, WORK._replace(rule_id="other"), period("one"), period("two"))
    managed.delete_rule("acc_1", "other")
    managed.delete_period("acc_1", "one")
    assert managed.find("acc_1") == ManagedAvailability((WORK,), (period("two"),))


def test_all_periods_are_deleted_at_once_and_rules_stay(managed):
    save(managed, WORK, period("one"), period("two"))
    managed.delete_periods("acc_1")
    assert managed.find("acc_1") == ManagedAvailability((WORK,))


def test_deleting_what_is_not_there_is_no_error(managed):
    for _ in range(2):
        managed.delete_rule("acc_1", "work_hours")
        managed.delete_period("acc_1", "slot")
        managed.delete_periods("acc_1")
        managed.forget_periods("acc_1", ended_before=NOW)
        assert managed.find("acc_1") == NOTHING
        save(managed, WORK)
        managed.delete_rule("acc_1", WORK.rule_id)


def test_accounts_do_not_share_anything(managed):
    save(managed, WORK, period(), sub="acc_1")
    managed.delete_periods("acc_2")
    managed.delete_rule("acc_2", WORK.rule_id)
    assert managed.find("acc_2") == NOTHING
    assert managed.find("acc_1") == ManagedAvailability((WORK,), (period(),))


def test_many_accounts_are_read_at_once_whether_they_have_anything_or_not(managed):
    subs = [f"acc_{number}" for number in range(230)]
    for sub in subs[::23]:
        save(managed, WORK, period(sub), sub=sub)
    found = managed.find_many(subs)
    assert set(found) == set(subs)
    assert {sub for sub, each in found.items() if each != NOTHING} == set(subs[::23])
    assert found["acc_23"] == managed.find("acc_23")


@pytest.mark.parametrize("sub", ["acc_" + "0" * 3000, "acc_ß"])
def test_an_id_that_cannot_be_ours_has_nothing(managed, sub):
    assert managed.find(sub) == NOTHING
    assert managed.find_many([sub]) == {sub: NOTHING}


def test_no_more_rules_are_stored_than_there_may_be(managed):
    save(managed, *(WORK._replace(rule_id=f"rule-{number}") for number in range(MOST_RULES)))
    assert not managed.save_rule("acc_1", WORK, client_id="app")
    assert len(managed.find("acc_1").rules) == MOST_RULES
    save(managed, WORK._replace(rule_id="rule-7", tzid="Etc/UTC"))
    managed.delete_rule("acc_1", "rule-8")
    save(managed, WORK)


def full() -> ManagedAvailability:
    """Everything as large as it may be."""
    weekly = tuple(WeeklyPeriod(number % 7, 600 + number, 1439) for number in range(MOST_WEEKLY_PERIODS))
    calendars = tuple(f"cal_{number:014}_12345678" for number in range(MOST_CALENDARS))
    zone, far_ahead = "America/Argentina/ComodRivadavia", 4_102_444_800
    return ManagedAvailability(
        tuple(AvailabilityRule(f"{number:064}", zone, weekly, calendars) for number in range(MOST_RULES)),
        tuple(period(f"{number:064}", far_ahead + number) for number in range(MOST_AVAILABLE_PERIODS)),
    )


def test_as_much_as_may_be_stored_fits(stores):
    """An item of DynamoDB holds 400 KB."""
    everything = full()
    stores.put("acc_1", everything)
    assert stores.managed.find("acc_1") == everything
    assert not stores.managed.save_period("acc_1", period("one more"), client_id="app")
    last = everything.periods[-1]
    save(stores.managed, last._replace(end=last.end + 1))
    stores.managed.delete_period("acc_1", everything.periods[0].period_id)
    save(stores.managed, period("one more"))
    assert len(stores.managed.find("acc_1").periods) == MOST_AVAILABLE_PERIODS


def test_periods_that_are_over_can_be_forgotten_some_at_a_time(stores):
    past = [period(f"past-{number}", NOW - 4 * HOUR + number) for number in range(FORGOTTEN_AT_ONCE + 10)]
    kept = (period("just over", NOW - HOUR), period("now"))
    stores.put("acc_1", ManagedAvailability((WORK,), (*past, *kept)))
    stores.managed.forget_periods("acc_1", ended_before=NOW)
    assert stores.managed.find("acc_1") == ManagedAvailability((WORK,), (*past[FORGOTTEN_AT_ONCE:], *kept))
    for _ in range(2):
        stores.managed.forget_periods("acc_1", ended_before=NOW)
        assert stores.managed.find("acc_1") == ManagedAvailability((WORK,), kept)


@pytest.mark.parametrize("stores", ["fake", pytest.param("ministack", marks=pytest.mark.emulator)], indirect=True)
def test_callers_who_write_at_once_do_not_undo_each_others_work(managed):
    """Also when none of them finds anything stored yet. moto does not keep callers apart."""
    rules = [WORK._replace(rule_id=f"rule-{number}") for number in range(4)]
    periods = [period(f"period-{number}", NOW + number) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: save(managed, each), [*rules, *periods]))
    assert managed.find("acc_1") == ManagedAvailability(tuple(rules), tuple(periods))


def test_an_application_takes_what_it_stored_with_it(stores):
    save(stores.managed, WORK, period())
    assert stores.managed.save_rule("acc_2", WORK, client_id="other")
    assert stores.erase("app") == 1
    assert stores.managed.find("acc_1") == NOTHING
    assert stores.managed.find("acc_2").rules == (WORK,)
