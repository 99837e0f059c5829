from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from freebusy.adapters.imip.wording import LONGEST_DESCRIPTION, recurrence_in_words, when_in_words, with_links
from freebusy.domain.event import Attendee, Conferencing, Location, RecurrenceRule, When
from tests.invitations import INTERVIEW, KIM, all_day, an_event, at, invitation, timed

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
GUEST = Attendee("guest@example.test")


@pytest.mark.parametrize(
    ("when", "zone", "words"),
    [
        pytest.param(
            timed("2030-01-07T13:00", "2030-01-07T13:30"),
            BERLIN,
            "Monday, 7 January 2030, 14:00-14:30 (Europe/Berlin, UTC+1)",
            id="in the reader's zone",
        ),
        pytest.param(
            timed("2030-07-01T23:30", "2030-07-02T00:30"),
            NEW_YORK,
            "Monday, 1 July 2030, 19:30-20:30 (America/New_York, UTC-4)",
            id="on the reader's day",
        ),
        pytest.param(
            timed("2030-01-07T22:00", "2030-01-08T06:00"),
            ZoneInfo("Etc/UTC"),
            "Monday, 7 January 2030, 22:00 - Tuesday, 8 January 2030, 06:00 (UTC)",
            id="over midnight",
        ),
        pytest.param(
            timed("2030-03-30T22:00", "2030-03-31T04:00"),
            BERLIN,
            "Saturday, 30 March 2030, 23:00 - Sunday, 31 March 2030, 06:00 "
            "(Europe/Berlin, UTC+1 at the start, UTC+2 at the end)",
            id="while the clocks change",
        ),
        pytest.param(
            timed("2030-01-07T13:00", "2030-01-07T13:00"),
            ZoneInfo("Asia/Kathmandu"),
            "Monday, 7 January 2030, 18:45 (Asia/Kathmandu, UTC+5:45)",
            id="without length, odd offset",
        ),
        pytest.param(all_day("2030-01-07", "2030-01-08"), NEW_YORK, "Monday, 7 January 2030 (all day)", id="a date"),
        pytest.param(
            all_day("2030-01-07", "2030-01-10"),
            NEW_YORK,
            "Monday, 7 January 2030 - Wednesday, 9 January 2030 (all day)",
            id="dates, the last one included",
        ),
    ],
)
def test_when_is_said_as_the_reader_s_clock_and_calendar_have_it(when, zone, words):
    assert when_in_words(when, zone).replace("\u2013", "-") == words


MORNING = timed("2030-01-07T10:00", "2030-01-07T11:00", "Europe/Berlin")
DAY = all_day("2030-01-07", "2030-01-08")


