from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freebusy.entrypoints.times import format_local, format_time, parse_date_or_time, parse_time, zone_named

NINE = int(datetime(2030, 1, 7, 9, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2030-01-07T09:00:00Z", id="the contract's own form"),
        pytest.param("2030-01-07 09:00:00Z", id="the C# SDK writes a space"),
        pytest.param("2030-01-07T10:00:00+01:00", id="an offset"),
        pytest.param("2030-01-07T10:00:00+0100", id="an offset without colon"),
        pytest.param("2030-01-07T09:00Z", id="no seconds"),
        pytest.param("2030-01-07T09:00:00.999999Z", id="fractions are cut off"),
    ],
)
def test_times_are_read_in_every_form_that_clients_send(text):
    assert parse_time(text) == NINE


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2030-01-07T09:00:00", id="no zone: whose nine o'clock?"),
        pytest.param("2030-01-07", id="a date"),
        pytest.param("2030-02-30T09:00:00Z", id="no such day"),
        pytest.param("2030-W01-1T09:00:00Z", id="week dates are not in the contract"),
        pytest.param("20300107T090000Z", id="the basic form neither"),
        pytest.param("٢٠٣٠-01-07T09:00:00Z", id="digits of other scripts"),
        pytest.param("2030-01-07T25:00:00Z", id="no such hour"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_time_with_an_offset_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_a_date_is_midnight_in_the_zone_asked_for():
    assert parse_date_or_time("2030-01-07", ZoneInfo("Europe/Paris")) == NINE - 10 * 3600


@pytest.mark.parametrize(
    "tzid", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 5000, "Europe"]
)
def test_what_is_no_zone_is_refused(tzid):
    with pytest.raises(ValueError, match="no such zone"):
        zone_named(tzid)


@pytest.mark.parametrize("tzid", ["right/Europe/Paris", "posix/Europe/Paris", "localtime", "posixrules"])
def test_zones_that_only_some_operating_systems_have_are_refused(tzid):
    with pytest.raises(ValueError, match="no such zone"):
        zone_named(tzid)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2999, 1, 1)))
def test_formatting_agrees_with_the_standard_library(moment):
    aware = moment.replace(microsecond=0, tzinfo=UTC)
    assert format_time(int(aware.timestamp())) == aware.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_local_times_carry_an_offset_with_a_colon_and_their_zone():
    assert format_local(NINE, ZoneInfo("Europe/Paris")) == {"time": "2030-01-07T10:00:00+01:00", "tzid": "Europe/Paris"}
