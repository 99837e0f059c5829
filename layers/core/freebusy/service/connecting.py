"""What consent does to accounts: a new one, another profile, or a profile connected again.

People are matched by what never changes at the provider, and never by their address or by a browser's cookie. The
mailboxes of an organization, for which its administrator consented, are matched by organization and address.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import (
    MOVED,
    Account,
    Disconnected,
    Identity,
    Profile,
    ProviderCredential,
    ProviderName,
    Upstream,
)
from freebusy.domain.errors import AuthorizationError, AuthorizationRefused, NotFound, StorageUnavailable
from freebusy.domain.identifiers import new_account_id, new_calendar_id, new_profile_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import AccountStore, TokenStore, Vault

ZONE = "Etc/UTC"
"""Of every account: a person's own zone is more than free/busy consent lets us see."""


class Consent(NamedTuple):
    """Somebody let this application see when they are busy."""

    client_id: str
    identity: Identity
    credential: ProviderCredential


class Connected(NamedTuple):
    """``joining`` is the profile itself as long as it is not on the account yet; ``reconnecting`` says that the
    application had disconnected it, and that it stays so until the application redeems a code for it.
    """

    sub: str
    profile_id: str
    joining: Profile | None = None
    reconnecting: bool = False

    @property
    def shown(self) -> Connected:
        """As the application knows it, of a profile that moved as well."""
        return self._replace(profile_id=self.profile_id.removesuffix(MOVED))


def connect(consent: Consent, *, accounts: AccountStore, vault: Vault, now: int) -> Connected:
    """The account of this person within this application: the one that exists, else a new one.

    Raises StorageUnavailable, and NotFound when the account is erased meanwhile.
    """
    return _one_account(
        consent.client_id,
        consent.identity,
        new=lambda: _free_busy_profile(consent, vault, now),
        again=lambda sub, profile: _replace_credential(sub, profile.profile_id, consent, accounts, vault),
        accounts=accounts,
        now=now,
    )


def connect_mailbox(service_account: ServiceAccount, mailbox: str, *, accounts: AccountStore, now: int) -> Connected:
    """The account of a mailbox that an organization lets us read: the one there is, connected again, or a new one.

    What the application, or the person through it, disconnected is not connected here: a request from before that may
    be answered after it, and may be answered again for days. Raises as ``connect``.
    """
    from freebusy.domain.service_account import mailbox_identity  # people connect without an organization

    identity = mailbox_identity(service_account.organization, mailbox)

    def new() -> Profile:
        return replace(_new_profile(identity, now), service_account=service_account.sub)

    def again(sub: str, profile: Profile) -> Connected:
        if profile.disconnected is Disconnected.REVOKED:
            return Connected(sub, profile.profile_id, reconnecting=True)
        _delegate(sub, profile, identity, service_account.sub, accounts)
        return Connected(sub, profile.profile_id)

    return _one_account(service_account.client_id, identity, new=new, again=again, accounts=accounts, now=now)


def connect_upstream_mailbox(
    service_account: ServiceAccount, consent: Consent, *, accounts: AccountStore, vault: Vault, now: int
) -> Connected:
    """As ``connect_mailbox``, of a mailbox for which Cronofy gave us a credential of its own."""

    def new() -> Profile:
        return replace(_free_busy_profile(consent, vault, now), service_account=service_account.sub)

    def again(sub: str, profile: Profile) -> Connected:
        if profile.disconnected is not Disconnected.REVOKED:
            return _replace_credential(
                sub, profile.profile_id, consent, accounts, vault, service_account=service_account.sub
            )
        sealed = vault.seal(consent.credential, client_id=consent.client_id, profile_id=profile.sealed_for)
        accounts.renew(
            sub,
            profile.profile_id,
            sealed=sealed,
            expires_at=consent.credential.expires_at,
            version=profile.version,
        )
        return Connected(sub, profile.profile_id, reconnecting=True).shown

    return _one_account(consent.client_id, consent.identity, new=new, again=again, accounts=accounts, now=now)


