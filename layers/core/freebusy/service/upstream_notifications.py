"""What Cronofy posts to our channels there: checked, and queued at once, since it waits for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freebusy.domain.errors import AuthenticationFailed, NotFound
from freebusy.domain.identifiers import hashed
from freebusy.domain.upstream_due import PASSED_ON, UpstreamDue

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.channel import NotificationType
    from freebusy.ports import UpstreamHandles, UpstreamQueue


@dataclass(eq=False, repr=False)
class UpstreamNotifications:
    """``has_signed`` says whether Cronofy has signed a body so."""

    has_signed: Callable[[bytes, str], bool]
    handles: UpstreamHandles
    queue: UpstreamQueue

    def require_authentic(self, body: bytes, signature: str) -> None:
        """Raises AuthenticationFailed."""
        if not self.has_signed(body, signature):
            raise AuthenticationFailed

    def take(self, handle: str, told: NotificationType | None, since: int, *, number: int) -> None:
        """Raises NotFound for a channel that nobody here needs, or not any more."""
        found = self.handles.find(hashed(handle))
        if found is None:
            raise NotFound("no such channel")
        sub, profile_id = found
        if told in PASSED_ON:
            self.queue.put([UpstreamDue(sub, number, told, profile_id, since)])
