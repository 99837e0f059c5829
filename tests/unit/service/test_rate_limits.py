from __future__ import annotations

import random

import pytest

from freebusy.domain.application import Application
from freebusy.domain.errors import StorageUnavailable
from freebusy.service.rate_limits import LIMITS_KNOWN, WINDOW, RateLimiter
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.permits import FakePermits

LIMIT = 500
ELAPSED = NOW % WINDOW


class Unanswering:
    def find(self, _client_id):
        raise StorageUnavailable("throttled")

    def take(self, *_args, **_kwargs):
        raise StorageUnavailable("throttled")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def permits() -> FakePermits:
    return FakePermits()


@pytest.fixture
def applications() -> FakeApplications:
    return FakeApplications(*(Application(name, name, ()) for name in ("app", "other")))


@pytest.fixture
def sandbox(applications, permits, clock):
    def sandbox(default=LIMIT, **changed) -> RateLimiter:
        ports = {"applications": applications, "permits": lambda: permits, **changed}
        return RateLimiter(**ports, default=default, clock=clock)

    return sandbox


def limited(applications, limit, client_id="app"):
    before = applications.find(client_id)
    applications.change(before, Application(client_id, client_id, (), requests_per_minute=limit))


def admitted(limiter, requests, client_id="app") -> int:
    return sum(limiter.count(client_id).admitted for _ in range(requests))


def draws(limiters, times) -> list[RateLimiter]:
    return random.Random(len(limiters)).choices(limiters, k=times)  # noqa: S311 - chance that can be repeated


def test_as_many_are_admitted_as_the_limit_says_and_then_none(sandbox):
    assert admitted(sandbox(), LIMIT + 50) == LIMIT


def test_the_next_minute_begins_anew(sandbox, clock):
    limiter = sandbox()
    admitted(limiter, LIMIT)
    clock.now += WINDOW - ELAPSED - 1
    assert not limiter.count("app").admitted
    clock.now += 1
    assert admitted(limiter, LIMIT + 1) == LIMIT


def test_what_a_sandbox_has_left_of_a_minute_ends_with_it(sandbox, clock, permits):
    """Otherwise sandboxes could save up, and spend all of it at once."""
    limiter, other = sandbox(), sandbox()
    admitted(limiter, 20)
    clock.now += WINDOW
    assert admitted(other, LIMIT) + admitted(limiter, LIMIT) == LIMIT


def test_an_application_has_nothing_to_do_with_the_limit_of_another(sandbox):
    limiter = sandbox()
    admitted(limiter, LIMIT)
    assert admitted(limiter, LIMIT + 1, "other") == LIMIT


def test_what_is_left_is_told_and_when_there_is_more(sandbox):
    limiter = sandbox()
    told = [limiter.count("app") for _ in range(LIMIT + 1)]
    assert [each.remaining for each in told] == [*range(LIMIT - 1, -1, -1), 0]
    assert {(each.limit, each.window, each.seconds_left) for each in told} == {(LIMIT, WINDOW, WINDOW - ELAPSED)}


class TestSandboxes:
    @pytest.mark.parametrize("limit", [1, 2, 7, 100, 500, 6000])
    @pytest.mark.parametrize("count", [1, 2, 10, 50])
    def test_together_never_admit_more_than_the_limit(self, sandbox, limit, count):
        limiters = [sandbox(limit) for _ in range(count)]
        assert sum(drawn.count("app").admitted for drawn in draws(limiters, 2 * limit + 10)) <= limit

    @pytest.mark.parametrize("count", [1, 2, 10, 50])
    def test_that_are_busy_leave_little_of_it(self, sandbox, count):
        limiters = [sandbox() for _ in range(count)]
        assert sum(drawn.count("app").admitted for drawn in draws(limiters, 3 * LIMIT)) >= 0.95 * LIMIT

    def test_that_answered_a_burst_and_went_to_sleep_keep_nothing_back(self, sandbox):
        assert sum(sandbox().count("app").admitted for _ in range(50)) == 50
        assert admitted(sandbox(), LIMIT) == LIMIT - 50

    def test_that_stop_half_way_keep_back_no_more_than_they_have_used(self, sandbox):
        used = sum(admitted(sandbox(), 6) for _ in range(10))
        assert used == 60
        assert admitted(sandbox(), LIMIT) >= LIMIT - 2 * used


class TestWrites:
    def test_are_fewer_the_more_is_asked(self, sandbox, permits):
        limiter = sandbox(6000)
        assert admitted(limiter, 1) == permits.takes == 1
        assert admitted(limiter, 3000)
        assert permits.takes < 30

    def test_are_never_more_than_requests(self, sandbox, permits):
        assert admitted(sandbox(3), 3) == permits.takes == 3

    def test_stop_once_nothing_is_left(self, sandbox, permits):
        limiter = sandbox(10)
        admitted(limiter, 11)
        before = permits.takes
        assert admitted(limiter, 1000) == 0
        assert permits.takes == before

    @pytest.mark.parametrize("own", [pytest.param(None, id="nobody has one"), pytest.param(0, id="it is lifted")])
    def test_do_not_happen_without_a_limit(self, sandbox, applications, permits, own):
        limited(applications, own)
        limiter = sandbox(default=LIMIT if own == 0 else 0)
        assert [limiter.count("app") for _ in range(10)] == [None] * 10
        assert permits.takes == 0


class TestOwnLimits:
    def test_go_before_that_of_the_deployment(self, sandbox, applications):
        limited(applications, 7)
        limiter = sandbox()
        assert admitted(limiter, 100) == 7
        assert limiter.count("other").limit == LIMIT

    def test_hold_where_the_deployment_has_none(self, sandbox, applications):
        limited(applications, 7)
        assert sandbox(default=0).count("app").limit == 7

    def test_are_noticed_before_long(self, sandbox, applications, clock):
        limiter = sandbox()
        limiter.count("app")
        limited(applications, 7)
        assert limiter.count("app").limit == LIMIT
        clock.now += LIMITS_KNOWN
        assert limiter.count("app").limit == 7

    def test_of_an_application_that_is_gone_are_those_of_the_deployment(self, sandbox):
        assert sandbox().count("gone").limit == LIMIT


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param({"applications": Unanswering()}, id="what the limit is"),
        pytest.param({"permits": Unanswering}, id="how much of it is left"),
    ],
)
def test_everybody_is_admitted_while_the_table_does_not_say(sandbox, silent):
    limiter = sandbox(**silent)
    assert [limiter.count("app") for _ in range(LIMIT + 1)] == [None] * (LIMIT + 1)
