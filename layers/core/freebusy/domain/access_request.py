"""An application's request to read one mailbox of an organization, until it was told what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MOST_AT_ONCE = 50
LIFETIME = 7 * 86_400
"""Seconds. Answers are tried for more than a day; what is a dead letter then can be sent back in the days after it."""

PATIENCE = 1800
"""Seconds for which a provider may be down, or Cronofy may owe us an answer, before the application is told so."""

LONGEST_DELAY = 900
"""Seconds for which a queue can keep a message back."""


class Granted(NamedTuple):
    """The account that Cronofy gave access to. ``reconnecting`` is that of ``AuthorizationCode``."""

    sub: str
    profile_id: str
    reconnecting: bool


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """``state`` is the application's own, and comes back to it unchanged; times are epoch seconds.

    ``failing_since`` is when the provider failed first, as long as it has not answered since.

    The rest is about organizations at Cronofy. ``public_url`` is the deployment's address, to which Cronofy answers;
    ``asked_at`` is when it was asked, None while it was not, and 0 when it has to be asked again. ``granted`` or
    ``refused``, the key of an error, is what it answered.
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
    public_url: str = ""
    asked_at: int | None = None
    granted: Granted | None = None
    refused: str | None = None

    @property
    def expires_at(self) -> int:
        return self.requested_at + LIFETIME

    def is_about(self, sub: str, mailbox: str) -> bool:
        """Whether this mailbox is asked for, or this account came of it: Cronofy may know it by another address."""
        return self.email.lower() == mailbox.lower() or (self.granted is not None and self.granted.sub == sub)
