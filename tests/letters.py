"""Mail that invites, as the service sends it, for tests of who receives it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import SMTP

from icalendar import Calendar, Event, vCalAddress

ORGANIZER = "organizer@invites.example"


def invitation(
    person: str,
    *,
    method: str = "REQUEST",
    uid: str = "uid-1@invites.example",
    sequence: int = 2,
    stamp: datetime = datetime(2026, 11, 23, 8, tzinfo=UTC),
    summary: str = "Réunion, erste",
    start: date = datetime(2026, 11, 24, 10, tzinfo=UTC),
    end: date = datetime(2026, 11, 24, 11, tzinfo=UTC),
    organizer: str = ORGANIZER,
    partstat: str = "NEEDS-ACTION",
    part_method: str | None = None,
) -> bytes:
    """One message; ``part_method`` is that of the MIME part when it is not the calendar's."""
    event = Event()
    event.add("uid", uid)
    event.add("sequence", sequence)
    event.add("dtstamp", stamp)
    event.add("summary", summary)
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("organizer", f"mailto:{organizer}")
    attendee = vCalAddress(f"mailto:{person}")
    attendee.params.update({"CN": "Ana", "PARTSTAT": partstat, "RSVP": "TRUE"})
    event.add("attendee", attendee)
    calendar = Calendar()
    calendar.add("prodid", "-//Test//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)

    message = EmailMessage(policy=SMTP)
    message["From"] = f"Démo <{organizer}>"
    message["To"] = person
    message["Subject"] = f"Invitation: {summary}"
    message["Date"] = "Mon, 01 Jan 2024 00:00:00 +0000"
    message["Message-ID"] = "<ours@invites.example>"
    message.set_content("You are invited.")
    params = {"method": part_method or method}
    message.add_alternative(calendar.to_ical().decode(), subtype="calendar", cte="base64", params=params)
    return message.as_bytes()