@pytest.mark.parametrize(
    ("rule", "when", "words"),
    [
        (RecurrenceRule("daily"), MORNING, "every day"),
        (RecurrenceRule("weekly", 2, by_day=("MO",)), MORNING, "every 2 weeks on Monday"),
        (
            RecurrenceRule("weekly", count=10, by_day=("MO", "WE", "FR")),
            MORNING,
            "every week on Monday, Wednesday and Friday, 10 times",
        ),
        (
            RecurrenceRule("monthly", by_day=("1MO", "-1FR")),
            MORNING,
            "every month on the first Monday and the last Friday",
        ),
        (RecurrenceRule("monthly", by_day=("-2TU",)), MORNING, "every month on the second Tuesday from the end"),
        (RecurrenceRule("yearly", until=at("2035-01-07")), DAY, "every year, until 7 January 2035"),
        (
            RecurrenceRule("weekly", exceptions=(at("2030-01-21"), at("2030-01-14"))),
            DAY,
            "every week, except 14 January 2030 and 21 January 2030",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_series_is_said_in_words(rule, when, words):
    assert recurrence_in_words(rule, when, BERLIN) == words


def test_many_exceptions_are_counted():
    days = tuple(at("2030-01-14") + week * 604_800 for week in range(50))
    words = recurrence_in_words(RecurrenceRule("weekly", exceptions=days), DAY, BERLIN)
    assert words.endswith(", 18 February 2030 and 44 more")


def test_a_series_of_another_zone_says_whose_clocks_it_follows():
    rule = RecurrenceRule("weekly", until=at("2030-06-03T00:00", "Europe/Berlin"), by_day=("MO",))
    words = recurrence_in_words(rule, MORNING, NEW_YORK)
    assert words == "every week on Monday, until 3 June 2030 (by the clocks of Europe/Berlin)"


@pytest.mark.parametrize(
    ("asked", "changes", "subject", "lead"),
    [
        pytest.param({}, {}, "Invitation", "Acme invites you to this event.", id="first"),
        pytest.param(
            {"changed": True},
            {"sequence": 1},
            "Updated invitation",
            "Acme has changed this event. This is how it is now.",
            id="update",
        ),
        pytest.param(
            {"cancel": True}, {"deleted": True}, "Cancelled", "Acme has cancelled this event.", id="off for everybody"
        ),
        pytest.param(
            {"cancel": True}, {}, "Cancelled", "Acme has withdrawn your invitation to this event.", id="off for one"
        ),
    ],
)
def test_subject_and_first_sentence_say_what_happened_and_who_asks(asked, changes, subject, lead):
    received = invitation(an_event(**changes), **asked)
    assert received.message["Subject"] == f"{subject}: Interview @ Mon 7 Jan 2030, 14:00 (Europe/Berlin)"
    assert lead in received.text
    assert lead in received.html


def test_the_account_s_person_reads_why_it_came_by_mail():
    received = invitation(an_event())
    for body in (received.text, received.html):
        assert "because you connected your calendar to Acme for free/busy only" in body


def test_other_attendees_are_not_told_that_they_connected_anything():
    received = invitation(an_event(INTERVIEW, KIM, GUEST), GUEST)
    for body in (received.text, received.html):
        assert "connected" not in body
        assert "because Acme invited that address" in body


def test_both_bodies_say_what_when_where_and_how_to_join():
    event = an_event(
        description="Bring a pen.\nAnd https://acme.example/paper.",
        location=Location("Room 4"),
        conferencing=Conferencing("https://meet.example/abc", "Example Meet"),
        url="https://acme.example/7",
    )
    received = invitation(event)
    for fact in ("Interview", "14:00\u201314:30", "Room 4", "Example Meet", "https://meet.example/abc", "Bring a pen."):
        assert fact in received.text
        assert fact in received.html
    assert '<a href="https://acme.example/paper" ' in received.html


ELEMENTS = {"html", "head", "meta", "title", "body", "div", "h1", "p", "table", "tr", "td", "a", "br"}


def test_the_page_loads_and_runs_nothing():
    event = an_event(summary="<script>x</script>", description="<img src=https://x.example/p.gif>")
    html = invitation(event).html
    assert set(re.findall(r"<(\w+)", html)) <= ELEMENTS
    assert not re.search(r"\bsrc=\S|url\(|@import|\bon\w+=\"", html.replace("&lt;img src=", ""))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x.example", "http:"]
)
def test_only_web_addresses_become_links(url):
    event = an_event(url=url, location=Location(url), conferencing=Conferencing(url), description=url)
    received = invitation(event)
    assert "<a " not in received.html
    assert "URL" not in received.event
    assert "CONFERENCE" not in received.event


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://a.example/b?c=d&e=f, please.", ["https://a.example/b?c=d&e=f"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/wiki/X_(y)!", ["https://a.example/wiki/X_(y)"]),
        ("HTTP://a.example <https://b.example>", ["HTTP://a.example", "https://b.example"]),
        ("https://a.example/ü", ["https://a.example/%C3%BC"]),
        ("a.example, https://, mailto:x@y.example", []),
    ],
)
def test_web_addresses_in_a_text_are_found_without_the_sentence_around_them(text, links):
    pieces = with_links(text)
    assert "".join(piece for piece, _ in pieces) == text
    assert [link for _, link in pieces if link] == links


def test_a_very_long_description_is_shown_in_part_and_kept_whole():
    received = invitation(an_event(description="word " * 10_000))
    assert len(received.text) < LONGEST_DESCRIPTION + 1000
    assert "The rest of the description is in the calendar entry" in received.text
    assert received.event["DESCRIPTION"] == "word " * 10_000


@pytest.mark.parametrize("moment", [253_402_300_700, -62_135_596_800], ids=["year 9999", "year 1"])
def test_the_ends_of_time_can_be_written(moment):
    for rules in ((), (RecurrenceRule("yearly", count=2),)):
        event = an_event(when=When(moment, moment + 60, start_zone="Asia/Tokyo"), recurrence=rules)
        assert invitation(event, zone="Pacific/Kiritimati").event["DTSTART"]
