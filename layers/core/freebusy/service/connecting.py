"""What consent does to accounts: a new one, another profile, or a profile connected again.

People are matched by what never changes at the provider, and never by their address or by a browser's cookie. The
mailboxes of an organization, for which its administrator consented, are matched by organization and address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from freebusy.domain.account import Account, Identity, Profile, ProviderCredential, ProviderName
from freebusy.domain.errors import AuthorizationError, AuthorizationRefused, NotFound, StorageUnavailable
from freebusy.domain.identifiers import new_account_id, new_calendar_id, new_profile_id
from freebusy.domain.service_account import ServiceAccount, mailbox_identity
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


def connect(consent: Consent, *, accounts: AccountStore, vault: Vault, now: int) -> Connected:
    """The account of this person within this application: the one that exists, else a new one.

    Raises StorageUnavailable, and NotFound when the account is erased meanwhile.
    """
    return _one_account(
        consent.client_id,
        consent.identity,
        new=lambda: _free_busy_profile(consent, vault),
        again=lambda at: _replace_credential(at, consent, accounts, vault),
        accounts=accounts,
        now=now,
    )


def connect_mailbox(service_account: ServiceAccount, mailbox: str, *, accounts: AccountStore, now: int) -> Connected:
    """The account of a mailbox that an organization gives access to: the one there is, connected again, or a new one.

    Raises as ``connect``.
    """
    identity = mailbox_identity(service_account.organization, mailbox)

    def new() -> Profile:
        return replace(_new_profile(identity), service_account=service_account.sub)

    def again(at: Connected) -> None:
        accounts.delegate(at.sub, at.profile_id, identity=identity, service_account=service_account.sub)

    return _one_account(service_account.client_id, identity, new=new, again=again, accounts=accounts, now=now)


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
        at = _place_of(consent.identity, sub, accounts)
        _replace_credential(at, consent, accounts, vault)
        return at
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
    """Connects this very profile again. Raises AuthorizationError, StorageUnavailable and NotFound."""
    account, profile = reconnectable(at, accounts=accounts)
    identity = profile.identity
    if identity is None or _who(identity) != _who(consent.identity) or account.client_id != consent.client_id:
        raise AuthorizationError(
            "access_denied", "another person signed in than the one whose calendar this is", "other_person"
        )
    _replace_credential(at, consent, accounts, vault)


def reconnectable(at: Connected, *, accounts: AccountStore) -> tuple[Account, Profile]:
    """The account and its free/busy profile; NotFound when there is no such profile.

    Nor is there one once the application gave up the whole authorization: nobody is left to connect for. Raises
    AuthorizationRefused for a profile that an organization gives access to, which its person cannot connect.
    """
    account = accounts.find(at.sub)
    profile = account.profile(at.profile_id) if account else None
    if account is None or profile is None or profile.managed or not account.grants:
        raise NotFound("no such profile")
    if profile.service_account:
        raise AuthorizationRefused("organization_decides")
    return account, profile


def _one_account(  # noqa: PLR0913 - whose, what to do about it, and the port
    client_id: str,
    identity: Identity,
    *,
    new: Callable[[], Profile],
    again: Callable[[Connected], None],
    accounts: AccountStore,
    now: int,
) -> Connected:
    """Of one identity there is one account in an application, whoever asks for it at the same moment."""
    known = accounts.sub_of(client_id, identity)
    if known is None:
        account = _new_account(client_id, identity, new(), now)
        if accounts.create(account):
            return Connected(account.sub, account.profiles[0].profile_id)
        # Somebody else made it in this very moment.
        known = accounts.sub_of(client_id, identity)
    if known is None:
        raise StorageUnavailable("the identity was taken and given up again in one moment")
    at = _place_of(identity, known, accounts)
    again(at)
    return at


def _place_of(identity: Identity, sub: str, accounts: AccountStore) -> Connected:
    account = accounts.find(sub)
    for profile in account.free_busy_profiles if account else ():
        if profile.identity is not None and _who(profile.identity) == _who(identity):
            return Connected(sub, profile.profile_id)
    raise NotFound("the account was erased meanwhile")


def _replace_credential(at: Connected, consent: Consent, accounts: AccountStore, vault: Vault) -> None:
    sealed = vault.seal(consent.credential, client_id=consent.client_id, profile_id=at.profile_id)
    expires_at = consent.credential.expires_at
    accounts.connect(at.sub, at.profile_id, identity=consent.identity, sealed=sealed, expires_at=expires_at)


def _who(identity: Identity) -> tuple[ProviderName, str]:
    return identity.provider, identity.subject


def _new_account(client_id: str, identity: Identity, profile: Profile, now: int) -> Account:
    managed_id = new_profile_id()
    managed = Profile(managed_id, ProviderName.MANAGED, identity.email, new_calendar_id(managed_id))
    return Account(
        sub=new_account_id(),
        client_id=client_id,
        email=identity.email,
        name=identity.name,
        zone=ZONE,
        profiles=(profile, managed),
        grants={},
        created_at=now,
    )


def _free_busy_profile(consent: Consent, vault: Vault) -> Profile:
    profile = _new_profile(consent.identity)
    sealed = vault.seal(consent.credential, client_id=consent.client_id, profile_id=profile.profile_id)
    return replace(profile, sealed_credential=sealed, credential_expires_at=consent.credential.expires_at)


def _new_profile(identity: Identity) -> Profile:
    """Without anything yet to read the calendar with."""
    profile_id = new_profile_id()
    return Profile(profile_id, identity.provider, identity.email, new_calendar_id(profile_id), identity)


def _connected_elsewhere() -> AuthorizationError:
    return AuthorizationError("access_denied", "this calendar is already connected to another account")
