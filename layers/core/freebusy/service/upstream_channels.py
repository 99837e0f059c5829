"""Channels of our own at Cronofy, for people who are connected through it and whose application has channels here.

What Cronofy tells is not believed but looked up: answers are taken in, and a connection that is said to be lost is
tried. What is written thereby is news, as all else that is written; only what changed in the person's own calendar, of
which nothing is kept here, is passed on as it was told.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from freebusy.domain.account import MOVED, Account, Profile
from freebusy.domain.channel import News, NotificationType
from freebusy.domain.errors import CredentialRevoked
from freebusy.domain.free_busy import Period
from freebusy.domain.identifiers import channel_handle, hashed
from freebusy.service.announcing import announce
from freebusy.service.audit import By, note, note_caller
from freebusy.service.free_busy import FUTURE_DAYS, PAST_DAYS

if TYPE_CHECKING:
    from freebusy.domain.upstream_due import UpstreamDue
    from freebusy.ports import AccountStore, ChannelStore, Clock, UpstreamChannels, UpstreamHandles
    from freebusy.service.calendar_reader import CalendarReader
    from freebusy.service.upstream_events import AnswerReader

SECONDS = 10.0
"""For all requests to Cronofy that one piece of work may take."""

_DAY = 86400


class Outcome(StrEnum):
    SETTLED = "settled"
    PASSED_ON = "passed_on"
    NOBODY = "nobody"  # the account is gone, or not connected through Cronofy any more; or nobody is


@dataclass(eq=False, repr=False)
class UpstreamWork:
    """Does what is due, one piece at a time; safe to call from several threads.

    Where Cronofy is not offered any more, what somebody had there before they moved off may still be stored.
    """

    accounts: AccountStore
    channels: ChannelStore
    handles: UpstreamHandles
    upstream: UpstreamChannels
    reader: CalendarReader
    answers: AnswerReader
    clock: Clock
    public_url: str
    is_offered: bool = True

    def carry_out(self, due: UpstreamDue) -> Outcome:
        """Raises ProviderError or StorageUnavailable for what has to be tried again."""
        account = self.accounts.find(due.sub) if self.is_offered else None
        if account is None or not account.at_cronofy:
            return Outcome.NOBODY
        if due.told is None:
            self._settle(account)
            return Outcome.SETTLED
        for profile in account.at_cronofy:
            if profile.sealed_for == due.profile_id and profile.connected:
                with _whatever_it_shows():
                    self._pass_on(due, due.told, account, profile)
        return Outcome.PASSED_ON

    def _settle(self, account: Account) -> None:
        """One channel for each profile that is connected there, as long as there are channels here.

        Of a profile that was disconnected there is no credential left to close it with. Its notifications are refused,
        and Cronofy closes channels that do not take any for a day.
        """
        for profile in account.at_cronofy:
            handle = channel_handle(account.sub, profile.sealed_for)
            wanted = account.channels > 0 and profile.connected
            if wanted:
                whose = {"client_id": account.client_id, "sub": account.sub, "profile_id": profile.sealed_for}
                self.handles.save(hashed(handle), **whose)
            if profile.connected:
                with _whatever_it_shows():
                    self._settle_there(account, profile, callback_url(self.public_url, handle), wanted=wanted)
            if not wanted:
                self.handles.forget(hashed(handle))

    def _settle_there(self, account: Account, profile: Profile, url: str, *, wanted: bool) -> None:
        deadline = time.monotonic() + SECONDS
        self.reader.with_credential(
            account,
            profile,
            lambda credential: self.upstream.settle(credential, url, wanted=wanted, deadline=deadline),
            deadline=deadline,
        )

    def _pass_on(self, due: UpstreamDue, told: NotificationType, account: Account, profile: Profile) -> None:
        if told is NotificationType.PROFILE_DISCONNECTED:
            self.reader.renew(account, profile, deadline=time.monotonic() + SECONDS)
            return
        if told is NotificationType.CHANGE and profile.identity:
            note_caller(account.client_id, By.SERVICE)
            note(account.sub)
            now = self.clock()
            window = Period(now - PAST_DAYS * _DAY, now + FUTURE_DAYS * _DAY)
            self.answers.take_in_from(profile.identity.subject, account, window)
        if not profile.profile_id.endswith(MOVED):
            news = News(account.sub, told, due.since, profile.calendar_id, managed=False)
            announce(news, channels=self.channels)


def _whatever_it_shows() -> AbstractContextManager[None]:
    """A credential that turns out to be dead disconnects its profile, which is written, and so is news."""
    return suppress(CredentialRevoked)


def callback_url(public_url: str, handle: str) -> str:
    """At most 128 characters, which is what Cronofy takes, for hosts of up to 61."""
    return f"{public_url}/upstream/cronofy/channels/{handle}"
