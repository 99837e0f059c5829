"""The iCalendar object of an invitation (RFC 5545), as iTIP wants it for REQUEST and CANCEL (RFC 5546, 3.2.2, 3.2.5).

Every string given must have been through ``text``. Times are in UTC, except those of a series, whose wall-clock time
stays as the clocks change: they are in the zone they were meant in, with its VTIMEZONE.
"""

from __future__ import annotations

import math
from datetime import MAXYEAR, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from icalendar import Alarm, Calendar, Event, vCalAddress, vGeo, vRecur, vText, vUri

from freebusy.adapters.imip.text import web_link
from freebusy.adapters.imip.zones import in_zone, is_utc, moment, vtimezone, zone_named
from freebusy.domain.event import (
    Attendee,
    Conferencing,
    Details,
    ExtendedTransparency,
    Location,
    ManagedEvent,
    RecurrenceRule,
    When,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_INTENDED = {ExtendedTransparency.TENTATIVE: "TENTATIVE", ExtendedTransparency.OUT_OF_OFFICE: "OOF"}
"""What TRANSP has no word for, and Outlook has (MS-OXCICAL, X-MICROSOFT-CDO-INTENDEDSTATUS)."""

PRODID = "-//Free/Busy Connect//Invitations//EN"


def calendar_object(
    event: ManagedEvent, attendee: Attendee, *, cancel: bool, application_name: str, mail_domain: str
) -> bytes:
    """METHOD, the zone when one is used, and one VEVENT with the one attendee whom it is sent to.

    UID is ``event.uid`` to the letter, and nothing that an operator could change is part of it: a UID that changes
    makes a second event of the same one.
    """
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODID)
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "CANCEL" if cancel else "REQUEST")
    if zone := _zone_of_series(event.details):
        calendar.add_component(vtimezone(zone, *_years(event.details)))
    component = Event()
    component.add("UID", event.uid)
    component.add("SEQUENCE", event.sequence)
    component.add("DTSTAMP", moment(event.revised_at))
    component.add("ORGANIZER", _address(f"{event.organizer}@{mail_domain}", application_name))
    _add_times(component, event.details)
    _add_text(component, "SUMMARY", event.details.summary)
    if cancel:
        _add_cancellation(component, event, attendee)
    else:
        _add_request(component, event, attendee)
    calendar.add_component(component)
    written: bytes = calendar.to_ical()
    return written


def _add_request(component: Event, event: ManagedEvent, attendee: Attendee) -> None:
    details = event.details
    component.add("CREATED", moment(event.created_at))
    component.add("LAST-MODIFIED", moment(event.revised_at))
    component.add("STATUS", "CONFIRMED")
    component.add("CLASS", "PRIVATE" if details.private else "PUBLIC")
    component.add("TRANSP", details.transparency.upper())
    if details.extended_transparency in _INTENDED:
        component.add("X-MICROSOFT-CDO-INTENDEDSTATUS", _INTENDED[details.extended_transparency])
    participation = attendee.participation.upper().replace("_", "-")
    # RSVP stays TRUE after an answer: a person may think better of it, and without it mail programs offer no buttons.
    component.add("ATTENDEE", _address(attendee.email, attendee.name, PARTSTAT=participation, RSVP="TRUE"))
    _add_text(component, "DESCRIPTION", _description(details))
    _add_text(component, "LOCATION", _place(details))
    if details.location and (position := _position(details.location)):
        component.add("GEO", position)
    if details.url and (link := web_link(details.url)):
        component.add("URL", vUri(link))
    if details.conferencing and (conference := _conference(details.conferencing)):
        component.add("CONFERENCE", conference)
    for minutes in sorted(set(details.reminders)):
        component.add_component(_alarm(minutes, details.summary))


def _add_cancellation(component: Event, event: ManagedEvent, attendee: Attendee) -> None:
    """Enough to know the event by. An uninvited person is told no more about it.

    STATUS says that the whole event is off, and must be left out when it goes on without this attendee
    (RFC 5546, 3.2.5).
    """
    if event.deleted:
        component.add("STATUS", "CANCELLED")
    component.add("ATTENDEE", _address(attendee.email, attendee.name))
    _add_text(component, "LOCATION", _place(event.details))


def _add_times(component: Event, details: Details) -> None:
    when, zone = details.when, _zone_of_series(details)
    component.add("DTSTART", _written(when.start, when, zone))
    if when.end > when.start:  # DTEND must be later (3.8.2.2); an event without one ends as it starts
        component.add("DTEND", _written(when.end, when, zone))
    for rule in details.recurrence:
        component.add("RRULE", _recurrence(rule, when))
        if rule.exceptions:
            # In the zone of DTSTART, since Exchange overlooks exceptions in another (its knowledge base, 2295902).
            component.add("EXDATE", [_written(start, when, zone) for start in sorted(set(rule.exceptions))])


