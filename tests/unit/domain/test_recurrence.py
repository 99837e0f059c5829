"""Rules against dateutil, which reads the same rules by the RFC's own algorithm."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from freebusy.domain.event import Details, RecurrenceRule, When
from freebusy.domain.free_busy import Period
from freebusy.domain.recurrence import ENDLESS, ends_at, occurrences

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
HOUR = 3600


def details(start, *rules, zone="Etc/UTC", length=HOUR, all_day=False):
    first = int(start.timestamp())
    return Details("x", When(first, first + length, all_day, zone, zone), recurrence=rules)


def starts(series, until):
    window = Period(series.when.start, int(until.timestamp()))
    return [datetime.fromtimestamp(period.start, UTC) for period in occurrences(series, window)]


@st.composite
def rules(draw):
    frequency = draw(st.sampled_from(["daily", "weekly", "monthly", "yearly"]))
    plain = st.sampled_from(WEEKDAYS)
    ordinal = st.builds("{}{}".format, st.sampled_from([1, 2, 3, 4, 5, -1, -2, -5]), plain)
    # Not both kinds in one rule: dateutil then drops the plain ones, where RFC 5545 has them side by side.
    kind = draw(st.sampled_from([plain, ordinal])) if frequency in {"monthly", "yearly"} else plain
    by_day = draw(st.lists(kind, max_size=3))
    return RecurrenceRule(
        frequency,
        interval=draw(st.integers(1, 5)),
        count=draw(st.one_of(st.none(), st.integers(1, 20))),
        by_day=tuple(dict.fromkeys(by_day)),
    )


@settings(phases=[Phase.explicit, Phase.generate], deadline=None)
@given(
    rules(),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)),
    st.sampled_from(["Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_rules_agree_with_dateutil(rule, naive, zone):
    # An hour that exists once in every zone on every day; changes of the clock have a test of their own.
    naive = naive.replace(hour=12, minute=naive.minute, second=0, microsecond=0)
    text = f"FREQ={rule.frequency.upper()};INTERVAL={rule.interval};WKST=MO"
    text += f";COUNT={rule.count}" if rule.count else ""
    text += f";BYDAY={','.join(rule.by_day)}" if rule.by_day else ""
    until = naive + timedelta(days=400)
    expected = {naive, *rrulestr(text, dtstart=naive).between(naive, until - timedelta(seconds=1), inc=True)}
    local = ZoneInfo(zone)
    series = details(naive.replace(tzinfo=local), rule, zone=zone)
    found = starts(series, until.replace(tzinfo=local))
    assert found == sorted(each.replace(tzinfo=local).astimezone(UTC) for each in expected)


def test_a_series_keeps_its_local_time_when_the_clock_changes():
    first = datetime(2026, 3, 27, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    series = details(first, RecurrenceRule("daily"), zone="Europe/Berlin")
    assert [start.hour for start in starts(series, datetime(2026, 3, 31, tzinfo=UTC))] == [8, 8, 7, 7]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param(datetime(2026, 3, 28, 2, 30), [1, 1, 0], id="skipped: an hour later by the clock"),
        pytest.param(datetime(2026, 10, 24, 2, 30), [0, 0, 1], id="twice: the first time"),
    ],
)
def test_local_times_that_do_not_exist_or_exist_twice(day, hours):
    zone = ZoneInfo("Europe/Berlin")
    series = details(day.replace(tzinfo=zone), RecurrenceRule("daily", count=3), zone="Europe/Berlin")
    found = starts(series, (day + timedelta(days=5)).replace(tzinfo=UTC))
    assert [start.hour for start in found] == hours


def test_exceptions_do_not_happen():
    first = datetime(2026, 1, 5, 9, tzinfo=UTC)
    second = int((first + timedelta(days=1)).timestamp())
    series = details(first, RecurrenceRule("daily", count=3, exceptions=(second,)))
    assert [start.day for start in starts(series, datetime(2026, 2, 1, tzinfo=UTC))] == [5, 7]


def test_an_occurrence_that_only_reaches_into_the_window_is_found():
    series = details(datetime(2026, 1, 5, 9, tzinfo=UTC), RecurrenceRule("daily"), length=26 * HOUR)
    ten = int(datetime(2026, 1, 7, 10, tzinfo=UTC).timestamp())
    assert len(occurrences(series, Period(ten, ten + 1))) == 2


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        pytest.param(RecurrenceRule("daily"), ENDLESS, id="endless"),
        pytest.param(RecurrenceRule("daily", count=3), datetime(2026, 1, 7, 10, tzinfo=UTC).timestamp(), id="counted"),
        pytest.param(
            RecurrenceRule("weekly", until=int(datetime(2026, 1, 19, 9, tzinfo=UTC).timestamp())),
            datetime(2026, 1, 19, 10, tzinfo=UTC).timestamp(),
            id="until, which is included",
        ),
    ],
)
def test_a_series_ends_with_its_last_occurrence(rule, end):
    assert ends_at(details(datetime(2026, 1, 5, 9, tzinfo=UTC), rule)) == end


def test_an_event_without_rules_happens_once():
    once = details(datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert len(starts(once, datetime(2030, 1, 1, tzinfo=UTC))) == 1
    assert ends_at(once) == once.when.end
