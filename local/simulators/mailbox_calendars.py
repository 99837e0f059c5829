"""The calendar that each person's mail client keeps from the invitations they get."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from local.simulators.mailbox_invitations import Invitation, address, invitation_for


@dataclass(frozen=True)
class Entry:
    """What is in the calendar. A cancelled event stays listed, so that an older REQUEST that comes late finds it."""

    invitation: Invitation
    partstat: str
    cancelled: bool = False

    def after(self, message: Invitation) -> Entry:
        """This entry once ``message`` about the same event was read.

        Messages count in the order of (SEQUENCE, DTSTAMP), however they arrive; one that was read before changes
        nothing. What the person answered stays until the SEQUENCE rises (RFC 5546, 2.1.4).
        """
        if address(message.organizer) != address(self.invitation.organizer):
            return self  # Only the organizer may change an event (RFC 5546, 2.1.1).
        if message.order < self.invitation.order:
            return self
        if message.method == "CANCEL":
            return replace(self, invitation=message, cancelled=True)
        if message.order == self.invitation.order:
            return self
        renewed = self.cancelled or message.sequence > self.invitation.sequence
        return Entry(message, message.partstat if renewed else self.partstat)

    def as_json(self) -> dict[str, Any]:
        return {
            "uid": self.invitation.uid,
            "sequence": self.invitation.sequence,
            "summary": self.invitation.summary,
            "start": _shown(self.invitation.start),
            "end": _shown(self.invitation.end),
            "partstat": self.partstat,
            "cancelled": self.cancelled,
        }


class Calendars:
    """By e-mail address, in lower case, and UID."""

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[str, Entry]] = defaultdict(dict)

    def receive(self, person: str, raw: bytes) -> None:
        """Reads a message as the person's mail client does when it arrives."""
        message = invitation_for(person, raw)
        if message is None:
            return
        entries = self._of[person]
        if entry := entries.get(message.uid):
            entries[message.uid] = entry.after(message)
        elif message.method == "REQUEST":
            entries[message.uid] = Entry(message, message.partstat)

    def answer(self, person: str, invitation: Invitation, partstat: str) -> None:
        """The person's own calendar shows their answer, unless it is to a message that has been overtaken."""
        entry = self._of[person].get(invitation.uid)
        if entry and entry.invitation.sequence == invitation.sequence:
            self._of[person][invitation.uid] = replace(entry, partstat=partstat)

    def of(self, person: str) -> list[Entry]:
        return sorted(
            self._of.get(person, {}).values(), key=lambda entry: (_shown(entry.invitation.start), entry.invitation.uid)
        )

    def clear(self) -> None:
        self._of.clear()


def _shown(moment: date) -> str:
    return moment.isoformat().replace("+00:00", "Z") if isinstance(moment, datetime) else moment.isoformat()
