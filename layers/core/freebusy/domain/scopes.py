"""What an application may ask for, and what each scope lets it do.

Free/Busy mode is the only mode of this service, so the scopes that need more than free/busy of the
person's own events are known but never granted (RFC 6749, 3.3 lets a server grant less than was asked).
"""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    READ_ACCOUNT = "read_account"
    LIST_CALENDARS = "list_calendars"
    READ_FREE_BUSY = "read_free_busy"
    READ_EVENTS = "read_events"
    CREATE_EVENT = "create_event"
    DELETE_EVENT = "delete_event"


_READING = frozenset({Permission.READ_ACCOUNT, Permission.LIST_CALENDARS, Permission.READ_FREE_BUSY})

IMPLIED: dict[str, frozenset[Permission]] = {
    "free_busy_write": frozenset(Permission),
    "free_busy": _READING,
    **{permission.value: frozenset({permission}) for permission in Permission},
}
"""The scopes that Free/Busy mode can grant, with what each permits."""

BEYOND_FREE_BUSY = frozenset(
    {"read_only", "write_only", "read_write", "create_calendar", "change_participation_status"}
)
"""Scopes of the contract that would need more than free/busy; accepted in a request, left out of the grant."""

CONNECTING = frozenset({"free_busy_write", "free_busy", "read_free_busy"})
"""A person is asked to connect only for one of these: without it there is nothing to connect for."""


def split(scope: str) -> tuple[str, ...]:
    """The distinct scopes of a space-separated list, in the order given."""
    return tuple(dict.fromkeys(scope.split()))


def permissions(scope: str) -> frozenset[Permission]:
    """Everything that a granted scope string permits."""
    return frozenset().union(*(IMPLIED.get(name, frozenset()) for name in split(scope)))


def grantable(scope: str, *, parameter: str = "scope") -> str:
    """What Free/Busy mode grants of what was asked: the supported scopes, in the order given.

    Raises ``ValueError`` with what to ask for instead, by the ``parameter`` that holds it.
    """
    asked = split(scope)
    if not asked:
        raise ValueError(f"{parameter} is required: ask for free_busy_write")
    unknown = [name for name in asked if name not in IMPLIED and name not in BEYOND_FREE_BUSY]
    if unknown:
        raise ValueError(f"{parameter} holds something unknown: ask for free_busy_write")
    if CONNECTING.isdisjoint(asked):
        raise ValueError(f"{parameter} asks for no free/busy: ask for free_busy_write, beside or instead of the others")
    return " ".join(name for name in asked if name in IMPLIED)
