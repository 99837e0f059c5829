import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from freebusy.domain.account import Disconnected, ProviderName, Upstream
from freebusy.domain.errors import (
    AccessTokenRejected,
    CredentialRevoked,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.free_busy import Period
from freebusy.service import calendar_reader
from freebusy.service.calendar_reader import CalendarReader
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.events import FakeEvents
from tests.fakes.vaults import FakeVault
from tests.organizations import no_organizations
from tests.people import FakeCalendars, busy, connected, organization_at_cronofy
from tests.waiting import PATIENCE

WINDOW = Period(NOW, NOW + 86400)


class Reading:
    """One account, its calendars, and a reader of them."""

    def __init__(self, account, **calendars):
        self.account = account
        self.accounts = FakeAccounts(account)
        self.calendars = FakeCalendars(**calendars)
        self.reader = CalendarReader(
            accounts=self.accounts,
            events=FakeEvents(),
            vault=FakeVault(),
            providers={ProviderName.GOOGLE: self.calendars},
            clock=FakeClock(),
            organizations=no_organizations,
        )

    def read(self, within: float = 5.0):
        profile = self.account.free_busy_profiles[0]
        return self.reader.read(self.account, profile, WINDOW, deadline=time.monotonic() + within)

    @property
    def profile(self):
        return self.accounts.find(self.account.sub).free_busy_profiles[0]


def test_a_credential_that_is_still_good_is_not_refreshed():
    reading = Reading(connected(), kept={"acc_1@example.com": busy((1, 2))})
    assert reading.read() == busy((1, 2))
    assert reading.calendars.refreshes == 0


@pytest.mark.parametrize(
    "expires_at",
    [
        pytest.param(NOW - 1, id="expired"),
        pytest.param(NOW + 30, id="would expire on the way"),
    ],
)
def test_a_credential_about_to_expire_is_refreshed_and_kept(expires_at):
    reading = Reading(connected(expires_at=expires_at))
    reading.read()
    assert reading.calendars.refreshes == 1
    assert reading.profile.credential_expires_at > NOW + 3600


def test_a_rejected_access_token_is_refreshed_once_and_tried_once_more():
    reading = Reading(connected(), rejects={"token 0 of acc_1"}, kept={"acc_1@example.com": busy((1, 2))})
    assert reading.read() == busy((1, 2))
    assert reading.calendars.refreshes == 1


def test_a_provider_that_rejects_every_token_is_not_asked_for_ever():
    reading = Reading(connected(), rejects={"token 0 of acc_1", "token 1"})
    with pytest.raises(AccessTokenRejected):
        reading.read()
    assert len(reading.calendars.reads) == 2


def test_a_dead_credential_disconnects_the_profile_and_forgets_it():
    reading = Reading(connected(expires_at=NOW), refresh_trouble=CredentialRevoked("gone"))
    with pytest.raises(CredentialRevoked):
        reading.read()
    assert reading.profile.disconnected is Disconnected.CREDENTIAL_REVOKED
    assert reading.profile.sealed_credential is None


def test_a_passing_fault_at_refresh_leaves_the_profile_connected():
    reading = Reading(connected(expires_at=NOW), refresh_trouble=ProviderUnavailable("down"))
    with pytest.raises(ProviderUnavailable):
        reading.read()
    assert reading.profile.connected


def test_a_disconnected_profile_is_not_asked_for():
    reading = Reading(connected())
    profile = replace(reading.account.free_busy_profiles[0], disconnected=Disconnected.REVOKED)
    with pytest.raises(CredentialRevoked):
        reading.reader.read(reading.account, profile, WINDOW, deadline=time.monotonic() + 1)
    assert reading.calendars.reads == []


def test_a_provider_without_registration_is_the_operators_business():
    reading = Reading(connected(providers=[ProviderName.MICROSOFT]))
    with pytest.raises(ProviderMisconfigured):
        reading.read()


def test_a_credential_that_does_not_open_asks_for_a_new_consent():
    account = connected()
    foreign = replace(account.free_busy_profiles[0], sealed_credential=b"not a sealed credential")
    reading = Reading(account._replace(profiles=(foreign, account.managed_profile)))
    with pytest.raises(CredentialRevoked):
        reading.read()


def test_many_readers_of_one_expired_credential_cause_one_refresh():
    reading = Reading(connected(expires_at=NOW), kept={"acc_1@example.com": busy((1, 2))})
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: reading.read(), range(16)))
    assert reading.calendars.refreshes == 1
    assert answers == [busy((1, 2))] * 16


