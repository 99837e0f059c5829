"""Requests that are carried out once, however often they are sent.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/07/ is the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from freebusy.domain.identifiers import hashed

KEPT = 86_400
"""Seconds for which an answer is kept."""

CARRYING_OUT = 30
"""Seconds after which nobody can be at it any more: functions are ended after 28."""


class Answered(NamedTuple):
    status: int
    body: str


class FirstRequest(NamedTuple):
    """The one that had a key before; without an answer while it is being carried out."""

    fingerprint: str
    answered: Answered | None


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """``key`` is the client's own name for it; ``sub`` is who sends it, of the application ``client_id``."""

    client_id: str
    sub: str
    key: str
    method: str
    path: str
    body: str = field(repr=False)

    @property
    def key_hash(self) -> str:
        """Nobody can use up, or ask for, what somebody else has named."""
        return hashed(f"{self.client_id}\n{self.sub}\n{self.key}")

    @property
    def fingerprint(self) -> str:
        return hashed(f"{self.method}\n{self.path}\n{self.body}")
