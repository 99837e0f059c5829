"""What Cronofy posts to us. The signature is over the body as it came, so nothing is read before it was compared."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from freebusy.domain.channel import NotificationType
from freebusy.entrypoints.times import parse_time
from freebusy.service.upstream_notifications import UpstreamNotifications

SIGNATURE = "cronofy-hmac-sha256"


def take_notification(
    event: Mapping[str, Any], handle: str, *, notifications: UpstreamNotifications, number: int
) -> None:
    """Types that nobody knows are ignored, as the contract asks. Raises AuthenticationFailed and NotFound."""
    raw = event.get("body") or ""
    body = b64decode(raw) if event.get("isBase64Encoded") else raw.encode()
    notifications.require_authentic(body, event.get("headers", {}).get(SIGNATURE, ""))
    notifications.take(handle, *_told(body), number=number)


def _told(body: bytes) -> tuple[NotificationType | None, int]:
    """The type, and since when; None for what is no notification that we know."""
    try:
        notification = json.loads(body)["notification"]
        kind = NotificationType(notification["type"])
        return kind, parse_time(notification["changes_since"]) if kind is NotificationType.CHANGE else 0
    except (LookupError, TypeError, ValueError, RecursionError):
        return None, 0
