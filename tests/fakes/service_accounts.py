from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from threading import RLock

from freebusy.domain.account import Disconnected
from freebusy.domain.service_account import NOBODY_YET, Leaving, Organization, ServiceAccount
from tests.fakes.erasing import erase_from


class FakeServiceAccounts:
    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[str, ServiceAccount] = {}
        self._leases: dict[str, int] = {}

    def find(self, sub: str) -> ServiceAccount | None:
        return self._kept.get(sub)

    def find_many(self, subs: Collection[str]) -> dict[str, ServiceAccount]:
        return {sub: self._kept[sub] for sub in subs if sub in self._kept}

    def connect(self, wanted: ServiceAccount) -> str:
        with self._lock:
            known = next((each for each in self._kept.values() if _organization(each) == _organization(wanted)), None)
            if known is None:
                self.put(wanted)
                return wanted.sub
            changed = replace(
                known,
                organization=wanted.organization,
                administrator=wanted.administrator,
                delegated_scope=wanted.delegated_scope,
                leaving=NOBODY_YET,
            )
            self._write(changed, sealed=b"")
            return known.sub

    def sharing(self, organization: Organization) -> list[str]:
        return sorted(
            each.sub
            for each in self._kept.values()
            if each.organization.at_cronofy and each.organization.key == organization.key
        )

    def lease_refresh(self, sub: str, *, version: int, now: int, seconds: int) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or known.version != version or self._leases.get(sub, 0) > now:
                return False
            self._leases[sub] = now + seconds
            return True

    def renew(self, sub: str, *, sealed: bytes, version: int) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or known.version != version:
                return False
            self._write(known, sealed=sealed)
            return True

    def disconnect(self, sub: str, *, because: Disconnected, now: int, version: int | None = None) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or (version is not None and known.version != version):
                return False
            self._write(known, sealed=b"", because=because, now=now)
            return True

    def note_leaving(self, sub: str, leaving: Leaving, *, version: int) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or known.version != version:
                return False
            self._kept[sub] = replace(known, leaving=leaving, version=version + 1)
            return True

    def put(self, service_account: ServiceAccount) -> None:
        self._kept[service_account.sub] = service_account

    def of_application(self, client_id: str) -> list[str]:
        return [sub for sub, service_account in self._kept.items() if service_account.client_id == client_id]

    def erase(self, client_id: str) -> int:
        """The item of the organization goes with it."""
        return 2 * erase_from(self._kept, lambda each: each.client_id == client_id)

    def _write(
        self, changed: ServiceAccount, *, sealed: bytes, because: Disconnected | None = None, now: int = 0
    ) -> None:
        version = changed.version + 1
        self._leases.pop(changed.sub, None)
        self.put(replace(changed, sealed_credential=sealed, disconnected=because, disconnected_at=now, version=version))


def _organization(service_account: ServiceAccount) -> tuple[str, str, str]:
    organization = service_account.organization
    where = organization.upstream if organization.at_cronofy else organization.provider
    return service_account.client_id, where, organization.key
