"""Tokens: bought with a code, renewed and revoked.

An access or refresh token lives only while its grant is listed on its account, so ending a grant ends them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from freebusy.domain.account import Account, Disconnected, Grant, Profile
from freebusy.domain.errors import NotFound, TokenError
from freebusy.domain.identifiers import (
    hashed,
    new_access_token,
    new_grant_id,
    new_refresh_token,
    refresh_token_from,
)
from freebusy.domain.pkce import proves
from freebusy.domain.token import (
    ACCESS_TOKEN_LIFETIME,
    PUBLIC_GRANT_LIFETIME,
    PUBLIC_REFRESH_TOKEN_IDLE_LIFETIME,
    ROTATION_GRACE,
    TokenKind,
    TokenRecord,
)
from freebusy.service.audit import note
from freebusy.service.callers import holder_and_grant

if TYPE_CHECKING:
    from freebusy.domain.application import Application
    from freebusy.domain.authorization import AuthorizationCode
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import AccountStore, EndUpstream, ServiceAccountStore, TokenStore, Vault


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """``sub`` is an account or a service account; ``expires_in`` is that of the access token, in seconds.

    ``profile`` is the one that the person just connected.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    scope: str
    sub: str
    expires_in: int = ACCESS_TOKEN_LIFETIME
    profile: Profile | None = None


# --- The token endpoint -------------------------------------------------------------------------------


def exchange_code(  # noqa: PLR0913 - the parameters of RFC 6749 and RFC 7636, and the ports
    application: Application,
    code: str,
    *,
    redirect_uri: str,
    code_verifier: str | None,
    tokens: TokenStore,
    accounts: AccountStore,
    now: int,
) -> IssuedTokens:
    """Turns a code into a grant with its tokens (RFC 6749, 4.1.3; RFC 7636, 4.6).

    Raises TokenError ``invalid_grant``: whoever presents it wrongly does not spend the code, and a code that comes
    back after it was spent takes what it bought with it, since one of the two had stolen it (RFC 6749, 4.1.2).
    """
    code_hash = hashed(code)
    bound = tokens.find_code(code_hash, now)
    if bound is None:
        _refuse_replay(application, code_hash, tokens, accounts)
    note(bound.sub, action="code.redeemed")
    _require_bound(bound, application, redirect_uri, code_verifier)
    if bound.joining is not None:
        _join(bound, bound.joining, accounts)
    profile = _connected(accounts.holder(bound.sub), bound, accounts)
    if bound.reconnecting and profile:
        profile = _reconnect(bound.sub, profile, accounts)
    access_token, refresh_token = new_access_token(), new_refresh_token()
    grant = Grant(new_grant_id(), bound.scope, now)
    records = {
        hashed(access_token): _record(TokenKind.ACCESS, application, bound.sub, grant, now),
        hashed(refresh_token): _record(TokenKind.REFRESH, application, bound.sub, grant, now),
    }
    if not tokens.redeem_code(code_hash, code=bound, grant=grant, tokens=records, now=now):
        _refuse_replay(application, code_hash, tokens, accounts)
    note(bound.sub, grant_id=grant.grant_id)
    return IssuedTokens(access_token, refresh_token, bound.scope, bound.sub, profile=profile)


