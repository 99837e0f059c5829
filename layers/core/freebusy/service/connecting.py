"""What a person's consent does to accounts: a new one, another profile, or a profile connected again.

People are matched by what never changes at the provider, and never by their address or by a browser's cookie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from freebusy.domain.account import MOVED, Account, Identity, Profile, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import AuthorizationError, NotFound, StorageUnavailable
from freebusy.domain.identifiers import new_account_id, new_calendar_id, new_profile_id
from freebusy.ports import AccountStore, TokenStore, Vault

ZONE = "Etc/UTC"
"""Of every account: a person's own zone is more than free/busy consent lets us see."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody let this application see when they are busy."""

    client_id: str
    identity: Identity
    credential: ProviderCredential


class Connected(NamedTuple):
    """``joining`` is the profile itself as long as it is not on the account yet."""

    sub: str
    profile_id: str
    joining: Profile | None = None


class OtherPerson(AuthorizationError):
    """Somebody else signed in than the one whose profile was to be connected again."""


def connect(consent: Consent, *, accounts: AccountStore, vault: Vault, now: int) -> Connected:
    """The account of this person within this application: the one that exists, else a new one.

    Raises StorageUnavailable, and NotFound when the account is erased meanwhile.
    """
    known = accounts.sub_of(consent.client_id, consent.identity)
    if known is None:
        account = _new_account(consent, vault, now)
        if accounts.create(account):
            return Connected(account.sub, account.profiles[0].profile_id)
        # The same person finished another trip in this very moment.
        known = accounts.sub_of(consent.client_id, consent.identity)
    if known is None:
        raise StorageUnavailable("the identity was taken and given up again in one moment")
    return _reconnect(known, consent, accounts, vault)


def link(  # noqa: PLR0913 - a consent, a link token and the ports that they need
    consent: Consent, link_token_hash: str, *, began: int, accounts: AccountStore, tokens: TokenStore, vault: Vault
) -> Connected:
    """Prepares the profile for the account that issued the link token, which is spent only if that can be done.

    It joins when the application redeems its code (``join``). The link token must have been good when the trip began.
    Raises AuthorizationError, StorageUnavailable and NotFound.
    """
    sub = tokens.find_link_token(link_token_hash, client_id=consent.client_id, now=began)
    owner = accounts.sub_of(consent.client_id, consent.identity)
    if sub is not None and owner not in {None, sub}:
        raise _connected_elsewhere()
    profile = _free_busy_profile(consent, vault)
    if sub is None or not tokens.consume_link_token(link_token_hash, client_id=consent.client_id, now=began):
        raise AuthorizationError("invalid_request", "link_token is used up: ask for a new one")
    if owner == sub:
        return _reconnect(sub, consent, accounts, vault)
    if accounts.find(sub) is None:
        raise NotFound("the account was erased meanwhile")
    return Connected(sub, profile.profile_id, profile)


def join(client_id: str, sub: str, profile: Profile, *, accounts: AccountStore) -> bool:
    """Adds a linked profile to its account; False when its person is connected to another one by now.

    Joining twice is no error. Raises NotFound when the account is gone.
    """
    if accounts.add_profile(sub, profile):
        return True
    return profile.identity is not None and accounts.sub_of(client_id, profile.identity) == sub


def reconnect_profile(consent: Consent, at: Connected, *, accounts: AccountStore, vault: Vault) -> None:
    """Connects this very profile again, or moves it off Cronofy.

    Raises OtherPerson, StorageUnavailable and NotFound.
    """
    account, profile = reconnectable(at, accounts=accounts)
    identity = profile.identity
    if identity is not None and account.client_id == consent.client_id:
        if identity.key == consent.identity.key:
            _replace_credential(at, consent, accounts, vault)
            return
        if profile.moving and _is_same_mailbox(identity, consent.identity):
            _move(account, profile, consent, accounts, vault)
            return
    raise OtherPerson("access_denied", "another person signed in than the one whose calendar this is")