def test_waiting_for_somebody_elses_refresh_ends_at_the_deadline():
    reading = Reading(connected(expires_at=NOW))
    profile = reading.profile
    reading.accounts.lease_refresh("acc_1", profile.profile_id, version=profile.version, now=NOW, seconds=60)
    with pytest.raises(ProviderUnavailable):
        reading.read(within=0.2)


def test_a_profile_disconnected_while_waiting_is_a_dead_credential():
    reading = Reading(connected(expires_at=NOW))
    profile = reading.profile
    reading.accounts.lease_refresh("acc_1", profile.profile_id, version=profile.version, now=NOW, seconds=60)
    reading.accounts.disconnect("acc_1", profile.profile_id, because=Disconnected.REVOKED)
    with pytest.raises(CredentialRevoked):
        reading.read()


def test_what_an_outage_leaves_unread_is_not_read_later_at_the_cost_of_the_next_request(monkeypatch):
    """One worker: the first calendar meets the outage, the second is slow, and the third never has its turn."""
    people = [connected(sub) for sub in ("acc_1", "acc_2", "acc_3")]
    released = Event()

    class Vault(FakeVault):
        def unseal(self, sealed, *, client_id, profile_id):
            if profile_id == people[0].profiles[0].profile_id:
                raise StorageUnavailable("the key service does not answer")
            return super().unseal(sealed, client_id=client_id, profile_id=profile_id)

    class Calendars(FakeCalendars):
        def free_busy(self, *asked, **options):
            released.wait(PATIENCE)
            return super().free_busy(*asked, **options)

    calendars = Calendars()
    reader = CalendarReader(
        accounts=FakeAccounts(*people),
        events=FakeEvents(),
        vault=Vault(),
        providers={ProviderName.GOOGLE: calendars},
        clock=FakeClock(),
        organizations=no_organizations,
    )
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(calendar_reader, "_pool", lambda: pool)
        with pytest.raises(StorageUnavailable):
            reader.read_all([(each, each.profiles[0]) for each in people], WINDOW, within=0.5)
        released.set()
    assert calendars.reads == ["acc_2@example.com"]


class TestAMailboxOfAnOrganizationAtCronofy:
    """It has a credential of its own, and is read as long as the application keeps the organization."""

    @pytest.fixture
    def reading(self):
        account = connected()
        profile, managed = account.profiles
        identity = replace(profile.identity, upstream=Upstream.CRONOFY)
        of_organization = replace(profile, identity=identity, service_account="ser_1")
        reading = Reading(
            account._replace(profiles=(of_organization, managed)), kept={"acc_1@example.com": busy((1, 2))}
        )
        reading.reader = replace(reading.reader, providers={ProviderName.MANAGED: reading.calendars})
        reading.accounts.service_accounts.connect(organization_at_cronofy())
        return reading

    def test_is_read_for_itself(self, reading):
        assert reading.read() == busy((1, 2))
        source = (reading.account, reading.account.profiles[0])
        assert reading.reader.read_all([source], WINDOW, within=5.0) == [busy((1, 2))]

    def test_is_not_read_once_the_organization_was_revoked(self, reading):
        reading.accounts.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=NOW)
        with pytest.raises(CredentialRevoked):
            reading.read()
        assert reading.profile.connected

    def test_nor_where_the_organization_is_gone(self, reading):
        reading.accounts.service_accounts.erase(reading.account.client_id)
        with pytest.raises(CredentialRevoked):
            reading.read()
