"""Replacing the data keys of applications while their people are served.

A new key seals from the moment that it is there. What older ones sealed is then sealed again, and once nothing of
theirs is left they are forgotten. A function may just have read something that they sealed, or be about to write it,
and a code may hold a profile of that time: all this is over after ``SETTLING_SECONDS``. So a look at everything that
found nothing of theirs, and came that long after the last change, is the proof; nor does it matter that the index by
which an application's accounts are found lags behind. A rotation that was interrupted goes on when it is asked again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME
from freebusy.service.calendar_reader import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from freebusy.domain.account import Account, Profile
    from freebusy.domain.application import ClientSecret
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import (
        AccountStore,
        ApplicationRegistry,
        ClientSecretVault,
        Clock,
        CredentialVault,
        DataKeys,
        ServiceAccountStore,
    )

SETTLING_SECONDS = 2 * AUTHORIZATION_CODE_LIFETIME
"""Longer than a code lives, a function runs (28 seconds) and the index lags behind, all three together."""
QUIET_SECONDS = 60
"""A refresh that began so recently may still bring what must be stored: Cronofy's replaces the refresh token."""
MOST_LOOKS = 5

_READ_AT_ONCE = 100


class Found(Enum):
    """What became of one sealed thing."""

    NEWER = "under a newer key"
    SEALED_AGAIN = "sealed again"
    BUSY = "busy"  # somebody else is writing it
    CLOSED = "closed"  # it does not open, and never will under another key


class Rotated(NamedTuple):
    """``checked`` is how many sealed things the last look went over; ``left`` names those that keep the old keys."""

    client_id: str
    resealed: int
    checked: int
    forgotten: int
    left: tuple[str, ...]


class _Older(NamedTuple):
    """The ids of the keys to be forgotten."""

    credentials: frozenset[int]
    secrets: frozenset[int]


class _Look(NamedTuple):
    found: Counter[Found]
    left: tuple[str, ...]

    @property
    def changed_nothing(self) -> bool:
        return not self.found.keys() & {Found.SEALED_AGAIN, Found.BUSY}


