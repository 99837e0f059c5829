"""What every invitation promises to whoever reads it, judged by readers that are not ours."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from freebusy.domain.event import (
    Attendee,
    Conferencing,
    Details,
    ExtendedTransparency,
    Location,
    Participation,
    RecurrenceRule,
    Transparency,
)
from freebusy.domain.free_busy import Period
from freebusy.domain.recurrence import occurrences
from tests.invitations import (
    INTERVIEW,
    KIM,
    MAIL_DOMAIN,
    all_day,
    an_event,
    at,
    invitation,
    raw_invitation,
    read,
    timed,
)

FULL = INTERVIEW._replace(
    description="Bring a pencil.\nAnd paper.",
    location=Location("Room 4", "52.52", "13.405"),
    url="https://acme.example/interviews/7",
    conferencing=Conferencing("https://meet.example/abc", "Example Meet"),
    reminders=(10, 1440),
    private=True,
    extended_transparency=ExtendedTransparency.OUT_OF_OFFICE,
)
WEEKLY = RecurrenceRule("weekly", by_day=("MO", "TH"), count=60, exceptions=(at("2030-01-14T10:00", "Europe/Berlin"),))
SERIES = FULL._replace(when=timed("2030-01-07T10:00", "2030-01-07T11:00", "Europe/Berlin"), recurrence=(WEEKLY,))
HOLIDAY = FULL._replace(when=all_day("2030-01-07", "2030-01-09"), transparency=Transparency.TRANSPARENT)

EVENTS = [
    pytest.param(an_event(), id="nothing but the necessary"),
    pytest.param(an_event(FULL), id="everything at once"),
    pytest.param(an_event(SERIES), id="a series with its zone"),
    pytest.param(an_event(HOLIDAY), id="all day"),
    pytest.param(an_event(HOLIDAY, recurrence=(RecurrenceRule("yearly"),)), id="all day, every year"),
]
MESSAGES = [
    pytest.param({"cancel": False}, {}, id="REQUEST"),
    pytest.param({"cancel": True}, {"deleted": True, "sequence": 3}, id="CANCEL of the event"),
    pytest.param({"cancel": True}, {"sequence": 3}, id="CANCEL for one"),
]

# --- The message (RFC 5322, 2045, 6047) --------------------------------------------------------------


@pytest.mark.parametrize(("asked", "changes"), MESSAGES)
@pytest.mark.parametrize("event", EVENTS)
def test_the_message_has_the_shape_that_mail_programs_render(event, asked, changes):
    received = invitation(event._replace(**changes), **asked)
    method = "CANCEL" if asked["cancel"] else "REQUEST"

    assert [part.get_content_type() for part in received.message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    calendar, attachment = list(received.message.walk())[-2:]
    assert dict(calendar["Content-Type"].params) == {"method": method, "charset": "UTF-8", "component": "VEVENT"}
    assert calendar["Content-Transfer-Encoding"] == "base64"
    assert (attachment.get_content_disposition(), attachment.get_filename()) == ("attachment", "invite.ics")
    assert received.attachment == received.ics
    assert received.calendar["METHOD"] == method


@pytest.mark.parametrize(("asked", "changes"), MESSAGES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_line_ends_and_fits_as_the_standards_want(event, asked, changes):
    raw = raw_invitation(event._replace(**changes), **asked)
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 78

    ics = read(raw).ics
    assert ics.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in ics.replace(b"\r\n", b"")
    assert max(map(len, ics.split(b"\r\n"))) <= 75
    assert b"\r\n\r\n" not in ics


def test_sender_organizer_and_where_answers_go_are_one_address():
    received = invitation(an_event(), application_name="Acme, Inc.")
    organizer = f"k3j4h5m6n7@{MAIL_DOMAIN}"
    (sender,) = received.message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Acme, Inc.", organizer)
    assert received.message["Reply-To"] == organizer
    assert received.event["ORGANIZER"] == f"mailto:{organizer}"
    assert received.event["ORGANIZER"].params["CN"] == "Acme, Inc."


def test_each_attendee_gets_a_message_that_names_nobody_else():
    guest = Attendee("guest@example.test", "Guest Ö", Participation.TENTATIVE)
    raw = raw_invitation(an_event(INTERVIEW, KIM, guest), guest)
    received = read(raw)
    (recipient,) = received.message["To"].addresses
    assert (recipient.display_name, recipient.addr_spec) == ("Guest Ö", "guest@example.test")
    assert received.event["ATTENDEE"] == "mailto:guest@example.test"
    assert received.event["ATTENDEE"].params == {
        "CN": "Guest Ö",
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "TENTATIVE",
        "RSVP": "TRUE",
    }
    everything = raw + received.text.encode() + received.html.encode() + received.ics
    assert b"kim" not in everything.lower()


def test_the_same_state_always_gives_the_same_bytes():
    assert raw_invitation(an_event(SERIES)) == raw_invitation(an_event(SERIES))


# --- The calendar object (RFC 5545, 5546) --------------------------------------------------------------

# RFC 5546, 3.2.2 and 3.2.5: what must be there, and what of all that may be there is ever written.
_COMMON = {"ATTENDEE", "DTSTAMP", "ORGANIZER", "SEQUENCE", "UID"}
_OF_EITHER = {"DTSTART", "DTEND", "SUMMARY", "LOCATION", "RRULE", "EXDATE", "STATUS"}
_OF_REQUESTS = {"CREATED", "LAST-MODIFIED", "DESCRIPTION", "CLASS", "TRANSP", "GEO", "URL"}
_OF_OTHERS = {"CONFERENCE", "X-MICROSOFT-CDO-INTENDEDSTATUS"}  # RFC 7986, 5.11; MS-OXCICAL
_ALLOWED = _OF_EITHER | _OF_REQUESTS | _OF_OTHERS

RULES = [
    pytest.param(
        {"cancel": False}, {}, {*_COMMON, "DTSTART", "SUMMARY"}, {"CONFIRMED", "TENTATIVE", None}, True, id="REQUEST"
    ),
    pytest.param({"cancel": True}, {"deleted": True}, _COMMON, {"CANCELLED"}, False, id="CANCEL of the event"),
    pytest.param({"cancel": True}, {}, _COMMON, {None}, False, id="CANCEL for one"),
]


@pytest.mark.parametrize(("asked", "changes", "required", "statuses", "alarms"), RULES)
@pytest.mark.parametrize("event", EVENTS)
def test_each_method_has_what_it_must_and_nothing_that_it_may_not(event, asked, changes, required, statuses, alarms):
    received = invitation(event._replace(**changes), **asked)
    properties = [name for name, _ in received.event.property_items(recursive=False) if name not in {"BEGIN", "END"}]

    assert required <= set(properties)
    assert set(properties) <= required | _ALLOWED
    assert len(properties) == len(set(properties))
    assert received.event.get("STATUS") in statuses
    assert alarms or not received.event.walk("VALARM")
    assert {"VERSION", "PRODID", "METHOD"} <= set(received.calendar)
    zones = {component["TZID"] for component in received.calendar.walk("VTIMEZONE")}
    assert zones == {
        value.params["TZID"] for value in received.event.values() if "TZID" in getattr(value, "params", {})
    }
    assert [error for component in received.calendar.walk() for error in component.errors] == []


def test_identity_is_the_stored_uid_and_order_is_sequence_and_stamp():
    event = an_event(sequence=4, revised_at=at("2029-12-24T18:00"), updated_at=at("2029-12-25T09:00"))
    for asked in ({"cancel": False}, {"cancel": True}):
        component = invitation(event, **asked).event
        assert (component["UID"], component["SEQUENCE"]) == (event.uid, 4)
        assert component["DTSTAMP"].dt == datetime(2029, 12, 24, 18, tzinfo=UTC)


def test_timed_events_are_in_utc_and_need_no_zone():
    received = invitation(an_event(when=timed("2030-07-01T10:00", "2030-07-01T11:00", "Europe/Berlin")))
    assert received.event["DTSTART"].to_ical() == b"20300701T080000Z"
    assert received.event["DTEND"].to_ical() == b"20300701T090000Z"


def test_all_day_events_are_dates_of_no_zone():
    received = invitation(an_event(HOLIDAY), zone="America/New_York")
    assert (received.event["DTSTART"].dt, received.event["DTEND"].dt) == (date(2030, 1, 7), date(2030, 1, 9))
    assert received.event["TRANSP"] == "TRANSPARENT"


def test_an_event_without_length_has_no_end():
    assert "DTEND" not in invitation(an_event(when=timed("2030-07-01T10:00", "2030-07-01T10:00"))).event


@pytest.mark.parametrize(
    ("when", "until", "written"),
    [
        pytest.param(timed("2030-01-07T10:00", "2030-01-07T11:00"), "2030-03-04T10:00", b"20300304T100000Z", id="UTC"),
        pytest.param(SERIES.when, "2030-07-01T08:00", b"20300701T080000Z", id="a zone: UTC all the same"),
        pytest.param(HOLIDAY.when, "2030-03-04", b"20300304", id="all day: a date"),
    ],
)
def test_a_series_ends_in_the_form_that_its_start_has(when, until, written):
    event = invitation(an_event(when=when, recurrence=(RecurrenceRule("weekly", until=at(until)),))).event
    assert event["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=" + written + b";INTERVAL=1"


def test_the_other_details_are_where_clients_look_for_them():
    event = invitation(an_event(FULL)).event
    assert event["SUMMARY"] == "Interview"
    assert event["DESCRIPTION"] == "Bring a pencil.\nAnd paper.\n\nJoin (Example Meet): https://meet.example/abc"
    assert event["LOCATION"] == "Room 4"
    assert b"\r\nGEO:52.520000;13.405000\r\n" in invitation(an_event(FULL)).ics
    assert event["URL"] == "https://acme.example/interviews/7"
    assert event["CONFERENCE"] == "https://meet.example/abc"
    assert event["CONFERENCE"].params == {"VALUE": "URI", "LABEL": "Example Meet"}
    assert event["CLASS"] == "PRIVATE"
    assert event["X-MICROSOFT-CDO-INTENDEDSTATUS"] == "OOF"
    assert [alarm["TRIGGER"].to_ical() for alarm in event.walk("VALARM")] == [b"-PT10M", b"-P1D"]


def test_a_meeting_without_a_place_is_where_it_is_joined():
    event = invitation(an_event(conferencing=Conferencing("https://meet.example/abc"))).event
    assert event["LOCATION"] == "https://meet.example/abc"


@pytest.mark.parametrize(
    "location", [Location("", "91", "0"), Location("", "nan", "0"), Location("", "x", "0")], ids=str
)
def test_a_position_that_is_not_on_the_globe_is_left_out(location):
    assert "GEO" not in invitation(an_event(location=location)).event


def test_an_uninvited_person_is_told_no_more_than_what_it_was():
    received = invitation(an_event(FULL), cancel=True)
    for secret in ("pencil", "meet.example", "acme.example"):
        assert secret not in received.text + received.html + received.ics.decode()


# --- Text that means harm ------------------------------------------------------------------------------

NASTY = [
    "line\r\nBcc: victim@example.test\r\n\r\nbody",
    "END:VEVENT\nBEGIN:VEVENT\nATTENDEE:mailto:x@example.test",
    'a:b;c,d"e"\\f',
    "C:\\New\\name\\\\",
    "^n^^^' %0D%0A %2C",
    "=?utf-8?b?SGVsbG8=?= =?x?q?",
    "\u202egnitseretni\u202c \u200f\u05e9\u05dc\u05d5\u05dd\u200e \u2067x",
    "👩\u200d👩\u200d👧" * 60,
    "日本語の長い題名" * 30,
    "x" * 3000,
    "<script>alert(1)</script><img src=x onerror=y>'&amp;",
    "nul\x00bell\x07esc\x1b[31m\x85next\u2028line\u2029para\ufeff\ud800",
    "\t tabs  and \u00a0 blanks ",
]
nasty = (
    st.sampled_from(NASTY)
    | st.text(st.characters(), max_size=200)
    | st.text('\r\n:;,"\\^=?<>@ aé日😀\u200f', max_size=99)
)


def one_line(text: str) -> str:
    """The documented normalisation, said once more in other words."""
    text = re.sub(r"\r\n|[\r\v\f\x85\u2028\u2029]", "\n", text)
    kept = (each for each in text if each in "\t\n" or not unfit(ord(each)))
    return " ".join("".join(kept).split())


def unfit(code: int) -> bool:
    control = code < 0x20 or 0x7F <= code < 0xA0
    direction = 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069
    no_character = 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code in {0xFEFF, 0xFFFE, 0xFFFF}
    return control or direction or no_character


def many_lines(text: str) -> str:
    text = re.sub(r"\r\n|[\r\v\f\x85\u2028\u2029]", "\n", text)
    return "".join(each for each in text if each in "\t\n" or not unfit(ord(each)) or direction(each))


def direction(character: str) -> bool:
    return 0x202A <= ord(character) <= 0x202E or 0x2066 <= ord(character) <= 0x2069


def parameter(text: str) -> str:
    return one_line(text).replace('"', "'").replace("\\", "/")


@given(summary=nasty, place=nasty, description=nasty, name=nasty, application=nasty)
def test_whatever_is_written_arrives_and_nothing_else_does(summary, place, description, name, application):
    event = an_event(
        Details(summary, FULL.when, description=description, location=Location(place)), Attendee(KIM.email, name)
    )
    raw = raw_invitation(event, application_name=application)
    received = read(raw)
    component = received.event

    assert component["SUMMARY"] == one_line(summary)
    assert component.get("LOCATION", "") == one_line(place)
    assert component.get("DESCRIPTION", "") == many_lines(description)
    assert component["ATTENDEE"].params.get("CN", "") == parameter(name)
    assert component["ORGANIZER"].params.get("CN", "") == parameter(application)

    headers = message_from_bytes(raw)
    assert sorted(headers.keys()) == sorted(invitation(an_event()).message.keys())
    assert headers.get_all("To") == [headers["To"]]
    for header, written, address in (("To", name, KIM.email), ("From", application, f"k3j4h5m6n7@{MAIL_DOMAIN}")):
        shown, found = parseaddr(headers[header].replace("\r\n", ""))
        assert found == address
        shown = str(make_header(decode_header(shown)))
        assert shown == one_line(written) or (shown.endswith("…") and one_line(written).startswith(shown[:-1]))
    subject = str(make_header(decode_header(headers["Subject"].replace("\r\n", ""))))
    title = one_line(summary)
    title = title if len(title) <= 120 else f"{title[:119].rstrip()}…"
    assert subject == f"Invitation: {title or '(no title)'} @ Mon 7 Jan 2030, 14:00 (Europe/Berlin)"

    assert one_line(summary) in received.text
    assert "<script" not in received.html
    assert "<img" not in received.html
    assert max(map(len, received.ics.split(b"\r\n"))) <= 75
    for line in received.ics.split(b"\r\n"):
        line.decode()  # no fold cuts a character


@pytest.mark.parametrize("letter", ["é", "😀", "&", ";", "http://a.b "])
def test_a_long_description_leaves_the_message_below_a_megabyte(letter):
    description = letter * (65_536 // len(letter))
    raw = raw_invitation(an_event(FULL, description=description))
    assert len(raw) < 1_000_000
    assert read(raw).event["DESCRIPTION"].startswith(description)


# --- Another implementation: ical.js -------------------------------------------------------------------

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Etc/UTC"]


@pytest.fixture(scope="module")
def ical_js(read_with_ical_js):
    return partial(read_with_ical_js, "ical_js.cjs")


def test_ical_js_reads_what_was_written(ical_js):
    texts = [text for text in NASTY if "^" not in text]  # ical.js knows nothing of RFC 6868
    events = [
        an_event(Details(text, FULL.when, text, Location(text)), Attendee(KIM.email, text), private=True)
        for text in texts
    ]
    for seen, text in zip(ical_js([invitation(event).ics for event in events]), texts, strict=True):
        assert seen["method"] == "REQUEST"
        assert seen["summary"] == one_line(text)
        assert seen["location"] == one_line(text)
        assert seen["description"] == many_lines(text)
        assert seen["attendees"] == [["mailto:kim@example.test", parameter(text)]]
        assert seen["properties"].count("attendee") == 1


@pytest.mark.parametrize(("asked", "changes"), MESSAGES)
def test_ical_js_finds_every_kind_of_message_sound(ical_js, asked, changes):
    events = [each.values[0]._replace(**changes) for each in EVENTS]
    for seen, event in zip(ical_js([invitation(event, **asked).ics for event in events]), events, strict=True):
        assert seen["uid"] == event.uid
        assert seen["sequence"] == event.sequence
        assert seen["occurrences"][0][:2] == [event.details.when.start, event.details.when.end]


SERIES_OF = [
    pytest.param("2030-01-28", RecurrenceRule("weekly", by_day=("MO", "WE"), count=120), id="weekly"),
    pytest.param("2030-01-27", RecurrenceRule("monthly", by_day=("-1SU",), count=30), id="last Sundays"),
    pytest.param("2030-01-28", RecurrenceRule("daily", interval=3, until=at("2031-02-01T00:00")), id="every third day"),
]


@pytest.mark.parametrize(("day", "rule"), SERIES_OF)
def test_every_reader_works_out_the_occurrences_that_we_do(ical_js, day, rule):
    """Across changes of the clocks; ours are worked out from the zone database, theirs from the VTIMEZONE."""
    series = [Details("Series", timed(f"{day}T09:30", f"{day}T10:30", zone), recurrence=(rule,)) for zone in ZONES]
    for details, seen in zip(series, ical_js([invitation(an_event(details)).ics for details in series]), strict=True):
        ours = occurrences(details, Period(details.when.start, at("2040-01-01")))
        assert len(ours) > 25
        assert [(start, end) for start, end, _ in seen["occurrences"]] == [(each.start, each.end) for each in ours]
        zone = ZoneInfo(details.when.start_zone)
        assert {local for _, _, local in seen["occurrences"]} == {"09:30:00"}
        assert {datetime.fromtimestamp(each.start, zone).strftime("%H:%M") for each in ours} == {"09:30"}


def test_exceptions_do_not_happen(ical_js):
    (seen,) = ical_js([invitation(an_event(SERIES)).ics])
    assert WEEKLY.exceptions[0] not in {start for start, *_ in seen["occurrences"]}
    assert len(seen["occurrences"]) == 59


def test_what_we_write_survives_being_written_again():
    for each in EVENTS:
        ics = invitation(each.values[0]).ics
        assert Calendar.from_ical(Calendar.from_ical(ics).to_ical()) == Calendar.from_ical(ics)
