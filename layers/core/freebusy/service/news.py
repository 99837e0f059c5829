"""What a write of an event or of an account tells its application, as far as the application did not write it.

It is read off the write itself, before and after, so that nobody who writes needs to think of it and nothing that
happened is lost on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.channel import News, NotificationType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.service.due_invitations import EventState


class AccountState(NamedTuple):
    """``disconnected`` says it of each profile, by id; what a profile was before it moved is none of them.

    ``at_cronofy`` are the profiles that are connected there, moved ones included. ``channels`` is how many there are.
    """

    sub: str
    disconnected: Mapping[str, bool]
    at_cronofy: frozenset[str] = frozenset()
    channels: int = 0


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
    """Profiles that ceased to work, work again, or are new.

    Nothing is copied here, so that a new one can be read at once; of one at Cronofy, Cronofy tells when that is.
    """
    kinds: list[NotificationType] = []
    for profile_id, disconnected in after.disconnected.items():
        was = before.disconnected.get(profile_id)
        if was is None:
            if profile_id not in after.at_cronofy:
                kinds.append(NotificationType.PROFILE_INITIAL_SYNC_COMPLETED)
        elif was != disconnected:
            connected = NotificationType.PROFILE_CONNECTED
            kinds.append(NotificationType.PROFILE_DISCONNECTED if disconnected else connected)
    return [News(after.sub, kind, now) for kind in dict.fromkeys(kinds)]


def is_due_upstream(before: AccountState, after: AccountState) -> bool:
    """Whether our channels at Cronofy may have to be others now; each opening here looks whether they still stand."""
    if not before.at_cronofy | after.at_cronofy:
        return False
    return (before.channels, before.at_cronofy) != (after.channels, after.at_cronofy)
