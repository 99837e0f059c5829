"""What Cronofy posts to us is signed over the body as it was sent, so that nothing is read before it was compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.entrypoints.http import bytes_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def signed(event: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body and its signature, which is empty where there is none."""
    return bytes_of(event), event.get("headers", {}).get("cronofy-hmac-sha256", "")
