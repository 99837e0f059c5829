"""Marking who is to move off Cronofy."""

from __future__ import annotations

import pytest

from freebusy.domain.errors import NotFound
from freebusy.service.moving import Moving, mark_moving
from tests.fakes.accounts import FakeAccounts
from tests.people import connected
from tests.unit.service.test_upstream_events import at_cronofy


@pytest.fixture
def accounts() -> FakeAccounts:
    return FakeAccounts(at_cronofy("acc_1"), connected("acc_2"))


def profile_of(accounts, sub):
    return accounts.find(sub).free_busy_profiles[0]


def test_who_is_read_through_cronofy_is_marked_and_named(accounts):
    expected = [Moving("acc_1", profile_of(accounts, "acc_1").profile_id)]
    assert mark_moving(["acc_1", "acc_2"], moving=True, accounts=accounts) == expected
    assert profile_of(accounts, "acc_1").moving
    assert not profile_of(accounts, "acc_2").moving


def test_marking_twice_is_no_error(accounts):
    mark_moving(["acc_1"], moving=True, accounts=accounts)
    assert len(mark_moving(["acc_1"], moving=True, accounts=accounts)) == 1


def test_the_mark_can_be_taken_off(accounts):
    mark_moving(["acc_1"], moving=True, accounts=accounts)
    mark_moving(["acc_1"], moving=False, accounts=accounts)
    assert not profile_of(accounts, "acc_1").moving


def test_an_account_that_there_is_not_is_said_so(accounts):
    with pytest.raises(NotFound):
        mark_moving(["acc_1", "acc_9"], moving=True, accounts=accounts)
