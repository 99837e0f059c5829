"""Why somebody is not free at a time."""

import pytest

from local.demo_site.bands import Kind
from local.demo_site.explaining import reason
from tests.planner import at, busy

UNREADABLE = busy(0, 24, Kind.UNKNOWN)


@pytest.mark.parametrize(
    ("bands", "found"),
    [
        pytest.param([busy(9, 10.5)], busy(9, 10.5), id="reaches in"),
        pytest.param([busy(10.25, 10.5)], busy(10.25, 10.5), id="in the midst of it"),
        pytest.param([busy(10.5, 12), busy(9, 10.25)], busy(9, 10.25), id="the first of two"),
        pytest.param([busy(10, 11, Kind.TENTATIVE), busy(10.5, 11)], busy(10.5, 11), id="busy before tentative"),
        pytest.param([busy(10, 11), busy(10.5, 11, Kind.MEETING)], busy(10.5, 11, Kind.MEETING), id="booked here"),
        pytest.param([busy(10, 11, Kind.MEETING), UNREADABLE], UNREADABLE, id="unreadable before all"),
        pytest.param([busy(9, 10), busy(11, 12)], None, id="only touches it"),
        pytest.param([], None, id="nothing known"),
    ],
)
def test_the_reason_is_what_is_in_the_way(bands, found):
    assert reason(at(10), at(11), bands) == found
