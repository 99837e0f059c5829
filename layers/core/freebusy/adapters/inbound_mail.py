"""Raw mail that came in, from S3: who wrote it, and the answer in it.

Anybody may send anything, so nothing here grows faster than the mail: sizes, parts and depth have limits, and what
lies outside them is ignored. The standard library reads headers and decodes parts, but splits nothing: its parser
goes as deep as the mail asks it to, and takes time that grows with the square of some headers.
"""

from __future__ import annotations

import re
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import TYPE_CHECKING, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from freebusy.adapters.aws import aws_errors, code_of
from freebusy.adapters.inbound_calendar import LARGEST_CALENDAR, read_reply
from freebusy.domain.errors import MailIgnored, StorageUnavailable
from freebusy.domain.reply import Ignored, Letter, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from mypy_boto3_s3 import S3Client

LARGEST_MAIL = 2 << 20
"""Bytes. An answer has a few thousand; with pictures in a signature and the calendar object twice, many more."""

_LARGEST_HEAD = 64 << 10
_LONGEST_HEADER = 2000
_MOST_PARTS = 100
_MOST_CALENDARS = 4
_DEEPEST = 8
_MOST_SIGNATURES = 10

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CALENDARS = {"text/calendar": 0, "application/ics": 1}
"""Where an answer may be, by content type and never by file name; the first is preferred (RFC 6047, 2.4)."""

_ABSENT = frozenset({"NoSuchKey", "AccessDenied"})
"""S3 says AccessDenied of what is not there to those who may not list the bucket."""

_Part: TypeAlias = "Message[str, str]"


class S3Mailbox:
    """Implements ``ports.InboundMailbox``."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str) -> Letter:
        return letter(self._raw(key))

    def _raw(self, key: str) -> bytes:
        try:
            with aws_errors():
                stored = self._client.get_object(Bucket=self._bucket, Key=key)
                if stored["ContentLength"] > LARGEST_MAIL:
                    stored["Body"].close()
                    raise MailIgnored(Ignored.TOO_LARGE)
                return stored["Body"].read()
        except ClientError as error:
            if code_of(error) in _ABSENT:
                raise StorageUnavailable("the mail is not in the bucket") from error
            raise
        except BotoCoreError as error:
            raise StorageUnavailable("S3 broke off") from error


def letter(raw: bytes) -> Letter:
    """Raises MailIgnored."""
    try:
        head, body = _split(raw)
        return Letter(_reply(head, body), _sender(head), _signers(head))
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:  # What the standard library makes of nonsense.
        raise MailIgnored(Ignored.UNREADABLE) from error


# --- The head ----------------------------------------------------------------------------------------

_ADDRESS = r"[^\s<>()\[\],;:@\"\\]+@[^\s<>()\[\],;:@\"\\]+"
_FROM = re.compile(rf"(?:(?:\"(?:[^\"\\]|\\.)*\"|[^\"<>,;:@\\])*<({_ADDRESS})>|({_ADDRESS}))", re.DOTALL)
_SIGNER = re.compile(r"(?:^|;)\s*d\s*=\s*([a-z0-9.-]+)\s*(?:;|$)", re.IGNORECASE)


def _sender(head: _Part) -> str:
    """The address of the one From, by a narrow reading: where two readers could find two addresses, there is none.

    DMARC has checked the one that SES found.
    """
    (value,) = _values(head, "From") or [""]
    found = _FROM.fullmatch(value.strip())
    if found is None:
        raise MailIgnored(Ignored.NOT_AUTHENTIC)
    return found[1] or found[2]


def _signers(head: _Part) -> tuple[str, ...]:
    """The domains that claim to have signed it; an unreadable signature claims to be of nobody's."""
    signatures = _values(head, "DKIM-Signature")[:_MOST_SIGNATURES]
    return tuple(found[1].lower() if (found := _SIGNER.search(signature)) else "" for signature in signatures)


def _values(head: _Part, name: str) -> list[str]:
    values = [str(value) for value in head.get_all(name, [])]
    if any(len(value) > _LONGEST_HEADER for value in values):
        raise MailIgnored(Ignored.UNREADABLE)
    return values


