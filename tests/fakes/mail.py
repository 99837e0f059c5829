from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    sender: str
    recipient: str
    tags: dict[str, str]
    message: bytes


class FakeMailer:
    """Keeps what it takes in ``sent``; raises the errors of ``troubles`` first, one for each message."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.troubles: list[Exception] = []

    def send(self, message: bytes, *, sender: str, recipient: str, tags: Mapping[str, str]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(Mail(sender, recipient, dict(tags), message))
