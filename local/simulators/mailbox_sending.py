"""``POST /v2/email/outbound-emails``: SendEmail as SESv2 checks it, for raw messages.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html; which of its errors SES picks for a
message that it cannot read is documented nowhere, and BadRequestException here.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.utils
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageDefect
from email.message import Message
from typing import Any, NoReturn
from uuid import uuid4

from local.simulators.server import Refusal, Request, Response

PATH = "/v2/email/outbound-emails"

LARGEST_MESSAGE = 40 << 20
"""Bytes of the raw message; as base64 in JSON it may be a third longer."""

LARGEST_REQUEST = 60 << 20
MOST_RECIPIENTS = 50
LONGEST_LINE = 1000
"""Characters, the line break included (RFC 5321, 4.5.3.1.6)."""

LONGEST_TAG = 256

_TAG = re.compile(r"[A-Za-z0-9_-]+")
_ONCE = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version"})
_REPLACED = frozenset({b"message-id", b"date", b"bcc"})
_FIELDS = frozenset(
    {
        "Content",
        "Destination",
        "FromEmailAddress",
        "ReplyToAddresses",
        "ConfigurationSetName",
        "EmailTags",
        "FeedbackForwardingEmailAddress",
        "ListManagementOptions",
        "EndpointId",
        "TenantName",
    }
)


@dataclass(frozen=True)
class Submission:
    """Mail that SES took: ``raw`` as it goes out, ``recipients`` in lower case."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    configuration_set: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Account:
    """What was set up in SES: the verified domain, and the configuration set when there is one."""

    domain: str
    configuration_set: str | None = None


def error(status: int, code: str, message: str) -> Response:
    """An error as the SDKs read it: the exception's name is in a header."""
    headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": str(uuid4())}
    return Response.of_json({"message": message}, status, headers)


def submission_of(request: Request, account: Account, now: datetime) -> Submission:
    """Raises Refusal with the error that SES answers."""
    if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        raise Refusal(error(403, "MissingAuthenticationTokenException", "Missing Authentication Token"))
    asked = _asked(request)
    raw = _raw(asked)
    message = _checked(raw)
    sender = _address(asked.get("FromEmailAddress") or message["From"])
    recipients = _recipients(asked.get("Destination"), message)
    _check_verified({sender, _address(message["From"])}, account)
    configuration_set = asked.get("ConfigurationSetName")
    if configuration_set and account.configuration_set not in {None, configuration_set}:
        refuse("NotFoundException", f"Configuration set <{configuration_set}> does not exist.", 404)
    message_id = f"0100{int(now.timestamp() * 1000):012x}-{uuid4()}-000000"
    return Submission(
        message_id=message_id,
        sender=sender,
        recipients=recipients,
        raw=_stamped(raw, message_id, now),
        configuration_set=configuration_set,
        tags=_tags(asked.get("EmailTags") or []),
    )


def refuse(code: str, message: str, status: int = 400) -> NoReturn:
    raise Refusal(error(status, code, message))


