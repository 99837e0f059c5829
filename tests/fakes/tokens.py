from __future__ import annotations

from collections.abc import Mapping
from threading import RLock

from freebusy.domain.account import Grant
from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest
from freebusy.domain.token import TokenRecord
from tests.fakes.accounts import FakeAccounts
from tests.fakes.erasing import erase_from


class FakeTokens:
    """``accounts`` is where redeemed codes list their grants."""

    def __init__(self, accounts: FakeAccounts | None = None) -> None:
        self._lock = RLock()
        self._accounts = accounts or FakeAccounts()
        self._tokens: dict[str, TokenRecord] = {}
        self._requests: dict[str, AuthorizationRequest] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._spent: dict[str, tuple[str, str, str]] = {}
        self._link_tokens: dict[str, tuple[str, str, int]] = {}

    def find(self, token_hash: str, now: int) -> TokenRecord | None:
        token = self._tokens.get(token_hash)
        return token if token and (token.expires_at is None or token.expires_at > now) else None

    def save(self, token_hash: str, token: TokenRecord) -> None:
        self._tokens[token_hash] = token

    def delete(self, token_hash: str) -> None:
        self._tokens.pop(token_hash, None)

    def rotate(
        self, refresh_hash: str, *, successor_hash: str, successor: TokenRecord, derived_with: int, now: int
    ) -> bool:
        with self._lock:
            token = self.find(refresh_hash, now)
            if token is None or token.rotated_at is not None:
                return False
            self._tokens[refresh_hash] = token._replace(rotated_at=now, derived_with=derived_with)
            self._tokens[successor_hash] = successor
            return True

    def save_authorization_request(self, state_hash: str, request: AuthorizationRequest) -> None:
        self._requests[state_hash] = request

    def consume_authorization_request(
        self, state_hash: str, *, browser_hash: str, now: int
    ) -> AuthorizationRequest | None:
        with self._lock:
            request = self._requests.get(state_hash)
            if request is None or request.expires_at <= now or request.browser_hash != browser_hash:
                return None
            return self._requests.pop(state_hash)

    def save_code(self, code_hash: str, code: AuthorizationCode) -> None:
        self._codes[code_hash] = code

    def find_code(self, code_hash: str, now: int) -> AuthorizationCode | None:
        code = self._codes.get(code_hash)
        return code if code and code.expires_at > now else None

    def redeem_code(
        self,
        code_hash: str,
        *,
        code: AuthorizationCode,
        grant: Grant,
        tokens: Mapping[str, TokenRecord],
        now: int,
    ) -> bool:
        with self._lock:
            if self.find_code(code_hash, now) is None or not self._accounts.add_grant(code.sub, grant):
                return False
            del self._codes[code_hash]
            self._tokens.update(tokens)
            self._spent[code_hash] = (code.client_id, code.sub, grant.grant_id)
            return True

    def bought_with(self, code_hash: str) -> tuple[str, str] | None:
        spent = self._spent.get(code_hash)
        return spent and spent[1:]

    def save_link_token(self, token_hash: str, *, client_id: str, sub: str, expires_at: int) -> None:
        self._link_tokens[token_hash] = (client_id, sub, expires_at)

    def find_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        owner, sub, expires_at = self._link_tokens.get(token_hash, ("", "", 0))
        return sub if owner == client_id and expires_at > now else None

    def consume_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        with self._lock:
            sub = self.find_link_token(token_hash, client_id=client_id, now=now)
            if sub is not None:
                del self._link_tokens[token_hash]
            return sub

    def erase(self, client_id: str) -> int:
        return (
            erase_from(self._tokens, lambda token: token.client_id == client_id)
            + erase_from(self._requests, lambda request: request.client_id == client_id)
            + erase_from(self._codes, lambda code: code.client_id == client_id)
            + erase_from(self._spent, lambda spent: spent[0] == client_id)
            + erase_from(self._link_tokens, lambda link_token: link_token[0] == client_id)
        )
