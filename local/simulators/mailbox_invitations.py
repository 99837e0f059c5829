"""What a mail client finds in a message that invites: one event, as iMIP carries it (RFC 6047, RFC 5546)."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage

from icalendar import Calendar, Event, vCalAddress

METHODS = frozenset({"REQUEST", "CANCEL"})


@dataclass(frozen=True)
class Invitation:
    """An event that one person is invited to, or no longer: ``start`` and ``end`` are dates when it lasts all day.

    ``sequence`` and ``stamp`` order the messages about one ``uid`` (RFC 5546, 2.1.5).
    """

    method: str
    uid: str
    sequence: int
    stamp: datetime
    summary: str
    start: date
    end: date
    organizer: vCalAddress
    attendee: vCalAddress
    event: Event

    @property
    def order(self) -> tuple[int, datetime]:
        return self.sequence, self.stamp

    @property
    def all_day(self) -> bool:
        return not isinstance(self.start, datetime)

    @property
    def partstat(self) -> str:
        return str(self.attendee.params.get("PARTSTAT", "NEEDS-ACTION"))


def invitation_for(person: str, raw: bytes) -> Invitation | None:
    """None when this is no invitation, or not one for ``person``: clients then show it as ordinary mail.

    The method has to be in the MIME part and in the calendar, with the same name, and the person has to be
    among the attendees; otherwise neither Gmail nor Outlook shows buttons.
    """
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return next((found for part in message.walk() if (found := _in_part(part, person))), None)


def address(value: object) -> str:
    """The e-mail address of an ORGANIZER or ATTENDEE."""
    scheme, _, rest = str(value).partition(":")
    return rest.strip().lower() if scheme.lower() == "mailto" else ""


def _in_part(part: EmailMessage, person: str) -> Invitation | None:
    method = str(part.get_param("method", "")).upper()
    content = part.get_payload(decode=True)
    if part.get_content_type() != "text/calendar" or method not in METHODS or not isinstance(content, bytes):
        return None
    try:
        calendar = Calendar.from_ical(content)
        if str(calendar.get("METHOD", "")).upper() != method:
            return None
        return next(_invitations(calendar, method, person), None)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None  # Whatever is wrong with it, a client shows no buttons.


def _invitations(calendar: Calendar, method: str, person: str) -> Iterator[Invitation]:
    for event in calendar.events:
        attendee = next((each for each in event.attendees if address(each) == person), None)
        if attendee and event.organizer and event.stamp and event.uid:
            yield Invitation(
                method=method,
                uid=event.uid,
                sequence=event.sequence,
                stamp=event.stamp,
                summary=event.summary or "",
                start=_utc(event.start),
                end=_utc(event.end),
                organizer=event.organizer,
                attendee=attendee,
                event=event,
            )


def _utc(moment: date) -> date:
    """A date stays what it is; a time without a zone is taken as UTC."""
    if not isinstance(moment, datetime):
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
