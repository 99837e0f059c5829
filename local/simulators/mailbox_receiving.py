"""Mail that comes in at the deployment's own domain, and what SES reports about mail that went out.

A receipt rule stores the raw mail in S3 and says so on a topic, where a configuration set publishes bounces and
complaints.
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html are the shapes.
"""

from __future__ import annotations

import email
import email.utils
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import Any, Literal, Protocol
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from local.simulators.mailbox_sending import Submission

MOST_HEADERS = 10 << 10
"""Bytes of headers in a notification; SES leaves out the rest and says so."""

_COMMON = {"date": "Date", "messageId": "Message-ID", "subject": "Subject"}

Status = Literal["PASS", "FAIL", "GRAY", "PROCESSING_FAILED"]


class Verdicts(BaseModel):
    """What SES thinks of a mail. ``dmarcPolicy`` is the sender's, and only told when DMARC failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spam: Status = "PASS"
    virus: Status = "PASS"
    spf: Status = "PASS"
    dkim: Status = "PASS"
    dmarc: Status = "PASS"
    dmarcPolicy: Literal["none", "quarantine", "reject"] | None = None  # noqa: N815 - as SES spells it

    def as_json(self) -> dict[str, Any]:
        kinds = ("spam", "virus", "spf", "dkim", "dmarc")
        verdicts: dict[str, Any] = {f"{kind}Verdict": {"status": getattr(self, kind)} for kind in kinds}
        return verdicts | ({"dmarcPolicy": self.dmarcPolicy} if self.dmarcPolicy else {})


SPOOFED = Verdicts(spf="FAIL", dkim="GRAY", dmarc="FAIL", dmarcPolicy="reject")
"""Somebody else's server wrote this From."""


class Pipeline(Protocol):
    """Where SES hands things over. Raises botocore's errors."""

    @property
    def bucket(self) -> str: ...

    @property
    def topic(self) -> str: ...

    def store(self, key: str, raw: bytes) -> None: ...

    def notify(self, message: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class AwsPipeline:
    """``s3`` and ``sns`` are boto3 clients, ``topic`` is an ARN."""

    s3: Any
    sns: Any
    bucket: str
    topic: str

    def store(self, key: str, raw: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=raw)

    def notify(self, message: dict[str, Any]) -> None:
        self.sns.publish(TopicArn=self.topic, Message=json.dumps(message))


def receive(pipeline: Pipeline, raw: bytes, recipients: Sequence[str], verdicts: Verdicts) -> str:
    """What SES does with a mail that a receipt rule matches; returns the message id, which is the object's key."""
    now = datetime.now(UTC)
    message = email.message_from_bytes(raw)
    message_id = uuid4().hex + uuid4().hex[:8]
    source = email.utils.parseaddr(str(message["From"] or ""))[1]
    pipeline.store(message_id, _traced(raw, source, verdicts, message_id, now))
    pipeline.notify(
        {
            "notificationType": "Received",
            "mail": _mail(message, message_id, source, recipients, now),
            "receipt": {
                "timestamp": _timestamp(now),
                "processingTimeMillis": 400,
                "recipients": list(recipients),
                **verdicts.as_json(),
                "action": {
                    "type": "S3",
                    "topicArn": pipeline.topic,
                    "bucketName": pipeline.bucket,
                    "objectKey": message_id,
                },
            },
        }
    )
    return message_id


def bounce(submission: Submission, recipient: str) -> dict[str, Any]:
    """The event of a hard bounce: the address does not exist."""
    bounced = {"emailAddress": recipient, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1"}
    feedback = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [bounced]}
    return _event("Bounce", submission, recipient, feedback | {"reportingMTA": "dns; smtp-out.amazonses.com"})


def complaint(submission: Submission, recipient: str) -> dict[str, Any]:
    """The event of a recipient who called the mail spam."""
    feedback = {"complainedRecipients": [{"emailAddress": recipient}], "complaintFeedbackType": "abuse"}
    return _event("Complaint", submission, recipient, feedback)


def _event(kind: str, submission: Submission, recipient: str, details: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    message = email.message_from_bytes(submission.raw)
    tags = {"ses:configuration-set": submission.configuration_set, "ses:from-domain": submission.sender.split("@")[-1]}
    mail = _mail(message, submission.message_id, submission.sender, [recipient], now)
    mail["tags"] = {name: [value] for name, value in (tags | dict(submission.tags)).items() if value}
    about = {**details, "timestamp": _timestamp(now), "feedbackId": f"{submission.message_id}-feedback"}
    return {"eventType": kind, "mail": mail, kind.lower(): about}


def _mail(message: Message, message_id: str, source: str, destination: Sequence[str], now: datetime) -> dict[str, Any]:
    headers, truncated = _headers(message)
    common: dict[str, Any] = {"returnPath": source}
    common |= {name.lower(): [*map(str, message.get_all(name, []))] for name in ("From", "To")}
    common |= {key: str(message[name]) for key, name in _COMMON.items() if name in message}
    return {
        "timestamp": _timestamp(now),
        "source": source,
        "messageId": message_id,
        "destination": list(destination),
        "headersTruncated": truncated,
        "headers": headers,
        "commonHeaders": common,
    }


def _headers(message: Message) -> tuple[list[dict[str, str]], bool]:
    kept: list[dict[str, str]] = []
    size = 0
    for name, value in message.items():
        size += len(name) + len(str(value))
        if size > MOST_HEADERS:
            return kept, True
        kept.append({"name": name, "value": str(value)})
    return kept, False


def _traced(raw: bytes, source: str, verdicts: Verdicts, message_id: str, now: datetime) -> bytes:
    """The mail as it lies in S3: with the trace of SES's servers on top, whatever it claims itself below."""
    client, server = "mail.example (mail.example [192.0.2.1])", "inbound-smtp.us-east-1.amazonaws.com"
    results = "; ".join(f"{kind}={_result(getattr(verdicts, kind))}" for kind in ("spf", "dkim", "dmarc"))
    trace = {
        "Return-Path": f"<{' '.join(source.split())}>",
        "Received": f"from {client} by {server} with SMTP id {message_id}; {email.utils.format_datetime(now)}",
        "X-SES-Spam-Verdict": verdicts.spam,
        "X-SES-Virus-Verdict": verdicts.virus,
        "Authentication-Results": f"amazonses.com; {results};",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in trace.items()).encode() + raw


def _result(status: Status) -> str:
    return {"PASS": "pass", "FAIL": "fail"}.get(status, "none")


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
