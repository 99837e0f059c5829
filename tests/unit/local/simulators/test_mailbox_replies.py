"""What mail clients answer with: right by RFC 5546 and RFC 6047, and odd as the real ones are odd."""

import email
import email.policy
from datetime import UTC, date, datetime

import pytest
from icalendar import Calendar

from local.simulators.mailbox_invitations import invitation_for
from local.simulators.mailbox_replies import Answer, Answering, later_than
from tests.letters import invitation

CLIENTS = ["gmail", "outlook", "apple"]
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
COUNTER = {"start": "2026-11-24T15:00:00Z", "end": "2026-11-24T16:00:00Z"}


def reply(client, raw=None, **answer):
    """The mail, and its calendar."""
    found = invitation_for("ana@example.com", raw or invitation("ana@example.com"))
    assert found
    asked = Answer.model_validate({"partstat": "ACCEPTED", **answer, "client": client})
    mail = Answering("ana@example.com", found, "<1@email.amazonses.com>", asked, NOW).mail()
    message = email.message_from_bytes(mail, policy=email.policy.default)
    (part,) = (part for part in message.walk() if part.get_content_type() == "text/calendar")
    return message, part


def event_of(part):
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    (event,) = calendar.events
    assert not calendar.errors
    assert not event.errors
    return calendar, event


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("partstat", ["ACCEPTED", "DECLINED", "TENTATIVE"])
def test_a_reply_has_what_rfc_5546_asks_for(client, partstat):
    message, part = reply(client, partstat=partstat)
    calendar, event = event_of(part)

    assert (calendar["METHOD"], part.get_param("method")) == ("REPLY", "REPLY")
    assert (event.uid, event.sequence, event.stamp) == ("uid-1@invites.example", 2, NOW)
    (attendee,) = event.attendees
    assert (str(attendee), attendee.params["PARTSTAT"]) == ("mailto:ana@example.com", partstat)
    assert message["From"].addresses[0].addr_spec == "ana@example.com"
    assert message["To"].addresses[0].addr_spec == "organizer@invites.example"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proposal_is_a_counter_with_the_new_time_and_the_old_sequence(client):
    _, part = reply(client, partstat=None, counter=COUNTER)
    calendar, event = event_of(part)

    assert (calendar["METHOD"], part.get_param("method"), event.sequence) == ("COUNTER", "COUNTER", 2)
    assert event.start.astimezone(UTC) == datetime(2026, 11, 24, 15, tzinfo=UTC)
    assert event.end.astimezone(UTC) == datetime(2026, 11, 24, 16, tzinfo=UTC)
    assert event.attendees[0].params["PARTSTAT"] == "TENTATIVE"
    assert event.summary.endswith("Réunion, erste")


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_means_the_same_time(client):
    _, event = event_of(reply(client)[1])

    assert event.start.astimezone(UTC) == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert event.end.astimezone(UTC) == datetime(2026, 11, 24, 11, tzinfo=UTC)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_all_day_event_stays_one(client):
    raw = invitation("ana@example.com", start=date(2026, 11, 24), end=date(2026, 11, 26))
    _, event = event_of(reply(client, raw)[1])

    assert (event.start, event.end) == (date(2026, 11, 24), date(2026, 11, 26))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("comment", ["On my way", 'Späť; "soon", he said: ok\nreally 🎉'])
def test_a_comment_survives(client, comment):
    _, event = event_of(reply(client, comment=comment)[1])

    written = event.attendees[0].params.get("X-RESPONSE-COMMENT") if client == "gmail" else event["COMMENT"]
    assert str(written).strip() == comment


def test_gmail_keeps_the_comment_out_of_comment():
    assert "COMMENT" not in event_of(reply("gmail", comment="On my way")[1])[1]


def test_outlook_leaves_the_organizer_out():
    assert "ORGANIZER" not in event_of(reply("outlook")[1])[1]


@pytest.mark.parametrize("client", ["gmail", "apple"])
def test_the_others_name_the_organizer(client):
    assert event_of(reply(client)[1])[1]["ORGANIZER"] == "mailto:organizer@invites.example"


def test_outlook_speaks_of_zones_as_windows_does():
    text = reply("outlook")[1].get_content()

    assert "DTSTART;TZID=W. Europe Standard Time:20261124T110000\r\n" in text
    assert "TZID:W. Europe Standard Time\r\n" in text


@pytest.mark.parametrize(
    ("client", "encoding"), [("gmail", "quoted-printable"), ("outlook", "base64"), ("apple", "base64")]
)
def test_the_calendar_is_encoded(client, encoding):
    assert reply(client)[1]["Content-Transfer-Encoding"] == encoding


def test_apple_ends_its_lines_with_bare_line_feeds():
    content = reply("apple")[1].get_payload(decode=True)

    assert b"\n" in content
    assert b"\r" not in content


@pytest.mark.parametrize("client", ["gmail", "apple"])
def test_an_attachment_says_it_once_more(client):
    message, part = reply(client)
    (attached,) = message.iter_attachments()

    assert attached.get_content_type() == "application/ics"
    assert attached.get_payload(decode=True) == part.get_payload(decode=True)


@pytest.mark.parametrize("client", CLIENTS)
def test_mail_is_ascii_and_keeps_to_the_line_length(client):
    raw = reply(client, comment="ä" * 3000)[0].as_bytes(policy=email.policy.SMTP)

    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("before", "stamp"),
    [
        pytest.param(None, 30, id="the first"),
        pytest.param(10, 30, id="long after the last"),
        pytest.param(30, 31, id="in the same second"),
        pytest.param(35, 36, id="after several in one second"),
    ],
)
def test_answers_of_one_person_are_a_second_apart(before, stamp):
    last = before and NOW.replace(second=before)

    assert later_than(last, NOW.replace(second=30, microsecond=999)) == NOW.replace(second=stamp)
