"""Noting in channels what happened to their account.

Noting is the intent to tell: the table's stream queues every channel in which something was noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from freebusy.domain.channel import Channel, News
    from freebusy.ports import ChannelStore

_TRIES = 40


def announce(news: News, *, channels: ChannelStore) -> int:
    """Notes the news in every channel of its account that wants it; in how many. Doing so twice is told twice."""
    wanting = [channel for channel in channels.of(news.sub) if channel.wants(news)]
    for channel in wanting:
        _note(channel, news, channels)
    return len(wanting)


def _note(channel: Channel, news: News, channels: ChannelStore) -> None:
    """Read, changed and written back on condition that nobody noted anything meanwhile; who was late starts over."""
    current: Channel | None = channel
    for _ in range(_TRIES):
        if current is None or channels.note(current.hearing(news), over=current.version):
            return
        # By the query that found it: the function that announces may read the table in no other way.
        current = next((each for each in channels.of(channel.sub) if each.channel_id == channel.channel_id), None)
    raise StorageUnavailable("the channel keeps changing")
