from __future__ import annotations

from collections.abc import Mapping

from tests.fakes.erasing import erase_from


class FakePages:
    def __init__(self) -> None:
        self._pages: dict[str, tuple[bytes, str, str, int]] = {}

    def save(self, pages: Mapping[str, bytes], *, sub: str, client_id: str, expires_at: int) -> None:
        self._pages.update({token_hash: (page, sub, client_id, expires_at) for token_hash, page in pages.items()})

    def find(self, token_hash: str, *, sub: str, now: int) -> bytes | None:
        page, owner, _, expires_at = self._pages.get(token_hash, (b"", "", "", 0))
        return page if owner == sub and expires_at > now else None

    def erase(self, client_id: str) -> int:
        return erase_from(self._pages, lambda page: page[2] == client_id)
