"""Telling applications what happened: each channel that is due gets what it was not told yet, signed.

What is sent follows from how the channel stands when its turn has come, so several changes that come close together
are one notification. It is sent at least once, and as a rule once. A server that says it is gone, or that has failed
for a day, is not asked again: its channel is closed, as Cronofy does it
(https://docs.cronofy.com/developers/api/push-notifications/).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from freebusy.domain.channel import PATIENCE, Channel, ChannelDue, NotificationType
from freebusy.domain.errors import CallbackFailed, CallbackGone
from freebusy.service.channels import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.application import Application
    from freebusy.ports import AccountStore, ApplicationStore, ChannelStore, Clock
    from freebusy.service.callbacks import Callbacks

ANSWER_SECONDS = 5.0
"""For the answer to one notification, as Cronofy gives applications."""

TURN_SECONDS = 15.0
"""For all that one channel is told at once: what is left waits for another turn."""

REST_SECONDS = 30.0
"""For which a server that was slow to fail is not tried by this process again, whichever channel leads there."""

_SLOW = 2.0


class Outcome(StrEnum):
    TOLD = "told"
    UP_TO_DATE = "up_to_date"  # an earlier message told it already
    CLOSED = "closed"  # by the application, or by this delivery


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells one channel at a time; safe to call from several threads."""

    channels: ChannelStore
    accounts: AccountStore
    applications: ApplicationStore
    callbacks: Callbacks
    clock: Clock
    timer: Callable[[], float] = time.monotonic
    _resting: dict[tuple[str, str], float] = field(default_factory=dict)

    def deliver(self, due: ChannelDue) -> Outcome:
        """Raises CallbackFailed, CallbackUnsigned or StorageUnavailable for what has to be tried again."""
        channel = self.channels.find(due.sub, due.channel_id)
        if channel is None:
            return Outcome.CLOSED
        if not channel.pending:
            return Outcome.UP_TO_DATE
        application = self._application(channel)
        if application is None:
            return self._close(channel)
        try:
            self._tell(channel, application)
        except CallbackGone:
            return self._close(channel)
        except CallbackFailed:
            now = self.clock()
            if now - self.channels.failing(channel, now=now) >= PATIENCE:
                return self._close(channel)
            raise
        self.channels.told(channel)
        return Outcome.TOLD

    def _application(self, channel: Channel) -> Application | None:
        """None once the application gave up the whole authorization, or is gone itself: nobody is left to tell."""
        account = self.accounts.find(channel.sub)
        return self.applications.find(channel.client_id) if account and account.grants else None

    def _tell(self, channel: Channel, application: Application) -> None:
        """One after another, in bounded time: one channel's slowness takes nothing from the others of its batch."""
        server = (application.client_id, urlsplit(channel.callback_url).netloc)
        began = self.timer()
        for kind in NotificationType:
            if kind in channel.pending:
                self._require_quick(server, began)
                try:
                    self.callbacks.deliver(application, channel.callback_url, notification(channel, kind))
                except CallbackFailed:
                    if self.timer() - began > _SLOW:
                        self._resting[server] = self.timer() + REST_SECONDS
                    raise

    def _require_quick(self, server: tuple[str, str], began: float) -> None:
        now = self.timer()
        if now < self._resting.get(server, 0.0) or now - began > TURN_SECONDS:
            raise CallbackFailed("the server was too slow a moment ago")

    def _close(self, channel: Channel) -> Outcome:
        self.channels.close(channel.sub, channel.channel_id)
        return Outcome.CLOSED


def notification(channel: Channel, kind: NotificationType) -> dict[str, Any]:
    """What the application is sent."""
    told: dict[str, Any] = {"type": kind.value}
    if kind is NotificationType.CHANGE:
        told["changes_since"] = _utc(channel.pending[kind])
    return {"notification": told, "channel": shown(channel)}


def _utc(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
