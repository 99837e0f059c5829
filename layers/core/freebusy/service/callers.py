"""Who sends a request, told by the bearer or the client credentials that come with it, and what they may do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Account
from freebusy.domain.errors import AuthenticationFailed, InsufficientScope, TokenError
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind

if TYPE_CHECKING:
    from freebusy.domain.account import Grant
    from freebusy.domain.application import Application
    from freebusy.domain.scopes import Permission
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.domain.token import TokenRecord
    from freebusy.ports import AccountStore, ApplicationStore, TokenStore

logger = logging.getLogger(__name__)


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


def require(scope: str, permission: Permission) -> None:
    """Raises InsufficientScope."""
    from freebusy.domain.scopes import permissions  # not every endpoint asks for one

    if permission not in permissions(scope):
        raise InsufficientScope(permission)


def holder_and_grant(token: TokenRecord, accounts: AccountStore) -> tuple[Account | ServiceAccount, Grant] | None:
    """The holder and the grant behind a token, while that grant lasts."""
    if token.sub is None or token.grant_id is None:
        return None
    holder = accounts.holder(token.sub)
    grant = holder.grants.get(token.grant_id) if holder else None
    return (holder, grant) if holder and grant else None


def authenticate_client(
    client_id: str, secret: str | None, *, applications: ApplicationStore, tokens: TokenStore, now: int
) -> Application:
    """The application that is calling the token endpoint (RFC 6749, 2.3.1).

    A public application is known by its ``client_id`` alone and sends no secret. A secret is looked up by its
    hash, so how long a comparison takes says nothing about it. Raises TokenError ``invalid_client``.
    """
    application = applications.find(client_id)
    if application is None:
        raise _unrecognised("client_id is not known")
    if application.public:
        if secret:
            raise _unrecognised("this application is public and has no client_secret: leave it out")
        return application
    if not secret:
        raise _unrecognised("client_secret is required")
    token = tokens.find(hashed(secret), now)
    if token is None or token.kind is not TokenKind.CLIENT_SECRET or token.client_id != client_id:
        # Guessing 256 bits is hopeless, and counting guesses would let anybody lock an application out: so they are
        # written down, for its developers also forget to put in a new secret.
        logger.warning("a client secret is wrong", extra={"client_id": client_id})
        raise _unrecognised("client_secret is wrong")
    return application


def _unrecognised(description: str) -> TokenError:
    return TokenError("invalid_client", description)
