"""What the audit log says about who is gone: how it is told that somebody was erased, or is to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

APPLICATION_ERASED = "application.erased"
ERASED = frozenset({"account.erased", APPLICATION_ERASED})
REQUESTED = "erasure.requested"
ERASING = (*sorted(ERASED), REQUESTED)

BEGUN, DONE = "begun", "done"
"""Outcomes. An application is erased by the operator's own machine, which may stop in the middle."""


def erased_in(records: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Subs and client ids of all whose erasure these records are about, finished or not."""
    return frozenset(name for record in records for name in _names(record))


def finished_at(name: str, records: Iterable[Mapping[str, Any]]) -> str | None:
    """When the last look found nothing of this account, organization or application any more. None where that was
    never so, or the erasure of the application has begun once more since then: it may have been brought back meanwhile.

    Who asked for it is not compared: that may have another clock than who did it.
    """
    last, done = max(
        (
            (str(record["time"]), record["outcome"] == DONE)
            for record in records
            if record["action"] in ERASED and name in _names(record)
        ),
        default=("", False),
    )
    return last if done else None


def _names(record: Mapping[str, Any]) -> list[str]:
    """An application may ask for the erasure of its accounts: that is none of itself."""
    return [record["client_id"]] if record["action"] == APPLICATION_ERASED else record["accounts"]
