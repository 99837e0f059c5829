from dataclasses import replace

import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.authorization import AUTHORIZATION_REQUEST_LIFETIME
from freebusy.domain.errors import (
    AuthorizationRefused,
    CredentialRevoked,
    IdentityRejected,
    NotAnAdministrator,
    NotFound,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.identifiers import hashed
from freebusy.domain.organization_setup import SETUP_LIFETIME
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES
from freebusy.service.organization_setups import Locked, Progress
from freebusy.service.organization_trips import OrganizationChoice
from freebusy.service.trips import Departure, Return
from tests.administrators import ADA, EMPLOYEE, MAX, STRANGER, Office, Tab
from tests.fakes.setups import FakeSetups
from tests.trips import ANA, CHALLENGE, PUBLIC_URL, REDIRECT_URI, World, brought

AT_MICROSOFT = {"provider_name": "ms_graph_free_busy"}


@pytest.fixture
def office():
    return Office()


def told(outcome):
    """What the application is told."""
    assert isinstance(outcome, Return), outcome
    assert outcome.location.startswith(f"{REDIRECT_URI}?")
    return brought(outcome.location)


class TestSettingOut:
    def test_at_google_the_administrator_signs_in(self, office):
        departure = office.depart()
        assert departure.location.startswith("https://google.test/sign-in?")
        assert brought(departure.location)["redirect_uri"] == f"{PUBLIC_URL}/enterprise_connect/callback/google"

    def test_at_microsoft_they_agree_for_the_organization_first(self, office):
        departure = office.depart(**AT_MICROSOFT)
        assert departure.location.startswith("https://microsoft.test/adminconsent?")
        assert brought(departure.location)["redirect_uri"] == f"{PUBLIC_URL}/enterprise_connect/callback/microsoft"

    def test_unless_they_narrowed_access_in_exchange_before(self, office):
        """Consent would open every mailbox again."""
        assert office.depart(**AT_MICROSOFT, narrowed="true").location.startswith("https://microsoft.test/sign-in?")

    @pytest.mark.parametrize("unnamed", ["", None])
    def test_without_a_provider_the_administrator_chooses(self, office, unnamed):
        choice = office.begin(provider_name=unnamed)
        assert isinstance(choice, OrganizationChoice)
        assert (choice.application.name, choice.resources) == ("Scheduler", False)
        assert list(choice.delegations) == [ProviderName.GOOGLE, ProviderName.MICROSOFT]

    def test_who_chooses_is_told_when_rooms_are_asked_for(self, office):
        assert office.begin(provider_name=None, scope=f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}").resources

    def test_a_provider_without_a_registration_cannot_be_chosen(self, office):
        office.workspaces.delegation_trouble = ProviderMisconfigured("no key file")
        assert list(office.begin(provider_name=None).delegations) == [ProviderName.MICROSOFT]
        office.tenants.delegation_trouble = ProviderUnavailable()
        assert told(office.begin(provider_name=None))["error"] == "temporarily_unavailable"

    def test_each_leg_has_secrets_of_its_own(self, office):
        one, two = office.depart(), office.depart()
        assert (one.browser_secret, one.trip) != (two.browser_secret, two.trip)
        for name in ("state", "nonce", "code_challenge"):
            assert brought(one.location)[name] != brought(two.location)[name]

    def test_what_the_browser_keeps_is_neither_sent_on_nor_stored(self, office):
        departure = office.depart()
        assert departure.browser_secret not in departure.location
        ((state_hash, stored),) = office.setups._trips.items()
        assert departure.browser_secret not in repr(stored)
        assert stored.browser_hash == hashed(departure.browser_secret)
        assert state_hash == hashed(brought(departure.location)["state"])

    @pytest.mark.parametrize(
        "ignored",
        [{"avoid_linking": "True"}, {"link_token": "unknown"}, {"locale": "de"}],
        ids=str,
    )
    def test_what_does_not_concern_us_changes_nothing(self, office, ignored):
        assert isinstance(office.begin(**ignored), Departure)


class TestRequestsThatMustNotRedirect:
    @pytest.mark.parametrize("client_id", ["unknown", "", None])
    def test_an_unknown_application_is_never_redirected_to(self, office, client_id):
        with pytest.raises(AuthorizationRefused, match="unknown_application"):
            office.begin(client_id=client_id)

    @pytest.mark.parametrize("uri", [None, "", "https://evil.example/callback", f"{REDIRECT_URI}/"])
    def test_nor_an_unregistered_redirect_uri(self, office, uri):
        with pytest.raises(AuthorizationRefused, match="unregistered_redirect_uri"):
            office.begin(redirect_uri=uri, scope="nonsense")


class TestRequestsThatAreRefusedByRedirect:
    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            pytest.param({"response_type": None}, "invalid_request", id="no response_type"),
            pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit grant"),
            pytest.param({"state": "x" * 4097}, "invalid_request", id="long state"),
            pytest.param({"scope": None}, "invalid_scope", id="no scope"),
            pytest.param({"scope": MANAGE_RESOURCES}, "invalid_scope", id="rooms alone"),
            pytest.param({"scope": "free_busy_write"}, "invalid_scope", id="a person's scope"),
            pytest.param({"scope": f"{MANAGE_ACCOUNTS} free_busy_write"}, "invalid_scope", id="and a person's scope"),
            pytest.param({"delegated_scope": None}, "invalid_scope", id="no delegated scope"),
            pytest.param({"delegated_scope": "read_account"}, "invalid_scope", id="delegated scope without free/busy"),
            pytest.param({"delegated_scope": "nonsense"}, "invalid_scope", id="unknown delegated scope"),
            pytest.param({"delegated_scope": MANAGE_ACCOUNTS}, "invalid_scope", id="scopes of two kinds mixed up"),
            pytest.param({"code_challenge": CHALLENGE}, "invalid_request", id="challenge without method is plain"),
            pytest.param({"code_challenge_method": "S256"}, "invalid_request", id="method without challenge"),
            pytest.param({"provider_name": "google"}, "invalid_request", id="full-access provider"),
            pytest.param({"provider_name": "cronofy"}, "invalid_request", id="the managed calendar is no provider"),
        ],
    )
    def test_the_application_is_told(self, office, changed, error):
        answer = told(office.begin(**changed))
        assert answer["error"] == error
        assert answer["error_description"]
        assert answer["state"] == changed.get("state", "s t&te")
        assert answer["iss"] == PUBLIC_URL
        assert not office.setups._trips

    def test_a_scope_that_is_missing_is_called_by_its_name(self, office):
        assert "delegated_scope is required" in told(office.begin(delegated_scope=None))["error_description"]

    def test_before_the_administrator_is_asked(self, office):
        assert told(office.begin(provider_name=None, delegated_scope="nonsense"))["error"] == "invalid_scope"

    def test_a_public_application_has_no_secret_that_callbacks_could_be_signed_with(self, office):
        outcome = office.begin(client_id="front", redirect_uri="http://127.0.0.1/cb")
        assert brought(outcome.location)["error"] == "unauthorized_client"

    def test_a_provider_that_is_not_set_up_is_not_offered(self, office):
        del office.sign_ins[ProviderName.GOOGLE]
        assert told(office.begin())["error"] == "invalid_request"
        del office.sign_ins[ProviderName.MICROSOFT]
        assert told(office.begin(provider_name=None))["error"] == "temporarily_unavailable"

    def test_trouble_of_ours_is_told_without_details(self, office):
        office.google.trouble = ProviderMisconfigured("the secret")
        answer = told(office.begin())
        assert answer["error"] == "server_error"
        assert "secret" not in answer["error_description"]


