"""The fields of an event on the wire: what each may hold, and in which form it is kept.

Text is kept as it was written but for line breaks, of which titles, names and places have none. Control characters
are refused: no calendar shows them, and iCalendar cannot carry them (RFC 5545, 3.3.11).
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictStr
from pydantic_core import PydanticCustomError

LONGEST_EVENT_ID = 500
LONGEST_LINE = 1000
LONGEST_NAME = 200
LONGEST_DESCRIPTION = 65_536
LONGEST_URL = 2000
MOST_TAGS = 50
MOST_REPETITIONS = 1000
"""Of a series, and of days, weeks, months or years between two repetitions."""

FREQUENCIES = ("daily", "weekly", "monthly", "yearly")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_NEW_LINE = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and lone surrogates, which JSON can spell and UTF-8 cannot."""
_URL = re.compile(r"(https?)://[!#-;=?-\[\]_a-z~]+", re.IGNORECASE | re.ASCII)
_COLOR = re.compile(r"#?[\w-]{1,32}", re.ASCII)
_DEGREES = re.compile(r"[+-]?\d{1,3}(\.\d{1,20})?", re.ASCII)
_WEEKDAY = re.compile(rf"([+-]?[1-9]\d?)?({'|'.join(WEEKDAYS)})", re.ASCII)
_DAY_NAMES = {name: name[:2] for name in ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")}
_WEEKS_OF_A_YEAR = 53

_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(\.{_ATOM})*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_LOCAL_PART, _LONGEST_ADDRESS = 64, 254


# --- Text ------------------------------------------------------------------------------------------


def _text(value: str, *, longest: int) -> str:
    """Of many lines; ``longest`` counts bytes of UTF-8."""
    value = _NEW_LINE.sub("\n", value)
    if _UNWRITABLE.search(value):
        raise PydanticCustomError("errors.invalid_format", "must not contain control characters")
    if len(value.encode()) > longest:
        raise PydanticCustomError("errors.too_long", f"must have at most {longest} bytes in UTF-8")
    return value


def _line(value: str, *, longest: int) -> str:
    """Of one line; ``longest`` counts characters."""
    value = _LINE_BREAKS.sub(" ", value).strip()
    if _UNWRITABLE.search(value):
        raise PydanticCustomError("errors.invalid_format", "must not contain control characters")
    if len(value) > longest:
        raise PydanticCustomError("errors.too_long", f"must have at most {longest} characters")
    return value


def _not_blank(value: str) -> str:
    if not value:
        raise PydanticCustomError("errors.required", "must not be blank")
    return value


def _event_id(value: str) -> str:
    """Not a character is changed: it is the application's own name for the event."""
    if len(value) > LONGEST_EVENT_ID or _UNWRITABLE.search(value) or _LINE_BREAKS.search(value):
        raise PydanticCustomError(
            "errors.invalid_format",
            f"must have at most {LONGEST_EVENT_ID} characters, none of them a control character",
        )
    return _not_blank(value)


def _url(value: str, *, schemes: tuple[str, ...]) -> str:
    found = _URL.fullmatch(value)
    if not found or found[1].lower() not in schemes or len(value) > LONGEST_URL:
        raise PydanticCustomError(
            "errors.invalid_format", f"must be an {' or '.join(schemes)} URL of at most {LONGEST_URL} characters"
        )
    return value


def _email(value: str) -> str:
    """An address that mail can be sent to (RFC 5321, 4.1.2), its domain in lower case and in ASCII (RFC 5890)."""
    local, _, domain = value.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        domain = ""
    *labels, last = domain.split(".")
    well_formed = (
        labels
        and all(map(_LABEL.fullmatch, (*labels, last)))
        and not last.isdigit()
        and _LOCAL_PART.fullmatch(local)
        and len(local) <= _LONGEST_LOCAL_PART
        and len(local) + len("@") + len(domain) <= _LONGEST_ADDRESS
    )
    if not well_formed:
        raise PydanticCustomError("errors.invalid_email", "must be an e-mail address")
    return f"{local}@{domain}"


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value):
        raise PydanticCustomError("errors.invalid_format", "must be a colour such as #49bed8")
    return value


EventId = Annotated[StrictStr, AfterValidator(_event_id)]
Line = Annotated[StrictStr, AfterValidator(partial(_line, longest=LONGEST_LINE))]
Summary = Annotated[Line, AfterValidator(_not_blank)]
Name = Annotated[StrictStr, AfterValidator(partial(_line, longest=LONGEST_NAME))]
Text = Annotated[StrictStr, AfterValidator(partial(_text, longest=LONGEST_DESCRIPTION))]
Url = Annotated[StrictStr, AfterValidator(partial(_url, schemes=("http", "https")))]
JoinUrl = Annotated[StrictStr, AfterValidator(partial(_url, schemes=("https",)))]
Email = Annotated[StrictStr, AfterValidator(_email)]
Color = Annotated[StrictStr, AfterValidator(_color)]


class Tag(BaseModel):
    value: Name


class Tags(BaseModel):
    private: Annotated[list[Tag], Field(max_length=MOST_TAGS)] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(tag.value for tag in self.private or ())


# --- Places ----------------------------------------------------------------------------------------


def _degrees(value: object, *, limit: int) -> object:
    """The contract has strings; numbers are understood."""
    text = value if isinstance(value, str) else repr(value)
    if not _DEGREES.fullmatch(text) or abs(float(text)) > limit:
        raise PydanticCustomError("errors.invalid_format", f"must be degrees from -{limit} to {limit}")
    return text


Latitude = Annotated[str, BeforeValidator(partial(_degrees, limit=90))]
Longitude = Annotated[str, BeforeValidator(partial(_degrees, limit=180))]


# --- Recurrence ------------------------------------------------------------------------------------


def _frequency(value: object) -> object:
    if value not in FREQUENCIES:
        raise PydanticCustomError("errors.not_recognized", f"must be one of {', '.join(FREQUENCIES)}")
    return value


def _repetitions(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_REPETITIONS:
        raise PydanticCustomError(
            "errors.must_be_integer_greater_than_zero", f"must be a whole number from 1 to {MOST_REPETITIONS}"
        )
    return value


def _weekday(value: str) -> str:
    """``MO``, ``2MO``, ``-1FR`` (RFC 5545, 3.3.10), or the whole name of a day."""
    spelled = value.upper().removeprefix("+")
    spelled = _DAY_NAMES.get(spelled, spelled)
    found = _WEEKDAY.fullmatch(spelled)
    if not found or abs(int(found[1] or 1)) > _WEEKS_OF_A_YEAR:
        raise PydanticCustomError("errors.not_recognized", "must be a day such as MO, 2MO or -1FR")
    return spelled


Frequency = Annotated[str, BeforeValidator(_frequency)]
Repetitions = Annotated[int, BeforeValidator(_repetitions)]
Weekday = Annotated[StrictStr, AfterValidator(_weekday)]
