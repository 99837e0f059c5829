"""Cronofy calls: a calendar that a channel of ours is for has changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from freebusy.domain.channel import NotificationType
from freebusy.entrypoints.cronofy_signature import signed
from freebusy.entrypoints.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.service.upstream_notifications import UpstreamNotifications


def take_notification(
    event: Mapping[str, Any], handle: str, *, notifications: UpstreamNotifications, number: int
) -> None:
    """Types that nobody knows are ignored, as the contract asks. Raises AuthenticationFailed and NotFound."""
    body, signature = signed(event)
    notifications.require_authentic(body, signature)
    notifications.take(handle, *_told(body), number=number)


def _told(body: bytes) -> tuple[NotificationType | None, int]:
    """The type, and since when; None for what is no notification that we know."""
    try:
        notification = json.loads(body)["notification"]
        kind = NotificationType(notification["type"])
        return kind, parse_time(notification["changes_since"]) if kind is NotificationType.CHANGE else 0
    except (LookupError, TypeError, ValueError, RecursionError):
        return None, 0
