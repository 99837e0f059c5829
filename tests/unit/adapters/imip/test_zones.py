from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from freebusy.adapters.imip.zones import in_zone, vtimezone, zone_named

HOUR = 3600


def onsets(component):
    """Each observance's onsets as (epoch, offset after), worked out as RFC 5545, 3.6.5 says."""
    for observance in component.subcomponents:
        first = observance["DTSTART"].dt
        starts = {first}
        if rule := observance.get("RRULE"):
            starts |= set(rrulestr(rule.to_ical().decode(), dtstart=first).between(first, datetime(2060, 1, 1)))
        dates = observance.get("RDATE", [])
        starts |= {each.dt for one in (dates if isinstance(dates, list) else [dates]) for each in one.dts}
        for start in starts:
            yield (start - observance["TZOFFSETFROM"].td).replace(tzinfo=UTC).timestamp(), observance["TZOFFSETTO"].td


def moments(zone, first_year, last_year):
    """Around every change of the clocks, and once a week."""
    moment = datetime(first_year, 1, 1, tzinfo=UTC)
    while moment.year <= last_year:
        following = moment + timedelta(days=7)
        if moment.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            yield from (moment + timedelta(minutes=30 * half) for half in range(7 * 48))
        yield moment
        moment = following


ZONES = [
    pytest.param("Europe/Berlin", False, id="last Sundays"),
    pytest.param("America/New_York", False, id="second and first Sunday"),
    pytest.param("Australia/Lord_Howe", False, id="half an hour, southern summer"),
    pytest.param("Europe/Dublin", False, id="winter time is the exception"),
    pytest.param("Asia/Kathmandu", False, id="never changes, odd offset"),
    pytest.param("America/Sao_Paulo", False, id="changes no more"),
    pytest.param("Africa/Casablanca", True, id="changes with the moon"),
    pytest.param("America/Santiago", True, id="a Sunday that is none of a fixed number"),
    pytest.param("Asia/Jerusalem", True, id="a Friday before a Sunday"),
]


@pytest.mark.parametrize(("name", "listed"), ZONES)
@pytest.mark.parametrize(("first", "last"), [(2026, 2026), (2029, 2035), (2018, 2022)])
def test_a_vtimezone_says_what_the_zone_database_says(name, listed, first, last):
    zone = ZoneInfo(name)
    changes = sorted(onsets(vtimezone(zone, first, last)))
    for moment in moments(zone, first, last):
        in_force = max((change for change in changes if change[0] <= moment.timestamp()), key=lambda change: change[0])
        assert in_force[1] == moment.astimezone(zone).utcoffset(), moment
    assert listed == (b"RDATE" in vtimezone(zone, 2029, 2035).to_ical())


def test_a_yearly_rule_holds_for_a_series_without_end():
    zone = ZoneInfo("Europe/Berlin")
    changes = sorted(onsets(vtimezone(zone, 2030, 9999)))
    for moment in moments(zone, 2055, 2059):
        in_force = [change for change in changes if change[0] <= moment.timestamp()][-1]
        assert in_force[1] == moment.astimezone(zone).utcoffset(), moment


@pytest.mark.parametrize("name", [each.values[0] for each in ZONES])
def test_a_vtimezone_stays_small_however_long_the_series(name):
    assert len(vtimezone(ZoneInfo(name), 2026, 9999).to_ical()) < 2500


@pytest.mark.parametrize("years", [(1, 1), (9999, 9999), (1969, 1971)], ids=str)
def test_no_year_is_out_of_reach(years):
    assert vtimezone(ZoneInfo("Europe/Berlin"), *years).subcomponents


def test_a_zone_that_is_not_known_reads_as_utc():
    assert zone_named("Mars/Olympus_Mons").key == zone_named("../etc/passwd").key == "UTC"


def test_a_moment_at_the_end_of_time_stays_in_utc():
    assert in_zone(253_402_300_799, ZoneInfo("Asia/Tokyo")).utcoffset() == timedelta(0)
    assert in_zone(0, ZoneInfo("Asia/Tokyo")).hour == 9
