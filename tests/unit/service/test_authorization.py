from dataclasses import replace

import pytest

from freebusy.domain.account import Disconnected, Identity, ProviderName, Upstream
from freebusy.domain.application import Introduction
from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME, AUTHORIZATION_REQUEST_LIFETIME
from freebusy.domain.errors import (
    AuthorizationRefused,
    ConsentIncomplete,
    ConsentRefused,
    CredentialRevoked,
    IdentityRejected,
    NotFound,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.identifiers import hashed
from freebusy.service.authorization import relink_url
from freebusy.service.trips import Departure, ProviderChoice, Reconnected, Return
from tests.fakes.accounts import FakeAccounts
from tests.people import colleague
from tests.trips import (
    ANA,
    ANA_AT_WORK,
    BEN,
    CHALLENGE,
    PUBLIC_URL,
    REDIRECT_URI,
    World,
    brought,
)


@pytest.fixture
def world():
    return World()


def refused(world, **changed):
    """What the application is told about a request that is not carried out."""
    outcome = world.begin(**changed)
    assert isinstance(outcome, Return)
    assert outcome.location.startswith(f"{REDIRECT_URI}?") or changed.get("redirect_uri")
    return brought(outcome.location)


class TestSettingOut:
    def test_the_browser_goes_to_the_named_provider(self, world):
        google, microsoft = world.depart(), world.depart(provider_name="ms_graph_free_busy")
        assert google.location.startswith("https://google_free_busy.test/consent?")
        assert brought(google.location)["redirect_uri"] == f"{PUBLIC_URL}/oauth/callback/google"
        assert microsoft.location.startswith("https://ms_graph_free_busy.test/consent?")
        assert brought(microsoft.location)["redirect_uri"] == f"{PUBLIC_URL}/oauth/callback/microsoft"

    @pytest.mark.parametrize("unnamed", ["", None])
    def test_without_a_provider_the_person_chooses(self, world, unnamed):
        choice = world.begin(provider_name=unnamed)
        assert choice == ProviderChoice(Introduction("Scheduler"), (ProviderName.GOOGLE, ProviderName.MICROSOFT))

    def test_only_offered_providers_can_be_chosen(self, world):
        del world.providers[ProviderName.GOOGLE]
        assert world.begin(provider_name=None) == ProviderChoice(Introduction("Scheduler"), (ProviderName.MICROSOFT,))

    def test_each_trip_has_secrets_of_its_own(self, world):
        one, two = world.depart(), world.depart()
        assert one.browser_secret != two.browser_secret
        assert one.trip != two.trip
        for name in ("state", "nonce", "code_challenge"):
            assert brought(one.location)[name] != brought(two.location)[name]

    def test_what_the_browser_keeps_is_neither_sent_on_nor_stored(self, world):
        departure = world.depart()
        assert departure.browser_secret not in departure.location
        (stored,) = world.tokens._requests.values()
        assert departure.browser_secret not in repr(stored)
        assert departure.browser_secret not in repr(departure)
        assert stored.browser_hash == hashed(departure.browser_secret)
        assert brought(departure.location)["state"] not in world.tokens._requests

    @pytest.mark.parametrize(
        "ignored",
        [
            {"avoid_linking": "False"},
            {"avoid_linking": "true"},
            {"avoid_linking": "1"},
            {"avoid_linking": ""},
            {"locale": "de", "delegated_scope": "free_busy", "access_mode": "free_busy", "email": "a@example.com"},
            {"code_challenge": "", "code_challenge_method": ""},
            {"link_token": ""},
        ],
        ids=str,
    )
    def test_what_does_not_concern_us_changes_nothing(self, world, ignored):
        assert isinstance(world.begin(**ignored), Departure)


class TestRequestsThatMustNotRedirect:
    @pytest.mark.parametrize("client_id", ["unknown", "", None, "app\0", "ä" * 5000])
    def test_an_unknown_application_is_never_redirected_to(self, world, client_id):
        with pytest.raises(AuthorizationRefused, match="unknown_application"):
            world.begin(client_id=client_id)

    @pytest.mark.parametrize(
        "uri",
        [
            pytest.param(None, id="missing"),
            pytest.param("", id="empty"),
            pytest.param("https://evil.example/callback", id="other host"),
            pytest.param(f"{REDIRECT_URI}/", id="trailing slash"),
            pytest.param(f"{REDIRECT_URI}?x=1", id="more query"),
            pytest.param(f"{REDIRECT_URI}#x", id="fragment"),
            pytest.param(REDIRECT_URI.replace("https", "http"), id="other scheme"),
            pytest.param(REDIRECT_URI.upper(), id="other case"),
            pytest.param("https://app.example:444/callback", id="other port"),
            pytest.param("https://app.example@evil.example/callback", id="userinfo"),
            pytest.param("http://127.0.0.1/cb", id="of another application"),
        ],
    )
    def test_nor_an_unregistered_redirect_uri(self, world, uri):
        with pytest.raises(AuthorizationRefused, match="unregistered_redirect_uri"):
            world.begin(redirect_uri=uri)

    @pytest.mark.parametrize("other_error", [{"scope": "nonsense"}, {"response_type": "token"}])
    def test_even_when_more_is_wrong(self, world, other_error):
        with pytest.raises(AuthorizationRefused):
            world.begin(redirect_uri="https://evil.example", **other_error)


class TestRequestsThatAreRefusedByRedirect:
    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            pytest.param({"response_type": None}, "invalid_request", id="no response_type"),
            pytest.param({"response_type": ""}, "invalid_request", id="empty response_type"),
            pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit grant"),
            pytest.param({"response_type": "code token"}, "unsupported_response_type", id="hybrid"),
            pytest.param({"scope": None}, "invalid_scope", id="no scope"),
            pytest.param({"scope": "  "}, "invalid_scope", id="blank scope"),
            pytest.param({"scope": "free_busy_write nonsense"}, "invalid_scope", id="unknown scope"),
            pytest.param({"scope": "FREE_BUSY_WRITE"}, "invalid_scope", id="scopes are case-sensitive"),
            pytest.param({"scope": "read_account list_calendars create_event"}, "invalid_scope", id="no free/busy"),
            pytest.param({"scope": "read_write"}, "invalid_scope", id="only beyond free/busy"),
            pytest.param({"scope": "service_account/accounts/manage"}, "invalid_scope", id="enterprise scope"),
            pytest.param({"provider_name": "google"}, "invalid_request", id="full-access provider"),
            pytest.param({"provider_name": "cronofy"}, "invalid_request", id="the managed calendar is no provider"),
            pytest.param({"link_token": "unknown"}, "invalid_request", id="unknown link_token"),
            pytest.param({"code_challenge": CHALLENGE}, "invalid_request", id="challenge without method is plain"),
            pytest.param(
                {"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request", id="plain challenge"
            ),
            pytest.param({"code_challenge_method": "S256"}, "invalid_request", id="method without challenge"),
            pytest.param(
                {"code_challenge": "a" * 42, "code_challenge_method": "S256"}, "invalid_request", id="short challenge"
            ),
            pytest.param(
                {"code_challenge": "a" * 129, "code_challenge_method": "S256"}, "invalid_request", id="long challenge"
            ),
            pytest.param(
                {"code_challenge": "ä" * 43, "code_challenge_method": "S256"}, "invalid_request", id="odd challenge"
            ),
            pytest.param({"state": "x" * 4097}, "invalid_request", id="long state"),
        ],
    )
    def test_the_application_is_told(self, world, changed, error):
        told = refused(world, **changed)
        assert told["error"] == error
        assert told["error_description"]
        assert told["state"] == changed.get("state", "s t&te")
        assert told["iss"] == PUBLIC_URL
        assert not world.tokens._requests

    def test_a_scope_without_free_busy_is_told_what_to_ask_for(self, world):
        assert "free_busy_write" in refused(world, scope="read_account")["error_description"]

    def test_a_provider_that_is_not_set_up_is_not_offered(self, world):
        del world.providers[ProviderName.GOOGLE]
        assert refused(world)["error"] == "invalid_request"
        del world.providers[ProviderName.MICROSOFT]
        assert refused(world, provider_name=None)["error"] == "temporarily_unavailable"

    def test_a_public_application_must_use_pkce(self, world):
        asked = {"client_id": "front", "redirect_uri": "http://127.0.0.1:1234/cb"}
        assert refused(world, **asked)["error"] == "invalid_request"
        challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        assert isinstance(world.begin(**asked, **challenge), Departure)

    def test_a_link_token_of_another_application_is_unknown(self, world):
        world.tokens.save_link_token(hashed("link"), client_id="other-app", sub="acc", expires_at=world.clock() + 60)
        assert refused(world, link_token="link")["error"] == "invalid_request"

    def test_an_expired_link_token_is_unknown(self, world):
        world.tokens.save_link_token(hashed("link"), client_id="app", sub="acc", expires_at=world.clock())
        assert refused(world, link_token="link")["error"] == "invalid_request"

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [(ProviderMisconfigured("secret"), "server_error"), (ProviderUnavailable(), "temporarily_unavailable")],
        ids=["no registration", "registration cannot be read"],
    )
    def test_trouble_of_ours_is_told_without_details(self, world, trouble, error):
        world.google.trouble = trouble
        told = refused(world)
        assert told["error"] == error
        assert "secret" not in told["error_description"]

    def test_a_redirect_uri_keeps_its_query(self, world):
        outcome = world.begin(redirect_uri="https://app.example/cb?tenant=1", scope=None)
        assert outcome.location.startswith("https://app.example/cb?tenant=1&error=invalid_scope&")

    def test_no_state_is_made_up(self, world):
        assert "state" not in refused(world, state=None, scope=None)


