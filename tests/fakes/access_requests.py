from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

from freebusy.domain.access_request import AccessRequest, Granted
from tests.fakes.erasing import erase_from


class FakeAccessRequests:
    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[str, AccessRequest] = {}
        self._answers: dict[str, tuple[str, str, int]] = {}

    def save(self, requests: Sequence[AccessRequest]) -> None:
        self._kept.update({request.request_id: request for request in requests})

    def find(self, request_id: str, now: int) -> AccessRequest | None:
        request = self._kept.get(request_id)
        return request if request and request.expires_at > now else None

    def mark_failing(self, request_id: str, since: int | None) -> None:
        if request := self._kept.get(request_id):
            first = None if since is None else request.failing_since or since
            self._kept[request_id] = replace(request, failing_since=first)

    def delete(self, request_id: str) -> None:
        self._kept.pop(request_id, None)

    def expect_answer(self, handle_hash: str, request: AccessRequest, *, until: int) -> None:
        self._answers[handle_hash] = (request.client_id, request.request_id, until)

    def take_answer(self, handle_hash: str, now: int) -> str | None:
        with self._lock:
            if handle_hash not in self._answers or self._answers[handle_hash][2] <= now:
                return None
            return self._answers.pop(handle_hash)[1]

    def mark_asked(self, request_id: str, asked_at: int) -> None:
        self._change(request_id, asked_at=asked_at)

    def settle(self, request_id: str, *, granted: Granted | None = None, refused: str | None = None) -> None:
        self._change(request_id, granted=granted, refused=refused)

    def _change(self, request_id: str, **values: Any) -> None:
        with self._lock:
            request = self._kept.get(request_id)
            if request and not (request.granted or request.refused):
                self._kept[request_id] = replace(request, **values)

    def erase(self, client_id: str) -> int:
        return erase_from(self._kept, lambda request: request.client_id == client_id) + erase_from(
            self._answers, lambda expected: expected[0] == client_id
        )
