"""By which way the events of an account reach its person: our own mail, or Cronofy's."""

from __future__ import annotations

from freebusy.domain.account import Account, Disconnected, Profile, Upstream
from freebusy.domain.event import ManagedEvent


def carrier_of(account: Account) -> str | None:
    """For a new event: the ``subject`` at Cronofy if the first profile that works is there; None for our own mail."""
    for profile in account.free_busy_profiles:
        if profile.disconnected is not Disconnected.REVOKED and profile.identity is not None:
            return profile.identity.subject if profile.upstream is Upstream.CRONOFY else None
    return None


def carrying(account: Account, carrier: str) -> Profile | None:
    """The profile through which an event is written to Cronofy."""
    return next((each for each in account.at_cronofy if each.identity and each.identity.subject == carrier), None)


def kept_carrier(account: Account, event: ManagedEvent) -> str | None:
    """For a change of an event: the way it went before, as that is where people have it from, while it is open."""
    if event.carrier is None:
        return None
    profile = carrying(account, event.carrier)
    return event.carrier if profile is not None and profile.connected else carrier_of(account)