class TestComingBack:
    def test_the_application_gets_a_code_with_its_own_state_and_our_issuer(self, world):
        told = world.trip(ANA)
        assert set(told) == {"code", "state", "iss"}
        assert len(told["code"]) == 32
        assert told["state"] == "s t&te"
        assert told["iss"] == PUBLIC_URL

    @pytest.mark.parametrize("state", ["", "x" * 4096, "\0\n%00;&#=+ é 漢", " "])
    def test_any_state_comes_back_unchanged(self, world, state):
        assert world.trip(ANA, state=state)["state"] == state

    def test_no_state_comes_back_as_none(self, world):
        assert "state" not in world.trip(ANA, state=None)

    def test_the_code_stands_for_what_was_asked_and_agreed(self, world):
        challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        code = world.code(ANA, **challenge)
        account = world.account_of(ANA)
        assert (code.client_id, code.redirect_uri) == ("app", REDIRECT_URI)
        assert (code.sub, code.profile_id) == (account.sub, account.profiles[0].profile_id)
        assert code.code_challenge == CHALLENGE
        assert code.expires_at == world.clock() + AUTHORIZATION_CODE_LIFETIME

    @pytest.mark.parametrize(
        ("asked", "granted"),
        [
            ("free_busy_write", "free_busy_write"),
            ("read_account list_calendars free_busy", "read_account list_calendars free_busy"),
            ("read_events free_busy_write read_write create_calendar", "read_events free_busy_write"),
        ],
    )
    def test_what_free_busy_cannot_grant_is_left_out(self, world, asked, granted):
        assert world.code(ANA, scope=asked).scope == granted

    @pytest.mark.parametrize(
        ("answered", "error"),
        [
            pytest.param({"error": "access_denied"}, "access_denied", id="the person said no"),
            pytest.param({"error": "consent_required"}, "access_denied", id="an administrator must agree"),
            pytest.param({"error": "admin_policy_enforced"}, "access_denied", id="Workspace policy"),
            pytest.param(
                {"error": "invalid_client", "error_description": "AADSTS90094: The grant requires admin permission."},
                "access_denied",
                id="Microsoft's number for it",
            ),
            pytest.param({"error": "temporarily_unavailable"}, "temporarily_unavailable", id="busy provider"),
            pytest.param({"error": "invalid_scope"}, "server_error", id="our registration is wrong"),
            pytest.param({"error": "x" * 5000}, "server_error", id="anything else"),
            pytest.param({}, "server_error", id="neither code nor error"),
            pytest.param({"code": ""}, "server_error", id="empty code"),
            pytest.param({"code": "unknown"}, "server_error", id="code that the provider does not know"),
        ],
    )
    def test_a_refusal_reaches_the_application_and_leaves_nothing_behind(self, world, answered, error):
        departure = world.depart()
        arrival = world.arrive(departure, world.refusal(departure, **answered))
        told = brought(arrival.location)
        assert (told["error"], told["state"], told["iss"]) == (error, "s t&te", PUBLIC_URL)
        assert not world.accounts._accounts
        assert not world.tokens._codes

    def test_administrators_are_named_where_they_decide(self, world):
        departure = world.depart()
        arrival = world.arrive(departure, world.refusal(departure, error="admin_policy_enforced"))
        assert "administrator" in brought(arrival.location)["error_description"]

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [
            (ConsentIncomplete(), "access_denied"),
            (ConsentRefused(), "access_denied"),
            (IdentityRejected(), "access_denied"),
            (CredentialRevoked(), "server_error"),
            (ProviderMisconfigured(), "server_error"),
            (ProviderUnavailable(), "temporarily_unavailable"),
        ],
        ids=lambda value: value if isinstance(value, str) else value.reason,
    )
    def test_trouble_at_the_exchange_creates_nothing(self, world, trouble, error):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        world.google.trouble = trouble
        assert brought(world.arrive(departure, answer).location)["error"] == error
        assert not world.accounts._accounts
        assert not world.tokens._codes

    def test_an_unticked_calendar_is_called_by_its_name(self, world):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        world.google.trouble = ConsentIncomplete()
        assert "not ticked" in brought(world.arrive(departure, answer).location)["error_description"]

    def test_only_what_the_operator_must_mend_is_logged_as_an_error(self, world, caplog):
        for trouble in (ConsentIncomplete(), ProviderUnavailable()):
            departure = world.depart()
            answer = world.answer(departure, ANA)
            world.google.trouble = trouble
            world.arrive(departure, answer)
            world.google.trouble = None
        assert not caplog.records
        departure = world.depart()
        answer = world.answer(departure, ANA)
        world.google.trouble = ProviderMisconfigured("the secret is wrong")
        world.arrive(departure, answer)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert answer["code"] not in caplog.text

    @pytest.mark.parametrize(
        ("word", "level"),
        [
            pytest.param("unauthorized_client", "ERROR", id="our registration is wrong"),
            pytest.param("ana_at_home", "WARNING", id="any word that a browser may bring"),
        ],
    )
    def test_what_the_consent_screen_says_is_logged_where_it_is_a_known_word(self, world, caplog, word, level):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        del answer["code"]
        world.arrive(departure, {**answer, "error": word})
        (record,) = caplog.records
        assert record.levelname == level
        assert getattr(record, "provider_error", "") == (word if level == "ERROR" else "")
        assert "ana_at_home" not in caplog.text

    def test_a_table_that_does_not_answer_is_told(self, world):
        class Broken(FakeAccounts):
            def create(self, account):
                raise StorageUnavailable("throttled")

        departure = world.depart()
        arrival = world.arrive(departure, world.answer(departure, ANA), accounts=Broken())
        assert brought(arrival.location)["error"] == "temporarily_unavailable"
        assert not world.tokens._codes


