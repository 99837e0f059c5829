"""Everybody's inbox, as a mail client shows it. The mailbox is the laptop stack's own simulator."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import httpx

from local.demo_site.bands import written
from local.simulators.mailbox_invitations import Invitation, invitation_for

MAIL_CLIENTS = {"google_free_busy": "gmail", "ms_graph_free_busy": "outlook"}
"""What people read their mail with, by the provider of their calendar."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivered message. ``invitation`` is what the mail client finds in it, if it invites or cancels."""

    id: str
    to: str
    message: EmailMessage
    invitation: Invitation | None

    @property
    def html(self) -> str | None:
        return self._body("html")

    @property
    def text(self) -> str:
        return self._body("plain") or ""

    def _body(self, kind: str) -> str | None:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part else None

    def as_json(self, entry: dict[str, Any] | None, *, proposed: bool) -> dict[str, Any]:
        """``entry`` is the same event in the person's calendar, which knows whether this message was overtaken."""
        sender, when = self.message["From"].addresses[0], self.message["Date"].datetime
        shown = {
            "id": self.id,
            "to": self.to,
            "from": {"name": sender.display_name, "email": sender.addr_spec},
            "subject": str(self.message["Subject"] or ""),
            "received": when.isoformat(),
            "text": self.text,
            "html": self.html is not None,
        }
        if self.invitation is None:
            return shown
        current = entry is not None and entry["sequence"] == self.invitation.sequence
        return {
            **shown,
            "event": {
                "method": self.invitation.method,
                "start": _shown(self.invitation.start),
                "end": _shown(self.invitation.end),
                "current": current,
                "answer": "PROPOSED" if proposed else entry["partstat"] if entry else None,
            },
        }


class Inbox:
    """Remembers, as mail clients do, which invitations were answered with another time."""

    def __init__(self, mailbox: httpx.Client) -> None:
        self._mailbox = mailbox
        self._proposed: set[str] = set()

    def letters(self, addresses: Collection[str]) -> list[Letter]:
        """The newest first."""
        if not addresses:
            return []
        listed = self._get("/messages", params={"to": list(addresses)})
        return [_letter(each) for each in reversed(listed)]

    def shown(self, addresses: Collection[str]) -> list[dict[str, Any]]:
        """Letters as JSON, each with what has become of the invitation in it."""
        letters = self.letters(addresses)
        entries = {(to, each["uid"]): each for to in {letter.to for letter in letters} for each in self._calendar(to)}
        return [
            letter.as_json(
                entries.get((letter.to, letter.invitation.uid)) if letter.invitation else None,
                proposed=letter.id in self._proposed,
            )
            for letter in letters
        ]

    def find(self, letter_id: str, addresses: Collection[str]) -> Letter | None:
        """None when there is no such letter, or when it is to somebody else."""
        return next((letter for letter in self.letters(addresses) if letter.id == letter_id), None)

    def answer(self, letter: Letter, client: str, answer: dict[str, Any]) -> None:
        """Answers by mail as the person's mail client does. Raises httpx.HTTPError."""
        body = {**answer, "client": client}
        self._mailbox.post(f"/messages/{letter.id}/reply", json=body).raise_for_status()
        if "counter" in answer:
            self._proposed.add(letter.id)
        else:
            self._proposed.discard(letter.id)

    def _calendar(self, address: str) -> list[dict[str, Any]]:
        return list(self._get(f"/calendars/{quote(address)}"))

    def _get(self, path: str, **options: Any) -> Any:
        answer = self._mailbox.get(path, **options)
        answer.raise_for_status()
        return answer.json()


def _letter(delivered: dict[str, str]) -> Letter:
    raw = delivered["raw"].encode()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return Letter(delivered["id"], delivered["to"], message, invitation_for(delivered["to"], raw))


def _shown(at: date) -> str:
    return written(at) if isinstance(at, datetime) else at.isoformat()