def link(  # noqa: PLR0913 - a consent, a link token and the ports that they need
    consent: Consent, link_token_hash: str, *, began: int, accounts: AccountStore, tokens: TokenStore, vault: Vault
) -> Connected:
    """Prepares the profile for the account that issued the link token, which is spent only if that can be done.

    It joins when the application redeems its code (``join``). The link token must have been good when the trip began.
    Where the account has the same mailbox at Cronofy, that profile is the one that moves.
    Raises AuthorizationError, StorageUnavailable and NotFound.
    """
    sub = tokens.find_link_token(link_token_hash, client_id=consent.client_id, now=began)
    owner = accounts.sub_of(consent.client_id, consent.identity)
    if sub is not None and owner not in {None, sub}:
        raise _connected_elsewhere()
    account = accounts.find(sub) if sub else None
    profile = _free_busy_profile(consent, vault, began, _same_mailbox(account, consent.identity))
    if sub is None or not tokens.consume_link_token(link_token_hash, client_id=consent.client_id, now=began):
        raise AuthorizationError("invalid_request", "link_token is used up: ask for a new one")
    if owner == sub:
        known = _profile_of(consent.identity, sub, accounts)
        return _replace_credential(sub, known.profile_id, consent, accounts, vault)
    if account is None:
        raise NotFound("the account was erased meanwhile")
    return Connected(sub, profile.profile_id, profile)


def join(client_id: str, sub: str, profile: Profile, *, accounts: AccountStore) -> bool:
    """Adds a linked profile to its account; False when its person is connected to another one by now.

    Joining twice is no error. Raises NotFound when the account is gone.
    """
    account = accounts.find(sub)
    before = account.profile(profile.profile_id) if account else None
    if account and before:
        joined = before.upstream is Upstream.CRONOFY and _move(account, before, profile, accounts)
    else:
        joined = accounts.add_profile(sub, profile)
    if joined:
        return True
    return profile.identity is not None and accounts.sub_of(client_id, profile.identity) == sub


def reconnect_mailbox(sub: str, profile: Profile, *, accounts: AccountStore) -> Profile:
    """Connects a profile again that was disconnected on purpose, through the organization that it belongs to.

    Doing so twice is no error. Returns it as it is then. Raises NotFound when no organization gives access to it, and
    StorageUnavailable. What Cronofy gave for it is gone where it was disconnected once more since then.
    """
    if profile.identity is None or not profile.service_account:
        raise NotFound("no profile of an organization")
    if profile.upstream is Upstream.CRONOFY and profile.sealed_credential is None:
        raise NotFound("nothing to read it with")
    return _delegate(sub, profile, profile.identity, profile.service_account, accounts)


def _delegate(sub: str, profile: Profile, identity: Identity, service_account: str, accounts: AccountStore) -> Profile:
    """The profile as it is then. Raises StorageUnavailable when somebody else wrote it since it was read."""
    delegated = replace(
        profile, name=identity.email, identity=identity, service_account=service_account, disconnected=None
    )
    if delegated != profile and not accounts.delegate(
        sub, profile.profile_id, identity=identity, service_account=service_account, version=profile.version
    ):
        raise StorageUnavailable("the profile changed in this very moment")
    return delegated


def reconnect_profile(consent: Consent, at: Connected, *, accounts: AccountStore, vault: Vault) -> None:
    """Connects this very profile again, or moves it off Cronofy.

    Raises AuthorizationError, StorageUnavailable and NotFound.
    """
    account, profile = reconnectable(at, accounts=accounts)
    identity = profile.identity
    if identity is not None and account.client_id == consent.client_id:
        if identity.key == consent.identity.key:
            _replace_credential(at.sub, at.profile_id, consent, accounts, vault)
            return
        if profile.moving and _is_same_mailbox(profile, consent.identity):
            after = _free_busy_profile(consent, vault, profile.created_at, profile)
            if _move(account, profile, after, accounts):
                return
            if accounts.sub_of(account.client_id, consent.identity):
                raise _connected_elsewhere()
            raise StorageUnavailable("the profile changed in this very moment")
    raise AuthorizationError(
        "access_denied", "another person signed in than the one whose calendar this is", "other_person"
    )


