"""What an invitation says to a person: every English word of it is in here, and none in the templates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from freebusy.adapters.imip.text import shortened, web_link
from freebusy.adapters.imip.zones import in_zone, is_utc, moment, zone_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from freebusy.domain.event import Attendee, Conferencing, Details, ManagedEvent, RecurrenceRule, When

LONGEST_DESCRIPTION = 8_000
"""Characters that are shown in the mail; the calendar object has all of them."""

_LONGEST_SUMMARY_IN_SUBJECT = 120
_MOST_EXCEPTIONS = 6

UNTITLED = "(no title)"

_DASH = "\u2013"

_SUBJECT = {"new": "Invitation", "changed": "Updated invitation", "cancelled": "Cancelled", "uninvited": "Cancelled"}

_LEAD = {
    "new": "{application} invites you to this event.",
    "changed": "{application} has changed this event. This is how it is now.",
    "cancelled": "{application} has cancelled this event.",
    "uninvited": "{application} has withdrawn your invitation to this event.",
}

_ANSWER = (
    "Please answer with the buttons that your mail program shows. "
    "If it shows none, open the attached invite.ics to put the event in your calendar."
)
_FORGET = (
    "Your mail program takes the event out of your calendar. "
    "If it does not, open the attached invite.ics, or delete the event there yourself."
)

_WHY_CONNECTED = (
    "This came by mail because you connected your calendar to {application} for free/busy only: it sees when you "
    "are busy, not what with, and cannot write to your calendar."
)
_WHY_INVITED = "This came to {email} because {application} invited that address. If you do not know why, ignore it."

_LONGER = "(The rest of the description is in the calendar entry.)"

_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_UNITS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}
_WEEKDAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One fact: ``link`` is where ``value`` leads to, when it leads anywhere."""

    label: str
    value: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    title: str
    lead: str
    rows: tuple[Row, ...]
    description: str
    todo: str
    why: str
    cancelled: bool


def letter(  # noqa: PLR0913 - all of it is on the page
    event: ManagedEvent, attendee: Attendee, *, cancel: bool, changed: bool, application_name: str, zone: str
) -> Letter:
    """``changed``: this attendee was sent an earlier version. ``zone`` is the reader's, an IANA name."""
    details, reader = event.details, zone_named(zone)
    kind = ("cancelled" if event.deleted else "uninvited") if cancel else ("changed" if changed else "new")
    title = shortened(details.summary, _LONGEST_SUMMARY_IN_SUBJECT) or UNTITLED
    return Letter(
        subject=f"{_SUBJECT[kind]}: {title} @ {_briefly(details.when, reader)}",
        title=details.summary or UNTITLED,
        lead=_LEAD[kind].format(application=application_name),
        rows=tuple(_rows(details, reader, cancel=cancel)),
        description="" if cancel else _beginning(details.description),
        todo=_FORGET if cancel else _ANSWER,
        why=_why(event, attendee, application_name),
        cancelled=cancel,
    )


def _why(event: ManagedEvent, attendee: Attendee, application_name: str) -> str:
    reason = _WHY_CONNECTED if attendee.email == event.person.email else _WHY_INVITED
    return reason.format(application=application_name, email=attendee.email)


def _rows(details: Details, reader: ZoneInfo, *, cancel: bool) -> list[Row]:
    rows = [Row("When", when_in_words(details.when, reader))]
    rows += [Row("Repeats", recurrence_in_words(rule, details.when, reader)) for rule in details.recurrence]
    if where := _where(details):
        rows.append(Row("Where", where, web_link(where)))
    if details.conferencing and not cancel:
        rows.append(_join(details.conferencing))
    if details.url and not cancel:
        rows.append(Row("More", details.url, web_link(details.url)))
    return rows


def _where(details: Details) -> str:
    location = details.location
    if location is None:
        return ""
    if location.latitude and location.longitude:
        return location.description or f"{location.latitude[:12]}, {location.longitude[:12]}"
    return location.description


def _join(conferencing: Conferencing) -> Row:
    return Row("Join", conferencing.provider_description or conferencing.join_url, web_link(conferencing.join_url))


def _beginning(description: str) -> str:
    shown = shortened(description, LONGEST_DESCRIPTION)
    return shown if shown == description else f"{shown}\n\n{_LONGER}"


# --- When --------------------------------------------------------------------------------------------


def when_in_words(when: When, reader: ZoneInfo) -> str:
    """``Monday, 7 January 2030, 10:00-10:30 (Europe/Berlin, UTC+1)``, with an en dash."""
    if when.all_day:
        first, last = moment(when.start), moment(max(when.end - 1, when.start))
        return f"{_span(_date(first), _date(last))} (all day)"
    start, end = in_zone(when.start, reader), in_zone(when.end, reader)
    if start.date() == end.date():
        times = _span(_time(start), _time(end), _DASH)
        return f"{_date(start)}, {times} ({_zone(start, end, reader)})"
    return f"{_date(start)}, {_time(start)} {_DASH} {_date(end)}, {_time(end)} ({_zone(start, end, reader)})"


