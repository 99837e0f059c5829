"""The real handlers over a fresh table, with calendars that the tests keep."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from freebusy.bootstrap import Dependencies, dependencies
from freebusy.domain.account import ProviderName
from freebusy.settings import settings
from tests.fakes import NOW
from tests.people import FakeCalendars
from tests.tables import create_table


@pytest.fixture
def calendars() -> FakeCalendars:
    """What both providers know of everybody."""
    return FakeCalendars()


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch, calendars: FakeCalendars) -> Iterator[Dependencies]:
    """The dependencies of the handlers: DynamoDB and KMS as moto has them, and a clock that stands still."""
    with mock_aws():
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("TABLE_NAME", create_table(boto3.client("dynamodb"), "table"))
        monkeypatch.setenv("CREDENTIAL_KEY_ID", boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])
        monkeypatch.setenv("PUBLIC_URL", "https://calendar.example.com")
        monkeypatch.setattr(Dependencies, "clock", lambda _: NOW)
        monkeypatch.setattr(
            Dependencies, "providers", dict.fromkeys((ProviderName.GOOGLE, ProviderName.MICROSOFT), calendars)
        )
        settings.cache_clear()
        dependencies.cache_clear()
        yield dependencies()
    settings.cache_clear()
    dependencies.cache_clear()