def refresh(  # noqa: PLR0913 - of these, four are ports
    application: Application,
    refresh_token: str,
    *,
    tokens: TokenStore,
    accounts: AccountStore,
    vault: Vault,
    now: int,
) -> IssuedTokens:
    """A new access token (RFC 6749, 6); public applications get a new refresh token with it (RFC 9700, 4.14.2).

    Raises TokenError ``invalid_grant``.
    """
    token = tokens.find(hashed(refresh_token), now)
    if token is None or token.kind is not TokenKind.REFRESH or token.client_id != application.client_id:
        raise _invalid_grant("the refresh token is unknown or expired")
    if token.sub:
        note(token.sub, action="token.refreshed", grant_id=token.grant_id or "")
    held = holder_and_grant(token, accounts)
    if held is None:
        raise _invalid_grant("the authorization behind this refresh token was revoked")
    holder, grant = held
    if application.public:
        if token.rotated_at is not None and now - token.rotated_at > ROTATION_GRACE:
            accounts.revoke_grants(holder.sub, [grant.grant_id])
            raise _invalid_grant("the refresh token was used before; its authorization is revoked")
        refresh_hash = hashed(refresh_token)
        successor, key_id = _successor(token, refresh_token, vault)
        if token.rotated_at is None and not tokens.rotate(
            refresh_hash,
            successor_hash=hashed(successor),
            successor=_record(TokenKind.REFRESH, application, holder.sub, grant, now),
            derived_with=key_id,
            now=now,
        ):
            # Somebody else used it in this moment, and may have met another data key.
            successor, _ = _successor(tokens.find(refresh_hash, now) or token, refresh_token, vault)
        refresh_token = successor
    access_token = new_access_token()
    tokens.save(hashed(access_token), _record(TokenKind.ACCESS, application, holder.sub, grant, now))
    return IssuedTokens(access_token, refresh_token, grant.scope, holder.sub)


# --- Revocation -------------------------------------------------------------------------------------------


def revoke_token(  # noqa: PLR0913 - of these, three are ports
    application: Application,
    token: str,
    *,
    tokens: TokenStore,
    accounts: AccountStore,
    service_accounts: ServiceAccountStore,
    end_upstream: EndUpstream,
    now: int,
) -> str | None:
    """Ends the whole authorization that an access or refresh token belongs to; that of a service account ends the
    access to every mailbox of its organization.

    Returns whose it is. A token that is unknown, expired, revoked already or somebody else's is no error (RFC 7009,
    2.2).
    """
    record = tokens.find(hashed(token), now)
    if record is None or record.client_id != application.client_id:
        return None
    if record.sub:
        note(record.sub, grant_id=record.grant_id or "")
    if held := holder_and_grant(record, accounts):
        end_authorization(
            held[0], accounts=accounts, service_accounts=service_accounts, end_upstream=end_upstream, now=now
        )
    return record.sub


def revoke_account(  # noqa: PLR0913 - of these, two are ports
    application: Application,
    sub: str,
    *,
    accounts: AccountStore,
    service_accounts: ServiceAccountStore,
    end_upstream: EndUpstream,
    now: int,
) -> str | None:
    """Ends the whole authorization of an account or a service account; that of another application is left alone,
    silently.

    Returns the ``sub`` of one that is the application's.
    Raises TokenError ``unauthorized_client`` for public applications: an account's id is no secret, and with
    nothing else to show anybody could disconnect anybody.
    """
    if application.public:
        raise TokenError("unauthorized_client", "a public application revokes by token, not by sub")
    holder = accounts.holder(sub)
    if holder is None or holder.client_id != application.client_id:
        return None
    note(holder.sub)
    end_authorization(holder, accounts=accounts, service_accounts=service_accounts, end_upstream=end_upstream, now=now)
    return holder.sub


def end_authorization(
    holder: Account | ServiceAccount,
    *,
    accounts: AccountStore,
    service_accounts: ServiceAccountStore,
    end_upstream: EndUpstream,
    now: int,
) -> None:
    """Disconnects every profile, here and at Cronofy, and ends all grants.

    Here the grants go last: as long as they are listed, an interrupted revocation can be asked for again.
    """
    if isinstance(holder, Account):
        for profile in (*holder.free_busy_profiles, *holder.moved):
            accounts.disconnect(holder.sub, profile.profile_id, because=Disconnected.REVOKED)
    else:
        service_accounts.disconnect(holder.sub, because=Disconnected.REVOKED, now=now)
    accounts.revoke_grants(holder.sub)
    if isinstance(holder, Account):
        for profile in holder.at_cronofy:
            end_upstream(holder, profile)
    else:
        end_upstream(holder)


# --- What they share ---------------------------------------------------------------------------------------


