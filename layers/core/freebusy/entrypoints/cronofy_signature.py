"""What Cronofy posts to us is signed over the body as it was sent, so that nothing is read before it was compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freebusy.entrypoints.http import bytes_of


def signed(event: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body and its signature, which is empty where there is none."""
    return bytes_of(event), event.get("headers", {}).get("cronofy-hmac-sha256", "")
