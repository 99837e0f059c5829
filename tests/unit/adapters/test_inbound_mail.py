"""What mail programs write when they answer, and what everybody else may send to the same address."""

from __future__ import annotations

import tracemalloc
from base64 import encodebytes
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from freebusy.adapters import inbound_mail
from freebusy.adapters.inbound_mail import S3Mailbox, letter
from freebusy.domain.errors import MailIgnored
from freebusy.domain.event import Participation, Proposal
from freebusy.domain.reply import LONGEST_COMMENT, Ignored, Letter, Method, Reply
from tests.invitations import at
from tests.replies import MAILS, STAMP, mail

UID = "evt_0123456789abcdef01234567"


def reason(raw: bytes) -> str:
    with pytest.raises(MailIgnored) as caught:
        letter(raw)
    return caught.value.reason


def times(start: str, end: str) -> Proposal:
    return Proposal(at(start), at(end))


@pytest.mark.parametrize(
    ("name", "participation", "comment"),
    [
        ("gmail_accepted", Participation.ACCEPTED, None),
        ("gmail_declined_with_note", Participation.DECLINED, "Sorry, I am away: back on Friday; then yes"),
        ("gmail_delegated", Participation.NEEDS_ACTION, None),
        ("outlook_accepted", Participation.ACCEPTED, None),
        ("outlook_declined_with_note", Participation.DECLINED, "Leider nicht, ich bin in Zürich.\nGrüße"),
        ("outlook_latin_1", Participation.DECLINED, "Grüße aus Zürich"),
        ("apple_tentative", Participation.TENTATIVE, None),
        ("apple_accepted_attachment_alone", Participation.ACCEPTED, "Until Monday \N{WAVING HAND SIGN}"),
        ("automatic_answer_of_a_calendar", Participation.TENTATIVE, None),
    ],
)
def test_every_programs_answer_is_understood(name, participation, comment):
    reply = letter(mail(name)).reply
    assert reply.attendee.lower() == "kim@example.test"
    assert reply == Reply(Method.REPLY, UID, 0, STAMP, reply.attendee, participation, comment)


@pytest.mark.parametrize(
    ("name", "participation", "proposal"),
    [
        ("gmail_new_time", Participation.TENTATIVE, times("2030-01-08T09:00", "2030-01-08T09:30")),
        pytest.param(
            "outlook_new_time",
            Participation.TENTATIVE,
            times("2030-07-08T07:00", "2030-07-08T07:30"),
            id="in summer time",
        ),
        ("new_time_with_duration", Participation.TENTATIVE, times("2030-01-08T09:00", "2030-01-08T09:45")),
        pytest.param(
            "outlook_declined_new_time_in_own_zone",
            Participation.DECLINED,
            None,
            id="a zone of the sender's own making",
        ),
    ],
)
def test_every_programs_proposal_is_understood(name, participation, proposal):
    reply = letter(mail(name)).reply
    assert (reply.method, reply.participation, reply.proposal) == (Method.COUNTER, participation, proposal)
    assert not reply.all_day


def test_days_can_be_proposed():
    reply = letter(mail("new_days")).reply
    assert (reply.all_day, reply.proposal) == (True, times("2030-01-10", "2030-01-12"))


def test_an_answer_to_one_occurrence_says_so():
    assert letter(mail("apple_one_occurrence")).reply.one_occurrence
    assert letter(answer(b"RECURRENCE-ID;=broken:x")).reply.one_occurrence


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bounce", Ignored.BOUNCE),
        ("busy_time", Ignored.NO_ANSWER),
        ("forwarded", Ignored.NO_ANSWER),
        ("mailing_list", Ignored.AUTOMATIC),
        ("methods_disagree", Ignored.METHODS_DISAGREE),
        ("out_of_office", Ignored.AUTOMATIC),
        ("refresh", Ignored.NO_ANSWER),
        ("request_sent_back", Ignored.NO_ANSWER),
        ("truncated", Ignored.MALFORMED),
        ("two_responders", Ignored.MALFORMED),
        ("without_stamp", Ignored.MALFORMED),
        ("written_by_hand", Ignored.NO_ANSWER),
        ("zipped", Ignored.NO_ANSWER),
    ],
)
def test_other_mail_is_ignored_for_a_reason(name, why):
    assert reason(mail(name)) == why


