"""How many requests an application may make in a minute, whichever sandboxes answer them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.ports import ApplicationStore, Clock, PermitStore

WINDOW = 60
"""Seconds. Windows are the minutes of the clock."""

LIMITS_KNOWN = 60
"""Seconds for which a sandbox does not ask again what an application's limit is."""

_KEPT = 2 * WINDOW
_SHARE = 16
"""Of what is left in a window, a sandbox takes at most this part at once."""

logger = logging.getLogger(__name__)


class Standing(NamedTuple):
    """How an application stands after one more request: ``remaining`` of ``limit`` until the window ends.

    ``window`` and ``seconds_left`` of it are seconds.
    """

    admitted: bool
    limit: int
    remaining: int
    window: int
    seconds_left: int


@dataclass(slots=True)
class _Share:
    """What one sandbox has of an application's window. ``left`` is what it last knew to be left for everybody."""

    window: int
    left: int
    unused: int = 0
    used: int = 0

    @property
    def wanted(self) -> int:
        """One at first, then as many as were used before, and few once there is little left for the others."""
        return max(1, min(self.used, self.left // _SHARE))


class RateLimiter:
    """Of one sandbox, which answers one request at a time.

    Sandboxes take permits from the application's window in the table, more at once the more they use. They are good
    for that window alone, so that no more than the limit are ever admitted in it. What a sandbox has taken and not
    used is lost to the others: never more than it has used, nor more than a sixteenth of the limit.

    While the table does not answer everybody is admitted: a limit is there to share what there is, and trouble of the
    table is no reason to refuse what would otherwise be answered.
    """

    def __init__(
        self, *, applications: ApplicationStore, permits: Callable[[], PermitStore], default: int, clock: Clock
    ) -> None:
        self._applications = applications
        self._permits = permits
        self._default = default
        self._clock = clock
        self._limits: dict[str, tuple[int, int]] = {}
        self._shares: dict[str, _Share] = {}

    def count(self, client_id: str) -> Standing | None:
        """One more request; None where there is no limit, or where it cannot be told."""
        now = self._clock()
        try:
            limit = self._limit_of(client_id, now)
            return self._standing(client_id, limit, now) if limit else None
        except StorageUnavailable:
            logger.exception("a request cannot be counted", extra={"client_id": client_id})
            return None

    def _standing(self, client_id: str, limit: int, now: int) -> Standing:
        window, elapsed = divmod(now, WINDOW)
        share = self._shares.get(client_id)
        if share is None or share.window != window:
            share = self._shares[client_id] = _Share(window, limit)
        if not share.unused and share.left:
            self._take(client_id, share, limit)
        admitted = share.unused > 0
        if admitted:
            share.unused -= 1
            share.used += 1
        return Standing(admitted, limit, share.unused + share.left, WINDOW, WINDOW - elapsed)

    def _take(self, client_id: str, share: _Share, limit: int) -> None:
        wanted, expires_at = share.wanted, share.window * WINDOW + _KEPT
        taken = self._permits().take(client_id, share.window, wanted=wanted, limit=limit, expires_at=expires_at)
        if taken is not None:
            share.unused = wanted - max(0, taken - limit)
        share.left = 0 if taken is None else max(0, limit - taken)

    def _limit_of(self, client_id: str, now: int) -> int:
        known_until, limit = self._limits.get(client_id, (0, 0))
        if known_until <= now:
            application = self._applications.find(client_id)
            own = application.requests_per_minute if application else None
            limit = self._default if own is None else own
            self._limits[client_id] = now + LIMITS_KNOWN, limit
        return limit