def _asked(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(request.body)
    except ValueError:
        refuse("SerializationException", "Unexpected content")
    if not isinstance(asked, dict):
        refuse("SerializationException", "Start of structure or map expected")
    if unknown := asked.keys() - _FIELDS:
        refuse("BadRequestException", f"Unknown members: {', '.join(sorted(unknown))}")
    return asked


def _raw(asked: Mapping[str, Any]) -> bytes:
    content = asked.get("Content")
    if not isinstance(content, dict) or not isinstance(content.get("Raw"), dict):
        refuse("BadRequestException", "This simulator takes raw messages only: Content.Raw.Data is missing.")
    try:
        raw = base64.b64decode(content["Raw"].get("Data") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        refuse("SerializationException", "Content.Raw.Data is not base64")
    if not raw:
        refuse("BadRequestException", "Raw message is empty")
    if len(raw) > LARGEST_MESSAGE:
        refuse("BadRequestException", f"Message length is more than {LARGEST_MESSAGE} bytes long: '{len(raw)}'.")
    return raw


def _checked(raw: bytes) -> Message:
    head, blank, _ = _split(raw)
    if not blank:
        refuse("BadRequestException", "The message has no blank line between header and body.")
    if not head.isascii():
        refuse("BadRequestException", "Headers contain characters outside of 7-bit ASCII.")
    if any(len(line) > LONGEST_LINE - 2 for line in raw.replace(b"\r\n", b"\n").split(b"\n")):
        refuse("BadRequestException", f"A line of the message is longer than {LONGEST_LINE} characters.")
    message = email.message_from_bytes(raw)
    for name, times in Counter(name.lower() for name in message).items():
        if times > 1 and name in _ONCE:
            refuse("BadRequestException", f"Duplicate header '{name.title()}'.")
    if "From" not in message:
        refuse("BadRequestException", "Missing required header 'From'.")
    if defects := [defect for part in message.walk() for defect in part.defects]:
        refuse("BadRequestException", f"The message is not well formed: {_named(defects)}.")
    return message


def _named(defects: Iterable[MessageDefect]) -> str:
    return ", ".join(sorted({type(defect).__name__ for defect in defects}))


def _recipients(destination: Any, message: Message) -> tuple[str, ...]:
    """Those of the request; without any, those of the message."""
    listed = [each for kind in ("To", "Cc", "Bcc") for each in (destination or {}).get(f"{kind}Addresses") or []]
    if not listed:
        headers = [value for kind in ("To", "Cc", "Bcc") for value in message.get_all(kind, [])]
        listed = [one for _, one in email.utils.getaddresses(headers) if one]
    if not listed:
        refuse("BadRequestException", "Missing required destination.")
    if len(listed) > MOST_RECIPIENTS:
        refuse("BadRequestException", f"Recipient count exceeds {MOST_RECIPIENTS}.")
    return tuple(dict.fromkeys(map(_address, listed)))


def _address(value: Any) -> str:
    """The bare address. SES knows no SMTPUTF8: local parts are ASCII, and so are domains (as Punycode)."""
    _, address = email.utils.parseaddr(str(value))
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        refuse("BadRequestException", "Missing final '@domain'")
    if not address.isascii():
        where = "Domain" if local.isascii() else "Local address"
        refuse("BadRequestException", f"{where} contains non-ASCII characters")
    if re.search(r"[\x00-\x20\x7f]", address) or ".." in domain or domain.startswith("."):
        refuse("BadRequestException", "Domain or local address contains control characters, whitespace or empty labels")
    return address.lower()


def _check_verified(senders: Iterable[str], account: Account) -> None:
    failed = sorted(sender for sender in senders if sender.rpartition("@")[2] != account.domain.lower())
    if failed:
        refuse(
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region US-EAST-1: "
            + ", ".join(failed),
        )


def _tags(listed: Any) -> dict[str, str]:
    tags: dict[str, str] = {}
    for tag in listed:
        name, value = str(tag.get("Name", "")), str(tag.get("Value", ""))
        for text in (name, value):
            if not _TAG.fullmatch(text) or len(text) > LONGEST_TAG:
                refuse("BadRequestException", f"Tag {name!r} is not made of letters, digits, _ and - ({LONGEST_TAG}).")
        if name in tags:
            refuse("BadRequestException", f"Duplicate tag name {name!r}.")
        tags[name] = value
    return tags


def _stamped(raw: bytes, message_id: str, now: datetime) -> bytes:
    """SES writes Message-ID and Date of its own, and drops Bcc; every other byte stays."""
    head, _, body = _split(raw)
    fields = [field.rstrip(b"\r\n") for field in re.findall(rb"[^\n]+(?:\n[ \t][^\n]*)*\n?", head)]
    kept = [field for field in fields if field.partition(b":")[0].strip().lower() not in _REPLACED]
    own = [f"Message-ID: <{message_id}@email.amazonses.com>", f"Date: {email.utils.format_datetime(now)}"]
    return b"\r\n".join([*kept, *(line.encode() for line in own), b"", body])


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, the blank line (with the break before it), and body."""
    parts = re.split(rb"(\r?\n\r?\n)", raw, maxsplit=1)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (raw, b"", b"")  # noqa: PLR2004
