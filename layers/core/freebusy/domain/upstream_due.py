"""What is to be done at Cronofy for an account whose application has channels here."""

from __future__ import annotations

from dataclasses import dataclass

from freebusy.domain.channel import NotificationType

PASSED_ON = frozenset(
    {
        NotificationType.CHANGE,
        NotificationType.PROFILE_DISCONNECTED,
        NotificationType.PROFILE_INITIAL_SYNC_COMPLETED,
    }
)
"""What Cronofy tells that concerns applications here. A profile that it connected again has no credential here until
its person consents here, which is news of our own."""


@dataclass(frozen=True, slots=True)
class UpstreamDue:
    """``told`` is what Cronofy said about ``profile_id``, since when; without it, our channels there are to be settled.

    ``version`` is any number that tells two of one account apart.
    """

    sub: str
    version: int
    told: NotificationType | None = None
    profile_id: str = ""
    since: int = 0
