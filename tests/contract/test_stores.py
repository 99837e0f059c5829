"""What every implementation of the stores promises: the fakes and DynamoDB, as two emulators know it,
pass the same rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests
from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.kept_answers import DynamoAnswers
from freebusy.adapters.dynamodb.pages import DynamoPages
from freebusy.adapters.dynamodb.permits import DynamoPermits
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.dynamodb.setups import DynamoSetups
from freebusy.adapters.dynamodb.tokens import DynamoTokens
from freebusy.domain.access_request import LIFETIME, MOST_AT_ONCE, AccessRequest, Granted
from freebusy.domain.account import (
    MOST_GRANTS,
    MOVED,
    Account,
    Disconnected,
    Grant,
    Identity,
    Profile,
    ProviderName,
    Upstream,
)
from freebusy.domain.application import Appearance, Application, ClientSecret
from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest
from freebusy.domain.errors import NotFound
from freebusy.domain.idempotency import Answered, FirstRequest, KeyedRequest
from freebusy.domain.organization_setup import SETUP_LIFETIME, Leg, OrganizationTrip
from freebusy.domain.service_account import Leaving, mailbox_identity
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.ports import (
    AccessRequestStore,
    AccountStore,
    AnswerStore,
    ApplicationRegistry,
    PageStore,
    PermitStore,
    ServiceAccountStore,
    SetupStore,
    TokenStore,
)
from tests.administrators import MAX, a_request, a_setup
from tests.fakes.access_requests import FakeAccessRequests
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW
from tests.fakes.kept_answers import FakeAnswers
from tests.fakes.pages import FakePages
from tests.fakes.permits import FakePermits
from tests.fakes.setups import FakeSetups
from tests.fakes.tokens import FakeTokens
from tests.people import colleague, organization, organization_at_cronofy
from tests.tables import create_table

LATER = NOW + 300
ANA = Identity(ProviderName.GOOGLE, "google-ana", "ana@example.com", "Ana")
ANA_AT_CRONOFY = Identity(ProviderName.GOOGLE, "acc_ana", "ana@example.com", upstream=Upstream.CRONOFY)
BEN = Identity(ProviderName.MICROSOFT, "tenant.ben", "ben@example.com")
OLD_SECRET = ClientSecret("app-secret-1", "fbc_cs_one", NOW)
"""As secrets were stored before anything was signed with them."""


@dataclass(frozen=True)
class Stores:
    applications: ApplicationRegistry
    accounts: AccountStore
    service_accounts: ServiceAccountStore
    setups: SetupStore
    tokens: TokenStore
    pages: PageStore
    access_requests: AccessRequestStore
    permits: PermitStore
    answers: AnswerStore


@pytest.fixture(params=["fake", "moto", pytest.param("ministack", marks=pytest.mark.emulator)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        accounts, setups, pages = FakeAccounts(), FakeSetups(), FakePages()
        tokens = FakeTokens(accounts)
        requests, permits, answers = FakeAccessRequests(), FakePermits(), FakeAnswers()
        applications = FakeApplications(
            tokens=tokens,
            accounts=accounts,
            setups=setups,
            pages=pages,
            access_requests=requests,
            permits=permits,
            answers=answers,
        )
        return Stores(
            *(applications, accounts, accounts.service_accounts, setups, tokens, pages, requests, permits, answers)
        )
    dynamodb = request.getfixturevalue(request.param)
    table = create_table(dynamodb, f"table-{uuid4().hex}")
    return Stores(
        DynamoApplications(dynamodb, table, pause=lambda _: None),
        DynamoAccounts(dynamodb, table),
        DynamoServiceAccounts(dynamodb, table),
        DynamoSetups(dynamodb, table),
        DynamoTokens(dynamodb, table),
        DynamoPages(dynamodb, table),
        DynamoAccessRequests(dynamodb, table),
        DynamoPermits(dynamodb, table),
        DynamoAnswers(dynamodb, table),
    )


def free_busy_profile(profile_id: str = "pro_1", identity: Identity = ANA, sealed: bytes = b"\x00sealed") -> Profile:
    return Profile(
        profile_id=profile_id,
        provider=identity.provider,
        name=identity.email,
        calendar_id=f"cal_{profile_id}",
        identity=identity,
        sealed_credential=sealed,
        credential_expires_at=LATER,
        created_at=NOW,
    )


def managed_profile(profile_id: str = "pro_0") -> Profile:
    return Profile(profile_id, ProviderName.MANAGED, "Cronofy", f"cal_{profile_id}")


def account(sub: str = "acc_1", *profiles: Profile, client_id: str = "app") -> Account:
    return Account(
        sub=sub,
        client_id=client_id,
        email="ana@example.com",
        name="Ana",
        zone="Europe/Lisbon",
        profiles=(*(profiles or (free_busy_profile(),)), managed_profile()),
        grants={"grant-0": Grant("grant-0", "free_busy_write", NOW)},
        created_at=NOW,
    )


def code(**changes: Any) -> AuthorizationCode:
    usual = AuthorizationCode("app", "acc_1", "pro_1", "https://app.example/cb", "free_busy_write", None, LATER)
    return usual._replace(**changes)


def request(**changes: Any) -> AuthorizationRequest:
    usual = AuthorizationRequest(
        client_id="app",
        redirect_uri="https://app.example/cb",
        scope="free_busy_write",
        application_state="where I was ⏰",
        code_challenge="challenge",
        provider=ProviderName.GOOGLE,
        browser_hash="browser",
        expires_at=LATER,
        link_token_hash="link",
        relink_sub="acc_1",
        relink_profile_id="pro_1",
    )
    return usual._replace(**changes)


def token(kind: TokenKind = TokenKind.REFRESH, **changes: Any) -> TokenRecord:
    return TokenRecord(kind, "app", LATER, "acc_1", "grant-1", "free_busy_write")._replace(**changes)


def application(client_id: str = "app", **changes: Any) -> Application:
    usual = Application(
        client_id=client_id,
        name="Scheduler",
        redirect_uris=("https://app.example/cb", "https://app.example/other"),
        secrets=(ClientSecret(f"{client_id}-secret-1", "fbc_cs_one", NOW, b"\x00sealed"),),
        created_at=NOW,
    )
    return usual._replace(**changes)


class TestAccounts:
    def test_an_account_comes_back_as_it_was_stored(self, stores):
        stored = account("acc_1", free_busy_profile("pro_1", ANA), free_busy_profile("pro_2", BEN))
        assert stores.accounts.create(stored)
        assert stores.accounts.find("acc_1") == stored

    def test_what_is_unknown_about_a_person_stays_unknown(self, stores):
        stored = account("acc_1", free_busy_profile(identity=BEN))._replace(name=None, grants={})
        stores.accounts.create(stored)
        assert stores.accounts.find("acc_1") == stored

    @pytest.mark.parametrize(
        "sub",
        [
            pytest.param("acc_2", id="never issued"),
            pytest.param("", id="empty"),
            pytest.param("acc_" + "0" * 3000, id="longer than a key may be"),
            pytest.param("acc_☃", id="not ASCII"),
            pytest.param("acc_\ud800", id="a lone surrogate"),
        ],
    )
    def test_an_unknown_sub_is_not_found(self, stores, sub):
        stores.accounts.create(account())
        assert stores.accounts.find(sub) is None
        assert list(stores.accounts.find_many([sub, "acc_1"])) == ["acc_1"]

    def test_many_accounts_are_found_at_once(self, stores):
        subs = [f"acc_{number}" for number in range(105)]
        for number, sub in enumerate(subs):
            identity = replace(ANA, subject=f"person-{number}")
            assert stores.accounts.create(account(sub, free_busy_profile(identity=identity)))
        found = stores.accounts.find_many([*subs, "acc_unknown", subs[0]])
        assert found.keys() == set(subs)
        assert all(found[sub].sub == sub for sub in subs)

    def test_no_accounts_are_found_for_no_subs(self, stores):
        assert stores.accounts.find_many([]) == {}

    def test_the_managed_profile_comes_last_whatever_the_names(self, stores):
        stores.accounts.create(account("acc_1", free_busy_profile("pro_9", ANA)))
        assert stores.accounts.add_profile("acc_1", free_busy_profile("pro_5", BEN))
        assert [each.profile_id for each in stores.accounts.find("acc_1").profiles] == ["pro_9", "pro_5", "pro_0"]

    def test_an_identity_leads_to_its_account(self, stores):
        stores.accounts.create(account())
        renamed = replace(ANA, email="new@example.com", name=None)
        assert stores.accounts.sub_of("app", renamed) == "acc_1"

    def test_an_identity_is_known_to_its_own_application_alone(self, stores):
        stores.accounts.create(account())
        assert stores.accounts.sub_of("other", ANA) is None

    def test_the_same_subject_at_another_provider_is_somebody_else(self, stores):
        stores.accounts.create(account())
        assert stores.accounts.sub_of("app", replace(ANA, provider=ProviderName.MICROSOFT)) is None

    def test_an_identity_belongs_to_one_account(self, stores):
        assert stores.accounts.create(account("acc_1"))
        assert not stores.accounts.create(account("acc_2"))
        assert stores.accounts.find("acc_2") is None
        assert stores.accounts.sub_of("app", ANA) == "acc_1"

    def test_applications_never_share_accounts(self, stores):
        assert stores.accounts.create(account("acc_1", client_id="app"))
        assert stores.accounts.create(account("acc_2", client_id="other"))
        assert stores.accounts.sub_of("other", ANA) == "acc_2"

    def test_a_second_profile_takes_its_identity(self, stores):
        stores.accounts.create(account("acc_1"))
        assert stores.accounts.add_profile("acc_1", free_busy_profile("pro_2", BEN))
        assert stores.accounts.sub_of("app", BEN) == "acc_1"
        assert not stores.accounts.create(account("acc_2", free_busy_profile(identity=BEN)))

    def test_a_profile_is_not_added_when_its_identity_is_taken(self, stores):
        stores.accounts.create(account("acc_1"))
        stores.accounts.create(account("acc_2", free_busy_profile("pro_2", BEN)))
        before = stores.accounts.find("acc_1")
        assert not stores.accounts.add_profile("acc_1", free_busy_profile("pro_3", BEN))
        assert stores.accounts.find("acc_1") == before

    def test_a_profile_cannot_be_added_to_an_account_that_is_gone(self, stores):
        with pytest.raises(NotFound):
            stores.accounts.add_profile("acc_1", free_busy_profile())
        assert stores.accounts.sub_of("app", ANA) is None


class TestPeopleOfCronofy:
    @pytest.fixture(autouse=True)
    def _connected(self, stores):
        stores.accounts.create(account("acc_1", free_busy_profile(identity=ANA_AT_CRONOFY)))

    def profile(self, stores) -> Profile:
        return stores.accounts.find("acc_1").profile("pro_1")

    def move(self, stores, identity: Identity = ANA) -> bool:
        stored = stores.accounts.find("acc_1")
        before = stored.profile("pro_1")
        after = replace(before, identity=identity, name=identity.email, sealed_credential=b"new", moving=False)
        return stores.accounts.move(stored, before, after, replace(before, profile_id=f"pro_1{MOVED}", moving=False))

    def test_whoever_comes_by_way_of_cronofy_comes_back_as_they_were(self, stores):
        assert self.profile(stores).identity == ANA_AT_CRONOFY

    def test_they_are_somebody_else_than_who_has_the_same_subject_at_the_provider(self, stores):
        assert stores.accounts.sub_of("app", ANA_AT_CRONOFY) == "acc_1"
        assert stores.accounts.sub_of("app", replace(ANA_AT_CRONOFY, upstream=Upstream.DIRECT)) is None

    def test_all_accounts_of_a_person_there_are_found_whatever_their_application(self, stores):
        other = account("acc_2", free_busy_profile("pro_2", ANA_AT_CRONOFY))._replace(client_id="other")
        assert stores.accounts.create(other)
        stores.accounts.create(account("acc_3", free_busy_profile("pro_3", ANA)))
        assert sorted(stores.accounts.of_person(ANA_AT_CRONOFY)) == ["acc_1", "acc_2"]
        assert stores.accounts.of_person(replace(ANA_AT_CRONOFY, subject="acc_of_nobody")) == []

    def test_a_linked_profile_of_cronofy_is_found_too(self, stores):
        ben = replace(ANA_AT_CRONOFY, subject="acc_ben")
        assert stores.accounts.add_profile("acc_1", free_busy_profile("pro_2", ben))
        assert stores.accounts.of_person(ben) == ["acc_1"]

    def test_who_is_to_move_is_marked_and_unmarked(self, stores):
        for moving in (True, True, False):
            assert stores.accounts.mark_moving("acc_1", "pro_1", moving=moving)
            assert self.profile(stores).moving is moving

    @pytest.mark.parametrize(("sub", "profile_id"), [("acc_9", "pro_1"), ("acc_1", "pro_9")])
    def test_a_profile_that_is_gone_cannot_be_marked(self, stores, sub, profile_id):
        assert not stores.accounts.mark_moving(sub, profile_id, moving=True)

    def test_a_profile_that_moves_keeps_its_id_and_its_place(self, stores):
        stores.accounts.mark_moving("acc_1", "pro_1", moving=True)
        before = self.profile(stores)
        assert self.move(stores)
        after = self.profile(stores)
        assert (after.identity, after.sealed_credential, after.moving) == (ANA, b"new", False)
        assert (after.calendar_id, after.version) == (before.calendar_id, before.version + 1)
        assert after.created_at == before.created_at
        assert [each.profile_id for each in stores.accounts.find("acc_1").profiles] == ["pro_1", "pro_0"]

    def test_what_it_was_is_kept_apart(self, stores):
        before = self.profile(stores)
        self.move(stores)
        assert stores.accounts.find("acc_1").moved == (replace(before, profile_id=f"pro_1{MOVED}"),)

    def test_both_identities_lead_to_the_account(self, stores):
        self.move(stores)
        assert stores.accounts.sub_of("app", ANA) == stores.accounts.sub_of("app", ANA_AT_CRONOFY) == "acc_1"
        assert stores.accounts.of_person(ANA) == stores.accounts.of_person(ANA_AT_CRONOFY) == ["acc_1"]

    def test_it_does_not_move_to_somebody_who_has_an_account(self, stores):
        stores.accounts.create(account("acc_2", free_busy_profile("pro_2", ANA)))
        before = stores.accounts.find("acc_1")
        assert not self.move(stores)
        assert stores.accounts.find("acc_1") == before

    def test_it_does_not_move_when_its_credential_was_just_renewed(self, stores):
        stored = stores.accounts.find("acc_1")
        before = stored.profile("pro_1")
        stores.accounts.renew("acc_1", "pro_1", sealed=b"renewed", expires_at=LATER, version=before.version)
        after = replace(before, identity=ANA)
        assert not stores.accounts.move(stored, before, after, replace(before, profile_id=f"pro_1{MOVED}"))
        assert stores.accounts.find("acc_1").moved == ()
        assert stores.accounts.sub_of("app", ANA) is None

    def test_a_moved_profiles_credential_is_renewed_leased_and_forgotten_as_any(self, stores):
        self.move(stores)
        moved_id = f"pro_1{MOVED}"
        (kept,) = stores.accounts.find("acc_1").moved
        assert stores.accounts.lease_refresh("acc_1", moved_id, version=kept.version, now=NOW, seconds=5)
        assert stores.accounts.renew("acc_1", moved_id, sealed=b"r", expires_at=LATER + 1, version=kept.version)
        assert stores.accounts.find("acc_1").moved[0].sealed_credential == b"r"
        assert stores.accounts.disconnect("acc_1", moved_id, because=Disconnected.REVOKED)
        assert stores.accounts.find("acc_1").moved[0].sealed_credential is None

    def test_an_application_is_erased_with_all_that_led_to_its_people(self, stores):
        stores.applications.create(application())
        stores.applications.erase("app")
        assert stores.accounts.of_person(ANA_AT_CRONOFY) == []


class TestPeople:
    @pytest.fixture(autouse=True)
    def _connected(self, stores):
        """Ana to two applications, in one of them beside Ben."""
        stores.accounts.create(account("acc_1", free_busy_profile("pro_1", ANA), free_busy_profile("pro_2", BEN)))
        stores.accounts.create(account("acc_2", free_busy_profile("pro_3", ANA))._replace(client_id="other"))

    def test_somebody_is_found_in_all_applications_and_with_nobody_else(self, stores):
        assert sorted(stores.accounts.of_person(ANA)) == ["acc_1", "acc_2"]
        assert stores.accounts.of_person(BEN) == ["acc_1"]

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(replace(ANA, subject="somebody else"), id="another subject, with the same address"),
            pytest.param(replace(ANA, provider=ProviderName.MICROSOFT), id="the same subject at another provider"),
            pytest.param(replace(ANA, upstream=Upstream.CRONOFY), id="the same subject by way of Cronofy"),
        ],
    )
    def test_nobody_else_is_found(self, stores, other):
        assert stores.accounts.of_person(other) == []

    def test_an_address_does_not_matter(self, stores):
        assert sorted(stores.accounts.of_person(replace(ANA, email="married@example.com"))) == ["acc_1", "acc_2"]

    def test_a_linked_profile_is_found(self, stores):
        cem = replace(BEN, subject="tenant.cem")
        stores.accounts.add_profile("acc_2", free_busy_profile("pro_4", cem))
        assert stores.accounts.of_person(cem) == ["acc_2"]

    def test_an_identity_that_was_taken_leads_nowhere_new(self, stores):
        assert not stores.accounts.create(account("acc_3", free_busy_profile("pro_5", ANA)))
        assert not stores.accounts.add_profile("acc_1", free_busy_profile("pro_6", ANA))
        assert sorted(stores.accounts.of_person(ANA)) == ["acc_1", "acc_2"]

    def test_disconnecting_changes_nothing_about_who_it_was(self, stores):
        stores.accounts.disconnect("acc_1", "pro_1", because=Disconnected.REVOKED)
        assert sorted(stores.accounts.of_person(ANA)) == ["acc_1", "acc_2"]

    def test_an_application_is_erased_without_a_trace_of_its_people(self, stores):
        stores.applications.create(application())
        stores.applications.erase("app")
        assert stores.accounts.of_person(BEN) == []
        assert stores.accounts.of_person(ANA) == ["acc_2"]


class TestCredentials:
    @pytest.fixture(autouse=True)
    def _connected(self, stores):
        stores.accounts.create(account("acc_1", free_busy_profile("pro_1", ANA), free_busy_profile("pro_2", BEN)))

    def profile(self, stores, profile_id="pro_1") -> Profile:
        return stores.accounts.find("acc_1").profile(profile_id)

    def test_a_refreshed_credential_replaces_the_old_one_and_raises_the_version(self, stores):
        before = self.profile(stores)
        assert stores.accounts.renew("acc_1", "pro_1", sealed=b"new", expires_at=LATER + 1, version=before.version)
        assert self.profile(stores) == replace(
            before, sealed_credential=b"new", credential_expires_at=LATER + 1, version=before.version + 1
        )

    def test_a_late_refresh_changes_nothing(self, stores):
        stores.accounts.renew("acc_1", "pro_1", sealed=b"new", expires_at=LATER, version=0)
        assert not stores.accounts.renew("acc_1", "pro_1", sealed=b"late", expires_at=LATER, version=0)
        assert self.profile(stores).sealed_credential == b"new"

    def test_a_refresh_that_was_overtaken_by_a_disconnection_changes_nothing(self, stores):
        stores.accounts.disconnect("acc_1", "pro_1", because=Disconnected.REVOKED)
        assert not stores.accounts.renew("acc_1", "pro_1", sealed=b"late", expires_at=LATER, version=0)
        assert self.profile(stores).sealed_credential is None

    def test_other_profiles_stay_as_they_are(self, stores):
        before = self.profile(stores, "pro_2")
        stores.accounts.renew("acc_1", "pro_1", sealed=b"new", expires_at=LATER, version=0)
        stores.accounts.disconnect("acc_1", "pro_1", because=Disconnected.REVOKED)
        assert self.profile(stores, "pro_2") == before

    def test_one_caller_at_a_time_may_refresh(self, stores):
        assert stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW, seconds=10)
        assert not stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW + 9, seconds=10)
        assert stores.accounts.lease_refresh("acc_1", "pro_2", version=0, now=NOW, seconds=10)

    def test_a_lease_that_ran_out_goes_to_the_next_caller(self, stores):
        stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW, seconds=10)
        assert stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW + 10, seconds=10)

    def test_what_was_refreshed_meanwhile_is_not_leased(self, stores):
        stores.accounts.renew("acc_1", "pro_1", sealed=b"new", expires_at=LATER, version=0)
        assert not stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW, seconds=10)

    def test_a_refresh_ends_the_lease(self, stores):
        stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW, seconds=10)
        stores.accounts.renew("acc_1", "pro_1", sealed=b"new", expires_at=LATER, version=0)
        assert stores.accounts.lease_refresh("acc_1", "pro_1", version=1, now=NOW + 1, seconds=10)

    def test_disconnecting_forgets_the_credential(self, stores):
        assert stores.accounts.disconnect("acc_1", "pro_1", because=Disconnected.CREDENTIAL_REVOKED)
        profile = self.profile(stores)
        assert profile.disconnected is Disconnected.CREDENTIAL_REVOKED
        assert profile.sealed_credential is None
        assert profile.credential_expires_at == 0
        assert profile.version == 1
        assert profile.identity == ANA

    def test_disconnecting_spares_a_credential_that_is_newer_than_the_one_that_failed(self, stores):
        stores.accounts.renew("acc_1", "pro_1", sealed=b"new", expires_at=LATER, version=0)
        because = Disconnected.CREDENTIAL_REVOKED
        assert not stores.accounts.disconnect("acc_1", "pro_1", because=because, version=0)
        assert self.profile(stores).connected
        assert stores.accounts.disconnect("acc_1", "pro_1", because=because, version=1)

    def test_a_new_consent_connects_the_profile_again(self, stores):
        stores.accounts.disconnect("acc_1", "pro_1", because=Disconnected.REVOKED)
        moved = Identity(ANA.provider, ANA.subject, "ana@new.example", None)
        stores.accounts.connect("acc_1", "pro_1", identity=moved, sealed=b"again", expires_at=LATER + 9)
        assert self.profile(stores) == replace(
            free_busy_profile("pro_1", moved, b"again"), credential_expires_at=LATER + 9, version=2
        )

    def test_a_new_consent_ends_the_lease_on_the_old_credential(self, stores):
        stores.accounts.lease_refresh("acc_1", "pro_1", version=0, now=NOW, seconds=10)
        stores.accounts.connect("acc_1", "pro_1", identity=ANA, sealed=b"again", expires_at=LATER)
        assert stores.accounts.lease_refresh("acc_1", "pro_1", version=1, now=NOW, seconds=10)

    @pytest.mark.parametrize(
        ("sub", "profile_id", "identity"),
        [
            pytest.param("acc_2", "pro_1", ANA, id="no such account"),
            pytest.param("acc_1", "pro_3", ANA, id="no such profile"),
            pytest.param("acc_1", "pro_0", ANA, id="the managed profile"),
            pytest.param("acc_1", "pro_1", BEN, id="somebody else's profile"),
        ],
    )
    def test_a_consent_connects_only_the_profile_of_its_person(self, stores, sub, profile_id, identity):
        before = stores.accounts.find("acc_1")
        with pytest.raises(NotFound):
            stores.accounts.connect(sub, profile_id, identity=identity, sealed=b"x", expires_at=LATER)
        assert stores.accounts.find("acc_1") == before
        assert stores.accounts.find("acc_2") is None

    @pytest.mark.parametrize(("sub", "profile_id"), [("acc_2", "pro_1"), ("acc_1", "pro_3")])
    def test_writing_to_what_is_gone_makes_nothing(self, stores, sub, profile_id):
        before = stores.accounts.find("acc_1")
        assert not stores.accounts.renew(sub, profile_id, sealed=b"x", expires_at=LATER, version=0)
        assert not stores.accounts.lease_refresh(sub, profile_id, version=0, now=NOW, seconds=10)
        assert not stores.accounts.disconnect(sub, profile_id, because=Disconnected.REVOKED)
        stores.accounts.revoke_grants("acc_2")
        stores.accounts.revoke_grants("acc_2", ["grant-0"])
        assert stores.accounts.find("acc_1") == before
        assert stores.accounts.find("acc_2") is None


class TestDelegatedProfiles:
    """Profiles that an organization gives access to."""

    @pytest.fixture
    def account(self, stores):
        account = colleague()._replace(grants={})
        assert stores.accounts.create(account)
        return account

    def test_an_account_comes_back_as_it_was_stored(self, stores, account):
        assert stores.accounts.find("acc_1") == account

    def test_a_mailbox_leads_to_its_account_however_it_is_spelled(self, stores, account):
        identity = mailbox_identity(organization().organization, "ACC_1@Example.com")
        assert stores.accounts.sub_of(account.client_id, identity) == "acc_1"

    def test_a_new_delegation_connects_the_profile_again(self, stores, account):
        (profile, _) = account.profiles
        stores.accounts.disconnect("acc_1", profile.profile_id, because=Disconnected.REVOKED)
        identity = replace(profile.identity, email="Acc_1@example.com")
        assert stores.accounts.delegate(
            "acc_1", profile.profile_id, identity=identity, service_account="ser_2", version=1
        )
        changed = stores.accounts.find("acc_1").profile(profile.profile_id)
        assert changed.connected
        assert (changed.name, changed.identity.email, changed.service_account, changed.version) == (
            "Acc_1@example.com",
            "Acc_1@example.com",
            "ser_2",
            2,
        )

    def test_that_its_organization_withdrew_is_noted_until_it_is_connected_again(self, stores, account):
        (profile, _) = account.profiles

        def stored() -> Profile:
            return stores.accounts.find("acc_1").profile(profile.profile_id)

        for withdrawn in (True, True, False, False, True):
            stores.accounts.note_withdrawn("acc_1", profile.profile_id, withdrawn=withdrawn)
            assert (stored().withdrawn, stored().connected, stored().version) == (withdrawn, True, 0)
        stores.accounts.delegate(
            "acc_1", profile.profile_id, identity=profile.identity, service_account="ser_2", version=0
        )
        assert not stored().withdrawn

    @pytest.mark.parametrize(("sub", "profile_id"), [("acc_1", "pro_x"), ("acc_x", "pro_1")])
    def test_of_a_profile_that_is_gone_nothing_is_noted(self, stores, account, sub, profile_id):
        stores.accounts.note_withdrawn(sub, profile_id, withdrawn=True)
        assert stores.accounts.find("acc_1") == account
        assert stores.accounts.find("acc_x") is None

    def test_what_was_disconnected_meanwhile_stays_so(self, stores, account):
        (profile, _) = account.profiles
        stores.accounts.disconnect("acc_1", profile.profile_id, because=Disconnected.REVOKED)
        revoked = stores.accounts.find("acc_1")
        assert not stores.accounts.delegate(
            "acc_1", profile.profile_id, identity=profile.identity, service_account="ser_1", version=profile.version
        )
        assert stores.accounts.find("acc_1") == revoked

    def test_what_is_gone_is_not_made_by_delegating_it(self, stores, account):
        (profile, _) = account.profiles
        for sub, profile_id in (("acc_1", "pro_gone"), ("acc_gone", profile.profile_id)):
            assert not stores.accounts.delegate(
                sub, profile_id, identity=profile.identity, service_account="ser_1", version=profile.version
            )
        assert stores.accounts.find("acc_1") == account


class TestServiceAccounts:
    SER = organization()

    def test_a_service_account_comes_back_as_it_was_stored(self, stores):
        assert stores.service_accounts.connect(self.SER) == "ser_1"
        assert stores.service_accounts.find("ser_1") == self.SER
        assert stores.accounts.holder("ser_1") == self.SER

    def test_an_organization_is_connected_once_for_each_application(self, stores):
        stores.service_accounts.connect(self.SER)
        assert stores.service_accounts.connect(replace(self.SER, sub="ser_2", client_id="other")) == "ser_2"
        assert stores.service_accounts.connect(replace(self.SER, sub="ser_3")) == "ser_1"
        assert stores.service_accounts.find("ser_3") is None

    def test_the_same_name_at_another_provider_is_another_organization(self, stores):
        stores.service_accounts.connect(self.SER)
        assert stores.service_accounts.connect(organization("ser_2", provider=ProviderName.MICROSOFT)) == "ser_2"

    def test_connecting_again_replaces_the_administrator_and_forgets_their_credential(self, stores):
        stores.service_accounts.connect(self.SER)
        stores.service_accounts.renew("ser_1", sealed=b"of the first one", version=0)
        stores.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW)
        other = Identity(ProviderName.GOOGLE, "subject of other", "other@example.com")
        stores.service_accounts.connect(
            replace(self.SER, sub="ser_9", administrator=other, delegated_scope="free_busy", grants={})
        )
        found = stores.service_accounts.find("ser_1")
        assert found == replace(self.SER, administrator=other, delegated_scope="free_busy", version=found.version)
        assert found.version > 2

    def test_a_fresh_credential_connects_again(self, stores):
        stores.service_accounts.connect(self.SER)
        stores.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW)
        withdrawn = stores.service_accounts.find("ser_1")
        assert (withdrawn.disconnected, withdrawn.disconnected_at) == (Disconnected.WITHDRAWN, NOW)
        assert stores.service_accounts.renew("ser_1", sealed=b"sealed", version=withdrawn.version)
        renewed = stores.service_accounts.find("ser_1")
        assert renewed == replace(self.SER, sealed_credential=b"sealed", version=withdrawn.version + 1)

    def test_who_is_late_changes_nothing(self, stores):
        stores.service_accounts.connect(self.SER)
        assert stores.service_accounts.renew("ser_1", sealed=b"sealed", version=0)
        assert not stores.service_accounts.renew("ser_1", sealed=b"late", version=0)
        assert not stores.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW, version=0)
        assert stores.service_accounts.find("ser_1").sealed_credential == b"sealed"

    def test_how_far_its_people_have_got_is_noted_by_one_and_forgotten_when_it_is_connected_again(self, stores):
        stores.service_accounts.connect(self.SER)
        assert stores.service_accounts.note_leaving("ser_1", Leaving("IDENTITY#1", NOW), version=0)
        assert not stores.service_accounts.note_leaving("ser_1", Leaving("IDENTITY#2"), version=0)
        noted = stores.service_accounts.find("ser_1")
        assert noted == replace(self.SER, leaving=Leaving("IDENTITY#1", NOW), version=1)
        stores.service_accounts.connect(self.SER)
        assert stores.service_accounts.find("ser_1") == replace(self.SER, version=2)

    def test_what_is_gone_is_not_made_by_writing_to_it(self, stores):
        assert not stores.service_accounts.note_leaving("ser_1", Leaving(), version=0)
        assert not stores.service_accounts.renew("ser_1", sealed=b"sealed", version=0)
        assert not stores.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=NOW)
        stores.accounts.revoke_grants("ser_1")
        assert stores.service_accounts.find("ser_1") is None

    def test_many_are_found_at_once(self, stores):
        stores.service_accounts.connect(self.SER)
        stores.accounts.create(colleague()._replace(grants={}))
        assert stores.service_accounts.find_many(["ser_1", "ser_2", "acc_1"]) == {"ser_1": self.SER}

    def test_accounts_and_service_accounts_are_not_taken_for_each_other(self, stores):
        stores.service_accounts.connect(self.SER)
        assert stores.accounts.create(colleague()._replace(grants={}))
        assert stores.accounts.find("ser_1") is None
        assert stores.accounts.find_many(["ser_1", "acc_1"]).keys() == {"acc_1"}
        assert stores.service_accounts.find("acc_1") is None
        assert stores.accounts.holder("acc_1") == colleague()._replace(grants={})
        assert stores.accounts.holder("ser_2") is None

    def test_a_code_buys_a_grant_of_the_organization(self, stores):
        stores.service_accounts.connect(self.SER)
        code = AuthorizationCode("client-1", "ser_1", "", "https://app.example/cb", "scope", None, LATER)
        stores.tokens.save_code("code", code)
        grant = Grant("g2", "scope", NOW)
        assert stores.tokens.redeem_code("code", code=code, grant=grant, tokens={}, now=NOW)
        assert set(stores.service_accounts.find("ser_1").grants) == {"g1", "g2"}
        stores.accounts.revoke_grants("ser_1", ["g1"])
        assert set(stores.service_accounts.find("ser_1").grants) == {"g2"}


class TestOrganizationsAtCronofy:
    SER = organization_at_cronofy()

    @pytest.fixture(autouse=True)
    def _connected(self, stores):
        assert stores.service_accounts.connect(self.SER) == "ser_1"

    def test_one_comes_back_as_it_was_stored(self, stores):
        assert stores.service_accounts.find("ser_1") == self.SER

    def test_it_is_connected_once_for_each_application_whatever_its_kind(self, stores):
        other_kind = self.SER.organization._replace(provider=ProviderName.MICROSOFT)
        assert stores.service_accounts.connect(replace(self.SER, sub="ser_2", organization=other_kind)) == "ser_1"

    def test_it_is_not_the_one_that_is_reached_directly(self, stores):
        direct = organization("ser_2", key=self.SER.organization.key)
        assert stores.service_accounts.connect(direct) == "ser_2"

    def test_who_else_has_it_is_known(self, stores):
        stores.service_accounts.connect(organization_at_cronofy("ser_2", client_id="other"))
        stores.service_accounts.connect(organization_at_cronofy("ser_3", key="ser_elsewhere"))
        assert sorted(stores.service_accounts.sharing(self.SER.organization)) == ["ser_1", "ser_2"]

    def test_its_credential_is_renewed_by_one_caller_at_a_time(self, stores):
        def leased(now: int, version: int = 0) -> bool:
            return stores.service_accounts.lease_refresh("ser_1", version=version, now=now, seconds=30)

        assert leased(NOW)
        assert not leased(NOW + 29)
        assert not leased(NOW + 30, version=7)
        assert leased(NOW + 30)
        assert stores.service_accounts.renew("ser_1", sealed=b"renewed", version=0)
        assert leased(NOW + 31, version=1)

    def test_it_goes_with_its_application(self, stores):
        stores.applications.create(Application("client-1", "App", ()))
        stores.applications.erase("client-1")
        assert stores.service_accounts.sharing(self.SER.organization) == []

    def test_its_mailbox_is_connected_with_a_credential_until_its_person_moves(self, stores):
        profile = replace(free_busy_profile(identity=ANA_AT_CRONOFY), service_account="ser_1")
        assert stores.accounts.create(account("acc_1", profile))

        def known() -> Profile:
            return stores.accounts.find("acc_1").profiles[0]

        assert known().service_account == "ser_1"
        credential = {"identity": ANA_AT_CRONOFY, "sealed": b"new", "expires_at": LATER}
        stores.accounts.connect("acc_1", "pro_1", **credential, service_account="ser_2")
        assert (known().service_account, known().sealed_credential) == ("ser_2", b"new")
        stores.accounts.connect("acc_1", "pro_1", **credential)
        assert known().service_account is None
        stores.accounts.connect("acc_1", "pro_1", **credential, service_account="ser_2")
        before = known()
        after = replace(before, identity=ANA, service_account=None)
        moved = replace(before, profile_id=f"pro_1{MOVED}")
        assert stores.accounts.move(stores.accounts.find("acc_1"), before, after, moved)
        assert known().service_account is None
        assert stores.accounts.find("acc_1").moved[0].service_account == "ser_2"


class TestGrants:
    @pytest.fixture(autouse=True)
    def _account(self, stores):
        grants = {name: Grant(name, "free_busy_write", NOW) for name in ("grant-0", "grant-1", "grant-2")}
        stores.accounts.create(account("acc_1")._replace(grants=grants))

    def grants(self, stores) -> set[str]:
        return set(stores.accounts.find("acc_1").grants)

    def test_one_grant_is_ended(self, stores):
        stores.accounts.revoke_grants("acc_1", ["grant-1"])
        assert self.grants(stores) == {"grant-0", "grant-2"}

    def test_several_grants_are_ended(self, stores):
        stores.accounts.revoke_grants("acc_1", ["grant-1", "grant-2", "grant-1"])
        assert self.grants(stores) == {"grant-0"}

    def test_all_grants_are_ended(self, stores):
        stores.accounts.revoke_grants("acc_1")
        assert self.grants(stores) == set()

    def test_ending_no_grants_ends_none(self, stores):
        stores.accounts.revoke_grants("acc_1", [])
        assert len(self.grants(stores)) == 3

    def test_a_grant_that_is_gone_already_is_no_error(self, stores):
        stores.accounts.revoke_grants("acc_1", ["grant-9", "grant-0"])
        assert self.grants(stores) == {"grant-1", "grant-2"}

    def test_grants_can_be_listed_again_after_all_were_ended(self, stores):
        stores.accounts.revoke_grants("acc_1")
        stores.tokens.save_code("code", code())
        assert stores.tokens.redeem_code("code", code=code(), grant=Grant("new", "s", NOW), tokens={}, now=NOW)
        assert self.grants(stores) == {"new"}


class TestCodes:
    @pytest.fixture(autouse=True)
    def _account(self, stores):
        stores.accounts.create(account("acc_1"))

    def redeem(self, stores, code_hash="code", now=NOW, grant_id="grant-1", **tokens):
        grant = Grant(grant_id, "free_busy_write", now)
        return stores.tokens.redeem_code(code_hash, code=code(), grant=grant, tokens=tokens, now=now)

    def test_a_code_is_found_as_it_was_saved_and_stays(self, stores):
        stores.tokens.save_code("code", code(code_challenge="challenge"))
        for _ in range(2):
            assert stores.tokens.find_code("code", NOW) == code(code_challenge="challenge")

    def test_a_code_keeps_the_profile_that_is_to_join(self, stores):
        joining = code(profile_id="pro_2", joining=free_busy_profile("pro_2", BEN))
        stores.tokens.save_code("hash", joining)
        assert stores.tokens.find_code("hash", NOW) == joining

    def test_a_code_keeps_that_it_connects_its_profile_again(self, stores):
        stores.tokens.save_code("hash", code(reconnecting=True))
        assert stores.tokens.find_code("hash", NOW) == code(reconnecting=True)

    def test_a_code_expires_whether_or_not_it_was_deleted(self, stores):
        stores.tokens.save_code("code", code())
        assert stores.tokens.find_code("code", LATER) is None
        assert not self.redeem(stores, now=LATER)
        assert stores.tokens.bought_with("code") is None

    def test_an_unknown_code_buys_nothing(self, stores):
        assert stores.tokens.find_code("code", NOW) is None
        assert not self.redeem(stores, access=token())
        assert stores.tokens.find("access", NOW) is None
        assert "grant-1" not in stores.accounts.find("acc_1").grants

    def test_a_code_buys_a_grant_and_its_tokens(self, stores):
        stores.tokens.save_code("code", code())
        access, refresh = token(TokenKind.ACCESS), token(TokenKind.REFRESH, expires_at=None)
        assert self.redeem(stores, access=access, refresh=refresh)
        assert stores.accounts.find("acc_1").grants["grant-1"] == Grant("grant-1", "free_busy_write", NOW)
        assert stores.tokens.find("access", NOW) == access
        assert stores.tokens.find("refresh", NOW) == refresh
        assert stores.tokens.find_code("code", NOW) is None

    def test_a_code_is_used_once_and_a_replay_finds_what_it_bought(self, stores):
        stores.tokens.save_code("code", code())
        assert stores.tokens.bought_with("code") is None
        assert self.redeem(stores)
        assert not self.redeem(stores, grant_id="grant-2", access=token())
        assert stores.tokens.find("access", NOW) is None
        assert stores.tokens.bought_with("code") == ("acc_1", "grant-1")

    def test_a_code_of_an_account_that_is_gone_buys_nothing(self, stores):
        orphan = code(sub="acc_2")
        stores.tokens.save_code("code", orphan)
        grant = Grant("grant-1", "free_busy_write", NOW)
        assert not stores.tokens.redeem_code("code", code=orphan, grant=grant, tokens={"access": token()}, now=NOW)
        assert stores.tokens.find("access", NOW) is None
        assert stores.accounts.find("acc_2") is None

    def test_an_account_keeps_its_newest_grants(self, stores):
        grants = {f"grant-{age}": Grant(f"grant-{age}", "s", NOW - age) for age in range(MOST_GRANTS)}
        stores.accounts.create(account("acc_3", free_busy_profile(identity=BEN))._replace(grants=grants))
        bought = code(sub="acc_3")
        stores.tokens.save_code("code", bought)
        newest = Grant("newest", "s", NOW + 1)
        assert stores.tokens.redeem_code("code", code=bought, grant=newest, tokens={}, now=NOW)
        assert set(stores.accounts.find("acc_3").grants) == grants.keys() - {f"grant-{MOST_GRANTS - 1}"} | {"newest"}


class TestTokens:
    @pytest.mark.parametrize(
        "record",
        [
            pytest.param(token(TokenKind.ACCESS), id="access token"),
            pytest.param(token(TokenKind.REFRESH, expires_at=None), id="refresh token that never expires"),
            pytest.param(TokenRecord(TokenKind.CLIENT_SECRET, "app"), id="client secret"),
            pytest.param(token(rotated_at=NOW), id="rotated refresh token"),
        ],
    )
    def test_a_token_is_found_as_it_was_saved(self, stores, record):
        stores.tokens.save("hash", record)
        assert stores.tokens.find("hash", NOW) == record

    def test_an_expired_token_is_not_found(self, stores):
        stores.tokens.save("hash", token())
        assert stores.tokens.find("hash", LATER - 1)
        assert stores.tokens.find("hash", LATER) is None

    def test_an_unknown_token_is_not_found(self, stores):
        assert stores.tokens.find("hash", NOW) is None

    def test_a_refresh_token_is_rotated_once(self, stores):
        stores.tokens.save("old", token())
        successor = token(expires_at=LATER + 99)
        assert stores.tokens.rotate("old", successor_hash="new", successor=successor, derived_with=3, now=NOW)
        assert stores.tokens.find("old", NOW) == token(rotated_at=NOW, derived_with=3)
        assert stores.tokens.find("new", NOW) == successor
        again = {"successor_hash": "newer", "successor": successor, "derived_with": 4}
        assert not stores.tokens.rotate("old", **again, now=NOW + 1)
        assert stores.tokens.find("newer", NOW) is None
        assert stores.tokens.find("old", NOW) == token(rotated_at=NOW, derived_with=3)

    def test_a_refresh_token_without_expiry_is_rotated_too(self, stores):
        stores.tokens.save("old", token(expires_at=None))
        assert stores.tokens.rotate("old", successor_hash="new", successor=token(), derived_with=1, now=NOW)

    @pytest.mark.parametrize("now", [pytest.param(NOW, id="unknown"), pytest.param(LATER, id="expired")])
    def test_a_refresh_token_that_is_not_there_is_not_rotated(self, stores, now):
        if now == LATER:
            stores.tokens.save("old", token())
        successor = token(expires_at=None)
        assert not stores.tokens.rotate("old", successor_hash="new", successor=successor, derived_with=1, now=now)
        assert stores.tokens.find("new", now) is None


class TestAuthorizationRequests:
    @pytest.mark.parametrize(
        "saved",
        [
            pytest.param(request(), id="everything"),
            pytest.param(
                request(
                    application_state=None,
                    code_challenge=None,
                    link_token_hash=None,
                    relink_sub=None,
                    relink_profile_id=None,
                ),
                id="what must be",
            ),
            pytest.param(request(application_state=""), id="an empty state is a state"),
        ],
    )
    def test_a_state_is_consumed_once(self, stores, saved):
        stores.tokens.save_authorization_request("state", saved)
        assert stores.tokens.consume_authorization_request("state", browser_hash="browser", now=NOW) == saved
        assert stores.tokens.consume_authorization_request("state", browser_hash="browser", now=NOW) is None

    def test_another_browser_neither_learns_of_a_state_nor_spends_it(self, stores):
        stores.tokens.save_authorization_request("state", request())
        assert stores.tokens.consume_authorization_request("state", browser_hash="other", now=NOW) is None
        assert stores.tokens.consume_authorization_request("state", browser_hash="browser", now=NOW) == request()

    def test_an_expired_state_is_not_found(self, stores):
        stores.tokens.save_authorization_request("state", request())
        assert stores.tokens.consume_authorization_request("state", browser_hash="browser", now=LATER) is None


class TestOrganizationTrips:
    TRIP = OrganizationTrip(a_request(), Leg.SIGN_IN, "browser", LATER, "handle")

    @pytest.mark.parametrize(
        "saved",
        [
            pytest.param(TRIP, id="everything"),
            pytest.param(
                TRIP._replace(
                    request=a_request(application_state=None, code_challenge=None), leg=Leg.CONSENT, handle=None
                ),
                id="what must be",
            ),
        ],
    )
    def test_a_state_is_consumed_once(self, stores, saved):
        stores.setups.save_trip("state", saved)
        assert stores.setups.consume_trip("state", browser_hash="browser", now=NOW) == saved
        assert stores.setups.consume_trip("state", browser_hash="browser", now=NOW) is None

    def test_another_browser_neither_learns_of_a_state_nor_spends_it(self, stores):
        stores.setups.save_trip("state", self.TRIP)
        assert stores.setups.consume_trip("state", browser_hash="other", now=NOW) is None
        assert stores.setups.consume_trip("state", browser_hash="browser", now=NOW) == self.TRIP

    def test_an_expired_state_is_not_found(self, stores):
        stores.setups.save_trip("state", self.TRIP)
        assert stores.setups.consume_trip("state", browser_hash="browser", now=LATER) is None

    def test_states_of_people_and_of_administrators_are_kept_apart(self, stores):
        stores.setups.save_trip("administrator", self.TRIP)
        stores.tokens.save_authorization_request("person", request())
        assert stores.tokens.consume_authorization_request("administrator", browser_hash="browser", now=NOW) is None
        assert stores.setups.consume_trip("person", browser_hash="browser", now=NOW) is None
        assert stores.setups.find("administrator", NOW) is None


class TestSetups:
    @pytest.fixture(autouse=True)
    def _setup(self, stores):
        stores.setups.save("handle", a_setup())

    @pytest.mark.parametrize(
        "saved",
        [
            pytest.param(a_setup(), id="everything"),
            pytest.param(
                a_setup(
                    request=a_request(application_state=None, provider=MAX.organization.provider, code_challenge=None),
                    administrator=MAX._replace(identity=replace(MAX.identity, name=None)),
                ),
                id="what must be",
            ),
        ],
    )
    def test_a_setup_comes_back_as_it_was_stored(self, stores, saved):
        stores.setups.save("handle", saved)
        assert stores.setups.find("handle", NOW) == saved

    def test_an_unknown_one_is_not_found(self, stores):
        assert stores.setups.find("another handle", NOW) is None

    def test_it_lasts_for_seven_days(self, stores):
        assert SETUP_LIFETIME == 7 * 86400
        assert stores.setups.find("handle", NOW + SETUP_LIFETIME - 1)
        late = NOW + SETUP_LIFETIME
        assert stores.setups.find("handle", late) is None
        assert not stores.setups.rebind("handle", browser_hash="other", now=late)
        assert not stores.setups.consume("handle", browser_hash="browser", now=late)

    def test_it_is_consumed_once_and_by_its_browser(self, stores):
        assert not stores.setups.consume("handle", browser_hash="other", now=NOW)
        assert stores.setups.consume("handle", browser_hash="browser", now=NOW)
        assert not stores.setups.consume("handle", browser_hash="browser", now=NOW)
        assert stores.setups.find("handle", NOW) is None

    def test_it_moves_to_another_browser(self, stores):
        assert stores.setups.rebind("handle", browser_hash="other", now=NOW)
        assert stores.setups.find("handle", NOW) == a_setup(browser_hash="other")
        assert not stores.setups.consume("handle", browser_hash="browser", now=NOW)
        assert stores.setups.consume("handle", browser_hash="other", now=NOW)

    def test_what_is_gone_is_not_made_by_moving_it(self, stores):
        stores.setups.consume("handle", browser_hash="browser", now=NOW)
        assert not stores.setups.rebind("handle", browser_hash="other", now=NOW)
        assert stores.setups.find("handle", NOW) is None


class TestLinkTokens:
    @pytest.fixture(autouse=True)
    def _link_token(self, stores):
        stores.tokens.save_link_token("link", client_id="app", sub="acc_1", expires_at=LATER)

    def test_a_link_token_is_consumed_once(self, stores):
        assert stores.tokens.find_link_token("link", client_id="app", now=NOW) == "acc_1"
        assert stores.tokens.consume_link_token("link", client_id="app", now=NOW) == "acc_1"
        assert stores.tokens.find_link_token("link", client_id="app", now=NOW) is None
        assert stores.tokens.consume_link_token("link", client_id="app", now=NOW) is None

    def test_another_application_neither_finds_nor_spends_it(self, stores):
        assert stores.tokens.find_link_token("link", client_id="other", now=NOW) is None
        assert stores.tokens.consume_link_token("link", client_id="other", now=NOW) is None
        assert stores.tokens.consume_link_token("link", client_id="app", now=NOW) == "acc_1"

    def test_an_expired_link_token_is_not_found(self, stores):
        assert stores.tokens.find_link_token("link", client_id="app", now=LATER) is None
        assert stores.tokens.consume_link_token("link", client_id="app", now=LATER) is None


class TestPages:
    @pytest.fixture(autouse=True)
    def _pages(self, stores):
        self.pages = {f"page-{number}": f"page {number} ⏰".encode() * 100 for number in range(60)}
        stores.pages.save(self.pages, sub="acc_1", client_id="app", expires_at=LATER)

    def test_pages_are_found_as_they_were_saved_as_often_as_asked(self, stores):
        for token_hash, page in (*self.pages.items(), *self.pages.items()):
            assert stores.pages.find(token_hash, sub="acc_1", now=NOW) == page

    @pytest.mark.parametrize(
        ("token_hash", "sub", "now"),
        [
            pytest.param("page-60", "acc_1", NOW, id="unknown"),
            pytest.param("page-1", "acc_2", NOW, id="somebody else's"),
            pytest.param("page-1", "acc_1", LATER, id="expired"),
        ],
    )
    def test_other_pages_are_not_found(self, stores, token_hash, sub, now):
        assert stores.pages.find(token_hash, sub=sub, now=now) is None

    def test_no_pages_may_be_saved(self, stores):
        stores.pages.save({}, sub="acc_1", client_id="app", expires_at=LATER)


def access_request(request_id: str = "req_1", **changes: Any) -> AccessRequest:
    usual = AccessRequest(
        request_id=request_id,
        client_id="app",
        service_account="ser_1",
        email="Ana.Lee@example.com",
        callback_url="https://app.example/hook?a=1&b=%20",
        scope="free_busy_write",
        state='{"job": 17} ⏰\n\x00',
        requested_at=NOW,
    )
    return replace(usual, **changes)


class TestAccessRequests:
    @pytest.mark.parametrize("state", [access_request().state, "", None])
    def test_a_request_comes_back_as_it_was_stored(self, stores, state):
        stores.access_requests.save([access_request(state=state)])
        assert stores.access_requests.find("req_1", NOW) == access_request(state=state)

    def test_as_many_as_can_be_asked_for_at_once_are_stored_together(self, stores):
        longest = {"state": "é" * 4096, "callback_url": f"https://app.example/{'a' * 1980}"}
        requests = [access_request(f"req_{number}", **longest) for number in range(MOST_AT_ONCE)]
        stores.access_requests.save(requests)
        assert [stores.access_requests.find(each.request_id, NOW) for each in requests] == requests

    def test_what_has_expired_is_not_found(self, stores):
        stores.access_requests.save([access_request()])
        assert stores.access_requests.find("req_1", NOW + LIFETIME - 1)
        assert stores.access_requests.find("req_1", NOW + LIFETIME) is None

    @pytest.mark.parametrize("request_id", ["req_2", "", "x" * 3000, "☃", "\ud800"])
    def test_what_was_never_stored_is_not_found(self, stores, request_id):
        stores.access_requests.save([access_request()])
        assert stores.access_requests.find(request_id, NOW) is None

    def test_the_first_failure_is_kept_until_it_is_over(self, stores):
        stores.access_requests.save([access_request()])
        for since in (NOW + 1, NOW + 2):
            stores.access_requests.mark_failing("req_1", since)
            assert stores.access_requests.find("req_1", NOW) == access_request(failing_since=NOW + 1)
        for _ in range(2):
            stores.access_requests.mark_failing("req_1", None)
            assert stores.access_requests.find("req_1", NOW) == access_request()

    @pytest.mark.parametrize("since", [NOW, None])
    def test_what_is_gone_is_not_made_by_marking_it(self, stores, since):
        stores.access_requests.mark_failing("req_1", since)
        assert stores.access_requests.find("req_1", NOW) is None

    def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, stores):
        stores.access_requests.save([access_request("req_1"), access_request("req_2")])
        for _ in range(2):
            stores.access_requests.delete("req_1")
        assert stores.access_requests.find("req_1", NOW) is None
        assert stores.access_requests.find("req_2", NOW)


class TestApplications:
    @pytest.mark.parametrize(
        "registered",
        [
            pytest.param(application(), id="confidential"),
            pytest.param(application(public=True, secrets=(), origins=("https://app.example",)), id="public"),
            pytest.param(application(upstream=Upstream.CRONOFY), id="with an upstream of its own"),
            pytest.param(application(requests_per_minute=0), id="with a limit of its own, which is none"),
            pytest.param(application(secrets=(OLD_SECRET,)), id="with a secret that cannot sign"),
        ],
    )
    def test_an_application_comes_back_as_it_was_registered(self, stores, registered):
        stores.applications.create(registered)
        assert stores.applications.find("app") == registered

    @pytest.mark.parametrize("client_id", ["", "other", "x" * 3000, "☃", "\ud800"])
    def test_an_unknown_client_id_is_not_found(self, stores, client_id):
        stores.applications.create(application())
        assert stores.applications.find(client_id) is None

    def test_an_application_looks_as_it_was_last_said(self, stores):
        stores.applications.create(application())
        assert stores.applications.appearance("app") == Appearance()
        stores.applications.show_as("app", Appearance("https://app.example", b"a picture"))
        assert stores.applications.appearance("app") == Appearance("https://app.example", b"a picture")
        stores.applications.show_as("app", Appearance())
        assert stores.applications.appearance("app") == Appearance()
        assert stores.applications.appearance("x" * 3000) == Appearance()

    def test_applications_are_listed_by_name(self, stores):
        stores.applications.create(application("app"))
        stores.applications.create(application("other", name="Planner"))
        assert stores.applications.names() == {"app": "Scheduler", "other": "Planner"}

    def test_a_client_secret_is_found_as_a_token_is(self, stores):
        stores.applications.create(application())
        assert stores.tokens.find("app-secret-1", NOW) == TokenRecord(TokenKind.CLIENT_SECRET, "app")

    def test_an_origin_leads_to_the_applications_that_list_it(self, stores):
        stores.applications.create(application("app", origins=("https://a.example", "https://b.example")))
        stores.applications.create(application("other", origins=("https://b.example",)))
        assert stores.applications.with_origin("https://a.example") == {"app"}
        assert stores.applications.with_origin("https://b.example") == {"app", "other"}
        assert stores.applications.with_origin("https://c.example") == frozenset()
        assert stores.applications.with_origin("https://☃.example") == frozenset()
        assert stores.applications.with_origin("https://" + "c" * 3000) == frozenset()

    def test_a_change_replaces_everything_that_hangs_on_the_application(self, stores):
        before = application(origins=("https://a.example", "https://b.example"))
        after = before._replace(
            name="Planner",
            redirect_uris=("https://new.example/cb",),
            origins=("https://b.example", "https://c.example"),
            secrets=(ClientSecret("app-secret-2", "fbc_cs_two", LATER, b"sealed"),),
        )
        stores.applications.create(before)
        assert stores.applications.change(before, after)
        assert stores.applications.find("app") == after
        assert stores.applications.names() == {"app": "Planner"}
        assert stores.tokens.find("app-secret-1", NOW) is None
        assert stores.tokens.find("app-secret-2", NOW) == TokenRecord(TokenKind.CLIENT_SECRET, "app")
        listed = {host: stores.applications.with_origin(f"https://{host}.example") for host in "abc"}
        assert listed == {"a": frozenset(), "b": {"app"}, "c": {"app"}}

    def test_an_upstream_is_chosen_changed_and_left_to_the_deployment_again(self, stores):
        before = application()
        stores.applications.create(before)
        for upstream in (Upstream.CRONOFY, Upstream.DIRECT, None):
            after = before._replace(upstream=upstream)
            assert stores.applications.change(before, after)
            assert stores.applications.find("app") == after
            before = after

    def test_a_limit_is_set_lifted_and_left_to_the_deployment_again(self, stores):
        before = application()
        stores.applications.create(before)
        for limit in (500, 0, None):
            after = before._replace(requests_per_minute=limit)
            assert stores.applications.change(before, after)
            assert stores.applications.find("app") == after
            before = after

    def test_the_accounts_of_an_application_are_its_own_and_no_organizations(self, stores):
        stores.applications.create(application())
        stores.accounts.create(account("acc_1"))
        stores.accounts.create(account("acc_2", free_busy_profile(identity=BEN)))
        stores.accounts.create(account("acc_3", client_id="other"))
        stores.service_accounts.connect(organization("ser_1", client_id="app"))
        assert sorted(stores.applications.accounts_of("app")) == ["acc_1", "acc_2"]
        assert stores.applications.accounts_of("☃") == []
        assert stores.applications.service_accounts_of("app") == ["ser_1"]
        assert stores.applications.service_accounts_of("☃") == []

    def test_a_secret_that_can_sign_is_added_beside_one_that_cannot(self, stores):
        before = application(secrets=(OLD_SECRET,))
        after = before._replace(secrets=(OLD_SECRET, ClientSecret("app-secret-2", "fbc_cs_two", LATER, b"sealed")))
        stores.applications.create(before)
        assert stores.applications.change(before, after)
        assert stores.applications.find("app") == after

    @pytest.mark.parametrize(
        "meanwhile",
        [
            pytest.param({"name": "Planner"}, id="renamed"),
            pytest.param({"upstream": Upstream.CRONOFY}, id="another upstream"),
            pytest.param({"redirect_uris": ("https://app.example/other", "https://app.example/cb")}, id="reordered"),
            pytest.param({"origins": ("https://a.example",)}, id="another origin"),
            pytest.param({"secrets": ()}, id="a secret revoked"),
        ],
    )
    def test_a_change_of_what_has_changed_meanwhile_is_not_made(self, stores, meanwhile):
        before = application()
        changed = before._replace(**meanwhile)
        stores.applications.create(before)
        assert stores.applications.change(before, changed)
        assert not stores.applications.change(before, before._replace(name="Late"))
        assert stores.applications.find("app") == changed

    def test_a_change_of_what_is_gone_makes_nothing(self, stores):
        assert not stores.applications.change(application(), application(name="Late"))
        assert stores.applications.find("app") is None
        assert stores.applications.names() == {}


class TestPermits:
    def take(self, stores, window=30_000_000, *, client_id="app", wanted=4):
        return stores.permits.take(client_id, window, wanted=wanted, limit=10, expires_at=LATER)

    def test_are_counted_and_past_the_limit_there_are_no_more(self, stores):
        assert [self.take(stores) for _ in range(5)] == [4, 8, 12, None, None]

    def test_of_one_window_have_nothing_to_do_with_those_of_another(self, stores):
        assert [self.take(stores, window, wanted=10) for window in (1, 2, 1)] == [10, 10, None]

    def test_of_one_application_have_nothing_to_do_with_those_of_another(self, stores):
        assert [self.take(stores, client_id=each, wanted=10) for each in ("app", "other", "app")] == [10, 10, None]


def keyed(**changed: str) -> KeyedRequest:
    usual = KeyedRequest("app", "acc_1", "key", "POST", "/v1/batch", '{"batch": []}')
    return replace(usual, **changed)


class TestKeptAnswers:
    ANSWERED = Answered(207, '{"batch": [{"status": 202}, "☃"]}')

    def begin(self, stores, now=NOW, **changed):
        return stores.answers.begin(keyed(**changed), now=now, expires_at=now + 30)

    def test_one_caller_may_carry_a_request_out(self, stores):
        assert [self.begin(stores), self.begin(stores)] == [True, False]
        assert stores.answers.first(keyed()) == FirstRequest(keyed().fingerprint, None)

    def test_its_answer_is_kept(self, stores):
        self.begin(stores)
        stores.answers.finish(keyed(), self.ANSWERED, expires_at=LATER)
        assert not self.begin(stores, LATER - 1)
        assert stores.answers.first(keyed(body="other")) == FirstRequest(keyed().fingerprint, self.ANSWERED)

    @pytest.mark.parametrize(
        ("answered", "expires_at"),
        [
            pytest.param(ANSWERED, LATER, id="the answer has expired"),
            pytest.param(None, NOW, id="it failed"),
        ],
    )
    def test_a_key_is_free_again(self, stores, answered, expires_at):
        self.begin(stores)
        stores.answers.finish(keyed(), answered, expires_at=expires_at)
        assert self.begin(stores, expires_at, body="other")
        assert stores.answers.first(keyed()) == FirstRequest(keyed(body="other").fingerprint, None)

    def test_a_key_is_free_again_when_nobody_can_be_at_it_any_more(self, stores):
        self.begin(stores)
        assert not self.begin(stores, NOW + 29)
        assert self.begin(stores, NOW + 30)

    @pytest.mark.parametrize("changed", [{"client_id": "other"}, {"sub": "acc_2"}, {"key": "other"}])
    def test_keys_are_those_of_one_holder(self, stores, changed):
        self.begin(stores)
        assert stores.answers.first(keyed(**changed)) is None
        assert self.begin(stores, **changed)

    def test_what_is_gone_is_not_made_again(self, stores):
        stores.answers.finish(keyed(), self.ANSWERED, expires_at=LATER)
        assert stores.answers.first(keyed()) is None


class TestErasure:
    @pytest.fixture(autouse=True)
    def _two_applications_in_use(self, stores):
        for client_id in ("app", "other"):
            stores.applications.create(application(client_id, origins=("https://app.example",)))
            identity = replace(ANA, subject=f"{client_id}-ana")
            stores.accounts.create(
                account(f"{client_id}-acc", free_busy_profile(identity=identity), client_id=client_id)
            )
            stores.service_accounts.connect(organization(f"ser_{client_id}", client_id=client_id))
            stores.tokens.save_authorization_request(f"{client_id}-state", request(client_id=client_id))
            wanted = a_request(client_id=client_id)
            stores.setups.save_trip(f"{client_id}-state", OrganizationTrip(wanted, Leg.CONSENT, "browser", LATER))
            stores.setups.save(f"{client_id}-handle", a_setup(request=wanted))
            stores.tokens.save_code(f"{client_id}-code", code(client_id=client_id))
            stores.applications.show_as(client_id, Appearance("https://app.example"))
            spent = code(client_id=client_id, sub=f"{client_id}-acc")
            stores.tokens.save_code(f"{client_id}-spent", spent)
            stores.tokens.redeem_code(
                f"{client_id}-spent",
                code=spent,
                grant=Grant("grant-1", "free_busy_write", NOW),
                tokens={f"{client_id}-token": token(client_id=client_id)},
                now=NOW,
            )
            stores.tokens.save_link_token(f"{client_id}-link", client_id=client_id, sub="acc", expires_at=LATER)
            pages = {f"{client_id}-page-{number}": b"page" for number in range(60)}
            stores.pages.save(pages, sub="acc", client_id=client_id, expires_at=LATER)
            stores.access_requests.save([access_request(f"{client_id}-req", client_id=client_id)])
            stores.permits.take(client_id, 1, wanted=1, limit=1, expires_at=LATER)
            stores.answers.begin(keyed(client_id=client_id), now=NOW, expires_at=LATER)

    def traces(self, stores, client_id) -> list[bool]:
        return [
            stores.applications.find(client_id) is not None,
            stores.applications.appearance(client_id) != Appearance(),
            client_id in stores.applications.names(),
            client_id in stores.applications.with_origin("https://app.example"),
            stores.accounts.find(f"{client_id}-acc") is not None,
            stores.accounts.sub_of(client_id, replace(ANA, subject=f"{client_id}-ana")) is not None,
            stores.service_accounts.find(f"ser_{client_id}") is not None,
            stores.tokens.find(f"{client_id}-secret-1", NOW) is not None,
            stores.tokens.find(f"{client_id}-token", NOW) is not None,
            stores.tokens.find_code(f"{client_id}-code", NOW) is not None,
            stores.tokens.bought_with(f"{client_id}-spent") is not None,
            stores.tokens.find_link_token(f"{client_id}-link", client_id=client_id, now=NOW) is not None,
            stores.pages.find(f"{client_id}-page-59", sub="acc", now=NOW) is not None,
            stores.access_requests.find(f"{client_id}-req", NOW) is not None,
            stores.tokens.consume_authorization_request(f"{client_id}-state", browser_hash="browser", now=NOW)
            is not None,
            stores.setups.consume_trip(f"{client_id}-state", browser_hash="browser", now=NOW) is not None,
            stores.setups.find(f"{client_id}-handle", NOW) is not None,
            stores.permits.take(client_id, 1, wanted=1, limit=1, expires_at=LATER) is None,
            stores.answers.first(keyed(client_id=client_id)) is not None,
        ]

    def test_an_erased_application_leaves_no_trace_and_spares_the_others(self, stores):
        there = stores.applications.count("app")
        assert min(there["account"], there["app"]) > 0
        assert stores.applications.erase("app") > 60
        assert stores.applications.count("app") == {}
        assert not any(self.traces(stores, "app"))
        assert all(self.traces(stores, "other"))

    def test_one_that_is_locked_out_is_unknown_and_its_people_are_there(self, stores):
        assert stores.applications.lock_out("app") > 0
        assert stores.applications.find("app") is None
        assert stores.tokens.find("app-secret-1", NOW) is None
        assert sum(self.traces(stores, "app")) > 10
        assert stores.applications.lock_out("app") == 0
        assert stores.applications.erase("app") > 50
        assert not any(self.traces(stores, "app"))

    def test_an_application_that_is_gone_is_erased_to_no_effect(self, stores):
        stores.applications.erase("app")
        assert stores.applications.erase("app") == 0
        assert stores.applications.erase("x" * 3000) == 0
        assert stores.applications.count("x" * 3000) == stores.applications.count("") == {}
        assert all(self.traces(stores, "other"))


class TestAnswersOfCronofy:
    GRANTED = Granted("acc_1", "pro_1", reconnecting=True)

    @pytest.fixture(autouse=True)
    def _asked(self, stores):
        stores.access_requests.save([access_request(public_url="https://calendar.example.com")])
        stores.access_requests.expect_answer("handle", access_request(), until=LATER)

    def test_the_handle_leads_to_the_request_once(self, stores):
        assert stores.access_requests.take_answer("handle", NOW) == "req_1"
        assert stores.access_requests.take_answer("handle", NOW) is None

    def test_only_until_its_time_is_over(self, stores):
        assert stores.access_requests.take_answer("handle", LATER) is None
        assert stores.access_requests.take_answer("handle", LATER - 1) == "req_1"

    def test_no_other_handle_does(self, stores):
        assert stores.access_requests.take_answer("another", NOW) is None

    def test_when_it_was_asked_is_known_until_it_has_to_be_asked_again(self, stores):
        for asked_at in (NOW, 0):
            stores.access_requests.mark_asked("req_1", asked_at)
            assert stores.access_requests.find("req_1", NOW).asked_at == asked_at

    @pytest.mark.parametrize("outcome", [{"granted": GRANTED}, {"refused": "mailbox_unknown"}])
    def test_the_first_outcome_counts(self, stores, outcome):
        stores.access_requests.settle("req_1", **outcome)
        settled = stores.access_requests.find("req_1", NOW)
        assert settled == access_request(public_url="https://calendar.example.com", **outcome)
        stores.access_requests.settle("req_1", granted=Granted("acc_2", "pro_2", reconnecting=False))
        stores.access_requests.settle("req_1", refused="calendar_unreadable")
        stores.access_requests.mark_asked("req_1", 0)
        assert stores.access_requests.find("req_1", NOW) == settled

    def test_what_is_gone_is_not_made_by_an_answer(self, stores):
        stores.access_requests.delete("req_1")
        stores.access_requests.mark_asked("req_1", NOW)
        stores.access_requests.settle("req_1", refused="mailbox_unknown")
        assert stores.access_requests.find("req_1", NOW) is None

    def test_they_go_with_their_application(self, stores):
        stores.applications.create(application())
        stores.applications.erase("app")
        assert stores.access_requests.take_answer("handle", NOW) is None
