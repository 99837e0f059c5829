from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from threading import RLock

from freebusy.domain.account import MOST_GRANTS, Account, Disconnected, Grant, Identity, Profile, Upstream
from freebusy.domain.errors import NotFound
from freebusy.domain.service_account import ServiceAccount
from tests.fakes.service_accounts import FakeServiceAccounts

_IdentityKey = tuple[str, str, str, str]


class FakeAccounts:
    def __init__(self, *accounts: Account) -> None:
        self._lock = RLock()
        self._accounts: dict[str, Account] = {}
        self._subs: dict[_IdentityKey, str] = {}
        self._leases: dict[tuple[str, str], int] = {}
        self.service_accounts = FakeServiceAccounts()
        for account in accounts:
            assert self.create(account)

    def find(self, sub: str) -> Account | None:
        return self._accounts.get(sub)

    def holder(self, sub: str) -> Account | ServiceAccount | None:
        return self._accounts.get(sub) or self.service_accounts.find(sub)

    def find_many(self, subs: Collection[str]) -> dict[str, Account]:
        return {sub: self._accounts[sub] for sub in subs if sub in self._accounts}

    def sub_of(self, client_id: str, identity: Identity) -> str | None:
        return self._subs.get((client_id, *identity.key))

    def create(self, account: Account) -> bool:
        keys = [key for profile in account.profiles if (key := _identity_key(account.client_id, profile))]
        with self._lock:
            if account.sub in self._accounts or any(key in self._subs for key in keys):
                return False
            self._accounts[account.sub] = account
            self._subs.update(dict.fromkeys(keys, account.sub))
            return True

    def add_profile(self, sub: str, profile: Profile) -> bool:
        with self._lock:
            account = self._existing(sub)
            key = _identity_key(account.client_id, profile)
            if key in self._subs:
                return False
            if key:
                self._subs[key] = sub
            profiles = sorted((*account.profiles, profile), key=lambda each: each.managed)
            self._accounts[sub] = account._replace(profiles=tuple(profiles))
            return True

    def connect(
        self,
        sub: str,
        profile_id: str,
        *,
        identity: Identity,
        sealed: bytes,
        expires_at: int,
        service_account: str | None = None,
    ) -> None:
        with self._lock:
            self._existing(sub)
            profile = self._profile(sub, profile_id)
            if profile is None or profile.identity is None or profile.identity.subject != identity.subject:
                raise NotFound(profile_id)
            self._write(
                sub,
                replace(
                    profile,
                    name=identity.email,
                    identity=identity,
                    sealed_credential=sealed,
                    credential_expires_at=expires_at,
                    disconnected=None,
                    service_account=service_account,
                ),
            )

    def delegate(self, sub: str, profile_id: str, *, identity: Identity, service_account: str, version: int) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or profile.identity is None or profile.version != version:
                return False
            named = replace(profile.identity, email=identity.email)
            changed = replace(
                profile,
                name=identity.email,
                identity=named,
                service_account=service_account,
                disconnected=None,
                withdrawn=False,
            )
            self._write(sub, changed)
            return True

    def mark_moving(self, sub: str, profile_id: str, *, moving: bool) -> bool:
        with self._lock:
            account, profile = self._accounts.get(sub), self._profile(sub, profile_id)
            if account is None or profile is None:
                return False
            changed = replace(profile, moving=moving)
            profiles = tuple(changed if each is profile else each for each in account.profiles)
            self._accounts[sub] = account._replace(profiles=profiles)
            return True

    def note_withdrawn(self, sub: str, profile_id: str, *, withdrawn: bool) -> None:
        with self._lock:
            account, profile = self._accounts.get(sub), self._profile(sub, profile_id)
            if account and profile:
                changed = replace(profile, withdrawn=withdrawn)
                profiles = tuple(changed if each is profile else each for each in account.profiles)
                self._accounts[sub] = account._replace(profiles=profiles)

    def move(self, account: Account, before: Profile, after: Profile, moved: Profile) -> bool:
        with self._lock:
            stored = self._profile(account.sub, before.profile_id)
            key = _identity_key(account.client_id, after)
            if key is None or key in self._subs or stored is None or stored.version != before.version:
                return False
            self._subs[key] = account.sub
            self._write(account.sub, after)
            known = self._accounts[account.sub]
            self._accounts[account.sub] = known._replace(moved=(*known.moved, moved))
            return True

    def of_person(self, identity: Identity) -> list[str]:
        at_cronofy = identity.upstream is Upstream.CRONOFY
        everywhere = {
            sub
            for (_, upstream, provider, subject), sub in self._subs.items()
            if (upstream, subject) == (identity.upstream, identity.subject)
            and (at_cronofy or provider == identity.provider)
        }
        return sorted(everywhere)

    def renew(self, sub: str, profile_id: str, *, sealed: bytes, expires_at: int, version: int) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or profile.version != version:
                return False
            self._write(sub, replace(profile, sealed_credential=sealed, credential_expires_at=expires_at))
            return True

    def lease_refresh(self, sub: str, profile_id: str, *, version: int, now: int, seconds: int) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or profile.version != version or self._leases.get((sub, profile_id), 0) > now:
                return False
            self._leases[sub, profile_id] = now + seconds
            return True

    def disconnect(self, sub: str, profile_id: str, *, because: Disconnected, version: int | None = None) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or (version is not None and profile.version != version):
                return False
            self._write(sub, replace(profile, sealed_credential=None, credential_expires_at=0, disconnected=because))
            return True

    def expect_events(self, sub: str) -> None:
        with self._lock:
            self._accounts[sub] = self._existing(sub)._replace(has_events=True)

    def revoke_grants(self, sub: str, grant_ids: Collection[str] | None = None) -> None:
        with self._lock:
            if holder := self.holder(sub):
                ended = holder.grants if grant_ids is None else grant_ids
                self._list_grants(holder, [grant for grant_id, grant in holder.grants.items() if grant_id not in ended])

    def add_grant(self, sub: str, grant: Grant) -> bool:
        """What ``TokenStore.redeem_code`` does to the holder; False when there is none."""
        with self._lock:
            if (holder := self.holder(sub)) is None:
                return False
            oldest_first = sorted(holder.grants.values(), key=lambda each: (each.created_at, each.grant_id))
            self._list_grants(holder, (*oldest_first, grant)[-MOST_GRANTS:])
            return True

    def _list_grants(self, holder: Account | ServiceAccount, grants: Iterable[Grant]) -> None:
        listed = {grant.grant_id: grant for grant in grants}
        if isinstance(holder, Account):
            self._accounts[holder.sub] = holder._replace(grants=listed)
        else:
            self.service_accounts.put(replace(holder, grants=listed))

    def of_application(self, client_id: str) -> list[str]:
        return [sub for sub, account in self._accounts.items() if account.client_id == client_id]

    def erase(self, client_id: str) -> int:
        with self._lock:
            erased = [sub for sub, account in self._accounts.items() if account.client_id == client_id]
            for sub in erased:
                del self._accounts[sub]
            identities = [key for key, sub in self._subs.items() if sub in erased]
            for key in identities:
                del self._subs[key]
            return len(erased) + len(identities) + self.service_accounts.erase(client_id)

    def _existing(self, sub: str) -> Account:
        if (account := self._accounts.get(sub)) is None:
            raise NotFound(sub)
        return account

    def _profile(self, sub: str, profile_id: str) -> Profile | None:
        account = self._accounts.get(sub)
        everything = (*account.profiles, *account.moved) if account else ()
        return next((profile for profile in everything if profile.profile_id == profile_id), None)

    def _write(self, sub: str, changed: Profile) -> None:
        """Every write to a profile raises its version and ends the refresh lease."""
        account = self._accounts[sub]
        self._leases.pop((sub, changed.profile_id), None)

        def written(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
            return tuple(
                replace(changed, version=profile.version + 1) if profile.profile_id == changed.profile_id else profile
                for profile in profiles
            )

        self._accounts[sub] = account._replace(profiles=written(account.profiles), moved=written(account.moved))


def _identity_key(client_id: str, profile: Profile) -> _IdentityKey | None:
    identity = profile.identity
    return (client_id, *identity.key) if identity else None
