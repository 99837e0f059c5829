"""Writing managed events: ``202`` says that the event is stored, and so that it will be mailed.

An event is read, changed and written back on condition that nobody wrote it meanwhile; who was late starts over.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from freebusy.domain.errors import InsufficientScope, InvalidRequest, NotFound, ProfileLocked, StorageUnavailable
from freebusy.domain.event import Attendee, ManagedEvent
from freebusy.domain.event_changes import EventUpsert, created, deleted, updated
from freebusy.domain.identifiers import new_event_uid, new_organizer
from freebusy.service.carriers import carrier_of, is_connected, kept_carrier

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from freebusy.domain.account import Account
    from freebusy.ports import AccountStore, EventStore

_TRIES = 40
"""Each time that one writer is late another one was in time, so this outlasts as many who write at once."""

_AT_ONCE = 8


def require_writable(account: Account, calendar_id: str) -> None:
    """Raises NotFound, InsufficientScope for the free/busy calendar, or ProfileLocked."""
    profile = next((profile for profile in account.profiles if profile.calendar_id == calendar_id), None)
    if profile is None:
        raise NotFound("no such calendar")
    if not profile.managed:
        raise InsufficientScope("the calendar is read only: events belong into the account's managed calendar")
    _require_unlocked(account)


def upsert_event(  # noqa: PLR0913 - of these, two are ports
    account: Account, calendar_id: str, wanted: EventUpsert, *, accounts: AccountStore, events: EventStore, now: int
) -> None:
    """Creates or changes the event; stores nothing when it is as wanted already.

    Raises InvalidRequest for too many attendees, and as ``require_writable``.
    """
    require_writable(account, calendar_id)
    if not account.has_events:
        accounts.expect_events(account.sub)

    def change(stored: ManagedEvent | None) -> ManagedEvent:
        if stored is None:
            return _new_event(account, calendar_id, wanted, now)
        changed = updated(stored, wanted, now=now)
        return changed if changed is stored else changed._replace(carrier=kept_carrier(account, stored))

    _write(account.sub, wanted.event_id, change, events)


def delete_event(account: Account, calendar_id: str, event_id: str, *, events: EventStore, now: int) -> None:
    """An event that does not exist, or was deleted before, is no error. Raises as ``require_writable``."""
    require_writable(account, calendar_id)
    _delete(account.sub, event_id, events, now)


def delete_all_events(account: Account, calendar_ids: Collection[str] | None, *, events: EventStore, now: int) -> None:
    """Deletes every managed event of these calendars, or of all.

    What else is in them is not ours to delete. Raises InvalidRequest for calendars of other accounts, and
    ProfileLocked.
    """
    if calendar_ids is not None and not set(calendar_ids) <= {profile.calendar_id for profile in account.profiles}:
        raise InvalidRequest.of(
            "calendar_ids", "errors.invalid_calendar_ids", "calendar_ids must be calendars of this account"
        )
    if calendar_ids is not None and account.managed_profile.calendar_id not in calendar_ids:
        return
    _require_unlocked(account)
    _each(partial(_delete, account.sub, event.event_id, events, now) for event in events.all_of(account.sub))


def _require_unlocked(account: Account) -> None:
    if not is_connected(account, account.managed_profile):
        raise ProfileLocked("the profile was disconnected: nothing can be written until the person connects it again")


def _new_event(account: Account, calendar_id: str, wanted: EventUpsert, now: int) -> ManagedEvent:
    blank = ManagedEvent(
        client_id=account.client_id,
        sub=account.sub,
        calendar_id=calendar_id,
        event_id=wanted.event_id,
        uid=new_event_uid(),
        organizer=new_organizer(),
        details=wanted.details(None),
        attendees=(Attendee(account.email, account.name),),
        revised_at=now,
        created_at=now,
        updated_at=now,
        carrier=carrier_of(account),
    )
    return created(blank, wanted)


def _delete(sub: str, event_id: str, events: EventStore, now: int) -> None:
    _write(sub, event_id, lambda stored: stored and deleted(stored, now=now), events)


def _write(
    sub: str, event_id: str, change: Callable[[ManagedEvent | None], ManagedEvent | None], events: EventStore
) -> None:
    for _ in range(_TRIES):
        stored = events.find(sub, event_id)
        wanted = change(stored)
        if wanted is None or wanted == stored or events.save(wanted, over=stored.version if stored else None):
            return
    raise StorageUnavailable("the event keeps changing")


def _each(writes: Iterable[Callable[[], None]]) -> None:
    """Several at once, since most of the time is spent waiting. Raises what the first that failed raised."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for written in [pool.submit(write) for write in writes]:
            written.result()
