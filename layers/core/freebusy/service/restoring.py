"""Bringing back what was lost, without those who have been erased since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.erasure import erased_in
from freebusy.domain.errors import NotFound

if TYPE_CHECKING:
    from freebusy.domain.restoring import Restored, Wanted
    from freebusy.ports import AuditLog, Snapshot


_CLOCKS_APART = 600
"""Seconds by which the clock of an operator's machine, which dates what it writes down, may be wrong. Of whoever was
erased so shortly before the moment of a snapshot, that holds nothing anyway."""


def erased_since(taken_at: int, *, log: AuditLog, now: int) -> frozenset[str]:
    """Subs and client ids of all whose erasure was asked for, or done. Raises AuditUnavailable."""
    return erased_in(log.erasures(since=taken_at - _CLOCKS_APART, until=now + _CLOCKS_APART))


def restore(wanted: Wanted, *, snapshot: Snapshot, erased: frozenset[str], now: int) -> Restored:
    """Nothing comes back of the ``erased``. Raises StorageUnavailable, and NotFound where they are what is wanted."""
    named = erased & {wanted.sub, wanted.client_id}
    dry_run = wanted.dry_run or bool(named)
    restored = snapshot.copy(wanted._replace(dry_run=dry_run), leaving_out=erased, now=now)
    for name in named:
        told = "something of it is there again, to be erased unless that is meant"
        if name not in restored.back:
            told = "--erased-too brings it back all the same"
        raise NotFound(f"{name} was erased since then: {told}")
    return restored
