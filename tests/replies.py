"""Mail that comes back about ``tests.invitations.an_event``, as mail programs write it, and what SES says about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freebusy.adapters.inbound_mail import letter
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.reply import Letter, Receipt, Verdict
from tests.invitations import MAIL_DOMAIN, at

MAILS = Path(__file__).parent / "data" / "replies"
ORGANIZER = "k3j4h5m6n7"
STAMP = at("2029-12-02T09:15")
"""When all of the mails were written."""


def mail(name: str) -> bytes:
    return (MAILS / f"{name}.eml").read_bytes()


def receipt(*recipients: str, **changes: Any) -> Receipt:
    verdicts = dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), Verdict.PASS)
    whose = {"key": "mail-1", "envelope_sender": "kim@example.test"}
    return Receipt(recipients=recipients or (f"{ORGANIZER}@{MAIL_DOMAIN}",), **{**whose, **verdicts, **changes})


def received(
    key: str = "mail-1", *, recipients: tuple[str, ...] = (f"{ORGANIZER}@{MAIL_DOMAIN}",), **verdicts: str
) -> str:
    """The body of the queue's message when SES has stored mail."""
    statuses = {**dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), "PASS"), **verdicts}
    return json.dumps(
        {
            "notificationType": "Received",
            "mail": {
                "timestamp": "2029-12-02T09:15:03.000Z",
                "source": "kim@example.test",
                "messageId": key,
                "destination": list(recipients),
                "headersTruncated": False,
                "headers": [],
                "commonHeaders": {"from": ["Kim Lee <kim@example.test>"], "to": list(recipients)},
            },
            "receipt": {
                "timestamp": "2029-12-02T09:15:03.000Z",
                "processingTimeMillis": 400,
                "recipients": list(recipients),
                **{f"{kind}Verdict": {"status": status} for kind, status in statuses.items()},
                "action": {"type": "S3", "topicArn": "arn", "bucketName": "inbound", "objectKey": key},
            },
        }
    )


def sent(kind: str, recipient: str, **details: Any) -> str:
    """The body of the queue's message when SES reports about mail that it was given; ``recipient`` is a hash."""
    tags = {"organizer": [ORGANIZER], "recipient": [recipient], "ses:configuration-set": ["stack"]}
    return json.dumps(
        {
            "eventType": kind,
            "mail": {"timestamp": "2029-12-01T08:00:00.000Z", "messageId": "sent-1", "tags": tags},
            kind.lower(): details,
        }
    )


class FakeMailbox:
    """Mail by its key; ``reads`` are the keys that were asked for."""

    def __init__(self, **mails: bytes) -> None:
        self.mails = mails
        self.reads: list[str] = []

    def read(self, key: str) -> Letter:
        self.reads.append(key)
        if key not in self.mails:
            raise StorageUnavailable("the mail is not in the bucket")
        return letter(self.mails[key])
