"""How mail clients answer an invitation: the same iTIP REPLY or COUNTER in three different dresses.

Gmail says everything and puts the person's note into a parameter of its own; Outlook leaves ORGANIZER out, names
time zones as Windows does and encodes in base64; Apple writes bare line feeds and attaches the answer once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal, Self
from uuid import uuid4

from icalendar import Calendar, Event, Timezone, vCalAddress, vDDDTypes
from pydantic import BaseModel, ConfigDict, model_validator

from local.simulators import zones
from local.simulators.mailbox_invitations import Invitation, address
from local.simulators.people import Moment

Partstat = Literal["ACCEPTED", "DECLINED", "TENTATIVE"]
Client = Literal["gmail", "outlook", "apple"]

OUTLOOK_ZONE = "W. Europe Standard Time"
"""Outlook answers in the zone of the mailbox; every mailbox here is in Berlin."""

_OUTLOOK_ZONE = f"""BEGIN:VTIMEZONE
TZID:{OUTLOOK_ZONE}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""
_SUBJECTS = {"ACCEPTED": "Accepted", "DECLINED": "Declined", "TENTATIVE": "Tentatively Accepted"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewTime(_Model):
    """What the person proposes instead."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a proposal must end after it starts")
        return self


class Answer(_Model):
    """What ``POST /messages/{id}/reply`` asks the person to do. A proposal of a new time is a TENTATIVE by default."""

    partstat: Partstat | None = None
    comment: str = ""
    counter: NewTime | None = None
    client: Client = "gmail"
    spoofed: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.partstat is None and self.counter is None:
            raise ValueError("an answer needs a partstat or a counter")
        return self

    @property
    def status(self) -> Partstat:
        return self.partstat or "TENTATIVE"

    @property
    def method(self) -> str:
        return "COUNTER" if self.counter else "REPLY"


@dataclass(frozen=True)
class Answering:
    """One person at one invitation, at one moment: ``stamp`` is the DTSTAMP of what they send."""

    person: str
    invitation: Invitation
    in_reply_to: str
    answer: Answer
    stamp: datetime

    @property
    def name(self) -> str:
        return str(self.invitation.attendee.params.get("CN") or self.person)

    @property
    def start(self) -> date:
        return self.answer.counter.start if self.answer.counter else self.invitation.start

    @property
    def end(self) -> date:
        return self.answer.counter.end if self.answer.counter else self.invitation.end

    def mail(self) -> bytes:
        """The answer as the client mails it, to the organizer."""
        writers = {"gmail": _gmail, "outlook": _outlook, "apple": _apple}
        return writers[self.answer.client](self).as_bytes(policy=SMTP)

    def headers(self, subject: str, message_id: str) -> EmailMessage:
        """The head that every client writes."""
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(self.name, addr_spec=self.person)
        message["To"] = Address(addr_spec=address(self.invitation.organizer))
        message["Subject"] = " ".join(f"{subject}: {self.invitation.summary}".split())
        message["Date"] = format_datetime(self.stamp)
        message["Message-ID"] = f"<{message_id}>"
        return message

    def calendar(self, product: str, event: Event) -> Calendar:
        calendar = Calendar()
        calendar.add("prodid", product)
        calendar.add("version", "2.0")
        calendar.add("method", self.answer.method)
        calendar.add_component(event)
        return calendar

    def event(self, attendee: vCalAddress) -> Event:
        """What REPLY and COUNTER require (RFC 5546, 3.2.3 and 3.2.7), without ORGANIZER and times."""
        event = Event()
        event.add("uid", self.invitation.uid)
        event.add("sequence", self.invitation.sequence)  # That of the message answered; only organizers raise it.
        event.add("dtstamp", self.stamp)
        event.add("attendee", attendee)
        return event

    def attendee(self, **parameters: str) -> vCalAddress:
        attendee = vCalAddress(f"mailto:{self.person}")
        for name, value in parameters.items():
            attendee.params[name.replace("_", "-")] = value
        return attendee


def _gmail(answering: Answering) -> EmailMessage:
    answer, invitation = answering.answer, answering.invitation
    attendee = answering.attendee(
        CUTYPE="INDIVIDUAL", ROLE="REQ-PARTICIPANT", PARTSTAT=answer.status, CN=answering.name, X_NUM_GUESTS="0"
    )
    if answer.comment:
        attendee.params["X-RESPONSE-COMMENT"] = answer.comment
    event = answering.event(attendee)
    event.add("organizer", invitation.organizer)
    event.add("dtstart", answering.start)
    event.add("dtend", answering.end)
    event.add("created", answering.stamp)
    event.add("last-modified", answering.stamp)
    event.add("status", "CONFIRMED")
    event.add("summary", invitation.summary)
    event.add("transp", "OPAQUE")
    calendar = answering.calendar("-//Google Inc//Google Calendar 70.9054//EN", event)
    calendar.add("calscale", "GREGORIAN")
    content = calendar.to_ical()

    subject = "Proposed new time" if answer.counter else _SUBJECTS[answer.status]
    mail = answering.headers(subject, f"calendar-{uuid4()}@google.com")
    mail["Reply-To"] = mail["From"]
    mail["Sender"] = Address("Google Calendar", addr_spec="calendar-notification@google.com")
    mail.set_content(_words(answering), cte="base64")
    mail.add_alternative(f"<html><body><p>{_html(_words(answering))}</p></body></html>", subtype="html")
    mail.add_alternative(content.decode(), subtype="calendar", cte="quoted-printable", params={"method": answer.method})
    mail.add_attachment(content, maintype="application", subtype="ics", filename="invite.ics")
    return mail


def _outlook(answering: Answering) -> EmailMessage:
    answer, invitation = answering.answer, answering.invitation
    subject = "New Time Proposed" if answer.counter else _SUBJECTS[answer.status]
    language = {"LANGUAGE": "en-US"}
    event = answering.event(answering.attendee(PARTSTAT=answer.status, CN=answering.name))
    if answer.comment:
        event.add("comment", answer.comment + "\n", parameters=language)
    event.add("summary", f"{subject}: {invitation.summary}", parameters=language)
    _add_outlook_time(event, "dtstart", answering.start)
    _add_outlook_time(event, "dtend", answering.end)
    event.add("class", "PUBLIC")
    event.add("priority", 5)
    event.add("transp", "OPAQUE")
    event.add("status", "CONFIRMED")
    event.add("location", "", parameters=language)
    event.add("x-microsoft-cdo-appt-sequence", str(invitation.sequence))
    event.add("x-microsoft-cdo-busystatus", "BUSY" if answer.status == "ACCEPTED" else "TENTATIVE")
    event.add("x-microsoft-cdo-alldayevent", "TRUE" if invitation.all_day else "FALSE")
    event.add("x-microsoft-disallow-counter", "FALSE")
    if answer.counter:
        _add_outlook_time(event, "x-ms-olk-originalstart", invitation.start)
        _add_outlook_time(event, "x-ms-olk-originalend", invitation.end)
    calendar = answering.calendar("Microsoft Exchange Server 2010", event)
    calendar.subcomponents.insert(0, Timezone.from_ical(_OUTLOOK_ZONE))

    mail = answering.headers(subject, f"{uuid4().hex.upper()}@AM0PR01MB0001.eurprd01.prod.exchangelabs.com")
    mail["Thread-Topic"] = " ".join(invitation.summary.split())
    mail["In-Reply-To"] = answering.in_reply_to
    mail["References"] = answering.in_reply_to
    mail["Accept-Language"] = "en-US"
    mail["X-MS-Has-Attach"] = ""
    mail["X-MS-TNEF-Correlator"] = ""
    mail["X-MS-Exchange-Calendar-Originator-Id"] = uuid4().hex
    mail.set_content(answer.comment + "\n", charset="utf-8", cte="quoted-printable")
    mail.add_alternative(f"<html><body><p>{_html(answer.comment)}</p></body></html>", subtype="html")
    mail.add_alternative(
        calendar.to_ical(sorted=False).decode(), subtype="calendar", cte="base64", params={"method": answer.method}
    )
    return mail


def _apple(answering: Answering) -> EmailMessage:
    answer, invitation = answering.answer, answering.invitation
    attendee = answering.attendee(
        CN=answering.name, CUTYPE="INDIVIDUAL", EMAIL=answering.person, PARTSTAT=answer.status, ROLE="REQ-PARTICIPANT"
    )
    event = answering.event(attendee)
    event.add("organizer", invitation.organizer)
    event.add("dtstart", answering.start)
    event.add("dtend", answering.end)
    event.add("summary", invitation.summary)
    if answer.comment:
        event.add("comment", answer.comment)
    calendar = answering.calendar("-//Apple Inc.//macOS 15.1//EN", event)
    calendar.add("calscale", "GREGORIAN")
    content = calendar.to_ical().replace(b"\r\n", b"\n")

    mail = answering.headers(_SUBJECTS[answer.status], f"{str(uuid4()).upper()}@{answering.person.rpartition('@')[2]}")
    mail["X-Mailer"] = "Apple Mail (2.3826.200.121)"
    mail["In-Reply-To"] = answering.in_reply_to
    mail.set_content(_words(answering))
    # As bytes: text would be given CRLF before it is encoded.
    mail.add_alternative(
        content, maintype="text", subtype="calendar", params={"charset": "utf-8", "method": answer.method}
    )
    mail.add_attachment(content, maintype="application", subtype="ics", filename=f"iCal-{uuid4().hex[:8]}.ics")
    return mail


def _add_outlook_time(event: Event, name: str, moment: date) -> None:
    """On the wall clock of the mailbox, which the zone's Windows name makes a moment."""
    if isinstance(moment, datetime):
        written = vDDDTypes(moment.astimezone(zones.zone(OUTLOOK_ZONE)).replace(tzinfo=None))
        written.params["TZID"] = OUTLOOK_ZONE
    else:
        written = vDDDTypes(moment)
    event[name] = written


def _words(answering: Answering) -> str:
    """What the mail says to somebody who reads it."""
    verb = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentatively accepted"}
    what = "proposed a new time for" if answering.answer.counter else f"has {verb[answering.answer.status]}"
    note = f"\n\n{answering.answer.comment}" if answering.answer.comment else ""
    return f"{answering.name} {what} this invitation.{note}\n"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")


def later_than(before: datetime | None, now: datetime) -> datetime:
    """A DTSTAMP for the next answer: whole seconds, and after the one before. Nobody answers twice in one second."""
    stamp = now.replace(microsecond=0)
    return max(stamp, before + timedelta(seconds=1)) if before else stamp
