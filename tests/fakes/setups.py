from __future__ import annotations

from threading import RLock

from freebusy.domain.organization_setup import OrganizationTrip, Setup
from tests.fakes.erasing import erase_from


class FakeSetups:
    def __init__(self) -> None:
        self._lock = RLock()
        self._trips: dict[str, OrganizationTrip] = {}
        self._setups: dict[str, Setup] = {}

    def save_trip(self, state_hash: str, trip: OrganizationTrip) -> None:
        self._trips[state_hash] = trip

    def consume_trip(self, state_hash: str, *, browser_hash: str, now: int) -> OrganizationTrip | None:
        with self._lock:
            trip = self._trips.get(state_hash)
            if trip is None or trip.expires_at <= now or trip.browser_hash != browser_hash:
                return None
            return self._trips.pop(state_hash)

    def save(self, handle_hash: str, setup: Setup) -> None:
        self._setups[handle_hash] = setup

    def find(self, handle_hash: str, now: int) -> Setup | None:
        setup = self._setups.get(handle_hash)
        return setup if setup and setup.expires_at > now else None

    def rebind(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        with self._lock:
            if (setup := self.find(handle_hash, now)) is None:
                return False
            self._setups[handle_hash] = setup._replace(browser_hash=browser_hash)
            return True

    def consume(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        with self._lock:
            setup = self.find(handle_hash, now)
            if setup is None or setup.browser_hash != browser_hash:
                return False
            del self._setups[handle_hash]
            return True

    def erase(self, client_id: str) -> int:
        return erase_from(self._trips, lambda trip: trip.request.client_id == client_id) + erase_from(
            self._setups, lambda setup: setup.request.client_id == client_id
        )
