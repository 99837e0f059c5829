from __future__ import annotations

from threading import RLock

from freebusy.domain.application import Appearance, Application
from freebusy.domain.token import TokenKind, TokenRecord
from tests.fakes.access_requests import FakeAccessRequests
from tests.fakes.accounts import FakeAccounts
from tests.fakes.kept_answers import FakeAnswers
from tests.fakes.pages import FakePages
from tests.fakes.permits import FakePermits
from tests.fakes.setups import FakeSetups
from tests.fakes.tokens import FakeTokens


class FakeApplications:
    """Reads and registers; client secrets are listed in ``tokens``, as the real store does."""

    def __init__(
        self,
        *applications: Application,
        tokens: FakeTokens | None = None,
        accounts: FakeAccounts | None = None,
        pages: FakePages | None = None,
        setups: FakeSetups | None = None,
        access_requests: FakeAccessRequests | None = None,
        permits: FakePermits | None = None,
        answers: FakeAnswers | None = None,
    ) -> None:
        self._lock = RLock()
        self._applications: dict[str, Application] = {}
        self._appearances: dict[str, Appearance] = {}
        self._tokens = tokens or FakeTokens()
        self._accounts = accounts or FakeAccounts()
        self._pages = pages or FakePages()
        self._setups = setups or FakeSetups()
        self._access_requests = access_requests or FakeAccessRequests()
        self._permits = permits or FakePermits()
        self._answers = answers or FakeAnswers()
        for application in applications:
            self.create(application)

    def find(self, client_id: str) -> Application | None:
        return self._applications.get(client_id)

    def appearance(self, client_id: str) -> Appearance:
        return self._appearances.get(client_id, Appearance())

    def show_as(self, client_id: str, appearance: Appearance) -> None:
        self._appearances[client_id] = appearance

    def with_origin(self, origin: str) -> frozenset[str]:
        return frozenset(each.client_id for each in self._applications.values() if origin in each.origins)

    def names(self) -> dict[str, str]:
        return {client_id: application.name for client_id, application in self._applications.items()}

    def accounts_of(self, client_id: str) -> list[str]:
        return self._accounts.of_application(client_id)

    def service_accounts_of(self, client_id: str) -> list[str]:
        return self._accounts.service_accounts.of_application(client_id)

    def count(self, client_id: str) -> dict[str, int]:
        """Of what is its own; accounts are counted as one kind."""
        accounts = len([*self.accounts_of(client_id), *self.service_accounts_of(client_id)])
        counted = {"account": accounts, "app": int(client_id in self._applications)}
        return {kind: number for kind, number in counted.items() if number}

    def create(self, application: Application) -> None:
        with self._lock:
            self._applications[application.client_id] = application
            self._list_secrets(application)

    def change(self, before: Application, after: Application) -> bool:
        with self._lock:
            if self._applications.get(before.client_id) != before:
                return False
            for secret in before.secrets:
                self._tokens.delete(secret.secret_hash)
            self._applications[after.client_id] = after
            self._list_secrets(after)
            return True

    def lock_out(self, client_id: str) -> int:
        with self._lock:
            application = self._applications.pop(client_id, None)
            if application is None:
                return 0
            for secret in application.secrets:
                self._tokens.delete(secret.secret_hash)
            return 1 + len(application.secrets)

    def erase(self, client_id: str) -> int:
        with self._lock:
            application = self._applications.pop(client_id, None)
            erased = (application is not None) + (self._appearances.pop(client_id, None) is not None)
            stores = (
                *(self._tokens, self._accounts, self._pages, self._setups),
                *(self._access_requests, self._permits, self._answers),
            )
            return erased + sum(store.erase(client_id) for store in stores)

    def _list_secrets(self, application: Application) -> None:
        for secret in application.secrets:
            self._tokens.save(secret.secret_hash, TokenRecord(TokenKind.CLIENT_SECRET, application.client_id))
