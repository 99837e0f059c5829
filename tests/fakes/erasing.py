from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Kept = TypeVar("_Kept")


def erase_from(kept: dict[Any, _Kept], belongs: Callable[[_Kept], bool]) -> int:
    erased = [key for key, value in kept.items() if belongs(value)]
    for key in erased:
        del kept[key]
    return len(erased)