class TestSigningIn:
    def test_leads_to_a_setup_that_is_the_browsers_own(self, office):
        departure = office.sign_in(office.depart(), ADA)
        tab = Tab.at(departure)
        assert departure.lifetime == SETUP_LIFETIME
        ((handle_hash, setup),) = office.setups._setups.items()
        assert handle_hash == hashed(tab.handle)
        assert setup.browser_hash == hashed(tab.secret)
        assert (setup.administrator, setup.began_at) == (ADA, office.clock())
        assert tab.secret not in departure.location
        assert tab.secret not in repr(departure)

    def test_the_setup_keeps_what_the_application_asked_for(self, office):
        asked = f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"
        scope = f"{asked} service_account/accounts/unrestricted_access"
        office.tab(scope=scope, delegated_scope="free_busy read_write")
        (setup,) = office.setups._setups.values()
        assert setup.request.scope == asked
        assert setup.request.delegated_scope == "free_busy"
        assert (setup.request.redirect_uri, setup.request.application_state) == (REDIRECT_URI, "s t&te")

    @pytest.mark.parametrize(
        ("answered", "error"),
        [
            pytest.param({"error": "access_denied"}, "access_denied", id="the administrator said no"),
            pytest.param({"error": "temporarily_unavailable"}, "temporarily_unavailable", id="busy provider"),
            pytest.param({"error": "invalid_scope"}, "server_error", id="our registration is wrong"),
            pytest.param({}, "server_error", id="neither code nor error"),
            pytest.param({"code": "unknown"}, "server_error", id="code that the provider does not know"),
            pytest.param({"code": "x", "iss": "https://evil.example"}, "server_error", id="another issuer"),
        ],
    )
    def test_a_refusal_reaches_the_application_and_leaves_nothing_behind(self, office, answered, error):
        departure = office.depart()
        answer = told(office.come_back(departure, {"state": brought(departure.location)["state"], **answered}))
        assert (answer["error"], answer["state"], answer["iss"]) == (error, "s t&te", PUBLIC_URL)
        assert not office.setups._setups
        assert not office.setups._trips

    @pytest.mark.parametrize(
        ("trouble", "error", "said"),
        [
            (NotAnAdministrator(), "access_denied", "an administrator has to"),
            (IdentityRejected(), "access_denied", "of no organization"),
            (CredentialRevoked(), "server_error", ""),
            (ProviderMisconfigured("the secret"), "server_error", ""),
            (ProviderUnavailable(), "temporarily_unavailable", "try again"),
        ],
        ids=lambda value: getattr(value, "reason", value),
    )
    def test_whoever_may_not_speak_for_an_organization_gets_no_setup(self, office, trouble, error, said):
        departure = office.depart()
        answer = office.google.agree(departure.location, ADA)
        office.google.trouble = trouble
        refusal = told(office.come_back(departure, answer))
        assert refusal["error"] == error
        assert said in refusal["error_description"]
        assert "secret" not in refusal["error_description"]
        assert not office.setups._setups

    def test_a_setup_that_cannot_be_stored_is_told(self, office, monkeypatch):
        def throttled(*_):
            raise StorageUnavailable("throttled")

        monkeypatch.setattr(FakeSetups, "save", throttled)
        assert told(office.sign_in(office.depart(), ADA))["error"] == "temporarily_unavailable"


