"""Channels: where an application is told that something changed for one account, and what it was not told yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHANNELS = 128
"""Of one account."""

LONGEST_CALLBACK_URL = 128

PATIENCE = 86_400
"""Seconds for which a channel's server may fail before the channel is closed."""


class NotificationType(StrEnum):
    """``notification.type`` on the wire, in the order in which those that are due together are sent."""

    VERIFICATION = "verification"
    PROFILE_DISCONNECTED = "profile_disconnected"
    PROFILE_CONNECTED = "profile_connected"
    PROFILE_INITIAL_SYNC_COMPLETED = "profile_initial_sync_completed"
    CHANGE = "change"


class News(NamedTuple):
    """Something that happened to an account ``since`` this second, and that its application did not do itself.

    ``calendar_id`` says in which calendar, where it is a ``change``; ``managed`` whether to managed events.
    """

    sub: str
    type: NotificationType
    since: int
    calendar_id: str | None = None
    managed: bool = True


@dataclass(frozen=True, slots=True)
class Channel:
    """``calendar_ids`` and ``only_managed`` are the filters of ``change``; no ids mean every calendar.

    ``pending`` is what the application was not told yet, and since when. ``version`` rises with all that it is to be
    told, so that whoever has told it notices what came meanwhile. ``failing_since`` is when its server began to fail.
    """

    channel_id: str
    sub: str
    client_id: str
    callback_url: str = field(repr=False)
    calendar_ids: tuple[str, ...] = ()
    only_managed: bool = False
    pending: Mapping[NotificationType, int] = field(default_factory=dict)
    failing_since: int | None = None
    version: int = 1

    def wants(self, news: News) -> bool:
        """Filters are about events; whoever has a channel hears of every profile."""
        if news.type is not NotificationType.CHANGE:
            return True
        return (not self.calendar_ids or news.calendar_id in self.calendar_ids) and (
            news.managed or not self.only_managed
        )

    def hearing(self, news: News) -> Channel:
        """With the news pending. Of several of one type one is sent, since the earliest."""
        since = min(news.since, self.pending.get(news.type, news.since))
        return replace(self, pending={**self.pending, news.type: since}, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class ChannelDue:
    """The channel's write of ``version`` left something to tell; what that is shows when the message is made."""

    sub: str
    channel_id: str
    version: int