def _is_same_mailbox(before: Identity, after: Identity) -> bool:
    """Whether somebody who signed in at the provider has the mailbox that Cronofy named.

    Only asked about a profile that the operator wants to move, and of whoever came by its own address: nobody's
    account is found by their mailbox.
    """
    kinds = (before.upstream, after.upstream) == (Upstream.CRONOFY, Upstream.DIRECT)
    return kinds and before.provider is after.provider and before.email.casefold() == after.email.casefold()


def _move(account: Account, before: Profile, consent: Consent, accounts: AccountStore, vault: Vault) -> None:
    """The profile keeps id and calendar; what it had at Cronofy is kept beside it, for the events that are there."""
    after = replace(
        before,
        name=consent.identity.email,
        identity=consent.identity,
        sealed_credential=vault.seal(consent.credential, client_id=account.client_id, profile_id=before.profile_id),
        credential_expires_at=consent.credential.expires_at,
        disconnected=None,
        moving=False,
    )
    moved_id = f"{before.profile_id}{MOVED}"
    sealed = _resealed(account.client_id, before, moved_id, vault)
    moved = replace(before, profile_id=moved_id, sealed_credential=sealed, moving=False)
    if not accounts.move(account, before, after, moved):
        if accounts.sub_of(account.client_id, consent.identity):
            raise OtherPerson("access_denied", "this calendar is already connected to another account")
        raise StorageUnavailable("the profile changed in this very moment")


def _resealed(client_id: str, profile: Profile, profile_id: str, vault: Vault) -> bytes | None:
    """The profile's credential for another id; None when there is none, or none that opens."""
    if profile.sealed_credential is None:
        return None
    try:
        held = vault.unseal(profile.sealed_credential, client_id=client_id, profile_id=profile.profile_id)
    except ValueError:
        return None
    return vault.seal(held, client_id=client_id, profile_id=profile_id)


def reconnectable(at: Connected, *, accounts: AccountStore) -> tuple[Account, Profile]:
    """The account and its free/busy profile; NotFound when there is no such profile.

    Nor is there one once the application gave up the whole authorization: nobody is left to connect for.
    """
    account = accounts.find(at.sub)
    profile = account.profile(at.profile_id) if account else None
    if account is None or profile is None or profile.managed or not account.grants:
        raise NotFound("no such profile")
    return account, profile


def _reconnect(sub: str, consent: Consent, accounts: AccountStore, vault: Vault) -> Connected:
    account = accounts.find(sub)
    for profile in (*account.free_busy_profiles, *account.moved) if account else ():
        if profile.identity is not None and profile.identity.key == consent.identity.key:
            _replace_credential(Connected(sub, profile.profile_id), consent, accounts, vault)
            return Connected(sub, profile.profile_id.removesuffix(MOVED))
    raise NotFound("the account was erased meanwhile")


def _replace_credential(at: Connected, consent: Consent, accounts: AccountStore, vault: Vault) -> None:
    sealed = vault.seal(consent.credential, client_id=consent.client_id, profile_id=at.profile_id)
    expires_at = consent.credential.expires_at
    accounts.connect(at.sub, at.profile_id, identity=consent.identity, sealed=sealed, expires_at=expires_at)


def _new_account(consent: Consent, vault: Vault, now: int) -> Account:
    identity, profile_id = consent.identity, new_profile_id()
    managed = Profile(profile_id, ProviderName.MANAGED, identity.email, new_calendar_id(profile_id))
    return Account(
        sub=new_account_id(),
        client_id=consent.client_id,
        email=identity.email,
        name=identity.name,
        zone=ZONE,
        profiles=(_free_busy_profile(consent, vault), managed),
        grants={},
        created_at=now,
    )


def _free_busy_profile(consent: Consent, vault: Vault) -> Profile:
    identity, profile_id = consent.identity, new_profile_id()
    return Profile(
        profile_id=profile_id,
        provider=identity.provider,
        name=identity.email,
        calendar_id=new_calendar_id(profile_id),
        identity=identity,
        sealed_credential=vault.seal(consent.credential, client_id=consent.client_id, profile_id=profile_id),
        credential_expires_at=consent.credential.expires_at,
    )


def _connected_elsewhere() -> AuthorizationError:
    return AuthorizationError("access_denied", "this calendar is already connected to another account")
