"""What SES says about mail, as the queue that listens to its topic brings it, and what comes of it.

Two shapes come the same way: what a receipt rule did with mail that came in
(https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html), and what a configuration set
reports about mail that went out
(https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import MailIgnored
from freebusy.domain.event import Delivery, ManagedEvent
from freebusy.domain.reply import Ignored, Receipt, Report, Verdict
from freebusy.entrypoints.observing import logger, tell_trouble
from freebusy.entrypoints.records import batch_failures
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def each_notification(
    event: Mapping[str, Any],
    *,
    received: Callable[[Receipt], ManagedEvent],
    reported: Callable[[Report], ManagedEvent],
) -> dict[str, Any]:
    """Mail that changes nothing is done with; what could not be looked at comes again, and ends as a dead letter."""
    failed = []
    for record in event["Records"]:
        try:
            notification = read_notification(record["body"])
            changed = received(notification) if isinstance(notification, Receipt) else reported(notification)
            kind = type(notification).__name__.lower()
            whose = {"application": changed.client_id, "account": changed.sub, "uid": changed.uid}
            logger.info("mail counted", message_id=record["messageId"], kind=kind, extra=whose)
            if isinstance(notification, Report):
                take(Measure.INVITATIONS, notification.delivery)
            else:
                take(Measure.MAIL_RECEIVED, "counted")
        except MailIgnored as ignored:
            logger.info("mail ignored", message_id=record["messageId"], reason=ignored.reason)
            take(Measure.MAIL_RECEIVED, "ignored")
        except Exception as error:  # noqa: BLE001 - whatever it is, no answer may be passed over
            tell_trouble("mail could not be looked at", error, message_id=record["messageId"])
            take(Measure.MAIL_RECEIVED, "waiting")
            failed.append(record["messageId"])
    return batch_failures(failed)


def read_notification(body: str) -> Receipt | Report:
    """Raises MailIgnored for everything else that SES says, and for what nobody knows."""
    try:
        said = json.loads(body)
        match said:
            case {"notificationType": "Received", "receipt": {"action": {"type": "S3"}}}:
                return _receipt(said)
            case {"eventType": str(kind), "mail": {"tags": tags}}:
                return Report(_tag(tags, "organizer"), _tag(tags, "recipient"), _delivery(kind, said))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise MailIgnored(Ignored.NOT_A_NOTIFICATION) from error
    raise MailIgnored(Ignored.NOT_A_NOTIFICATION)


def _receipt(said: Mapping[str, Any]) -> Receipt:
    mail, receipt = said["mail"], said["receipt"]
    return Receipt(
        key=_text(receipt["action"]["objectKey"]),
        envelope_sender=_text(mail.get("source", "")),
        recipients=tuple(map(_text, receipt["recipients"])),
        spam=_verdict(receipt, "spam"),
        virus=_verdict(receipt, "virus"),
        spf=_verdict(receipt, "spf"),
        dkim=_verdict(receipt, "dkim"),
        dmarc=_verdict(receipt, "dmarc"),
    )


def _verdict(receipt: Mapping[str, Any], kind: str) -> Verdict:
    """A rule that does not scan gives no verdict on spam and viruses."""
    return Verdict(receipt.get(f"{kind}Verdict", {}).get("status", Verdict.PROCESSING_FAILED))


def _delivery(kind: str, said: Mapping[str, Any]) -> Delivery:
    """What is for good. A transient bounce may be an out-of-office notice, and delays and opens change nothing."""
    match kind, said:
        case "Bounce", {"bounce": {"bounceType": "Permanent"}}:
            return Delivery.BOUNCED
        case "Complaint", _:
            return Delivery.COMPLAINED
        case "Reject", _:
            return Delivery.REFUSED
    raise MailIgnored(Ignored.NOT_A_NOTIFICATION)


def _tag(tags: Mapping[str, Any], name: str) -> str:
    (value,) = tags[name]
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value
