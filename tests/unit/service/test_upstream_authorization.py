"""Revoking here ends what a person had at Cronofy, unless somebody else of this deployment needs it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from freebusy.domain.account import MOVED, Disconnected, Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import ProviderError, ProviderUnavailable
from freebusy.service.upstream_authorization import end_upstream
from tests.fakes.accounts import FakeAccounts
from tests.fakes.vaults import FakeVault
from tests.unit.service.test_upstream_events import at_cronofy


@dataclass
class FakeCronofy:
    revoked: list[str] = field(default_factory=list)
    trouble: ProviderError | None = None

    def revoke(self, credential: ProviderCredential, *, deadline: float) -> None:
        if self.trouble:
            raise self.trouble
        self.revoked.append(credential.refresh_token)


@pytest.fixture
def cronofy() -> FakeCronofy:
    return FakeCronofy()


def ended(account, accounts, cronofy, profile=None):
    """As it is done: first here, then there."""
    before = profile or account.free_busy_profiles[0]
    accounts.disconnect(account.sub, before.profile_id, because=Disconnected.REVOKED)
    end_upstream(account, before, accounts=accounts, vault=FakeVault(), cronofy=cronofy)
    return cronofy.revoked


def of_another_application(account):
    """The same person, connected to another application of this deployment."""
    profile, managed = account.profiles
    other = account._replace(sub="acc_2", client_id="client-2")
    return other._replace(profiles=(replace(profile, profile_id="pro_2"), replace(managed, profile_id="pro_m2")))


def test_the_persons_token_is_revoked(cronofy):
    account = at_cronofy()
    assert ended(account, FakeAccounts(account), cronofy) == ["refresh token of acc_1"]


def test_not_while_another_application_needs_it(cronofy):
    account = at_cronofy()
    accounts = FakeAccounts(account, of_another_application(account))
    assert ended(account, accounts, cronofy) == []


def test_but_when_the_last_one_goes(cronofy):
    account = at_cronofy()
    other = of_another_application(account)
    accounts = FakeAccounts(account, other)
    accounts.disconnect("acc_2", "pro_2", because=Disconnected.REVOKED)
    assert ended(account, accounts, cronofy) == ["refresh token of acc_1"]


def test_another_person_there_is_no_reason_to_keep_it(cronofy):
    account = at_cronofy()
    assert ended(account, FakeAccounts(account, at_cronofy("acc_3")), cronofy) == ["refresh token of acc_1"]


def test_what_a_moved_profile_had_is_revoked_too(cronofy):
    account = at_cronofy()
    accounts = FakeAccounts(account)
    before = account.free_busy_profiles[0]
    direct = Identity(ProviderName.GOOGLE, "google-ana", "acc_1@example.com")
    moved = replace(before, profile_id=f"{before.profile_id}{MOVED}")
    assert accounts.move(account, before, replace(before, identity=direct), moved)
    assert ended(accounts.find("acc_1"), accounts, cronofy, moved) == ["refresh token of acc_1"]


@pytest.mark.parametrize("sealed", [None, b'["client-1", "of another profile", {}]'], ids=["none", "does not open"])
def test_without_a_credential_there_is_nothing_to_revoke(cronofy, sealed):
    account = at_cronofy()
    profile = replace(account.free_busy_profiles[0], sealed_credential=sealed)
    assert ended(account, FakeAccounts(account), cronofy, profile) == []


def test_trouble_at_cronofy_is_logged_without_the_token_and_nobodys_error(cronofy, caplog):
    cronofy.trouble = ProviderUnavailable("away")
    account = at_cronofy()
    assert ended(account, FakeAccounts(account), cronofy) == []
    (record,) = caplog.records
    assert record.reason == "provider_unavailable"
    assert "refresh token" not in caplog.text
