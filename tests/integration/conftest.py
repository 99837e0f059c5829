"""The real handlers over a fresh table, with calendars that the tests keep."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from threading import Lock
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger
from moto import mock_aws

from freebusy.bootstrap import Dependencies, application_registry, dependencies
from freebusy.domain.account import Account, ProviderName
from freebusy.domain.application import Application, ClientSecret
from freebusy.domain.credential import ProviderCredential
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.measures import Measure, taken
from freebusy.settings import settings
from tests import browsers, quick_aws
from tests.asking import SECRET
from tests.browsers import Deployment, Headquarters
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW
from tests.fakes.providers import FakeProvider
from tests.organizations import FakeDomainRecords, FakeOrganizationCalendars, FakeOrganizationSignIn
from tests.people import CLIENT_ID, FakeCalendars, connected
from tests.tables import create_table


@pytest.fixture
def calendars() -> FakeCalendars:
    """What both providers know of everybody."""
    return FakeCalendars()


@pytest.fixture
def organizations() -> dict[ProviderName, FakeOrganizationCalendars]:
    """What both providers show of whole organizations."""
    return {
        ProviderName.GOOGLE: FakeOrganizationCalendars(most_together=50),
        ProviderName.MICROSOFT: FakeOrganizationCalendars(most_together=20),
    }


@pytest.fixture
def wired(
    monkeypatch: pytest.MonkeyPatch,
    calendars: FakeCalendars,
    organizations: dict[ProviderName, FakeOrganizationCalendars],
) -> Iterator[Dependencies]:
    """The dependencies of the handlers: DynamoDB and KMS as moto has them, and a clock that stands still."""
    with mock_aws():
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setattr(boto3, "client", quick_aws.client)
        monkeypatch.setenv("TABLE_NAME", create_table(boto3.client("dynamodb"), "table"))
        monkeypatch.setenv("CREDENTIAL_KEY_ID", boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])
        monkeypatch.setenv("ERASURE_QUEUE_URL", boto3.client("sqs").create_queue(QueueName="erasures")["QueueUrl"])
        monkeypatch.setenv("PUBLIC_URL", "https://calendar.example.com")
        monkeypatch.setenv("MAIL_DOMAIN", "mail.example.com")
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW)
        monkeypatch.setattr(
            Dependencies, "providers", dict.fromkeys((ProviderName.GOOGLE, ProviderName.MICROSOFT), calendars)
        )
        monkeypatch.setattr(Dependencies, "organization_calendars", organizations)
        settings.cache_clear()
        dependencies.cache_clear()
        one_at_a_time(dependencies().dynamodb, monkeypatch)
        yield dependencies()
    settings.cache_clear()
    dependencies.cache_clear()


def one_at_a_time(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto copies whole tables while it writes, and fails when another thread writes meanwhile."""
    lock, make_api_call = Lock(), client._make_api_call

    def call(*args: Any) -> Any:
        with lock:
            return make_api_call(*args)

    monkeypatch.setattr(client, "_make_api_call", call)


