"""Bringing back what was lost, without those who have been erased since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.erasure import erased_in
from freebusy.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.restoring import Restored, Wanted
    from freebusy.ports import AuditLog, ErasureQueue, Snapshot


def restore(
    wanted: Wanted,
    *,
    snapshot: Snapshot,
    log: AuditLog | None,
    queue: ErasureQueue,
    clock: Callable[[], int],
) -> tuple[Restored, frozenset[str]]:
    """What came back, and who was erased since: subs and client ids, of whom nothing did.

    Without a log they come back as well. Who was erased while it was copied, and came back, is erased again. Raises
    NotFound where it is just what was wanted that was erased, and StorageUnavailable and AuditUnavailable.
    """
    erased = _erased(log, wanted.taken_at, clock)
    if name := erased & {wanted.sub, wanted.client_id}:
        raise NotFound(f"{', '.join(name)} was erased since then: --erased-too brings it back all the same")
    restored = snapshot.copy(wanted, leaving_out=erased, now=clock())
    if not wanted.dry_run and (late := (_erased(log, wanted.taken_at, clock) - erased) & restored.subs):
        queue.put(sorted(late))
    return restored, erased


def _erased(log: AuditLog | None, since: int, clock: Callable[[], int]) -> frozenset[str]:
    return erased_in(log.erasures(since=since, until=clock())) if log else frozenset()