def _connected(
    holder: Account | ServiceAccount | None, code: AuthorizationCode, accounts: AccountStore
) -> Profile | None:
    """The profile that the code is about; none for a service account.

    Raises TokenError when it was revoked, unless the code is to connect it again, or its organization was.
    """
    if isinstance(holder, Account):
        profile = holder.profile(code.profile_id)
        if profile is not None and (code.reconnecting or profile.disconnected is not Disconnected.REVOKED):
            giver = profile.service_account
            if giver is None or _stands(accounts.holder(giver)):
                return profile
    elif _stands(holder):
        return None
    raise _invalid_grant("the authorization behind this code was revoked")


def _stands(organization: Account | ServiceAccount | None) -> bool:
    """Whether the application has not given it up. One that only seems withdrawn may answer the next time."""
    if organization is None or isinstance(organization, Account):
        return False
    return organization.disconnected is not Disconnected.REVOKED


def _record(kind: TokenKind, application: Application, sub: str, grant: Grant, now: int) -> TokenRecord:
    """Refresh tokens of confidential applications never expire; those of public ones do when idle or old."""
    expires_at: int | None = now + ACCESS_TOKEN_LIFETIME
    if kind is TokenKind.REFRESH:
        last = min(now + PUBLIC_REFRESH_TOKEN_IDLE_LIFETIME, grant.created_at + PUBLIC_GRANT_LIFETIME)
        expires_at = last if application.public else None
    return TokenRecord(kind, application.client_id, expires_at, sub, grant.grant_id, grant.scope)


def _successor(token: TokenRecord, refresh_token: str, vault: Vault) -> tuple[str, int]:
    """What follows a refresh token, and the id of the data key that it is derived with.

    Within the grace a second use is an honest retry and gets the same successor as the first: it is derived and not
    drawn, with the data key that the first use noted, since another one may be the newest by now.
    """
    derived, key_id = vault.derive(token.client_id, f"the token after {refresh_token}", key_id=token.derived_with)
    return refresh_token_from(derived), key_id


def _require_bound(
    code: AuthorizationCode, application: Application, redirect_uri: str, code_verifier: str | None
) -> None:
    if code.client_id != application.client_id:
        raise _invalid_grant("the code is unknown, expired or used")
    if code.redirect_uri != redirect_uri:
        raise _invalid_grant("redirect_uri is not the one that the code was asked for with")
    if code.code_challenge is None:
        # Otherwise an attacker could strip the challenge from the request unnoticed (RFC 9700, 4.8.2).
        if code_verifier is not None:
            raise _invalid_grant("the code was asked for without a code_challenge: there is nothing to verify")
    elif code_verifier is None or not proves(code_verifier, code.code_challenge):
        raise _invalid_grant("code_verifier does not match the code_challenge")


def _join(code: AuthorizationCode, profile: Profile, accounts: AccountStore) -> None:
    """Before the code is spent, so that an interrupted exchange can be tried again."""
    from freebusy.service.connecting import join  # few codes join anything, and every function loads this module

    try:
        joined = join(code.client_id, code.sub, profile, accounts=accounts)
    except NotFound as error:
        raise _invalid_grant("the account was erased meanwhile") from error
    if not joined:
        raise _invalid_grant("this calendar is already connected to another account")


def _reconnect(sub: str, profile: Profile, accounts: AccountStore) -> Profile:
    """Before the code is spent, as joining."""
    from freebusy.service.connecting import reconnect_mailbox

    try:
        return reconnect_mailbox(sub, profile, accounts=accounts)
    except NotFound as error:
        raise _invalid_grant("no organization gives access to this calendar any more") from error


def _refuse_replay(application: Application, code_hash: str, tokens: TokenStore, accounts: AccountStore) -> NoReturn:
    if bought := tokens.bought_with(code_hash):
        sub, grant_id = bought
        holder = accounts.holder(sub)
        if holder is not None and holder.client_id == application.client_id:
            note(sub, action="code.replayed")
            accounts.revoke_grants(sub, [grant_id])
    raise _invalid_grant("the code is unknown, expired or used")


def _invalid_grant(description: str) -> TokenError:
    return TokenError("invalid_grant", description)
