"""What a write of an event or of an account tells its application, as far as the application did not write it.

It is read off the write itself, before and after, so that nobody who writes needs to think of it and nothing that
happened is lost on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from freebusy.domain.channel import News, NotificationType
from freebusy.service.invitations import EventState


@dataclass(frozen=True, slots=True)
class AccountState:
    """``disconnected`` says it of each profile, by id; a profile that moved is still the one that it was."""

    sub: str
    disconnected: Mapping[str, bool]


def event_news(before: EventState | None, after: EventState) -> list[News]:
    """A ``change`` where attendees answered, or mail did not reach them.

    The application's own writes may take answers back too, but those raise the ``sequence`` (domain.event_changes),
    which no answer does.
    """
    if before is None or before.sequence != after.sequence:
        return []
    if all(said == after.said.get(recipient, said) for recipient, said in before.said.items()):
        return []
    return [News(after.sub, NotificationType.CHANGE, after.updated_at, after.calendar_id)]


def account_news(before: AccountState, after: AccountState, *, now: int) -> list[News]:
    """Profiles that ceased to work, work again, or are new: what is new has been read already, as nothing is copied."""
    kinds: list[NotificationType] = []
    for profile_id, disconnected in after.disconnected.items():
        was = before.disconnected.get(profile_id)
        if was is None:
            kinds.append(NotificationType.PROFILE_INITIAL_SYNC_COMPLETED)
        elif was != disconnected:
            connected = NotificationType.PROFILE_CONNECTED
            kinds.append(NotificationType.PROFILE_DISCONNECTED if disconnected else connected)
    return [News(after.sub, kind, now) for kind in dict.fromkeys(kinds)]
