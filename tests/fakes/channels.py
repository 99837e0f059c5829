from __future__ import annotations

from dataclasses import replace
from threading import RLock
from typing import Any

from freebusy.domain.channel import MOST_CHANNELS, Channel
from freebusy.domain.errors import NotFound
from tests.fakes.accounts import FakeAccounts


class FakeChannels:
    """Of these accounts."""

    def __init__(self, accounts: FakeAccounts) -> None:
        self._lock = RLock()
        self._accounts = accounts
        self._channels: dict[tuple[str, str], Channel] = {}

    def create(self, channel: Channel) -> bool:
        with self._lock:
            if self._accounts.find(channel.sub) is None:
                raise NotFound(channel.sub)
            if len(self.of(channel.sub)) >= MOST_CHANNELS:
                return False
            self._channels[channel.sub, channel.channel_id] = channel
            return True

    def of(self, sub: str) -> list[Channel]:
        return [channel for (owner, _), channel in sorted(self._channels.items()) if owner == sub]

    def find(self, sub: str, channel_id: str) -> Channel | None:
        return self._channels.get((sub, channel_id))

    def close(self, sub: str, channel_id: str) -> bool:
        return self._channels.pop((sub, channel_id), None) is not None

    def note(self, channel: Channel, *, over: int) -> bool:
        return self._change(channel, over, pending=channel.pending, version=channel.version)

    def told(self, channel: Channel) -> None:
        told = self._change(channel, channel.version, pending={}, failing_since=None)
        if not told and (stored := self.find(channel.sub, channel.channel_id)):
            self._change(channel, stored.version, failing_since=None)

    def failing(self, channel: Channel, *, now: int) -> int:
        if channel.failing_since is None and (stored := self.find(channel.sub, channel.channel_id)):
            self._change(channel, stored.version, failing_since=now)
        return now if channel.failing_since is None else channel.failing_since

    def _change(self, channel: Channel, over: int, **changes: Any) -> bool:
        key = (channel.sub, channel.channel_id)
        with self._lock:
            stored = self._channels.get(key)
            if stored is None or stored.version != over:
                return False
            self._channels[key] = replace(stored, **changes)
            return True