@pytest.fixture
def people(wired: Dependencies, sign_in: Callable[[Account, str], Account]) -> None:
    """Ana, Ben and Cem of one application, and Dan of another."""
    wired.tokens.save(hashed(SECRET), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
    for name in ("ana", "ben", "cem"):
        sign_in(connected(name), f"token of {name}")
    sign_in(connected("dan", client_id="client-2"), "token of dan")


@pytest.fixture
def crowd(wired: Dependencies, people: None) -> list[dict[str, object]]:
    """200 members, their ids as long as ours are and no calendars to read; in memory, as moto is slow to store them."""
    subs = [f"acc_{number:024x}" for number in range(200)]
    wired.accounts = FakeAccounts(*map(connected, subs))
    return [{"sub": sub, "only_managed_events": True} for sub in subs]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What the handlers write to their log, as it is written."""
    log = StringIO()
    monkeypatch.setattr(Logger(service="freebusy").registered_handler, "stream", log)
    return log


@pytest.fixture
def deployment(wired: Dependencies, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """With applications to connect to, and consent screens of both providers."""
    google = FakeProvider(ProviderName.GOOGLE, issuer="https://accounts.google.com")
    microsoft = FakeProvider(ProviderName.MICROSOFT)
    providers = {ProviderName.GOOGLE: google, ProviderName.MICROSOFT: microsoft}
    monkeypatch.setattr(Dependencies, "providers", providers)
    registry = application_registry(wired.dynamodb, wired.settings.table_name)
    for client_id, secret in ((browsers.APP, browsers.SECRET), (browsers.OTHER_APP, browsers.OTHER_SECRET)):
        listed = ClientSecret(hashed(secret), "hint", NOW, wired.secret_vault.seal(secret, client_id=client_id))
        registry.create(Application(client_id, "Scheduler & <Co>", (browsers.REDIRECT_URI,), secrets=(listed,)))
    registry.create(
        Application(
            browsers.FRONT_END,
            "Front end",
            (browsers.FRONT_END_URI,),
            public=True,
            origins=(browsers.FRONT_END_ORIGIN,),
        )
    )
    return Deployment(wired, google, microsoft)


@pytest.fixture
def headquarters(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Headquarters:
    """With organizations that could be connected, at both providers, once their administrators let us in."""
    google = FakeOrganizationSignIn("google", consents=False, issuer="https://accounts.google.com")
    microsoft = FakeOrganizationSignIn("microsoft", consents=True)
    workspaces = FakeOrganizationCalendars(kept={"ada@example.com": []}, delegated=set())
    tenants = FakeOrganizationCalendars(kept={"max@work.example": []}, delegated=set(), speakers_have_mailboxes=False)
    records = FakeDomainRecords()
    for name, value in {
        "organization_sign_ins": {ProviderName.GOOGLE: google, ProviderName.MICROSOFT: microsoft},
        "organization_calendars": {ProviderName.GOOGLE: workspaces, ProviderName.MICROSOFT: tenants},
        "domain_records": records,
    }.items():
        monkeypatch.setattr(Dependencies, name, value)
    return Headquarters(deployment, google, microsoft, workspaces, tenants, records)


@pytest.fixture
def metrics(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Measure], dict[tuple[str, ...], list[int]]]:
    """What functions have measured since the last time that somebody asked, by the values of its dimensions."""
    monkeypatch.setenv("METRICS_NAMESPACE", "FreeBusyConnect/test")
    taken()

    def written(measure: Measure) -> dict[tuple[str, ...], list[int]]:
        found: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for line in map(json.loads, capsys.readouterr().out.splitlines()):
            if measure in line and "_aws" in line:
                found[tuple(line[name] for name in measure.dimensions)] += line[measure]
        return dict(found)

    return written


@pytest.fixture
def sign_in(wired: Dependencies) -> Callable[[Account, str], Account]:
    """Stores the account, with credentials that the deployment's vault opens, and this access token under its grant."""

    def signed_in(account: Account, token: str) -> Account:
        credential = ProviderCredential("token", "refresh token", NOW + 3600)
        profiles = []
        for profile in account.profiles:
            whose = {"client_id": account.client_id, "profile_id": profile.profile_id}
            own = not profile.managed and profile.service_account is None
            sealed = wired.vault.seal(credential, **whose) if own else None
            profiles.append(replace(profile, sealed_credential=sealed))
        stored = account._replace(profiles=tuple(profiles))
        wired.accounts.create(stored)
        scope = account.grants["g1"].scope
        record = TokenRecord(TokenKind.ACCESS, account.client_id, NOW + 60, account.sub, "g1", scope)
        wired.tokens.save(hashed(token), record)
        return stored

    return signed_in


@pytest.fixture
def audited(capsys) -> Any:
    """The records that were written since the last look."""

    def read() -> list[dict[str, Any]]:
        lines = [line for line in capsys.readouterr().out.splitlines() if '"audit"' in line]
        return [json.loads(line)["audit"] for line in lines]

    return read