def _what_it_is(head: _Part) -> Ignored:
    """Mail without an answer, by what its headers say.

    None of them makes an answer count less: calendars that answer by themselves say so too (RFC 3834).
    """
    automatic = [value.strip().lower() for name in _OF_PROGRAMS for value in _values(head, name)]
    return Ignored.AUTOMATIC if any(value != "no" for value in automatic) else Ignored.NO_ANSWER


_OF_PROGRAMS = ("Auto-Submitted", "X-Autoreply", "X-Autorespond", "Precedence", "List-Id")


# --- The parts ---------------------------------------------------------------------------------------


def _reply(head: _Part, body: bytes) -> Reply:
    """The first answer in any of its calendars; when there is none, the reason that says most."""
    if head.get_content_type() == "multipart/report":
        raise MailIgnored(Ignored.BOUNCE)
    calendars = sorted(_calendars(head, body), key=lambda part: _CALENDARS[part.get_content_type()])
    reasons = []
    for part in calendars[:_MOST_CALENDARS]:
        try:
            return read_reply(_content(part), method=_parameter(part, "method"), charset=_parameter(part, "charset"))
        except MailIgnored as ignored:
            reasons.append(ignored)
    raise reasons[0] if reasons else MailIgnored(_what_it_is(head))


def _calendars(head: _Part, body: bytes) -> Iterator[_Part]:
    """Inside multiparts of every kind, but not inside mail that was attached: that is not what this one says."""
    waiting = [(head, body, 0)]
    seen = 0
    while waiting:
        part, content, depth = waiting.pop(0)
        kind = part.get_content_type()
        if kind in _CALENDARS:
            part.set_payload(content.decode("ascii", "surrogateescape"))
            yield part
        if not kind.startswith("multipart/"):
            continue
        inner = _parts(content, _parameter(part, "boundary") or "")
        seen += len(inner)
        if seen > _MOST_PARTS or depth == _DEEPEST:
            raise MailIgnored(Ignored.UNREADABLE)
        waiting += [(*_split(each), depth + 1) for each in inner]


def _split(raw: bytes) -> tuple[_Part, bytes]:
    """An entity's headers, and what follows the blank line after them."""
    if raw.startswith((b"\n", b"\r\n")):
        return _head(b""), raw
    end = _HEAD_END.search(raw, 0, _LARGEST_HEAD)
    if end is None and len(raw) > _LARGEST_HEAD:
        raise MailIgnored(Ignored.UNREADABLE)
    return _head(raw[: end.start()] if end else raw), raw[end.end() :] if end else b""


def _head(raw: bytes) -> _Part:
    head: _Part = BytesHeaderParser(policy=compat32).parsebytes(raw)
    _values(head, "Content-Type")  # Its parameters are read next, in time that grows with the square of its length.
    return head


def _parts(body: bytes, boundary: str) -> list[bytes]:
    """What lies between the delimiter lines (RFC 2046, 5.1.1); of more than ``_MOST_PARTS``, one more than that."""
    if not boundary:
        raise MailIgnored(Ignored.UNREADABLE)
    body = b"\n" + body  # The pattern then begins with letters, which are found fast.
    line = re.escape(b"\n--" + boundary.encode("ascii", "surrogateescape"))
    inner: list[bytes] = []
    begin = None
    for delimiter in re.finditer(line + rb"(--)?[ \t]*(?=\r?\n|\Z)", body):
        if begin is not None:
            inner.append(body[begin : delimiter.start()].removesuffix(b"\r"))
        if delimiter[1] or len(inner) > _MOST_PARTS:
            return inner
        begin = body.find(b"\n", delimiter.end()) + 1 or len(body)
    return inner if begin is None else [*inner, body[begin:]]


def _parameter(part: _Part, name: str) -> str | None:
    value = part.get_param(name)
    return value if isinstance(value, str) else None


def _content(part: _Part) -> bytes:
    encoding = str(part.get("Content-Transfer-Encoding", "7bit")).strip().lower()
    content = part.get_payload(decode=True) if encoding in _ENCODINGS else None
    if not isinstance(content, bytes) or len(content) > LARGEST_CALENDAR:
        raise MailIgnored(Ignored.UNREADABLE)
    return content


_ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})