@pytest.mark.parametrize(
    ("charset", "text"),
    [("utf-16", "早上好"), ("koi8-r", "Да"), ("iso-2022-jp", "はい"), ("shift_jis", "はい"), ("windows-1252", "“oui”")],
)
def test_other_charsets_are_decoded(charset, text):
    head = f"From: kim@example.test\r\nContent-Type: text/calendar; method=REPLY; charset={charset}\r\n"
    encoded = encodebytes(calendar_of(f"COMMENT:{text}".encode()).decode().encode(charset))
    raw = head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded
    assert letter(raw).reply.comment == text


@pytest.mark.parametrize("charset", ["punycode", "rot13", "hex", "unheard-of", "utf-8\u00e9"])
def test_a_charset_that_is_none_spoils_letters_alone(charset):
    raw = b"From: kim@example.test\nContent-Type: text/calendar; method=REPLY; charset=" + charset.encode()
    assert letter(raw + b"\n\n" + calendar_of(b"COMMENT:Gr\xfc\xdfe")).reply.comment


# --- Who wrote it ------------------------------------------------------------------------------------


def calendar_of(*lines: bytes, method: bytes = b"REPLY") -> bytes:
    properties = (b"UID:u", b"DTSTAMP:20291202T091500Z", b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:kim@example.test", *lines)
    begin = (b"BEGIN:VCALENDAR", b"METHOD:" + method, b"BEGIN:VEVENT")
    return b"\r\n".join([*begin, *properties, b"END:VEVENT", b"END:VCALENDAR", b""])


def answer(*lines: bytes, head: bytes = b"From: kim@example.test\r\n") -> bytes:
    return head + b"Content-Type: text/calendar; method=REPLY\r\n\r\n" + calendar_of(*lines)


@pytest.mark.parametrize(
    "header",
    [
        "kim@example.test",
        "<kim@example.test>",
        "Kim Lee <kim@example.test>",
        '"Lee, Kim (Acme)" <kim@example.test>',
        r'"\"Kim\" @ home" <kim@example.test>',
        '"boss@example.com" <kim@example.test>',
        "=?utf-8?q?K=C3=AFm?= Lee\r\n <kim@example.test>",
        "Kim L\u00e9e <kim@example.test>",
    ],
)
def test_the_sender_is_the_one_address_of_from(header):
    assert letter(answer(head=f"From: {header}\r\n".encode())).sender == "kim@example.test"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("From: kim@example.test, lou@example.test", id="two addresses"),
        pytest.param("From: kim@example.test\r\nFrom: lou@example.test", id="two headers"),
        pytest.param("From: kim@example.test\r\nX: y\rFrom: lou@example.test", id="one behind a bare CR"),
        pytest.param("From: kim@example.test <lou@example.test>", id="an address for a name"),
        pytest.param("From: <kim@example.test> <lou@example.test>", id="two in brackets"),
        pytest.param("From: lou@example.test (kim@example.test)", id="a comment"),
        pytest.param("From: people: kim@example.test;", id="a group"),
        pytest.param("From: <@relay.test:kim@example.test>", id="a route"),
        pytest.param("From: kim@example.test\\@lou.test", id="an escaped at"),
        pytest.param('From: "kim@example.test', id="an open quote"),
        pytest.param("From: nobody", id="no address"),
        pytest.param("Sender: kim@example.test", id="no From"),
        pytest.param("From: " + '"\\' * 900, id="long and open"),
    ],
)
def test_a_from_that_could_be_read_in_two_ways_is_nobody(header):
    assert reason(answer(head=f"{header}\r\n".encode())) in {Ignored.NOT_AUTHENTIC, Ignored.UNREADABLE}


