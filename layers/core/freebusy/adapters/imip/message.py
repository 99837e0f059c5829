"""One invitation for one attendee: the bytes of an RFC 5322 message that mail programs show with buttons to answer.

The shape is the one that Exchange writes and that Gmail, Outlook and Apple Mail know (RFC 6047, 2.4)::

    multipart/mixed
      multipart/alternative
        text/plain
        text/html
        text/calendar; method=REQUEST       last of the alternatives, in base64, which no mail service touches
      application/ics                       the same bytes as invite.ics, for programs that show no buttons
"""

from __future__ import annotations

from base64 import encodebytes
from email.header import Header
from email.message import Message
from email.policy import Compat32, compat32
from email.utils import format_datetime, quote
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from freebusy.adapters.imip.calendar_object import calendar_object
from freebusy.adapters.imip.text import cleaned, is_mail_address, one_line, shortened
from freebusy.adapters.imip.wording import Letter, letter, with_links
from freebusy.adapters.imip.zones import moment
from freebusy.domain.errors import MailRefused

if TYPE_CHECKING:
    from jinja2 import Environment

    from freebusy.domain.event import Attendee, ManagedEvent

# The older of the two header interfaces: the newer one (email.policy.SMTP) inserts blanks into long display names
# that are not ASCII, and takes 2 ms of a message where this one takes 0.4.
_POLICY: Compat32 = compat32.clone(linesep="\r\n")

_LONGEST_LINE = 76
_LONGEST_NAME = 120


def build(  # noqa: PLR0913 - all of it is on the page
    event: ManagedEvent,
    attendee: Attendee,
    *,
    cancel: bool,
    application_name: str,
    mail_domain: str,
    zone: str,
    changed: bool = False,
) -> bytes:
    """The message, CRLF line ends, ASCII only; the same arguments always give the same bytes.

    ``zone`` is the IANA name of the reader's zone, in which the text says when; ``changed`` says that this attendee
    was sent an earlier version, so that the text says so too. Raises MailRefused for an address that no mail service
    takes.
    """
    if not is_mail_address(attendee.email):
        raise MailRefused("not an address that mail can be sent to")
    event = event._replace(details=cleaned(event.details))
    attendee = attendee._replace(name=one_line(attendee.name or "") or None)
    application_name = one_line(application_name)
    calendar = calendar_object(
        event, attendee, cancel=cancel, application_name=application_name, mail_domain=mail_domain
    )
    said = letter(event, attendee, cancel=cancel, changed=changed, application_name=application_name, zone=zone)
    message = _mixed(said, calendar, method="CANCEL" if cancel else "REQUEST")
    organizer = f"{event.organizer}@{mail_domain}"
    message["From"] = _mailbox("From", organizer, application_name)
    message["Reply-To"] = organizer
    message["To"] = _mailbox("To", attendee.email, attendee.name)
    message["Subject"] = _words("Subject", said.subject)
    # SES puts its own in place of these two.
    message["Date"] = format_datetime(moment(event.revised_at), usegmt=True)
    message["Message-ID"] = f"<{_fingerprint(calendar, attendee)}.{organizer}>"
    # Spares the organizer's mailbox what out-of-office programs answer (RFC 3834, 5). Google's calendar says so too.
    message["Auto-Submitted"] = "auto-generated"
    return message.as_bytes()


def _mixed(said: Letter, calendar: bytes, *, method: str) -> Message[Any, Any]:
    # Every part is base64, in which "=_" cannot occur: no part can be taken for a boundary.
    mark = sha256(calendar).hexdigest()[:24]
    alternative = _multipart(
        "alternative",
        f"=_{mark}_alternative",
        _part("text/plain; charset=UTF-8", _rendered("invitation.txt", said)),
        _part("text/html; charset=UTF-8", _rendered("invitation.html", said)),
        _part(f"text/calendar; method={method}; charset=UTF-8; component=VEVENT", calendar),
    )
    attachment = _part('application/ics; name="invite.ics"', calendar)
    attachment["Content-Disposition"] = 'attachment; filename="invite.ics"'
    mixed = _multipart("mixed", f"=_{mark}_mixed", alternative, attachment)
    mixed["MIME-Version"] = "1.0"
    return mixed


def _multipart(subtype: str, boundary: str, *parts: Message[Any, Any]) -> Message[Any, Any]:
    message: Message[Any, Any] = Message(_POLICY)
    message["Content-Type"] = f'multipart/{subtype}; boundary="{boundary}"'
    for part in parts:
        message.attach(part)
    return message


def _part(content_type: str, content: bytes) -> Message[Any, Any]:
    part: Message[Any, Any] = Message(_POLICY)
    part["Content-Type"] = content_type
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(encodebytes(content).decode())
    return part


def _mailbox(header: str, address: str, name: str | None) -> Header:
    """``"Name" <address>``, or encoded words and the address (RFC 5322, 3.4; RFC 2047, 5)."""
    words = Header(header_name=header, maxlinelen=_LONGEST_LINE)
    if name:
        shown = shortened(name, _LONGEST_NAME)
        words.append(f'"{quote(shown)}"' if _is_plain(shown) else shown, "us-ascii" if _is_plain(shown) else "utf-8")
    words.append(f"<{address}>", "us-ascii")
    return words


def _words(header: str, text: str) -> Header:
    return Header(text, "us-ascii" if _is_plain(text) else "utf-8", _LONGEST_LINE, header)


def _is_plain(text: str) -> bool:
    """ASCII that no reader takes for an encoded word, and that folds without a word longer than a line."""
    return text.isascii() and "=?" not in text and all(len(word) < _LONGEST_LINE // 2 for word in text.split(" "))


def _fingerprint(calendar: bytes, attendee: Attendee) -> str:
    return sha256(calendar + attendee.email.encode()).hexdigest()[:24]


def _rendered(template: str, said: Letter) -> bytes:
    text = _environment().get_template(template).render(letter=said, with_links=with_links)
    return text.replace("\n", "\r\n").encode()


@cache
def _environment() -> Environment:
    """Templates are compiled with the first message and stay."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("freebusy.adapters.imip", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
