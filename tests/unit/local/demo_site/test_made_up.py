"""Made-up people have weeks in which there is something to find."""

from datetime import date, datetime, time, timedelta

import pytest

from local.demo_site.made_up import PEOPLE, waiting, week
from local.simulators.people import Person

MONDAYS = [date(2026, 11, 23) + timedelta(weeks=number) for number in range(40)]


def calendar(person, monday):
    return Person(email=person.email, busy=tuple(week(person, monday)))


def starts(monday):
    """Every half hour of the working week at which an hour may begin."""
    for day in range(5):
        eight = datetime.combine(monday + timedelta(days=day), time(8))
        yield from ((eight + number * timedelta(minutes=30)).astimezone() for number in range(19))


def test_a_week_is_the_same_every_time():
    assert list(week(PEOPLE[0], MONDAYS[0])) == list(week(PEOPLE[0], MONDAYS[0])) != list(week(PEOPLE[0], MONDAYS[1]))


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.first_name)
def test_every_week_can_be_read_by_the_simulators_and_lies_in_that_week(person):
    for monday in MONDAYS:
        entries = calendar(person, monday).busy
        assert 5 <= len(entries) <= 30
        assert all(monday <= entry.start.astimezone().date() <= monday + timedelta(days=4) for entry in entries)


def test_at_each_provider_there_are_two():
    assert sorted(person.provider for person in PEOPLE) == ["google", "google", "microsoft", "microsoft"]


@pytest.mark.parametrize("monday", MONDAYS, ids=str)
def test_everybody_shares_some_hours_of_every_week_and_not_most_of_them(monday):
    calendars = [calendar(person, monday) for person in PEOPLE]
    shared = [
        not any(each.overlapping(start, start + timedelta(hours=1)) for each in calendars) for start in starts(monday)
    ]
    assert 5 <= sum(shared) <= len(shared) / 2


def test_nobody_waits_at_a_real_provider():
    assert {person.provider for person in waiting({"microsoft": "http://127.0.0.1:8082"})} == {"microsoft"}
    assert waiting({}) == []
