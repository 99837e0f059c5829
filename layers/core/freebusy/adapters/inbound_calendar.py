"""The answer in a calendar object: REPLY or COUNTER (RFC 5546, 3.2.3 and 3.2.7), as mail programs really write them.

icalendar reads lines and values; components are followed here, and only the lines that an answer is made of are looked
at. Its own reader builds every component there is, works out zones that the sender invents, and remembers them by
name for the mail that comes after.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Parameters, vDate, vDatetime, vDuration
from icalendar.parser import Contentline, Contentlines
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from freebusy.adapters.imip.text import lines, shortened
from freebusy.domain.errors import MailIgnored
from freebusy.domain.event import Participation, Proposal
from freebusy.domain.reply import LONGEST_COMMENT, Ignored, Method, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_CALENDAR = 256 << 10
"""Bytes; an answer may repeat the description of its event."""

_MOST_LINES = 10_000
_LONGEST_LINE = 16_000
_MOST_PROPERTIES = 300
"""That are looked at; an event has up to two hundred attendees."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)

_CHARSET = re.compile(r"(utf|us-ascii|ascii|iso|windows|cp|koi8|gb|big5|euc|shift|latin)[a-z0-9_-]*", re.IGNORECASE)
"""Python knows encodings that are none of text, and some that take the square of their length."""

_SEVEN_BIT = ("iso-2022", "utf-7")
"""Encodings whose every text is also UTF-8, but another one."""