def test_signatures_are_listed_by_their_domains():
    assert letter(mail("gmail_accepted")).signers == ("google.com", "example-test.20230601.gappssmtp.com")
    assert letter(answer(head=b"From: kim@example.test\r\nDKIM-Signature: nonsense\r\n")).signers == ("",)


# --- What is in it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param((b"COMMENT:a\\nb\\, c",), "a\nb, c", id="escapes"),
        pytest.param((b"COMMENT:one", b"COMMENT:two"), "one\ntwo", id="several"),
        pytest.param((b"COMMENT:a\x00\x1b[31mb",), "a[31mb", id="control characters"),
        pytest.param((b"COMMENT: \\n \\n",), None, id="white space"),
        pytest.param((b"COMMENT;=broken:a",), None, id="unreadable"),
        pytest.param((b"COMMENT:" + b"x" * 10_000,), "x" * (LONGEST_COMMENT - 1) + "…", id="long"),
        pytest.param((b"COMMENT:" + b"x" * 50_000,), None, id="too long to look at"),
    ],
)
def test_a_comment_is_cleaned_and_bounded(lines, expected):
    assert letter(answer(*lines)).reply.comment == expected


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((b"SEQUENCE:one",), id="sequence in words"),
        pytest.param((b"SEQUENCE:" + b"9" * 5000,), id="sequence of 5,000 digits"),
        pytest.param((b"UID:other",), id="two UIDs"),
        pytest.param((b"ATTENDEE:mailto:lou@example.test",), id="two attendees"),
        pytest.param((b"END:VEVENT", b"BEGIN:VEVENT", b"UID:v"), id="two events"),
        pytest.param((b"END:VEVENT", b"END:VCALENDAR", b"END:VCALENDAR", b"END:VCALENDAR"), id="more ends than begins"),
    ],
)
def test_an_answer_that_cannot_be_meant_is_malformed(lines):
    assert reason(answer(*lines)) == Ignored.MALFORMED


@pytest.mark.parametrize(
    "lines",
    [
        (b"DTSTART:20300108T090000Z", b"DTEND:20300108T080000Z"),
        (b"DTSTART:20300108T090000Z", b"DTEND:20300108T090000Z"),
        (b"DTSTART:20300108T090000Z", b"DTEND;VALUE=DATE:20300109"),
        (b"DTSTART;TZID=../../etc/passwd:20300108T090000", b"DTEND:20300109T090000Z"),
    ],
)
def test_a_proposal_that_is_no_time_is_none(lines):
    raw = b"From: kim@example.test\r\nContent-Type: text/calendar\r\n\r\n" + calendar_of(*lines, method=b"COUNTER")
    assert letter(raw).reply.proposal is None


