"""Each event that is due goes its way: to one attendee by our mail, or as a whole to Cronofy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from freebusy.domain.event import UPSTREAM, InvitationDue
from freebusy.service.invitations import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable


class Sender(Protocol):
    def deliver(self, due: InvitationDue) -> Outcome:
        """Raises what has to be tried again."""


@dataclass(eq=False, repr=False)
class Deliverer:
    """Both are made when something has to go that way; without a mail domain nothing is mailed."""

    by_mail: Callable[[], Sender] | None
    upstream: Callable[[], Sender] | None

    def deliver(self, due: InvitationDue) -> Outcome:
        way = self.upstream if due.recipient == UPSTREAM else self.by_mail
        return way().deliver(due) if way else Outcome.NOBODY
