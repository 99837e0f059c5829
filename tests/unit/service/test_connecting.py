from dataclasses import replace

import pytest

from freebusy.domain.account import Disconnected, ProviderCredential, ProviderName
from freebusy.domain.errors import StorageUnavailable
from freebusy.service.connecting import Consent, connect, connect_mailbox
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW
from tests.people import organization
from tests.trips import ANA, REDIRECT_URI, World


@pytest.fixture
def world():
    return World()


def credential_in(world, profile):
    return world.vault.unseal(profile.sealed_credential, client_id="app", profile_id=profile.profile_id)


class TestAFirstConsent:
    def test_makes_an_account_with_a_free_busy_and_a_managed_profile(self, world):
        world.trip(ANA)
        account = world.account_of(ANA)
        free_busy, managed = account.profiles
        assert (account.email, account.name, account.client_id) == ("ana@example.com", "Ana", "app")
        assert (account.zone, account.created_at, dict(account.grants)) == ("Etc/UTC", NOW, {})
        assert (free_busy.provider, free_busy.name, free_busy.identity) == (ProviderName.GOOGLE, ANA.email, ANA)
        assert (managed.provider, managed.name, managed.identity) == (ProviderName.MANAGED, ANA.email, None)

    def test_gives_each_profile_one_calendar_of_its_own(self, world):
        world.trip(ANA)
        free_busy, managed = world.account_of(ANA).profiles
        assert free_busy.calendar_id.startswith(f"cal_{free_busy.profile_id.removeprefix('pro_')}_")
        assert managed.calendar_id.startswith(f"cal_{managed.profile_id.removeprefix('pro_')}_")

    def test_keeps_the_credential_sealed_for_its_profile(self, world):
        world.trip(ANA)
        profile = world.profile_of(ANA)
        assert credential_in(world, profile).access_token == "access 1"
        assert profile.credential_expires_at == NOW + 3600

    def test_is_remembered_by_its_time_which_later_ones_leave_alone(self, world):
        world.trip(ANA)
        world.clock.advance(3600)
        world.trip(ANA)
        assert world.profile_of(ANA).created_at == NOW

    def test_is_for_one_application_alone(self, world):
        world.trip(ANA)
        world.trip(ANA, client_id="other-app", redirect_uri=REDIRECT_URI)
        assert world.account_of(ANA, "app").sub != world.account_of(ANA, "other-app").sub


class TestConsentingAgain:
    def test_is_the_same_account_with_the_new_credential(self, world):
        first, second = world.code(ANA), world.code(ANA)
        assert (first.sub, first.profile_id) == (second.sub, second.profile_id)
        assert credential_in(world, world.profile_of(ANA)).access_token == "access 2"
        assert len(world.account_of(ANA).profiles) == 2

    def test_connects_a_disconnected_profile(self, world):
        code = world.code(ANA)
        for because in Disconnected:
            world.accounts.disconnect(code.sub, code.profile_id, because=because)
            world.trip(ANA)
            assert world.profile_of(ANA).connected

    def test_is_told_by_the_subject_and_follows_a_new_address(self, world):
        world.trip(ANA)
        renamed = replace(ANA, email="ana.lee@example.com")
        world.trip(renamed)
        assert world.profile_of(renamed).name == "ana.lee@example.com"

    def test_an_address_that_changed_hands_is_another_account(self, world):
        world.trip(ANA)
        successor = replace(ANA, subject="somebody else")
        world.trip(successor)
        assert world.account_of(ANA).sub != world.account_of(successor).sub

    def test_the_same_subject_at_another_provider_is_another_account(self, world):
        world.trip(ANA)
        namesake = replace(ANA, provider=ProviderName.MICROSOFT)
        world.trip(namesake)
        assert world.account_of(ANA).sub != world.account_of(namesake).sub


class Overtaken(FakeAccounts):
    """Somebody else makes the account between our look and our write."""

    def create(self, account):
        super().create(account._replace(sub="acc_rival"))
        return super().create(account)


class TestConsentingTwiceAtOnce:
    def test_both_get_the_same_account(self, world):
        accounts = Overtaken()
        consent = Consent("app", ANA, ProviderCredential("mine", "refresh", NOW + 60))
        connected = connect(consent, accounts=accounts, vault=world.vault, now=NOW)
        assert connected.sub == "acc_rival"
        assert set(accounts._accounts) == {"acc_rival"}
        assert credential_in(world, accounts.find("acc_rival").profiles[0]).access_token == "mine"

    def test_an_identity_that_is_taken_by_nobody_is_tried_again_later(self, world):
        class Contrary(FakeAccounts):
            def create(self, account):
                return False

        consent = Consent("app", ANA, ProviderCredential("mine", "refresh", NOW + 60))
        with pytest.raises(StorageUnavailable):
            connect(consent, accounts=Contrary(), vault=world.vault, now=NOW)


class TestAMailboxOfAnOrganization:
    SER = organization()

    def connect(self, accounts, mailbox="ana@example.com", service_account=SER):
        return connect_mailbox(service_account, mailbox, accounts=accounts, now=NOW)

    def test_is_read_through_the_organization_and_has_no_credential_of_its_own(self):
        accounts = FakeAccounts()
        account = accounts.find(self.connect(accounts).sub)
        free_busy, managed = account.profiles
        assert (free_busy.service_account, free_busy.sealed_credential) == ("ser_1", None)
        assert (account.email, account.name, managed.name) == ("ana@example.com", None, "ana@example.com")
        assert (managed.provider, managed.service_account) == (ProviderName.MANAGED, None)

    def test_is_one_account_however_it_is_spelled_and_goes_by_the_last_spelling(self):
        accounts = FakeAccounts()
        first, second = self.connect(accounts), self.connect(accounts, "Ana@Example.com")
        assert first == second
        assert accounts.find(first.sub).profiles[0].name == "Ana@Example.com"

    def test_is_one_account_when_it_is_asked_for_twice_at_once(self):
        accounts = Overtaken()
        assert self.connect(accounts).sub == "acc_rival"
        assert set(accounts._accounts) == {"acc_rival"}

    def test_is_nobody_who_signed_in_with_that_address(self, world):
        world.trip(ANA)
        ser = organization(client_id="app")
        assert self.connect(world.accounts, ANA.email, ser).sub != world.account_of(ANA).sub

    def test_belongs_to_one_application_and_one_organization(self):
        accounts = FakeAccounts()
        others = [
            organization(client_id="other"),
            organization(provider=ProviderName.MICROSOFT),
            organization(key="other.example"),
        ]
        assert len({self.connect(accounts, service_account=each).sub for each in (self.SER, *others)}) == 4
