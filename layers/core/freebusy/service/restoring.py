"""Bringing back what was lost, without those who have been erased since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.erasure import erased_in
from freebusy.domain.errors import NotFound

if TYPE_CHECKING:
    from freebusy.domain.restoring import Restored, Wanted
    from freebusy.ports import AccountStore, AuditLog, ErasureQueue, ServiceAccountStore, Snapshot


def erased_since(taken_at: int, *, log: AuditLog, now: int) -> frozenset[str]:
    """Subs and client ids of all whose erasure was asked for, or done. Raises AuditUnavailable."""
    return erased_in(log.erasures(since=taken_at, until=now))


def restore(wanted: Wanted, *, snapshot: Snapshot, erased: frozenset[str], now: int) -> Restored:
    """Nothing comes back of the ``erased``. Raises StorageUnavailable, and NotFound where they are what is wanted."""
    if named := erased & {wanted.sub, wanted.client_id}:
        raise NotFound(f"{', '.join(named)} was erased since then: --erased-too brings it back all the same")
    return snapshot.copy(wanted, leaving_out=erased, now=now)


def erase_again(
    erased: frozenset[str], *, accounts: AccountStore, service_accounts: ServiceAccountStore, queue: ErasureQueue
) -> list[str]:
    """Queues who is there after all, and returns them: their erasure was not known yet, or is under way, to which
    another one does no harm. Raises StorageUnavailable.
    """
    there = sorted({*accounts.find_many(erased), *service_accounts.find_many(erased)})
    if there:
        queue.put(there)
    return there
