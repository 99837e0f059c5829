"""Who sends a request, told by the bearer that comes with it, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Account
from freebusy.domain.errors import AuthenticationFailed, InsufficientScope
from freebusy.domain.identifiers import hashed
from freebusy.domain.scopes import Permission, permissions
from freebusy.domain.token import TokenKind

if TYPE_CHECKING:
    from freebusy.domain.account import Grant
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.domain.token import TokenRecord
    from freebusy.ports import AccountStore, TokenStore


class Caller(NamedTuple):
    """Who sent a request: an application, by its client secret; or an account or a service account under a grant, by
    its access token.
    """

    client_id: str
    holder: Account | ServiceAccount | None = None
    grant: Grant | None = None

    @property
    def account(self) -> Account | None:
        return self.holder if isinstance(self.holder, Account) else None

    @property
    def scope(self) -> str:
        return self.grant.scope if self.grant else ""


def authenticate(bearer: str | None, *, tokens: TokenStore, accounts: AccountStore, now: int) -> Caller:
    """Recognises an access token or a client secret. Raises AuthenticationFailed."""
    token = tokens.find(hashed(bearer), now) if bearer else None
    if token is None or token.kind is TokenKind.REFRESH:
        raise AuthenticationFailed("the bearer token is missing, unknown or expired")
    if token.kind is TokenKind.CLIENT_SECRET:
        return Caller(token.client_id)
    held = holder_and_grant(token, accounts)
    if held is None:
        raise AuthenticationFailed("the authorization of this token was revoked")
    return Caller(token.client_id, *held)


def require(caller: Caller, permission: Permission) -> None:
    """Raises InsufficientScope. What an application may do by its client secret is each endpoint's own rule."""
    if caller.grant is not None and permission not in permissions(caller.grant.scope):
        raise InsufficientScope(permission)


def holder_and_grant(token: TokenRecord, accounts: AccountStore) -> tuple[Account | ServiceAccount, Grant] | None:
    """The holder and the grant behind a token, while that grant lasts."""
    if token.sub is None or token.grant_id is None:
        return None
    holder = accounts.holder(token.sub)
    grant = holder.grants.get(token.grant_id) if holder else None
    return (holder, grant) if holder and grant else None
