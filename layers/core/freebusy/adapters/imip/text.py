r"""What text may hold before it goes into mail: no control characters, and no line that its field does not have.

What is changed, once and for every place a text appears in:

- control characters, lone surrogates and byte order marks are dropped; every kind of line break becomes ``\n``;
- in fields of one line (titles, names, places) white space of any kind becomes single spaces, and the characters
  that embed or override a writing direction are dropped: left open, they would turn around what follows them, such
  as the address behind a name. The plain marks (LRM, RLM, ALM) stay;
- in names, but in the calendar object alone, a double quote becomes a single one and a backslash a slash, since
  parameters cannot hold the one, and readers stumble over the other.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from freebusy.domain.event import Conferencing, Details, Location

_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WEB = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")

# Everything that RFC 3986 lets stand in a URI; "%" stays, since links usually come percent-encoded already.
_URI_SAFE = "%:/?#[]@!$&'()*+,;=~"


def lines(text: str) -> str:
    return _CONTROL.sub("", _LINE_BREAK.sub("\n", text))


def one_line(text: str) -> str:
    return " ".join(_DIRECTION.sub("", lines(text)).split())


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def web_link(text: str) -> str | None:
    """The text as a URI, when a browser may follow it: ``http`` and ``https``, nothing that runs or reads files."""
    return quote(text, safe=_URI_SAFE) if _WEB.match(text) else None


def is_mail_address(text: str) -> bool:
    """Whether it can stand in a header as it is; SES takes ASCII addresses only, and no quoted local parts."""
    return _MAIL_ADDRESS.fullmatch(text) is not None


def cleaned(details: Details) -> Details:
    location, conferencing = details.location, details.conferencing
    return details._replace(
        summary=one_line(details.summary),
        description=lines(details.description),
        url=one_line(details.url or "") or None,
        location=location and _cleaned_location(location),
        conferencing=conferencing and _cleaned_conferencing(conferencing),
    )


def _cleaned_location(location: Location) -> Location:
    return location._replace(description=one_line(location.description))


def _cleaned_conferencing(conferencing: Conferencing) -> Conferencing:
    return Conferencing(
        join_url=one_line(conferencing.join_url),
        provider_description=one_line(conferencing.provider_description or "") or None,
    )