class TestConsentAtMicrosoft:
    @pytest.fixture
    def departure(self, office):
        return office.depart(**AT_MICROSOFT)

    def test_is_followed_by_a_sign_in_with_a_state_of_its_own(self, office, departure):
        onward = office.consent(departure)
        assert onward.location.startswith("https://microsoft.test/sign-in?")
        asked = brought(onward.location)
        assert asked["state"] != brought(departure.location)["state"]
        assert onward.browser_secret != departure.browser_secret
        assert asked["redirect_uri"] == f"{PUBLIC_URL}/enterprise_connect/callback/microsoft"

    @pytest.mark.parametrize("error", ["access_denied", "permission_denied", "consent_required"])
    def test_that_was_refused_says_admin_consent_all_the_same(self, office, departure, error):
        refusal = told(office.consent(departure, error=error, error_description="AADSTS65004: declined"))
        assert refusal["error"] == "access_denied"
        assert refusal["error_description"] == "the administrator did not agree for the organization"
        assert not office.setups._trips

    def test_that_the_screen_itself_refused_is_trouble_of_ours(self, office, departure):
        assert told(office.consent(departure, error="invalid_client"))["error"] == "server_error"

    def test_alone_connects_nothing_whatever_tenant_it_names(self, office, departure):
        """Anybody can call the address: what is believed is the sign-in."""
        onward = office.consent(departure, tenant="tenant-of-somebody-else")
        assert not office.setups._setups
        tab = Tab.at(office.sign_in(onward, MAX))
        office.tenants.delegated.add("tenant-of-somebody-else")
        assert office.progress(tab).access == "delegation_missing"
        (setup,) = office.setups._setups.values()
        assert setup.administrator.organization.key == "tenant-1"

    def test_brings_no_code_that_would_be_believed(self, office, departure):
        code = office.microsoft.agree(f"{departure.location}&nonce=n&code_challenge=c", MAX)["code"]
        assert office.consent(departure, code=code).location.startswith("https://microsoft.test/sign-in?")
        assert not office.setups._setups

    def test_is_used_up(self, office, departure):
        office.consent(departure)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.consent(departure)

    def test_is_no_answer_to_a_sign_in(self, office, departure):
        onward = office.consent(departure)
        assert told(office.consent(onward))["error"] == "server_error"
        assert not office.setups._setups


