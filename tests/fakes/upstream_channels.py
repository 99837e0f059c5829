from __future__ import annotations


class FakeUpstreamHandles:
    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}

    def save(self, handle_hash: str, *, client_id: str, sub: str, profile_id: str) -> None:
        assert client_id
        self.kept[handle_hash] = (sub, profile_id)

    def find(self, handle_hash: str) -> tuple[str, str] | None:
        return self.kept.get(handle_hash)

    def forget(self, handle_hash: str) -> None:
        self.kept.pop(handle_hash, None)
