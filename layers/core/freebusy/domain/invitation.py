"""Whom a change of a managed event concerns, and what each of them was sent last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

UPSTREAM = "upstream"
"""In the place of a recipient: the event as a whole is due in the calendar that Cronofy keeps."""


@dataclass(frozen=True, slots=True)
class InvitationDue:
    """The event's write of ``version`` concerns one of its attendees. Holds no address, only its hash.

    What is mailed is how the event stands when the message is made, so that any order of these leads to the same end.
    """

    sub: str
    event_id: str
    recipient: str = field(repr=False)  # domain.identifiers.hashed(email), or UPSTREAM
    version: int = 0


class SentMark(NamedTuple):
    """The last message that one attendee was sent about an event: its revision, and whether it cancelled.

    ``version`` is that of the event from which it was made: changes up to that version need no message any more.
    """

    revision: int
    cancelled: bool
    version: int = 0


NEVER_INVITED = SentMark(revision=0, cancelled=True)
"""Where nothing is marked: nothing is in the attendee's calendar, as after a CANCEL."""