class TestWhoMayComeBack:
    def test_a_state_works_once(self, office):
        departure = office.depart()
        answer = office.google.agree(departure.location, ADA)
        office.come_back(departure, answer)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(departure, answer)
        assert len(office.setups._setups) == 1

    def test_an_expired_state_is_refused(self, office):
        departure = office.depart()
        answer = office.google.agree(departure.location, ADA)
        office.clock.advance(AUTHORIZATION_REQUEST_LIFETIME)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(departure, answer)

    @pytest.mark.parametrize("state", ["", "never issued", "\0", "x" * 9000])
    def test_a_state_that_was_never_issued_is_refused(self, office, state):
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(office.depart(), {"state": state, "code": "code"})

    @pytest.mark.parametrize("secret", [None, "", "another browser's"])
    def test_another_browser_neither_finishes_nor_breaks_the_trip(self, office, secret):
        departure = office.depart()
        answer = office.google.agree(departure.location, ADA)
        with pytest.raises(AuthorizationRefused, match="unknown_state" if secret else "other_browser"):
            office.come_back(departure, answer, browser_secret=secret)
        assert not office.setups._setups
        assert Tab.at(office.come_back(departure, answer))

    def test_the_other_providers_callback_is_refused(self, office):
        departure = office.depart()
        answer = office.google.agree(departure.location, ADA)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(departure, answer, callback="microsoft")

    def test_an_unknown_callback_is_not_found(self, office):
        with pytest.raises(NotFound):
            office.come_back(office.depart(), {"state": "s"}, callback="yahoo")

    def test_a_person_who_connects_their_own_calendar_cannot_end_here_nor_the_other_way(self, office):
        world = World(clock=office.clock)
        person, administrator = world.depart(), office.depart()
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            office.come_back(person, world.answer(person, ANA))
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            world.arrive(administrator, office.google.agree(administrator.location, ADA))

    def test_two_tabs_do_not_disturb_each_other(self, office):
        first, second = office.depart(), office.depart()
        later, earlier = (Tab.at(office.sign_in(each, ADA)) for each in (second, first))
        assert later.handle != earlier.handle
        assert all(isinstance(office.check(tab), Progress) for tab in (later, earlier))


class TestSigningInAgain:
    @pytest.fixture
    def tab(self, office):
        return office.tab()

    def again(self, office, tab):
        return office.trips.sign_in_again(tab.handle, public_url=PUBLIC_URL, now=office.clock())

    def test_brings_the_setup_to_another_browser_and_takes_it_from_the_first(self, office, tab):
        office.clock.advance(86400)
        arrival = office.sign_in(self.again(office, tab), ADA)
        moved = Tab.at(arrival)
        assert moved.handle == tab.handle
        assert arrival.lifetime == SETUP_LIFETIME - 86400
        assert isinstance(office.check(moved), Progress)
        assert isinstance(office.check(tab), Locked)

    def test_tells_nobody_whose_setup_it_is(self, office, tab):
        """Whoever came by the address could read it in the address of the provider's page."""
        asked = brought(self.again(office, tab).location)
        assert set(asked) == {"redirect_uri", "state", "nonce", "code_challenge"}
        assert "ada@example.com" not in asked.values()

    @pytest.mark.parametrize(
        "who",
        [
            pytest.param(EMPLOYEE, id="a colleague"),
            pytest.param(STRANGER, id="an administrator of another organization"),
            pytest.param(EMPLOYEE._replace(identity=replace(EMPLOYEE.identity, email="ada@example.com")), id="address"),
        ],
    )
    def test_is_for_the_same_administrator_alone(self, office, tab, who):
        with pytest.raises(AuthorizationRefused, match="other_administrator"):
            office.sign_in(self.again(office, tab), who)
        assert isinstance(office.check(tab), Progress), "it stays where it was"

    def test_needs_no_consent_again(self, office):
        tab = office.tab(MAX)
        departure = self.again(office, tab)
        assert departure.location.startswith("https://microsoft.test/sign-in?")
        assert Tab.at(office.sign_in(departure, MAX)).handle == tab.handle

    @pytest.mark.parametrize(
        ("error", "reason"), [("access_denied", "sign_in_refused"), ("server_error", "sign_in_unavailable")]
    )
    def test_that_fails_is_no_business_of_the_application(self, office, tab, error, reason):
        departure = self.again(office, tab)
        answer = {"state": brought(departure.location)["state"], "error": error}
        with pytest.raises(AuthorizationRefused, match=reason):
            office.come_back(departure, answer)
        assert isinstance(office.check(tab), Progress)

    def test_and_is_no_administrator_any_more(self, office, tab):
        departure = self.again(office, tab)
        answer = office.google.agree(departure.location, ADA)
        office.google.trouble = NotAnAdministrator()
        with pytest.raises(AuthorizationRefused, match="sign_in_refused"):
            office.come_back(departure, answer)

    def test_trouble_of_ours_ends_on_a_page(self, office, tab):
        office.google.trouble = ProviderUnavailable()
        with pytest.raises(AuthorizationRefused, match="sign_in_unavailable"):
            self.again(office, tab)

    def test_there_is_nothing_to_sign_in_for_once_the_setup_is_over(self, office, tab):
        departure = self.again(office, tab)
        answer = office.google.agree(departure.location, ADA)
        office.delegate(ADA)
        office.connected(tab)
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            self.again(office, tab)
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            office.come_back(departure, answer)

    @pytest.mark.parametrize("handle", ["", "unknown", "\ud800", "x" * 9000])
    def test_nor_for_one_that_never_was(self, office, handle):
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            self.again(office, Tab(handle, ""))
