"""A connected organization whose mailboxes an application asks for, over the fakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from freebusy.domain.account import Account, ProviderName
from freebusy.domain.application import Application, ClientSecret
from freebusy.domain.callback import signature
from freebusy.domain.identifiers import hashed
from freebusy.domain.service_account import MANAGE_ACCOUNTS, ServiceAccount, mailbox_identity
from freebusy.service.access_answers import AccessAnswers
from freebusy.service.access_requests import Wanted, request_access
from freebusy.service.callbacks import Callbacks
from freebusy.service.tokens import IssuedTokens, exchange_code
from freebusy.service.upstream_access import UpstreamAccess, UpstreamAnswers
from freebusy.service.upstream_organizations import OrganizationsAtCronofy
from tests.fakes.access_requests import FakeAccessRequests
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.callbacks import Callback, FakeCallbackSender, FakeHosts
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.queues import FakeAccessQueue
from tests.fakes.tokens import FakeTokens
from tests.fakes.vaults import FakeSecretVault, FakeVault
from tests.organizations import FakeOrganizationCalendars, FakeUpstreamOrganizations
from tests.people import CLIENT_ID, organization
from tests.trips import PUBLIC_URL

HOOK = "https://app.example/hook?job=17"
ANA, BEN = "ana@example.com", "ben@example.com"
ROOM = "c_1@resource.calendar.google.com"
SECRET = "fbc_cs_secret"
MICROSOFT = organization(provider=ProviderName.MICROSOFT)


def secret_of(client_id: str = CLIENT_ID, secret: str = SECRET) -> ClientSecret:
    return ClientSecret(hashed(secret), "hint", NOW, FakeSecretVault().seal(secret, client_id=client_id))


def wanted(email: str = ANA, **changes: str | None) -> Wanted:
    usual = {"email": email, "callback_url": HOOK, "scope": "free_busy_write", "state": "job-17"}
    return Wanted(**{**usual, **changes})


@dataclass
class World:
    """``service_account`` is connected; mailboxes that are not named in ``calendars`` do not exist."""

    service_account: ServiceAccount = field(default_factory=organization)
    application: Application = field(
        default_factory=lambda: Application(CLIENT_ID, "Scheduler", ("https://app.example/cb",), secrets=(secret_of(),))
    )

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.accounts = FakeAccounts()
        self.service_accounts = self.accounts.service_accounts
        self.service_accounts.connect(self.service_account)
        self.tokens = FakeTokens(self.accounts)
        self.requests, self.queue = FakeAccessRequests(), FakeAccessQueue()
        self.applications = FakeApplications(
            self.application, tokens=self.tokens, accounts=self.accounts, access_requests=self.requests
        )
        self.hosts, self.sender = FakeHosts(), FakeCallbackSender()
        self.calendars = FakeOrganizationCalendars(kept={ANA: [], BEN: [], ROOM: [], "admin@example.com": []})
        self.cronofy = FakeUpstreamOrganizations()
        at_cronofy = OrganizationsAtCronofy(self.service_accounts, self.cronofy, FakeVault(), self.clock)
        self.upstream = UpstreamAccess(self.requests, self.queue, at_cronofy, self.cronofy, self.clock)
        self.upstream_answers = UpstreamAnswers(
            requests=self.requests,
            queue=self.queue,
            service_accounts=self.service_accounts,
            accounts=self.accounts,
            vault=FakeVault(),
            cronofy=self.cronofy,
            clock=self.clock,
        )
        self.answers = AccessAnswers(
            requests=self.requests,
            applications=self.applications,
            service_accounts=self.service_accounts,
            accounts=self.accounts,
            tokens=self.tokens,
            calendars={self.service_account.organization.provider: self.calendars},
            callbacks=Callbacks(self.hosts, self.sender, FakeSecretVault()),
            upstream=lambda: self.upstream,
            clock=self.clock,
        )

    def ask(self, *asked: Wanted, scope: str = MANAGE_ACCOUNTS) -> list[str]:
        """Under ids that are returned."""
        before = len(self.queue.waiting)
        request_access(
            asked or [wanted()],
            service_account=self.service_account,
            scope=scope,
            applications=self.applications,
            requests=self.requests,
            queue=self.queue,
            resolver=self.hosts,
            local=False,
            public_url=PUBLIC_URL,
            now=self.clock(),
        )
        return self.queue.waiting[before:]

    def answer(self, request_ids: Sequence[str]) -> list[str]:
        return [self.answers.answer(request_id) for request_id in request_ids]

    def outcome(self, *asked: Wanted) -> str:
        (outcome,) = self.answer(self.ask(*asked))
        return outcome

    @property
    def sent(self) -> list[dict[str, str]]:
        """What the application was told, each signed as it should be."""
        for callback in self.sender.sent:
            self.check(callback)
        return [callback.json()["authorization"] for callback in self.sender.sent]

    def check(self, callback: Callback) -> None:
        assert callback.signature == signature(callback.body, [SECRET])

    def account_of(self, email: str = ANA) -> Account | None:
        identity = mailbox_identity(self.service_account.organization, email)
        sub = self.accounts.sub_of(self.service_account.client_id, identity)
        return self.accounts.find(sub) if sub else None

    def redeem(self, code: str, redirect_uri: str = HOOK) -> IssuedTokens:
        return exchange_code(
            self.application,
            code,
            redirect_uri=redirect_uri,
            code_verifier=None,
            tokens=self.tokens,
            accounts=self.accounts,
            now=self.clock(),
        )
