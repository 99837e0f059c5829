from __future__ import annotations

from threading import RLock

from freebusy.domain.idempotency import Answered, FirstRequest, KeyedRequest
from tests.fakes.erasing import erase_from


class FakeAnswers:
    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[str, tuple[FirstRequest, str, int]] = {}

    def begin(self, request: KeyedRequest, *, now: int, expires_at: int) -> bool:
        with self._lock:
            if request.key_hash in self._kept and self._kept[request.key_hash][2] > now:
                return False
            self._kept[request.key_hash] = FirstRequest(request.fingerprint, None), request.client_id, expires_at
            return True

    def finish(self, request: KeyedRequest, answered: Answered | None, *, expires_at: int) -> None:
        if request.key_hash in self._kept:
            first, client_id, _ = self._kept[request.key_hash]
            self._kept[request.key_hash] = first._replace(answered=answered), client_id, expires_at

    def first(self, request: KeyedRequest) -> FirstRequest | None:
        kept = self._kept.get(request.key_hash)
        return kept and kept[0]

    def erase(self, client_id: str) -> int:
        return erase_from(self._kept, lambda kept: kept[1] == client_id)
