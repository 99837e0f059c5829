"""Records as Lambda's pollers bring them: those of the table's stream, and messages of a FIFO queue."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from freebusy.adapters.queue import _entry
from freebusy.domain.invitation import InvitationDue

QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:invitations.fifo"
STREAM_ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/table/stream/2030-01-01T00:00:00.000"


def stream_record(before: Any, after: Any, *, number: int = 1) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html; the images are items in DynamoDB's own notation."""
    images = {name: image for name, image in (("NewImage", after), ("OldImage", before)) if image}
    shown = after or before
    return {
        "eventID": f"{number:032x}",
        "eventName": "MODIFY" if before and after else "INSERT" if after else "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1893488400,
            "Keys": {name: shown[name] for name in ("pk", "sk")},
            **images,
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": len(json.dumps(images, default=str)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": STREAM_ARN,
    }


def due_record(due: InvitationDue, *, message_id: str, received: int = 1, receipt: str = "receipt") -> dict[str, Any]:
    entry = _entry("0", due)
    return queue_record(json.dumps(asdict(due)), entry["MessageGroupId"], message_id, received, receipt)


def access_record(request_id: str, *, message_id: str, received: int = 1) -> dict[str, Any]:
    return standard_record(json.dumps({"request_id": request_id}), message_id=message_id, received=received)


def standard_record(body: str, *, message_id: str, received: int = 1) -> dict[str, Any]:
    """Of a standard queue, which knows neither groups nor an order."""
    record = queue_record(body, "", message_id, received, f"receipt of {message_id}")
    for name in ("SequenceNumber", "MessageGroupId", "MessageDeduplicationId"):
        del record["attributes"][name]
    return record


def queue_record(body: str, group: str, message_id: str, received: int = 1, receipt: str = "receipt") -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    return {
        "messageId": message_id,
        "receiptHandle": receipt,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(received),
            "SentTimestamp": "1893488400000",
            "SequenceNumber": "18850000000000000000",
            "MessageGroupId": group,
            "MessageDeduplicationId": f"{group}.1",
            "SenderId": "AIDAEXAMPLESENDERID12",
            "ApproximateFirstReceiveTimestamp": "1893488400050",
        },
        "messageAttributes": {},
        "md5OfBody": "00000000000000000000000000000000",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "eu-central-1",
    }
