"""The load test loads: a little of it, so that it is known to work when somebody wants to know."""

from __future__ import annotations

import pytest

from benchmarks.load import Asked, Level, Traffic, measure


@pytest.mark.stack
def test_clients_ask_side_by_side_and_are_answered(stack):
    level = measure(stack["url"], Traffic(stack), clients=4, seconds=60, most=40)
    assert len(level.asked) == 40
    assert level.troubles == set()
    assert {each.kind for each in level.asked} == {"availability", "free_busy", "upsert", "account"}


def test_only_this_machine_is_loaded():
    with pytest.raises(ValueError, match="not on this machine"):
        measure("https://calendar.example.com", None, clients=1, seconds=1)


class TestLevel:
    LEVEL = Level(2, 10.0, [Asked("account", number / 100) for number in range(1, 100)] + [Asked("account", 9, "500")])

    def test_counts_as_throughput_what_was_answered_well(self):
        assert self.LEVEL.throughput == 9.9

    def test_counts_every_error(self):
        assert self.LEVEL.errors == 0.01
        assert self.LEVEL.troubles == {"500"}

    def test_counts_what_a_limit_refused_by_itself(self):
        level = Level(2, 1.0, [Asked("account", 0.2), Asked("account", 0.1, limited=True)])
        assert (level.throughput, level.errors, level.limited) == (1, 0, 0.5)

    @pytest.mark.parametrize(("hundredths", "seconds"), [(50, 0.505), (99, 1.0701)])
    def test_says_within_how_long_most_were_done(self, hundredths, seconds):
        assert self.LEVEL.percentile(hundredths) == pytest.approx(seconds)

    def test_of_one_request_is_that_one(self):
        assert Level(1, 1.0, [Asked("account", 0.2)]).percentile(99) == 0.2
