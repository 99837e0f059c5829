"""Who does what about whom in one request: noted where it is known, and written down once it is over.

A note is kept for the request that is under way in this context, and costs a few assignments. Where nothing is written
down, as on an operator's own machine, nothing is kept. Ids alone: no address, token or title may be noted.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum


class By(StrEnum):
    """With what somebody was let in."""

    GRANT = "grant"  # an access token
    APPLICATION = "application"  # a client secret, or the id of a public application
    PERSON = "person"  # somebody's own browser, from their consent
    OPERATOR = "operator"  # the command line
    SERVICE = "service"  # nobody waits: something that was asked for before


@dataclass(eq=False, repr=False)
class Notes:
    """``accounts`` are the subs of accounts and service accounts. ``action`` is empty where the route says it."""

    accounts: dict[str, None] = field(default_factory=dict)
    client_id: str = ""
    by: By = By.SERVICE
    grant_id: str = ""
    action: str = ""


_under_way: ContextVar[Notes | None] = ContextVar("notes", default=None)


def begin() -> Notes:
    """From now on, whatever is noted in this context is noted there."""
    notes = Notes()
    _under_way.set(notes)
    return notes


def note_caller(client_id: str, by: By, grant_id: str = "") -> None:
    if notes := _under_way.get():
        notes.client_id, notes.by, notes.grant_id = client_id, by, grant_id


def note(*subs: str, action: str = "", grant_id: str = "") -> None:
    """That the request is about these; what is done, where the route alone does not say it; under which grant."""
    if notes := _under_way.get():
        notes.accounts.update(dict.fromkeys(subs))
        notes.action = action or notes.action
        notes.grant_id = grant_id or notes.grant_id
