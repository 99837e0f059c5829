"""Link tokens: by one, an account lets the next consent add a profile to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.domain.authorization import LINK_TOKEN_LIFETIME
from freebusy.domain.identifiers import hashed, new_link_token

if TYPE_CHECKING:
    from freebusy.domain.account import Account
    from freebusy.ports import TokenStore


def issue_link_token(account: Account, *, tokens: TokenStore, now: int) -> str:
    """A token for ``link_token`` of ``/oauth/authorize``, single use, good for ``LINK_TOKEN_LIFETIME`` seconds."""
    link_token = new_link_token()
    tokens.save_link_token(
        hashed(link_token), client_id=account.client_id, sub=account.sub, expires_at=now + LINK_TOKEN_LIFETIME
    )
    return link_token