def _written(seconds: int, when: When, zone: ZoneInfo | None) -> datetime | date:
    if when.all_day:
        return moment(seconds).date()
    return in_zone(seconds, zone) if zone else moment(seconds)


def _recurrence(rule: RecurrenceRule, when: When) -> vRecur:
    parts: dict[str, object] = {"FREQ": rule.frequency.upper(), "INTERVAL": rule.interval}
    if rule.count is not None:
        parts["COUNT"] = rule.count
    elif rule.until is not None:  # a date with dates, UTC with times (RFC 5545, 3.3.10)
        parts["UNTIL"] = _written(rule.until, when, None)
    if rule.by_day:
        parts["BYDAY"] = list(rule.by_day)
    return vRecur(parts)


def _zone_of_series(details: Details) -> ZoneInfo | None:
    if details.when.all_day or not details.recurrence:
        return None
    zone = zone_named(details.when.start_zone)
    return None if is_utc(zone) else zone


def _years(details: Details) -> tuple[int, int]:
    """Of the first occurrence and of the last, as far as the rules say without being worked out."""
    first = moment(details.when.start).year
    return first, max(_last_year(rule) for rule in details.recurrence)


def _last_year(rule: RecurrenceRule) -> int:
    return MAXYEAR if rule.until is None else moment(rule.until).year


def _address(email: str, name: str | None, **parameters: str) -> vCalAddress:
    """RFC 6068 says what must be encoded in ``mailto:``; what need not be stays, for clients compare by letter."""
    people = {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT"} if "RSVP" in parameters else {}
    named = {"CN": _parameter(name)} if name else {}
    return vCalAddress(f"mailto:{quote(email, safe=_MAILTO_SAFE)}", params={**people, **parameters, **named})


def _parameter(text: str) -> str:
    """A parameter cannot hold a double quote (RFC 5545, 3.2), and some readers take a backslash in it for an escape."""
    return text.translate(_UNFIT_FOR_PARAMETERS)


_MAILTO_SAFE = "@!$&'*+="
_UNFIT_FOR_PARAMETERS = str.maketrans({'"': "'", "\\": "/"})


def _description(details: Details) -> str:
    """With the join link, which few programs read out of CONFERENCE."""
    return "\n\n".join(filter(None, (details.description, _joining(details.conferencing))))


def _joining(conferencing: Conferencing | None) -> str | None:
    if conferencing is None:
        return None
    name = conferencing.provider_description
    return f"Join ({name}): {conferencing.join_url}" if name else f"Join: {conferencing.join_url}"


def _place(details: Details) -> str:
    """A meeting that takes place nowhere else takes place at its join link."""
    if details.location and details.location.description:
        return details.location.description
    return details.conferencing.join_url if details.conferencing else ""


def _conference(conferencing: Conferencing) -> vUri | None:
    """RFC 7986, 5.11."""
    link = web_link(conferencing.join_url)
    name = conferencing.provider_description
    return vUri(link, params={"VALUE": "URI", **({"LABEL": _parameter(name)} if name else {})}) if link else None


class _Position(vGeo):
    """Six decimals, never an exponent, which FLOAT does not have (RFC 5545, 3.3.7, 3.8.1.6)."""

    def to_ical(self) -> str:
        return f"{self.latitude:.6f};{self.longitude:.6f}"


def _position(location: Location) -> _Position | None:
    try:
        latitude, longitude = float(location.latitude or "nan"), float(location.longitude or "nan")
    except ValueError:
        return None
    if not (math.fabs(latitude) <= 90 and math.fabs(longitude) <= 180):  # noqa: PLR2004 - degrees of the globe
        return None
    return _Position((latitude, longitude))


def _alarm(minutes: int, summary: str) -> Alarm:
    alarm = Alarm()
    alarm.add("ACTION", "DISPLAY")
    alarm.add("TRIGGER", timedelta(minutes=-minutes))
    _add_text(alarm, "DESCRIPTION", summary or "Reminder")
    return alarm


def _add_text(component: Event | Alarm, name: str, text: str) -> None:
    if text or name == "SUMMARY":  # SUMMARY is required, and may be empty (RFC 5546, 3.2.2)
        component.add(name, _Text(text))


class _Text(vText):
    r"""icalendar's own escaping takes the two characters ``\N`` for a line break: a path of Windows would lose them."""

    def to_ical(self) -> bytes:
        return self.translate(_ESCAPES).encode()


_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
"""RFC 5545, 3.3.11."""