def _briefly(when: When, reader: ZoneInfo) -> str:
    """``Mon 7 Jan 2030, 10:00 (Europe/Berlin)``."""
    if when.all_day:
        return _short_date(moment(when.start))
    start = in_zone(when.start, reader)
    return f"{_short_date(start)}, {_time(start)} ({_zone_name(reader)})"


def _span(first: str, last: str, dash: str = f" {_DASH} ") -> str:
    return first if first == last else f"{first}{dash}{last}"


def _date(day: datetime) -> str:
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def _short_date(day: datetime) -> str:
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def _time(at: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _zone(start: datetime, end: datetime, reader: ZoneInfo) -> str:
    """With the offset, and with both when the clocks change in between."""
    if is_utc(reader):
        return _zone_name(reader)
    return f"{_zone_name(reader)}, {_span(_offset(start), _offset(end), ' at the start, ')}" + (
        " at the end" if _offset(start) != _offset(end) else ""
    )


def _zone_name(reader: ZoneInfo) -> str:
    return "UTC" if is_utc(reader) else reader.key


def _offset(at: datetime) -> str:
    offset = at.utcoffset() or timedelta()
    sign = "-" if offset < timedelta() else "+"
    hours, minutes = divmod(int(abs(offset).total_seconds()) // 60, 60)
    return f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")


# --- Recurrence --------------------------------------------------------------------------------------


def recurrence_in_words(rule: RecurrenceRule, when: When, reader: ZoneInfo) -> str:
    """``every 2 weeks on Monday, until 3 March 2030, except 21 January 2030 (by the clocks of America/New_York)``."""
    own = zone_named(when.start_zone)
    unit = _UNITS.get(rule.frequency, rule.frequency)
    parts = [f"every {rule.interval} {unit}s" if rule.interval > 1 else f"every {unit}"]
    if rule.by_day:
        parts[0] += f" on {_listed([_weekday(day) for day in rule.by_day])}"
    if rule.count is not None:
        parts.append(f"{rule.count} times" if rule.count > 1 else "once")
    elif rule.until is not None:
        parts.append(f"until {_day(rule.until, when, own)}")
    if rule.exceptions:
        parts.append(f"except {_excepted(rule, when, own)}")
    return ", ".join(parts) + _clocks(when, reader)


def _weekday(by_day: str) -> str:
    """``MO``: Monday; ``-1FR``: the last Friday (RFC 5545, 3.3.10)."""
    ordinal, name = int(by_day[:-2] or 0), _WEEKDAYS.get(by_day[-2:], by_day[-2:])
    if not ordinal:
        return name
    counted = _ORDINALS.get(abs(ordinal), f"{abs(ordinal)}th")
    if ordinal > 0:
        return f"the {counted} {name}"
    return f"the last {name}" if ordinal == -1 else f"the {counted} {name} from the end"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _excepted(rule: RecurrenceRule, when: When, zone: ZoneInfo) -> str:
    days = sorted(set(rule.exceptions))
    shown = [_day(day, when, zone) for day in days[:_MOST_EXCEPTIONS]]
    more = len(days) - len(shown)
    return _listed([*shown, f"{more} more"] if more else shown)


def _day(seconds: int, when: When, zone: ZoneInfo) -> str:
    day = moment(seconds) if when.all_day else in_zone(seconds, zone)
    return f"{day.day} {day:%B} {day.year}"


def _clocks(when: When, reader: ZoneInfo) -> str:
    """The series keeps its wall-clock time in its own zone, which may not be the reader's; its days are meant there."""
    if when.all_day or zone_named(when.start_zone).key == reader.key:
        return ""
    return f" (by the clocks of {_zone_name(zone_named(when.start_zone))})"


# --- Links -------------------------------------------------------------------------------------------

_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_AFTER_LINK = tuple(".,;:!?)]}'»\u201d\u2019")


def _without_sentence(address: str) -> str:
    """Without the punctuation that ends the sentence; a bracket stays where the address opened it."""
    while address.endswith(_AFTER_LINK) and not (address.endswith(")") and "(" in address):
        address = address[:-1]
    return address


def with_links(text: str) -> list[tuple[str, str | None]]:
    """The text in pieces, each with where it leads to: web addresses become links, and nothing else does."""
    pieces: list[tuple[str, str | None]] = []
    position = 0
    for found in _LINK.finditer(text):
        shown = _without_sentence(found.group())
        if not (link := web_link(shown)):
            continue
        pieces += [(text[position : found.start()], None), (shown, link)]
        position = found.start() + len(shown)
    return [*pieces, (text[position:], None)]
