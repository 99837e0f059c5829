"""An application's request to read one mailbox of an organization, until it was told what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_AT_ONCE = 50
LIFETIME = 7 * 86_400
"""Seconds. Answers are tried for more than a day; what is a dead letter then can be sent back in the days after it."""

PATIENCE = 1800
"""Seconds for which a provider may be down before the application is told so."""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """``state`` is the application's own, and comes back to it unchanged; times are epoch seconds.

    ``failing_since`` is when the provider failed first, as long as it has not answered since.
    """

    request_id: str
    client_id: str
    service_account: str
    email: str = field(repr=False)
    callback_url: str = field(repr=False)
    scope: str
    state: str | None = field(repr=False)
    requested_at: int
    failing_since: int | None = None

    @property
    def expires_at(self) -> int:
        return self.requested_at + LIFETIME