def _same_mailbox(account: Account | None, identity: Identity) -> Profile | None:
    """The profile of this account that reads the same mailbox by way of Cronofy."""
    profiles = account.free_busy_profiles if account else ()
    return next((profile for profile in profiles if _is_same_mailbox(profile, identity)), None)


def _is_same_mailbox(profile: Profile, identity: Identity) -> bool:
    """Whether somebody who signed in at the provider has the mailbox that Cronofy named for this profile.

    Only asked where account and profile are known already: nobody's account is found by their mailbox. Nor does an
    address count that anybody may give themselves.
    """
    before = profile.identity
    if before is None or (before.upstream, identity.upstream) != (Upstream.CRONOFY, Upstream.DIRECT):
        return False
    same = before.provider is identity.provider and before.email.casefold() == identity.email.casefold()
    return same and identity.proven


def _move(account: Account, before: Profile, after: Profile, accounts: AccountStore) -> bool:
    """Off Cronofy; what the profile had there is kept beside it, for events that are there. False when it cannot be."""
    moved = replace(before, profile_id=f"{before.profile_id}{MOVED}", moving=False)
    return accounts.move(account, before, after, moved)


def reconnectable(at: Connected, *, accounts: AccountStore) -> tuple[Account, Profile]:
    """The account and its free/busy profile; NotFound when there is no such profile.

    Nor is there one once the application gave up the whole authorization: nobody is left to connect for. Raises
    AuthorizationRefused for a profile that an organization gives access to, which its person cannot connect: only move.
    """
    account = accounts.find(at.sub)
    profile = account.profile(at.profile_id) if account else None
    if account is None or profile is None or profile.managed or not account.grants:
        raise NotFound("no such profile")
    if profile.service_account and not profile.moving:
        raise AuthorizationRefused("organization_decides")
    return account, profile


def _one_account(  # noqa: PLR0913 - whose, what to do about it, and the port
    client_id: str,
    identity: Identity,
    *,
    new: Callable[[], Profile],
    again: Callable[[str, Profile], Connected],
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
    return again(known, _profile_of(identity, known, accounts))


def _profile_of(identity: Identity, sub: str, accounts: AccountStore) -> Profile:
    account = accounts.find(sub)
    for profile in (*account.free_busy_profiles, *account.moved) if account else ():
        if profile.identity is not None and profile.identity.key == identity.key:
            return profile
    raise NotFound("the account was erased meanwhile")


def _replace_credential(  # noqa: PLR0913 - whose, a consent and the ports
    sub: str,
    profile_id: str,
    consent: Consent,
    accounts: AccountStore,
    vault: Vault,
    *,
    service_account: str | None = None,
) -> Connected:
    """Of a profile that moved, the credential is sealed for the one that it was."""
    at = Connected(sub, profile_id)
    sealed = vault.seal(consent.credential, client_id=consent.client_id, profile_id=at.shown.profile_id)
    expires_at = consent.credential.expires_at
    accounts.connect(
        sub,
        profile_id,
        identity=consent.identity,
        sealed=sealed,
        expires_at=expires_at,
        service_account=service_account,
    )
    return at.shown


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


def _free_busy_profile(consent: Consent, vault: Vault, now: int, before: Profile | None = None) -> Profile:
    """A new one, or one that takes the place of ``before``."""
    profile = _new_profile(consent.identity, now)
    if before:
        profile = replace(
            profile,
            profile_id=before.profile_id,
            calendar_id=before.calendar_id,
            created_at=before.created_at,
        )
    sealed = vault.seal(consent.credential, client_id=consent.client_id, profile_id=profile.profile_id)
    return replace(profile, sealed_credential=sealed, credential_expires_at=consent.credential.expires_at)


def _new_profile(identity: Identity, now: int) -> Profile:
    """Without anything yet to read the calendar with."""
    profile_id = new_profile_id()
    calendar_id = new_calendar_id(profile_id)
    return Profile(profile_id, identity.provider, identity.email, calendar_id, identity, created_at=now)


def _connected_elsewhere() -> AuthorizationError:
    return AuthorizationError(
        "access_denied", "this calendar is already connected to another account", "connected_elsewhere"
    )
