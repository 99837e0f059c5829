"""The keys that seal provider credentials and client secrets, as far as anybody but the vault needs to know them."""

from __future__ import annotations

from typing import NamedTuple


class DataKey(NamedTuple):
    """``created_at`` is None for a key that was made before there was a date to it."""

    key_id: int
    created_at: int | None