class TestWhoMayComeBack:
    def test_a_state_works_once(self, world):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        world.arrive(departure, answer)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            world.arrive(departure, answer)

    def test_a_refused_trip_is_over_too(self, world):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        world.arrive(departure, world.refusal(departure, error="access_denied"))
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            world.arrive(departure, answer)

    @pytest.mark.parametrize("state", ["", "never issued", "\0", "x" * 9000])
    def test_a_state_that_was_never_issued_is_refused(self, world, state):
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            world.arrive(world.depart(), {"state": state, "code": "code"})

    def test_an_expired_state_is_refused(self, world):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        world.clock.advance(AUTHORIZATION_REQUEST_LIFETIME)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            world.arrive(departure, answer)

    @pytest.mark.parametrize("secret", [None, "", "another browser's"])
    def test_another_browser_neither_finishes_nor_breaks_the_trip(self, world, secret):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        with pytest.raises(AuthorizationRefused, match="unknown_state" if secret else "other_browser"):
            world.arrive(departure, answer, browser_secret=secret)
        assert not world.accounts._accounts
        assert "code=" in world.arrive(departure, answer).location

    def test_the_other_providers_callback_is_refused(self, world):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        with pytest.raises(AuthorizationRefused, match="unknown_state"):
            world.arrive(departure, answer, callback="microsoft")
        assert not world.accounts._accounts

    @pytest.mark.parametrize("callback", ["yahoo", "", "google_free_busy"])
    def test_an_unknown_callback_is_not_found(self, world, callback):
        departure = world.depart()
        with pytest.raises(NotFound):
            world.arrive(departure, world.answer(departure, ANA), callback=callback)

    @pytest.mark.parametrize("issuer", ["https://evil.example", ""])
    def test_an_answer_of_another_issuer_is_refused(self, world, issuer):
        departure = world.depart()
        answer = world.answer(departure, ANA) | {"iss": issuer}
        assert brought(world.arrive(departure, answer).location)["error"] == "server_error"
        assert not world.accounts._accounts

    def test_an_issuer_is_not_demanded(self, world):
        departure = world.depart()
        answer = world.answer(departure, ANA)
        del answer["iss"]
        assert "code=" in world.arrive(departure, answer).location

    def test_a_code_of_another_trip_is_of_no_use(self, world):
        mine, theirs = world.depart(), world.depart()
        stolen = world.answer(theirs, BEN)["code"]
        arrival = world.arrive(mine, world.refusal(mine, code=stolen))
        assert brought(arrival.location)["error"] == "server_error"
        assert not world.accounts._accounts