def test_a_zone_that_one_mail_defines_is_not_that_of_the_next():
    def proposing(zone: bytes) -> bytes:
        times = (b"DTSTART;TZID=Customized:20300108T090000", b"DTEND;TZID=Customized:20300108T100000")
        calendar = calendar_of(*times, method=b"COUNTER").replace(b"BEGIN:VEVENT", zone + b"BEGIN:VEVENT")
        return b"From: kim@example.test\r\nContent-Type: text/calendar\r\n\r\n" + calendar

    defined = (
        b"BEGIN:VTIMEZONE\r\nTZID:Customized\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0900\r\n"
        b"TZOFFSETTO:+0900\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    assert letter(proposing(defined)).reply.proposal is None
    assert letter(proposing(b"")).reply.proposal is None


# --- What is made to be hard to read -----------------------------------------------------------------


def multipart(content: bytes, boundary: bytes) -> bytes:
    return b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % boundary + content


def nested(depth: int) -> bytes:
    content = b"\r\n"
    for level in range(depth):
        boundary = b"level%d" % level
        content = multipart(b"--%b\r\n%b\r\n--%b--\r\n" % (boundary, content, boundary), boundary)
    return b"From: kim@example.test\r\n" + content


def calendar_mail(content: bytes) -> bytes:
    return b"From: kim@example.test\r\nContent-Type: text/calendar; method=REPLY\r\n\r\n" + content


BOMBS = {
    "parts without end": b"From: kim@example.test\r\n" + multipart(b"--x\n" * 400_000, b"x"),
    "nested 2,000 deep": nested(2000),
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\nx",
    "headers without end": b"X: y\r\n" * 300_000,
    "a header of a megabyte": b"Content-Type: multipart/mixed; " + b'";' * 500_000 + b"\r\n\r\n",
    "many parameters": b"Content-Type: multipart/mixed" + b';"' * 5_000 + b"\r\n\r\n",
    "components without end": calendar_mail(b"BEGIN:VCALENDAR\nMETHOD:REPLY\n" + b"BEGIN:VEVENT\n" * 19_000),
    "attendees without end": calendar_mail(
        b"BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\n" + b"ATTENDEE;A=B;C=D:mailto:a@example.test\n" * 6_000
    ),
    "lines without end": calendar_mail(b"BEGIN:VCALENDAR\n" + b"X\n" * 120_000),
    "a line without end": calendar_mail(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE;" + b"A=B;" * 60_000),
    "a megabyte of calendar": calendar_mail(calendar_of(*(b"DESCRIPTION:x" * 20,) * 5_000)),
    "uuencoded": b"Content-Type: text/calendar\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n",
    "broken base64": b"Content-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\n=A=B\xff",
    "nothing": b"",
    "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS)
def test_mail_that_is_made_to_be_hard_to_read_is_ignored_and_takes_no_more_memory_than_a_few_copies(raw):
    tracemalloc.start()
    try:
        assert reason(raw) in {Ignored.UNREADABLE, Ignored.MALFORMED, Ignored.NO_ANSWER}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(raw) + 2**24


def test_zones_that_take_for_ever_to_work_out_are_not_worked_out():
    zone = (
        b"BEGIN:VTIMEZONE\r\nTZID:Slow\r\nBEGIN:STANDARD\r\nDTSTART:00010101T000000\r\nTZOFFSETFROM:+0000\r\n"
        b"TZOFFSETTO:+0000\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
    )
    raw = calendar_mail(calendar_of().replace(b"BEGIN:VEVENT", zone))
    assert letter(raw).reply.uid == "u"


class Bucket:
    """Holds one object, of which nobody has to read more than its size."""

    def __init__(self, size: int) -> None:
        self.ContentLength = size
        self.closed = False

    def get_object(self, **_: str):
        return {"ContentLength": self.ContentLength, "Body": self}

    def close(self) -> None:
        self.closed = True


def test_mail_that_is_too_large_is_not_even_read():
    bucket = Bucket(inbound_mail.LARGEST_MAIL + 1)
    with pytest.raises(MailIgnored) as caught:
        S3Mailbox(bucket, "inbound").read("key")
    assert caught.value.reason == Ignored.TOO_LARGE
    assert bucket.closed


SEEDS = [path.read_bytes() for path in sorted(MAILS.glob("*.eml"))]
TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff\xfe",
    b"--",
    b"BEGIN:VEVENT",
    b"END:VEVENT",
    b"BEGIN:VCALENDAR",
    b"RECURRENCE-ID:x",
    b"ATTENDEE",
    b'"',
    b";",
    b":",
    b"\\",
    b"boundary=",
    b"multipart/mixed; boundary=x",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Type: text/calendar; charset=utf-7\r\n",
    b"99999999T999999Z",
    b"TZID=",
    b"\n " * 50,
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """One of the mails with pieces cut out, put in, doubled or exchanged."""
    raw = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.sampled_from([0, 1, 2, 8, 75, 400])))
        piece = draw(st.sampled_from([*TOKENS, bytes(raw[start:end]) * 2]) | st.binary(max_size=8))
        raw[start:end] = piece
    return bytes(raw)


@given(mutated())
@settings(
    deadline=None,
    max_examples=300,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_whatever_comes_in_is_an_answer_or_ignored(raw):
    with suppress(MailIgnored):
        found = letter(raw)
        assert isinstance(found, Letter)
        assert "@" in found.sender
        assert "@" in found.reply.attendee
        assert len(found.reply.comment or "") <= LONGEST_COMMENT
