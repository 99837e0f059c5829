"""Rooms and other things to book, as the providers list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.domain.service_account import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_RESOURCES = 10_000
"""An organization with more gets none: cut off in silence, the list would be wrong."""


def resources_in(listed: Any, *, email: str, name: str) -> Iterator[Resource]:
    """Of one page, whose entries have these members; what has no address has no calendar to ask for."""
    for entry in listed if isinstance(listed, list) else ():
        match entry:
            case {**members} if address := _text(members.get(email)):
                yield Resource(address, _text(members.get(name)) or address)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