class TestConnectingAgain:
    @pytest.fixture
    def profile(self, world):
        """Ana's, whose credential has died."""
        code = world.code(ANA)
        world.grant(code.sub)
        world.accounts.disconnect(code.sub, code.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
        return code.sub, code.profile_id

    def test_the_link_leads_here(self):
        assert relink_url(PUBLIC_URL, "acc_1", "pro_1") == f"{PUBLIC_URL}/oauth/relink/acc_1/pro_1"

    def test_the_same_person_connects_the_profile_again(self, world, profile):
        departure = world.depart_again(*profile)
        assert world.arrive(departure, world.answer(departure, ANA)) == Reconnected(Introduction("Scheduler"))
        assert world.profile_of(ANA).connected
        assert len(world.tokens._codes) == 1, "only the first trip bought a code"

    def test_somebody_else_does_not(self, world, profile):
        departure = world.depart_again(*profile)
        with pytest.raises(AuthorizationRefused, match="other_person"):
            world.arrive(departure, world.answer(departure, BEN))
        assert not world.profile_of(ANA).connected
        assert world.accounts.sub_of("app", BEN) is None

    @pytest.mark.parametrize(
        ("answered", "reason"),
        [
            ({"error": "access_denied"}, "consent_refused"),
            ({"error": "admin_policy_enforced"}, "administrator_decides"),
            ({"error": "temporarily_unavailable"}, "provider_trouble"),
            ({"error": "server_error"}, "provider_misconfigured"),
            ({}, "provider_trouble"),
        ],
    )
    def test_a_refusal_ends_on_a_page(self, world, profile, answered, reason):
        departure = world.depart_again(*profile)
        with pytest.raises(AuthorizationRefused, match=reason):
            world.arrive(departure, world.refusal(departure, **answered))
        assert not world.profile_of(ANA).connected

    @pytest.mark.parametrize(
        ("trouble", "reason"),
        [(ConsentIncomplete(), "scope_unticked"), (IdentityRejected(), "wrong_account")],
    )
    def test_a_consent_that_is_of_no_use_ends_on_a_page_that_says_why(self, world, profile, trouble, reason):
        departure = world.depart_again(*profile)
        answer = world.answer(departure, ANA)
        world.google.trouble = trouble
        with pytest.raises(AuthorizationRefused, match=reason):
            world.arrive(departure, answer)
        assert not world.profile_of(ANA).connected

    def test_trouble_of_ours_ends_on_a_page(self, world, profile):
        world.google.trouble = ProviderMisconfigured()
        with pytest.raises(AuthorizationRefused, match="provider_misconfigured"):
            world.depart_again(*profile)
        del world.providers[ProviderName.GOOGLE]
        with pytest.raises(AuthorizationRefused, match="provider_misconfigured"):
            world.depart_again(*profile)

    def test_there_is_nothing_to_connect_again_for_unknown_profiles(self, world, profile):
        sub, profile_id = profile
        managed = world.account_of(ANA).managed_profile.profile_id
        for pair in (("acc_unknown", profile_id), (sub, "pro_unknown"), (sub, managed), ("\0", "")):
            with pytest.raises(NotFound):
                world.depart_again(*pair)

    def test_nor_can_a_person_connect_what_an_organization_gives(self, world):
        account = colleague()
        world.accounts.create(account)
        world.accounts.disconnect(account.sub, account.profiles[0].profile_id, because=Disconnected.REVOKED)
        with pytest.raises(AuthorizationRefused, match="organization_decides"):
            world.depart_again(account.sub, account.profiles[0].profile_id)
        with pytest.raises(NotFound):
            world.depart_again(account.sub, account.managed_profile.profile_id)

    def test_but_whoever_is_to_move_off_cronofy_may_leave_the_organization(self, world):
        account = colleague()
        there = Identity(ProviderName.GOOGLE, "acc_there", ANA.email, upstream=Upstream.CRONOFY)
        profile = replace(account.profiles[0], identity=there, provider=there.provider, sealed_credential=b"sealed")
        world.accounts.create(account._replace(client_id="app", profiles=(profile, account.managed_profile)))
        with pytest.raises(AuthorizationRefused, match="organization_decides"):
            world.depart_again(account.sub, profile.profile_id)
        world.accounts.mark_moving(account.sub, profile.profile_id, moving=True)
        departure = world.depart_again(account.sub, profile.profile_id)
        world.arrive(departure, world.answer(departure, ANA))
        moved = world.accounts.find(account.sub)
        assert moved.profiles[0].upstream is Upstream.DIRECT
        assert moved.profiles[0].service_account is None
        assert moved.moved[0].service_account == profile.service_account

    def test_nor_for_an_authorization_that_the_application_gave_up(self, world, profile):
        departure = world.depart_again(*profile)
        answer = world.answer(departure, ANA)
        world.accounts.revoke_grants(profile[0])
        with pytest.raises(NotFound):
            world.depart_again(*profile)
        with pytest.raises(AuthorizationRefused):
            world.arrive(departure, answer)
        assert not world.profile_of(ANA).connected


class TestTwoTabs:
    def test_trips_of_one_browser_do_not_disturb_each_other(self, world):
        first, second = world.depart(), world.depart(provider_name="ms_graph_free_busy")
        later = world.arrive(second, world.answer(second, ANA_AT_WORK), callback="microsoft")
        earlier = world.arrive(first, world.answer(first, ANA))
        assert all("code=" in arrival.location for arrival in (later, earlier))