@dataclass(eq=False, repr=False)
class KeyRotation:
    """Everything may raise StorageUnavailable, and can be asked for again then."""

    registry: ApplicationRegistry
    accounts: AccountStore
    service_accounts: ServiceAccountStore
    credentials: CredentialVault
    secrets: ClientSecretVault
    clock: Clock

    def rotate(
        self, client_ids: Iterable[str], *, settling: float, pause: Callable[[float], None]
    ) -> Iterator[Rotated]:
        """Each application as soon as it is done; waits ``settling`` seconds for all of them together.

        Older keys stay where something does not open, or is being written each time that we look.
        """
        older = {client_id: self._begin(client_id) for client_id in client_ids}
        resealed: Counter[str] = Counter()
        looks: dict[str, _Look] = {}
        for number in range(MOST_LOOKS):
            if number and older:
                pause(settling)
            for client_id in list(older):
                look = looks[client_id] = self._look(client_id, older[client_id])
                resealed[client_id] += look.found[Found.SEALED_AGAIN]
                if number and look.changed_nothing:
                    kept = older.pop(client_id)
                    forgotten = 0 if look.left else self._forget(client_id, kept)
                    yield Rotated(client_id, resealed[client_id], look.found.total(), forgotten, look.left)
        for client_id in older:
            look = looks[client_id]
            yield Rotated(client_id, resealed[client_id], look.found.total(), 0, look.left)

    # --- Keys ------------------------------------------------------------------------------------------

    def _begin(self, client_id: str) -> _Older:
        return _Older(_replaced(self.credentials, client_id), _replaced(self.secrets, client_id))

    def _forget(self, client_id: str, older: _Older) -> int:
        self.credentials.forget_keys(client_id, older.credentials)
        self.secrets.forget_keys(client_id, older.secrets)
        return len(older.credentials) + len(older.secrets)

    # --- What they sealed --------------------------------------------------------------------------------

    def _look(self, client_id: str, older: _Older) -> _Look:
        """Goes over all that an application has sealed, and seals again what is under older keys."""
        found: Counter[Found] = Counter()
        left: list[str] = []
        for what, outcome in self._everything(client_id, older):
            found[outcome] += 1
            if outcome in {Found.BUSY, Found.CLOSED}:
                left.append(what)
        return _Look(found, tuple(left))

    def _everything(self, client_id: str, older: _Older) -> Iterator[tuple[str, Found]]:
        for subs in _chunks(self.registry.accounts_of(client_id)):
            for account in self.accounts.find_many(subs).values():
                for profile in (*account.profiles, *account.moved):
                    if profile.sealed_credential:
                        yield profile.profile_id, self._credential(account, profile, older.credentials)
        for subs in _chunks(self.registry.service_accounts_of(client_id)):
            for service_account in self.service_accounts.find_many(subs).values():
                if service_account.sealed_credential:
                    yield service_account.sub, self._organization(service_account, older.credentials)
        yield from self._client_secrets(client_id, older.secrets)

    def _credential(self, account: Account, profile: Profile, older: Collection[int]) -> Found:
        """Takes the lease of a refresh, so that neither overwrites what the other has stored."""
        sealed = profile.sealed_credential or b""
        if not _sealed_under(older, sealed, self.credentials):
            return Found.NEWER
        whose = {"client_id": account.client_id, "profile_id": profile.sealed_for}
        try:
            credential = self.credentials.unseal(sealed, **whose)
        except ValueError:
            return Found.CLOSED
        at = {"version": profile.version}
        ours = self.accounts.lease_refresh(account.sub, profile.profile_id, **at, **self._lease())
        return _written(
            ours
            and self.accounts.renew(
                account.sub,
                profile.profile_id,
                sealed=self.credentials.seal(credential, **whose),
                expires_at=profile.credential_expires_at,
                **at,
            )
        )

    def _organization(self, service_account: ServiceAccount, older: Collection[int]) -> Found:
        """By a lease too: a token of Google's or Microsoft's can be had again, but at Cronofy a refresh token that is
        overwritten is lost, and the organization with it.
        """
        sealed = service_account.sealed_credential
        if not _sealed_under(older, sealed, self.credentials):
            return Found.NEWER
        whose = {"client_id": service_account.client_id, "profile_id": service_account.sub}
        try:
            again = self.credentials.seal(self.credentials.unseal(sealed, **whose), **whose)
        except ValueError:
            return Found.CLOSED
        at = {"version": service_account.version}
        ours = self.service_accounts.lease_refresh(service_account.sub, **at, **self._lease())
        return _written(ours and self.service_accounts.renew(service_account.sub, sealed=again, **at))

    def _lease(self) -> dict[str, int]:
        """Had only where nobody has begun to refresh within ``QUIET_SECONDS``."""
        return {"now": self.clock() - QUIET_SECONDS, "seconds": QUIET_SECONDS + LEASE_SECONDS}

    def _client_secrets(self, client_id: str, older: Collection[int]) -> Iterator[tuple[str, Found]]:
        application = self.registry.find(client_id)
        if application is None:
            return
        looked = [self._client_secret(client_id, secret, older) for secret in application.secrets]
        after = application._replace(secrets=tuple(secret for secret, _ in looked))
        written = after == application or self.registry.change(application, after)
        for secret, found in looked:
            if found is not None:
                yield secret.hint, found if written or found is not Found.SEALED_AGAIN else Found.BUSY

    def _client_secret(
        self, client_id: str, secret: ClientSecret, older: Collection[int]
    ) -> tuple[ClientSecret, Found | None]:
        """None where nothing is sealed: a secret of the time before."""
        if secret.sealed is None:
            return secret, None
        if not _sealed_under(older, secret.sealed, self.secrets):
            return secret, Found.NEWER
        try:
            opened = self.secrets.unseal(secret.sealed, client_id=client_id, secret_hash=secret.secret_hash)
        except ValueError:
            return secret, Found.CLOSED
        return replace(secret, sealed=self.secrets.seal(opened, client_id=client_id)), Found.SEALED_AGAIN


def _replaced(keys: DataKeys, client_id: str) -> frozenset[int]:
    """The ids of all keys but the newest, which is a new one unless an interrupted rotation left it."""
    key_ids = [key.key_id for key in keys.keys(client_id)]
    if len(key_ids) == 1:
        keys.add_key(client_id, after=key_ids[0])
        return frozenset(key_ids)
    return frozenset(key_ids[:-1])


def _sealed_under(key_ids: Collection[int], sealed: bytes, keys: DataKeys) -> bool:
    """What was never sealed is under no key."""
    try:
        return keys.key_of(sealed) in key_ids
    except ValueError:
        return False


def _written(written: bool) -> Found:  # noqa: FBT001 - an outcome, not an option
    return Found.SEALED_AGAIN if written else Found.BUSY


def _chunks(subs: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(subs)
    while chunk := list(islice(remaining, _READ_AT_ONCE)):
        yield chunk
