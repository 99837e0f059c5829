"""Accounts, profiles, calendars and resources as JSON.

Keys that a caller must never see as ``null`` are left out instead (the C# SDK refuses null booleans and times).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.service.carriers import is_connected

if TYPE_CHECKING:
    from freebusy.domain.account import Account, Profile
    from freebusy.domain.service_account import ServiceAccount

MANAGED_CALENDAR_NAME = "Cronofy Calendar"


def account_json(account: Account, scope: str) -> dict[str, Any]:
    return {
        "account": {
            "account_id": account.sub,
            "email": account.email,
            **({"name": account.name} if account.name else {}),
            "scope": scope,
            "default_tzid": account.zone,
        }
    }


def userinfo_json(account: Account, scope: str, public_url: str) -> dict[str, Any]:
    return {
        "sub": account.sub,
        "email": account.email,
        **({"name": account.name} if account.name else {}),
        "zoneinfo": account.zone,
        "cronofy.type": "account",
        "cronofy.data": {
            "authorization": {"scope": scope, "status": "active"},
            "profiles": [
                {
                    **_profile(account, profile, public_url),
                    "profile_initial_sync_required": False,
                    "profile_calendars": [_calendar(profile)],
                }
                for profile in account.profiles
            ],
            "conferencing_profiles": [],
        },
    }


def service_account_json(service_account: ServiceAccount, scope: str) -> dict[str, Any]:
    """``domain`` is where the administrator's own mailbox is."""
    administrator = service_account.administrator
    return {
        "sub": service_account.sub,
        "email": administrator.email,
        **({"name": administrator.name} if administrator.name else {}),
        "cronofy.type": "service_account",
        "cronofy.data": {
            "authorization": {
                "scope": scope,
                "status": "active" if service_account.connected else "disconnected",
                "delegated_scope": service_account.delegated_scope,
            },
            "service_account": {
                "provider_name": service_account.organization.provider.value,
                "domain": administrator.email.rpartition("@")[2].lower(),
            },
        },
    }


def profiles_json(account: Account, public_url: str) -> dict[str, Any]:
    return {"profiles": [_profile(account, profile, public_url) for profile in account.profiles]}


def calendars_json(account: Account) -> dict[str, Any]:
    return {
        "calendars": [
            {
                "provider_name": profile.provider.value,
                "provider_service": profile.provider.value,
                "profile_id": profile.profile_id,
                "profile_name": profile.name,
                **_calendar(profile),
            }
            for profile in account.profiles
        ]
    }


def _profile(account: Account, profile: Profile, public_url: str) -> dict[str, Any]:
    connected = is_connected(account, profile)
    return {
        "provider_name": profile.provider.value,
        "provider_service": profile.provider.value,
        "profile_id": profile.profile_id,
        "profile_name": profile.name,
        "profile_connected": connected,
        **({} if connected else {"profile_relink_url": _relink_url(account, profile, public_url)}),
    }


def _relink_url(account: Account, profile: Profile, public_url: str) -> str:
    """The managed profile works again once the free/busy profile does, so that is where its link leads."""
    from freebusy.service.authorization import relink_url  # all of signing in, which few answers have to name

    target = account.free_busy_profiles[0] if profile.managed else profile
    return relink_url(public_url, account.sub, target.profile_id)


def _calendar(profile: Profile) -> dict[str, Any]:
    return {
        "calendar_id": profile.calendar_id,
        "calendar_name": MANAGED_CALENDAR_NAME if profile.managed else profile.name,
        "calendar_readonly": not profile.managed,
        "calendar_deleted": False,
        "calendar_primary": True,
        "calendar_integrated_conferencing_available": False,
        "calendar_attachments_available": False,
        "permission_level": "sandbox",
    }
