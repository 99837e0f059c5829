"""Bearer values, codes and the other short-lived things, each an item under the hash of its value.

What may be used once is used by a conditional delete: of many callers one gets the item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.accounts import GrantList, profile_of, profile_values
from freebusy.adapters.dynamodb.short_lived import LIVE, item_of, key_of, live, taken
from freebusy.adapters.dynamodb.table import CONDITION_FAILED, Item, Table, number, text
from freebusy.domain.account import Grant, ProviderName
from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.token import TokenKind, TokenRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

TOMBSTONE_LIFETIME = 3600
"""How long a second use of a code is recognised, in seconds; the code itself has long expired by then."""

_ATTEMPTS = 5


class DynamoTokens:
    """Implements ``ports.TokenStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def find(self, token_hash: str, now: int) -> TokenRecord | None:
        item = live(self._table, "TOKEN", token_hash, now)
        return None if item is None else _token(item)

    def save(self, token_hash: str, token: TokenRecord) -> None:
        self._save(token_item(token_hash, token))

    def rotate(
        self, refresh_hash: str, *, successor_hash: str, successor: TokenRecord, derived_with: int, now: int
    ) -> bool:
        marking = self._table.updating(
            key_of("TOKEN", refresh_hash),
            "SET #rotated_at = :now, #derived_with = :derived_with",
            condition="#kind = :refresh AND attribute_not_exists(#rotated_at)"
            f" AND (attribute_not_exists(#expires_at) OR {LIVE})",
            values={"refresh": TokenKind.REFRESH, "now": now, "derived_with": derived_with},
        )
        return not self._table.transact([marking, self._table.putting(token_item(successor_hash, successor))])

    def save_authorization_request(self, state_hash: str, request: AuthorizationRequest) -> None:
        self._save(
            item_of(
                "REQUEST",
                state_hash,
                request.client_id,
                redirect_uri=request.redirect_uri,
                scope=request.scope,
                application_state=request.application_state,
                code_challenge=request.code_challenge,
                provider=request.provider,
                browser_hash=request.browser_hash,
                expires_at=request.expires_at,
                link_token_hash=request.link_token_hash,
                sub=request.relink_sub,
                relink_profile_id=request.relink_profile_id,
            )
        )

    def consume_authorization_request(
        self, state_hash: str, *, browser_hash: str, now: int
    ) -> AuthorizationRequest | None:
        item = taken(self._table, "REQUEST", state_hash, browser_hash=browser_hash, now=now)
        return None if item is None else _authorization_request(item)

    def save_code(self, code_hash: str, code: AuthorizationCode) -> None:
        self._save(
            item_of(
                "CODE",
                code_hash,
                code.client_id,
                sub=code.sub,
                profile_id=code.profile_id,
                redirect_uri=code.redirect_uri,
                scope=code.scope,
                code_challenge=code.code_challenge,
                expires_at=code.expires_at,
                joining=profile_values(code.joining, 0) if code.joining else None,
                reconnecting=code.reconnecting or None,
            )
        )

    def find_code(self, code_hash: str, now: int) -> AuthorizationCode | None:
        item = live(self._table, "CODE", code_hash, now)
        return None if item is None else _code(item)

    def redeem_code(
        self,
        code_hash: str,
        *,
        code: AuthorizationCode,
        grant: Grant,
        tokens: Mapping[str, TokenRecord],
        now: int,
    ) -> bool:
        tombstone = item_of(
            "SPENT",
            code_hash,
            code.client_id,
            sub=code.sub,
            grant_id=grant.grant_id,
            expires_at=now + TOMBSTONE_LIFETIME,
        )
        using = self._table.deleting(key_of("CODE", code_hash), condition=LIVE, values={"now": now})
        items = [tombstone, *(token_item(token_hash, token) for token_hash, token in tokens.items())]
        storing = [self._table.putting(item) for item in items]
        grants = GrantList(self._table, code.sub, grant)
        for _ in range(_ATTEMPTS):
            reasons = self._table.transact([using, grants.adding(), *storing])
            if not reasons:
                return True
            if reasons[0] == CONDITION_FAILED or not grants.make_room():
                return False
        raise StorageUnavailable("the account is changing too fast")

    def bought_with(self, code_hash: str) -> tuple[str, str] | None:
        item = self._table.get(key_of("SPENT", code_hash))
        return None if item is None else (item["sub"]["S"], item["grant_id"]["S"])

    def save_link_token(self, token_hash: str, *, client_id: str, sub: str, expires_at: int) -> None:
        self._save(item_of("LINK", token_hash, client_id, sub=sub, expires_at=expires_at))

    def find_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        item = live(self._table, "LINK", token_hash, now)
        return None if item is None or text(item, "application") != client_id else text(item, "sub")

    def consume_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        item = taken(self._table, "LINK", token_hash, now=now, application=client_id)
        return None if item is None else text(item, "sub")

    def _save(self, item: Item) -> None:
        self._table.write(self._table.putting(item))


def token_item(token_hash: str, token: TokenRecord) -> Item:
    """Also for client secrets, which are found as tokens are."""
    return item_of(
        "TOKEN",
        token_hash,
        token.client_id,
        kind=token.kind,
        expires_at=token.expires_at,
        sub=token.sub,
        grant_id=token.grant_id,
        scope=token.scope,
        rotated_at=token.rotated_at,
        derived_with=token.derived_with,
    )


def _token(item: Item) -> TokenRecord:
    return TokenRecord(
        kind=TokenKind(item["kind"]["S"]),
        client_id=item["application"]["S"],
        expires_at=number(item, "expires_at"),
        sub=text(item, "sub"),
        grant_id=text(item, "grant_id"),
        scope=item["scope"]["S"],
        rotated_at=number(item, "rotated_at"),
        derived_with=number(item, "derived_with"),
    )


def _code(item: Item) -> AuthorizationCode:
    joining = item.get("joining")
    return AuthorizationCode(
        client_id=item["application"]["S"],
        sub=item["sub"]["S"],
        profile_id=item["profile_id"]["S"],
        redirect_uri=item["redirect_uri"]["S"],
        scope=item["scope"]["S"],
        code_challenge=text(item, "code_challenge"),
        expires_at=int(item["expires_at"]["N"]),
        joining=profile_of(item["profile_id"]["S"], joining["M"]) if joining else None,
        reconnecting="reconnecting" in item,
    )


def _authorization_request(item: Item) -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id=item["application"]["S"],
        redirect_uri=item["redirect_uri"]["S"],
        scope=item["scope"]["S"],
        application_state=text(item, "application_state"),
        code_challenge=text(item, "code_challenge"),
        provider=ProviderName(item["provider"]["S"]),
        browser_hash=item["browser_hash"]["S"],
        expires_at=int(item["expires_at"]["N"]),
        link_token_hash=text(item, "link_token_hash"),
        relink_sub=text(item, "sub"),
        relink_profile_id=text(item, "relink_profile_id"),
    )
