"""By which way the events of an account reach its person: our own mail, or Cronofy's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.account import Account, Disconnected, Profile, Upstream

if TYPE_CHECKING:
    from freebusy.domain.event import ManagedEvent


def can_be_invited(profile: Profile) -> bool:
    """Whether events reach its person: through Cronofy only as long as we can write there."""
    if profile.upstream is Upstream.CRONOFY:
        return profile.connected
    return profile.disconnected is not Disconnected.REVOKED


def is_connected(account: Account, profile: Profile) -> bool:
    """Whether the profile works.

    The managed profile needs no credential of its own: it works as long as the account has a free/busy profile whose
    person can be invited. Our mail still reaches somebody whose credential merely lapsed.
    """
    if not profile.managed:
        return profile.connected
    return any(map(can_be_invited, account.free_busy_profiles))


def carrier_of(account: Account) -> str | None:
    """For a new event: the ``subject`` at Cronofy if the first way that is open leads there; None for our own mail."""
    first = next(filter(can_be_invited, account.free_busy_profiles), None)
    return first.identity.subject if first and first.identity and first.upstream is Upstream.CRONOFY else None


def carrying(account: Account, carrier: str) -> Profile | None:
    """The profile through which an event is written to Cronofy."""
    return next((each for each in account.at_cronofy if each.identity and each.identity.subject == carrier), None)


def kept_carrier(account: Account, event: ManagedEvent) -> str | None:
    """For a change of an event: the way it went before, as that is where people have it from, while it is open."""
    if event.carrier is None:
        return None
    profile = carrying(account, event.carrier)
    return event.carrier if profile is not None and profile.connected else carrier_of(account)
