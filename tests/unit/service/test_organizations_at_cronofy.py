"""An administrator's way through Cronofy, and what their organization is to us after that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.account import Disconnected, Upstream
from freebusy.domain.authorization import AUTHORIZATION_REQUEST_LIFETIME
from freebusy.domain.errors import (
    AuthorizationRefused,
    ConsentIncomplete,
    CredentialRevoked,
    DelegationMissing,
    IdentityRejected,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.organization_setup import SETUP_LIFETIME
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES, Resource
from freebusy.service.resources import list_resources
from freebusy.service.trips import Return
from freebusy.service.upstream_authorization import end_organization_upstream
from freebusy.service.upstream_organizations import OrganizationsAtCronofy
from tests.administrators import Office
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.vaults import FakeVault
from tests.organizations import FakeUpstreamOrganizations
from tests.people import organization_at_cronofy
from tests.trips import APP, PUBLIC_URL, REDIRECT_URI, brought
from tests.unit.service.test_upstream_authorization import FakeCronofy

CALLBACK = f"{PUBLIC_URL}/enterprise_connect/callback/cronofy"


@pytest.fixture
def office() -> Office:
    return Office(upstream=Upstream.CRONOFY)


def told(outcome) -> dict[str, str]:
    assert isinstance(outcome, Return), outcome
    assert outcome.location.startswith(f"{REDIRECT_URI}?")
    return brought(outcome.location)


def agree(office, departure, **more):
    answer = office.cronofy.agree(departure.location)
    return office.come_back(departure, answer, callback="cronofy", **more)


class TestTheWayThere:
    def test_leads_to_cronofy_with_what_the_service_account_may_do(self, office):
        departure = office.depart(scope=f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}")
        assert departure.location.startswith("https://cronofy.test/enterprise?")
        asked = brought(departure.location)
        assert asked["redirect_uri"] == CALLBACK
        assert asked["scope"] == f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"
        assert "s t&te" not in departure.location

    @pytest.mark.parametrize(
        ("named", "passed_on"),
        [("google_free_busy", "google_free_busy"), ("ms_graph_free_busy", "ms_graph_free_busy"), (None, "None")],
    )
    def test_needs_no_page_of_ours_and_passes_on_whose_calendars_they_are(self, office, named, passed_on):
        assert brought(office.depart(provider_name=named).location)["kind"] == passed_on

    @pytest.mark.parametrize(
        ("deployments", "applications", "host"),
        [
            (Upstream.CRONOFY, Upstream.DIRECT, "google.test"),
            (Upstream.DIRECT, Upstream.CRONOFY, "cronofy.test"),
            (Upstream.DIRECT, None, "google.test"),
        ],
    )
    def test_is_the_applications_own_choice(self, deployments, applications, host):
        office = Office(upstream=deployments)
        known = FakeApplications(APP._replace(upstream=applications))
        office.trips = replace(office.trips, applications=known)
        assert office.depart().location.startswith(f"https://{host}/")

    def test_may_take_as_long_as_a_setup(self, office):
        departure = office.depart()
        assert departure.lifetime == SETUP_LIFETIME > AUTHORIZATION_REQUEST_LIFETIME
        office.clock.advance(SETUP_LIFETIME - 1)
        assert "code" in told(agree(office, departure))

    def test_is_closed_where_cronofy_is_not_offered(self):
        office = Office(upstream=Upstream.CRONOFY, offers_cronofy=False)
        assert told(office.begin())["error"] == "temporarily_unavailable"

    def test_trouble_of_ours_is_told_without_details(self, office):
        office.cronofy.trouble = ProviderMisconfigured("the secret")
        answer = told(office.begin())
        assert answer["error"] == "server_error"
        assert "secret" not in answer["error_description"]


class TestTheWayBack:
    def test_ends_in_a_service_account(self, office):
        code = told(agree(office, office.depart()))["code"]
        service_account = office.service_account(office.redeem(code).sub)
        assert service_account.organization.at_cronofy
        assert service_account.organization.key == "ser_there"
        assert service_account.administrator.email == "admin@example.com"
        assert service_account.delegated_scope == "free_busy_write"
        credential = FakeVault().unseal(
            service_account.sealed_credential, client_id="app", profile_id=service_account.sub
        )
        assert credential.access_token == "service token 0"

    def test_is_to_the_same_service_account_whenever_it_is_connected_again(self, office):
        first = office.sub_of(told(agree(office, office.depart()))["code"])
        office.accounts.service_accounts.disconnect(first, because=Disconnected.REVOKED, now=NOW)
        again = office.sub_of(told(agree(office, office.depart()))["code"])
        assert again == first
        assert office.service_account(first).connected

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [
            pytest.param(ConsentIncomplete("scope"), "access_denied", id="less was granted"),
            pytest.param(IdentityRejected("nobody"), "access_denied", id="tokens of no service account"),
            pytest.param(CredentialRevoked("code"), "server_error", id="a code that Cronofy does not know"),
            pytest.param(ProviderUnavailable("503"), "temporarily_unavailable", id="down"),
            pytest.param(ProviderMisconfigured("secret"), "server_error", id="a wrong secret"),
        ],
    )
    def test_with_trouble_connects_nothing(self, office, trouble, error):
        departure = office.depart()
        answer = office.cronofy.agree(departure.location)
        office.cronofy.trouble = trouble
        assert told(office.come_back(departure, answer, callback="cronofy"))["error"] == error
        assert not office.accounts.service_accounts._kept

    def test_with_a_refusal_connects_nothing(self, office):
        departure = office.depart()
        refused = {"error": "access_denied", "state": brought(departure.location)["state"]}
        answer = told(office.come_back(departure, refused, callback="cronofy"))
        assert (answer["error"], answer["state"]) == ("access_denied", "s t&te")

    def test_works_once(self, office):
        departure = office.depart()
        answer = office.cronofy.agree(departure.location)
        office.come_back(departure, answer, callback="cronofy")
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(departure, answer, callback="cronofy")

    @pytest.mark.parametrize("secret", [None, "another browser's"])
    def test_is_the_same_browsers_alone(self, office, secret):
        departure = office.depart()
        with pytest.raises(AuthorizationRefused):
            agree(office, departure, browser_secret=secret)
        assert "code" in told(agree(office, departure))

    @pytest.mark.parametrize("callback", ["google", "microsoft"])
    def test_is_not_by_another_providers_callback(self, office, callback):
        departure = office.depart()
        answer = office.cronofy.agree(departure.location)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(departure, answer, callback=callback)

    def test_a_direct_trip_does_not_end_here(self):
        office = Office()
        departure = office.depart()
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(
                departure, {"code": "c", "state": brought(departure.location)["state"]}, callback="cronofy"
            )


class TestRooms:
    @pytest.fixture
    def cronofy(self) -> FakeUpstreamOrganizations:
        return FakeUpstreamOrganizations(rooms=[Resource("room@example.com", "Room")])

    def listed(self, cronofy, service_account=None):
        accounts = FakeAccounts().service_accounts
        service_account = service_account or organization_at_cronofy()
        accounts.connect(service_account)
        at_cronofy = OrganizationsAtCronofy(accounts, cronofy, FakeVault(), FakeClock())
        return list_resources(service_account, calendars={}, upstream=lambda: at_cronofy)

    def test_are_those_that_cronofy_lists(self, cronofy):
        assert self.listed(cronofy) == [Resource("room@example.com", "Room")]

    def test_are_told_to_be_missing_once_the_service_account_is_dead_there(self, cronofy):
        cronofy.trouble = CredentialRevoked("invalid_grant")
        with pytest.raises(DelegationMissing):
            self.listed(cronofy, organization_at_cronofy(expires_at=NOW))


class TestRevoking:
    def ended(self, *others) -> list[str]:
        service_accounts, cronofy = FakeAccounts().service_accounts, FakeCronofy()
        own = organization_at_cronofy()
        for each in (own, *others):
            service_accounts.put(each)
        service_accounts.disconnect(own.sub, because=Disconnected.REVOKED, now=NOW)
        end_organization_upstream(own, service_accounts=service_accounts, vault=FakeVault(), cronofy=cronofy)
        return cronofy.revoked

    def test_ends_the_authorization_there(self):
        assert self.ended() == ["refresh token of ser_1"]

    def test_but_not_while_another_application_has_the_organization_too(self):
        other = organization_at_cronofy("ser_2", client_id="client-2")
        assert self.ended(other) == []
        assert self.ended(replace(other, disconnected=Disconnected.REVOKED)) == ["refresh token of ser_1"]

    def test_another_organization_is_no_reason_to_keep_it(self):
        assert self.ended(organization_at_cronofy("ser_2", key="ser_elsewhere")) == ["refresh token of ser_1"]
