"""A managed event for tests of its invitations, and what a reader finds in one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component

from freebusy.adapters.imip.message import build
from freebusy.domain.event import Attendee, Details, ManagedEvent, When

MAIL_DOMAIN = "in.example.com"
KIM = Attendee("kim@example.test", "Kim Lee")


def at(text: str, zone: str = "Etc/UTC") -> int:
    """Epoch seconds of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def timed(start: str, end: str, zone: str = "Etc/UTC") -> When:
    return When(at(start, zone), at(end, zone), start_zone=zone, end_zone=zone)


def all_day(first: str, end: str) -> When:
    return When(at(first), at(end), all_day=True)


INTERVIEW = Details("Interview", timed("2030-01-07T13:00", "2030-01-07T13:30"))


def an_event(details: Details = INTERVIEW, *attendees: Attendee, **changes: Any) -> ManagedEvent:
    """``changes`` may also be those of the details: ``an_event(location=Location("Room 4"))``."""
    of_details = {name: changes.pop(name) for name in list(changes) if name in Details._fields}
    event = ManagedEvent(
        client_id="client-1",
        sub="acc_1",
        calendar_id="cal_1",
        event_id="booking-7",
        uid="evt_0123456789abcdef01234567",
        organizer="k3j4h5m6n7",
        details=details._replace(**of_details),
        attendees=attendees or (KIM,),
        revised_at=at("2029-12-01T08:00"),
        created_at=at("2029-11-01T08:00"),
        updated_at=at("2029-12-01T08:00"),
    )
    return event._replace(**changes)


def raw_invitation(event: ManagedEvent, attendee: Attendee | None = None, **asked: Any) -> bytes:
    asked = {"cancel": False, "application_name": "Acme", "mail_domain": MAIL_DOMAIN, "zone": "Europe/Berlin", **asked}
    return build(event, attendee or event.person, **asked)


@dataclass(frozen=True)
class Received:
    """``message`` was read strictly: anything that is not quite right in it has raised."""

    message: EmailMessage
    text: str
    html: str
    ics: bytes
    attachment: bytes

    @property
    def calendar(self) -> Calendar:
        return Calendar.from_ical(self.ics)

    @property
    def event(self) -> Component:
        (component,) = self.calendar.walk("VEVENT")
        return component


def invitation(event: ManagedEvent, attendee: Attendee | None = None, **asked: Any) -> Received:
    return read(raw_invitation(event, attendee, **asked))


def read(raw: bytes) -> Received:
    message = message_from_bytes(raw, policy=policy.strict)
    assert isinstance(message, EmailMessage)
    assert [part.defects for part in message.walk() if part.defects] == []
    alternative, attachment = message.iter_parts()
    assert isinstance(alternative, EmailMessage)
    text, html, calendar = alternative.iter_parts()
    return Received(
        message, text.get_content(), html.get_content(), calendar.get_payload(decode=True), attachment.get_content()
    )
