"""Bringing back what was lost, without those who have been erased since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.erasure import erased_in
from freebusy.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.restoring import Restored, Wanted
    from freebusy.ports import AuditLog, Snapshot


def erased_since(taken_at: int, *, log: AuditLog, now: int) -> frozenset[str]:
    """Subs and client ids of all whose erasure was asked for, or done. Raises AuditUnavailable."""
    return erased_in(log.erasures(since=taken_at, until=now))


def restore(
    wanted: Wanted,
    *,
    snapshot: Snapshot,
    erased: frozenset[str],
    erase: Callable[[frozenset[str]], None],
    now: int,
) -> Restored:
    """Nothing comes back of the ``erased``; those of whom an earlier, interrupted run has brought back something are
    erased again. Raises StorageUnavailable, and NotFound where they are what is wanted.
    """
    restored = snapshot.copy(wanted, leaving_out=erased, now=now)
    if not wanted.dry_run:
        erase(restored.back)
    if named := erased & {wanted.sub, wanted.client_id}:
        raise NotFound(f"{', '.join(named)} was erased since then: --erased-too brings it back all the same")
    return restored