_READ = frozenset(
    {"UID", "SEQUENCE", "DTSTAMP", "ATTENDEE", "COMMENT", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"}
)
_NAME = re.compile(r"[A-Za-z0-9-]+(?=[:;])")

_SAYS = {
    "ACCEPTED": Participation.ACCEPTED,
    "DECLINED": Participation.DECLINED,
    "TENTATIVE": Participation.TENTATIVE,
}


class _Property(NamedTuple):
    parameters: Parameters
    value: str

    def parameter(self, name: str) -> str:
        value = self.parameters.get(name, "")
        return value if isinstance(value, str) else ",".join(value)


class _Event(dict[str, list[_Property]]):
    """A VEVENT's properties that are looked at, by name."""

    def one(self, name: str) -> _Property | None:
        """Raises ValueError when it is there twice."""
        found = self.get(name, [])
        if len(found) > 1:
            raise ValueError(f"more than one {name}")
        return found[0] if found else None

    def text(self, name: str) -> str:
        found = self.one(name)
        return found.value.strip() if found else ""


def read_reply(content: bytes, *, method: str | None, charset: str | None) -> Reply:
    """``method`` and ``charset`` are what the MIME part says. Raises MailIgnored."""
    try:
        calendar_method, events = _calendar(_decoded(content, charset))
        return _reply(_method(method, calendar_method), events)
    except (ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
        # icalendar says ValueError of most that is wrong with a line, but not of everything.
        raise MailIgnored(Ignored.MALFORMED) from error


def _method(of_part: str | None, of_calendar: str) -> Method:
    """Programs leave out either; when both are there they must agree (RFC 6047, 2.4)."""
    named = {name.strip().upper() for name in (of_part or "", of_calendar) if name.strip()}
    if len(named) > 1:
        raise MailIgnored(Ignored.METHODS_DISAGREE)
    if not named & set(Method):
        raise MailIgnored(Ignored.NO_ANSWER)
    return Method(named.pop())


def _reply(method: Method, events: list[_Event]) -> Reply:
    whole = [event for event in events if "RECURRENCE-ID" not in event]
    (event,) = whole or events[:1]
    attendee = event.one("ATTENDEE")
    if attendee is None or not event.text("UID") or not event.text("DTSTAMP"):
        raise MailIgnored(Ignored.MALFORMED)
    start = _moment(event.one("DTSTART")) if method is Method.COUNTER else None
    return Reply(
        method=method,
        uid=event.text("UID"),
        sequence=max(int(event.text("SEQUENCE") or 0), 0),
        stamp=_seconds(_moment(event.one("DTSTAMP"))),
        attendee=_address(attendee.value),
        participation=_SAYS.get(attendee.parameter("PARTSTAT").upper(), Participation.NEEDS_ACTION),
        comment=_comment(event, attendee),
        proposal=_proposal(event, start) if start else None,
        all_day=start is not None and not isinstance(start, datetime),
        one_occurrence=not whole,
    )


# --- Lines -------------------------------------------------------------------------------------------


def _decoded(content: bytes, charset: str | None) -> str:
    """UTF-8 whenever it can be, since what parts say of their charset is often wrong."""
    named = charset if charset and _CHARSET.fullmatch(charset) else "windows-1252"
    if not named.lower().startswith(_SEVEN_BIT):
        with suppress(UnicodeDecodeError):
            return content.decode("utf-8-sig")
    return codecs.decode(content, named, "replace")


def _calendar(text: str) -> tuple[str, list[_Event]]:
    """The METHOD, and the VEVENTs directly below VCALENDAR."""
    method = ""
    events: list[_Event] = []
    within: list[str] = []
    looked_at = 0
    for name, line in _lines(text):
        if name == "BEGIN":
            within.append(line.partition(":")[2].strip().upper())
            if within == ["VCALENDAR", "VEVENT"]:
                events.append(_Event())
        elif name == "END":
            within.pop()
        elif name == "METHOD" and within == ["VCALENDAR"]:
            method = line.partition(":")[2]
        elif name in _READ and within == ["VCALENDAR", "VEVENT"]:
            looked_at += 1
            if looked_at > _MOST_PROPERTIES:
                raise ValueError("too many properties")
            found = events[-1].setdefault(name, [])
            with suppress(ValueError):  # A comment that cannot be read takes nothing else with it.
                _, parameters, value = line.parts()
                found.append(_Property(parameters, value))
    if not events:
        raise MailIgnored(Ignored.NO_ANSWER)
    return method, events


def _lines(text: str) -> Iterator[tuple[str, Contentline]]:
    """Unfolded, with their names. A line that has none, or is too long, is passed over."""
    unfolded: list[Contentline] = _parsed(Contentlines, text)
    if len(unfolded) > _MOST_LINES:
        raise ValueError("too many lines")
    for line in unfolded:
        name = _NAME.match(line)
        if name and len(line) <= _LONGEST_LINE:
            yield name[0].upper(), line


# --- Values ------------------------------------------------------------------------------------------


def _address(value: str) -> str:
    scheme, _, address = value.strip().partition(":")
    if scheme.strip().lower() != "mailto" or "@" not in address:
        raise ValueError("not a mail address")
    return unquote(address).strip()


def _comment(event: _Event, attendee: _Property) -> str | None:
    """Gmail keeps it in a parameter of ATTENDEE."""
    said = [each.value for each in event.get("COMMENT", [])] or [attendee.parameter("X-RESPONSE-COMMENT")]
    return shortened(lines("\n".join(said)).strip(), LONGEST_COMMENT) or None


def _proposal(event: _Event, start: date) -> Proposal | None:
    """None for one that ends before it starts, or in a zone that is not known: a wrong time is worse than none."""
    end = _moment(event.one("DTEND"))
    if end is None:
        duration = event.text("DURATION")
        end = start + (_parsed(vDuration, duration) if duration else _DAY)
    if isinstance(start, datetime) is not isinstance(end, datetime):
        return None
    proposal = Proposal(_seconds(start), _seconds(end))
    return proposal if proposal.start < proposal.end else None


def _moment(found: _Property | None) -> date | None:
    """A date, or a time with a zone; a time without one is UTC. None when there is none, or its zone is not known."""
    if found is None:
        return None
    if "T" not in found.value.upper():
        day: date = _parsed(vDate, found.value.strip())
        return day
    moment: datetime = _parsed(vDatetime, found.value.strip())
    if moment.tzinfo is None:
        zone = _zone(found.parameter("TZID"))
        return moment.replace(tzinfo=zone) if zone else None
    return moment


def _zone(tzid: str) -> ZoneInfo | None:
    """By its IANA name, by Windows's, or by an IANA name behind a vendor's prefix; VTIMEZONE is not looked at.

    Nothing but the calendar's author says what is in there, and clients name zones that everybody knows.
    """
    path = tzid.strip().strip("/")
    candidates = [_OTHER_NAMES.get(path.lower()), WINDOWS_TO_OLSON.get(path), path]
    if tzid.startswith("/"):
        candidates += ["/".join(path.split("/")[first:]) for first in range(1, min(path.count("/") + 1, 8))]
    for name in filter(None, candidates):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    return None


_OTHER_NAMES = {"": "UTC", "tzone://microsoft/utc": "UTC"}


def _parsed(kind: Any, text: str) -> Any:
    """Icalendar's readers have no types."""
    return kind.from_ical(text)


def _seconds(moment: date | None) -> int:
    """Raises ValueError for a moment that is not there."""
    if moment is None:
        raise ValueError("no moment")
    if not isinstance(moment, datetime):
        return (moment - _EPOCH.date()).days * 86_400
    return int((moment.astimezone(UTC) - _EPOCH).total_seconds())
