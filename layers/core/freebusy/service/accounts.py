"""What an account shows of itself, which calendars are its own, and disconnecting a profile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freebusy.domain.account import MOVED, Account, Disconnected
from freebusy.domain.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from freebusy.ports import AccountStore, EndUpstream, ServiceAccountStore


def current(account: Account, *, service_accounts: ServiceAccountStore) -> Account:
    """The account as it stands: a profile that an organization gives access to is disconnected when that one is."""
    found = {sub: service_accounts.find(sub) for sub in {each.service_account for each in account.profiles} if sub}
    gone = {sub for sub, service_account in found.items() if service_account is None or not service_account.connected}
    if not gone:
        return account
    profiles = [
        replace(profile, disconnected=Disconnected.WITHDRAWN)
        if profile.connected and profile.service_account in gone
        else profile
        for profile in account.profiles
    ]
    return account._replace(profiles=tuple(profiles))


def require_calendars(account: Account, calendar_ids: frozenset[str]) -> None:
    """Raises InvalidRequest unless every id names a calendar of this account."""
    if not calendar_ids <= {profile.calendar_id for profile in account.profiles}:
        raise InvalidRequest.of(
            "calendar_ids", "errors.invalid_calendar_ids", "calendar_ids must be calendars of this account"
        )


def revoke_profile(account: Account, profile_id: str, *, accounts: AccountStore, end_upstream: EndUpstream) -> None:
    """Disconnects a free/busy profile: the credential is forgotten at once, the profile stays listed.

    Revoking twice is no error. Raises NotFound for a profile that this account does not have and InvalidRequest
    for the managed profile, which lives and ends with the free/busy profiles.
    """
    profile = account.profile(profile_id)
    if profile is None:
        raise NotFound("no such profile")
    if profile.managed:
        raise InvalidRequest.of(
            "profile_id", "errors.not_supported", "the managed profile ends with the account's free/busy profiles"
        )
    accounts.disconnect(account.sub, profile_id, because=Disconnected.REVOKED)
    for there in account.at_cronofy:
        if there.profile_id.removesuffix(MOVED) == profile_id:
            accounts.disconnect(account.sub, there.profile_id, because=Disconnected.REVOKED)
            end_upstream(account, there)
