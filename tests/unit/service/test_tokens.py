import pytest

from freebusy.domain.account import Disconnected
from freebusy.domain.authorization import AUTHORIZATION_CODE_LIFETIME, AuthorizationCode
from freebusy.domain.errors import AuthenticationFailed, InsufficientScope, TokenError
from freebusy.domain.identifiers import hashed
from freebusy.domain.scopes import Permission
from freebusy.domain.service_account import MANAGE_ACCOUNTS
from freebusy.domain.token import (
    ACCESS_TOKEN_LIFETIME,
    PUBLIC_GRANT_LIFETIME,
    PUBLIC_REFRESH_TOKEN_IDLE_LIFETIME,
    ROTATION_GRACE,
    TokenKind,
    TokenRecord,
)
from freebusy.service.callers import Caller, authenticate, require
from freebusy.service.tokens import exchange_code, refresh, revoke_account, revoke_token
from tests.people import organization
from tests.trips import ANA, ANA_AT_WORK, APP, BEN, CHALLENGE, FRONT_END, OTHER_APP, REDIRECT_URI, VERIFIER, World

DAY = 86400
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
FRONT_END_URI = "http://127.0.0.1:5000/cb"


@pytest.fixture
def world():
    return World()


def exchange(world, code, application=APP, **changed):
    given = {"redirect_uri": REDIRECT_URI, "code_verifier": None} | changed
    return exchange_code(application, code, **given, tokens=world.tokens, accounts=world.accounts, now=world.clock())


def renew(world, refresh_token, application=APP):
    return refresh(
        application,
        refresh_token,
        tokens=world.tokens,
        accounts=world.accounts,
        vault=world.vault,
        now=world.clock(),
    )


def revoke_sub(world, application, sub):
    revoke_account(
        application,
        sub,
        accounts=world.accounts,
        service_accounts=world.accounts.service_accounts,
        end_upstream=world.end_upstream,
        now=world.clock(),
    )


def who(world, bearer):
    return authenticate(bearer, tokens=world.tokens, accounts=world.accounts, now=world.clock())


def lives(world, bearer):
    try:
        return who(world, bearer) is not None
    except AuthenticationFailed:
        return False


def connect(world, identity=ANA, **changed):
    """Consent and exchange: the tokens of an application without PKCE."""
    return exchange(world, world.trip(identity, **changed)["code"])


def connect_front_end(world, identity=ANA):
    code = world.trip(identity, client_id="front", redirect_uri=FRONT_END_URI, **PKCE)["code"]
    return exchange(world, code, FRONT_END, redirect_uri=FRONT_END_URI, code_verifier=VERIFIER)


def assert_invalid_grant(call, *args, **kwargs):
    with pytest.raises(TokenError) as refused:
        call(*args, **kwargs)
    assert refused.value.code == "invalid_grant"


class TestBearers:
    def test_an_access_token_speaks_for_its_account_under_its_grant(self, world):
        issued = connect(world, scope="read_free_busy")
        caller = who(world, issued.access_token)
        assert (caller.client_id, caller.account.sub, caller.scope) == ("app", issued.sub, "read_free_busy")

    def test_a_client_secret_speaks_for_the_application(self, world):
        world.tokens.save(hashed("secret"), TokenRecord(TokenKind.CLIENT_SECRET, "app"))
        assert who(world, "secret") == Caller("app")

    @pytest.mark.parametrize("bearer", [None, "", "unknown", "\0", "\ud800", "x" * 100_000], ids=repr)
    def test_anything_else_is_nobody(self, world, bearer):
        with pytest.raises(AuthenticationFailed):
            who(world, bearer)

    def test_a_refresh_token_is_no_bearer(self, world):
        assert not lives(world, connect(world).refresh_token)

    def test_an_access_token_ends_after_its_hour(self, world):
        issued = connect(world)
        world.clock.advance(ACCESS_TOKEN_LIFETIME - 1)
        assert lives(world, issued.access_token)
        world.clock.advance(1)
        assert not lives(world, issued.access_token)

    def test_ending_a_grant_ends_its_tokens_and_no_others(self, world):
        ended, kept = connect(world), connect(world)
        grant = who(world, ended.access_token).grant
        world.accounts.revoke_grants(ended.sub, [grant.grant_id])
        assert not lives(world, ended.access_token)
        assert_invalid_grant(renew, world, ended.refresh_token)
        assert lives(world, kept.access_token)

    def test_a_token_dies_with_its_account(self, world):
        issued = connect(world)
        world.accounts.erase("app")
        assert not lives(world, issued.access_token)

    @pytest.mark.parametrize(
        ("scope", "permission", "allowed"),
        [
            ("free_busy_write", Permission.DELETE_EVENT, True),
            ("free_busy", Permission.READ_FREE_BUSY, True),
            ("free_busy", Permission.CREATE_EVENT, False),
            ("read_free_busy", Permission.READ_ACCOUNT, False),
        ],
    )
    def test_a_scope_permits_what_it_implies(self, world, scope, permission, allowed):
        caller = who(world, connect(world, scope=scope).access_token)
        if allowed:
            require(caller.scope, permission)
        else:
            with pytest.raises(InsufficientScope):
                require(caller.scope, permission)


class TestCodes:
    def test_a_code_buys_tokens_and_names_what_was_connected(self, world):
        issued = connect(world)
        assert issued.profile == world.profile_of(ANA)
        assert (issued.sub, issued.scope) == (world.account_of(ANA).sub, "free_busy_write")
        assert issued.expires_in == ACCESS_TOKEN_LIFETIME
        assert lives(world, issued.access_token)

    def test_tokens_are_kept_as_hashes_alone(self, world):
        issued = connect(world)
        kept = repr(vars(world.tokens))
        assert issued.access_token not in kept
        assert issued.refresh_token not in kept
        assert hashed(issued.access_token) in kept
        assert issued.access_token not in repr(issued)

    def test_with_several_profiles_the_one_just_connected_is_named(self, world):
        from freebusy.service.linking import issue_link_token

        connect(world)
        link_token = issue_link_token(world.account_of(ANA), tokens=world.tokens, now=world.clock())
        code = world.trip(ANA_AT_WORK, provider_name="ms_graph_free_busy", link_token=link_token)["code"]
        assert exchange(world, code).profile.identity == ANA_AT_WORK

    @pytest.mark.parametrize("code", ["unknown", "\0", "\ud800", "x" * 100_000], ids=repr)
    def test_an_unknown_code_buys_nothing(self, world, code):
        assert_invalid_grant(exchange, world, code)

    def test_a_code_expires(self, world):
        code = world.trip(ANA)["code"]
        world.clock.advance(AUTHORIZATION_CODE_LIFETIME)
        assert_invalid_grant(exchange, world, code)

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"application": OTHER_APP}, id="another application"),
            pytest.param({"redirect_uri": "https://app.example/cb?tenant=1"}, id="another redirect URI"),
            pytest.param({"redirect_uri": ""}, id="no redirect URI"),
            pytest.param({"code_verifier": VERIFIER}, id="a verifier where nobody sent a challenge"),
            pytest.param({"code_verifier": ""}, id="an empty verifier where nobody sent a challenge"),
        ],
    )
    def test_a_code_presented_wrongly_stays_good_for_its_owner(self, world, wrong):
        code = world.trip(ANA)["code"]
        assert_invalid_grant(exchange, world, code, **wrong)
        assert lives(world, exchange(world, code).access_token)

    @pytest.mark.parametrize(
        "verifier",
        [
            pytest.param(None, id="none"),
            pytest.param("x" * 43, id="another"),
            pytest.param(CHALLENGE, id="the challenge itself"),
            pytest.param(VERIFIER[:-1], id="too short"),
            pytest.param(VERIFIER + "=", id="padded"),
            pytest.param("ä" * 43, id="not ASCII"),
        ],
    )
    def test_with_pkce_only_the_verifier_opens_it(self, world, verifier):
        code = world.trip(ANA, **PKCE)["code"]
        assert_invalid_grant(exchange, world, code, code_verifier=verifier)
        assert lives(world, exchange(world, code, code_verifier=VERIFIER).access_token)

    def test_a_replay_takes_what_the_code_bought(self, world):
        other = connect(world, BEN)
        code = world.trip(ANA)["code"]
        issued, unrelated = exchange(world, code), connect(world)
        assert_invalid_grant(exchange, world, code)
        assert not lives(world, issued.access_token)
        assert_invalid_grant(renew, world, issued.refresh_token)
        assert lives(world, unrelated.access_token), "another grant of the same account"
        assert lives(world, other.access_token)

    def test_a_replay_by_another_application_takes_nothing(self, world):
        code = world.trip(ANA)["code"]
        issued = exchange(world, code)
        assert_invalid_grant(exchange, world, code, OTHER_APP)
        assert lives(world, issued.access_token)

    def test_of_two_exchanges_at_once_neither_keeps_tokens(self, world):
        """One of them may be a thief's (RFC 6749, 4.1.2)."""
        code = world.trip(ANA)["code"]
        find_code = world.tokens.find_code
        looked_up = find_code(hashed(code), world.clock())
        issued = exchange(world, code)

        def find_as_before(*_):
            world.tokens.find_code = find_code
            return looked_up

        world.tokens.find_code = find_as_before
        assert_invalid_grant(exchange, world, code)
        assert not lives(world, issued.access_token)

    def test_a_revocation_reaches_codes_that_are_under_way(self, world):
        code = world.trip(ANA)["code"]
        revoke_sub(world, APP, world.account_of(ANA).sub)
        assert_invalid_grant(exchange, world, code)

    def test_a_code_survives_a_credential_that_dies_meanwhile(self, world):
        """The application learns of it from ``profile_connected``."""
        code, profile = world.trip(ANA)["code"], world.profile_of(ANA)
        sub = world.account_of(ANA).sub
        world.accounts.disconnect(sub, profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
        assert lives(world, exchange(world, code).access_token)


class TestRefreshing:
    def test_confidential_applications_keep_their_refresh_token_for_good(self, world):
        issued = connect(world)
        world.clock.advance(1000 * DAY)
        for _ in range(3):
            renewed = renew(world, issued.refresh_token)
            assert renewed.refresh_token == issued.refresh_token
            assert lives(world, renewed.access_token)
        assert (renewed.scope, renewed.sub, renewed.profile) == ("free_busy_write", issued.sub, None)

    def test_earlier_access_tokens_live_on(self, world):
        issued = connect(world)
        renew(world, issued.refresh_token)
        assert lives(world, issued.access_token)

    @pytest.mark.parametrize("value", ["unknown", "\0", "\ud800", "x" * 100_000], ids=repr)
    def test_an_unknown_refresh_token_is_refused(self, world, value):
        assert_invalid_grant(renew, world, value)

    def test_so_are_an_access_token_and_a_client_secret(self, world):
        world.tokens.save(hashed("secret"), TokenRecord(TokenKind.CLIENT_SECRET, "app"))
        assert_invalid_grant(renew, world, connect(world).access_token)
        assert_invalid_grant(renew, world, "secret")

    def test_so_is_another_applications_refresh_token_and_it_stays_good(self, world):
        issued = connect(world)
        assert_invalid_grant(renew, world, issued.refresh_token, OTHER_APP)
        assert lives(world, renew(world, issued.refresh_token).access_token)


class TestRotation:
    def test_public_applications_get_a_new_refresh_token_each_time(self, world):
        seen = [connect_front_end(world).refresh_token]
        for _ in range(3):
            world.clock.advance(60)
            seen.append(renew(world, seen[-1], FRONT_END).refresh_token)
        assert len(set(seen)) == 4
        assert all(token.startswith("fbc_rt_") for token in seen)

    def test_an_honest_retry_gets_the_same_successor(self, world):
        """The answer was lost on the way, and the front end asks again."""
        issued = connect_front_end(world)
        first = renew(world, issued.refresh_token, FRONT_END)
        world.clock.advance(ROTATION_GRACE)
        again = renew(world, issued.refresh_token, FRONT_END)
        assert again.refresh_token == first.refresh_token
        assert lives(world, first.access_token)
        assert lives(world, again.access_token)
        assert renew(world, first.refresh_token, FRONT_END).refresh_token != first.refresh_token

    def test_an_honest_retry_gets_it_also_when_the_data_key_was_replaced_in_between(self, world):
        issued = connect_front_end(world)
        first = renew(world, issued.refresh_token, FRONT_END)
        world.vault.add_key(FRONT_END.client_id, after=1)
        assert renew(world, issued.refresh_token, FRONT_END).refresh_token == first.refresh_token

    def test_two_uses_at_once_under_two_data_keys_get_the_one_that_was_stored(self, world):
        issued, others, rotate = connect_front_end(world), [], world.tokens.rotate

        def overtaken(*asked, **named):
            world.tokens.rotate = rotate
            world.vault.add_key(FRONT_END.client_id, after=1)
            others.append(renew(world, issued.refresh_token, FRONT_END))
            return rotate(*asked, **named)

        world.tokens.rotate = overtaken
        slower = renew(world, issued.refresh_token, FRONT_END)
        assert [slower.refresh_token] == [other.refresh_token for other in others]
        assert lives(world, renew(world, slower.refresh_token, FRONT_END).access_token)

    def test_reuse_after_the_grace_ends_the_grant(self, world):
        issued, other = connect_front_end(world), connect_front_end(world)
        successor = renew(world, issued.refresh_token, FRONT_END)
        world.clock.advance(ROTATION_GRACE + 1)
        assert_invalid_grant(renew, world, issued.refresh_token, FRONT_END)
        assert not lives(world, successor.access_token)
        assert_invalid_grant(renew, world, successor.refresh_token, FRONT_END)
        assert lives(world, other.access_token), "the same person's other browser"

    def test_an_idle_refresh_token_ends(self, world):
        issued = connect_front_end(world)
        world.clock.advance(PUBLIC_REFRESH_TOKEN_IDLE_LIFETIME)
        assert_invalid_grant(renew, world, issued.refresh_token, FRONT_END)

    def test_a_grant_in_use_ends_too_when_it_is_old(self, world):
        token, age, step = connect_front_end(world).refresh_token, 0, 20 * DAY
        while age + step < PUBLIC_GRANT_LIFETIME:
            world.clock.advance(step)
            age += step
            token = renew(world, token, FRONT_END).refresh_token
        world.clock.advance(PUBLIC_GRANT_LIFETIME - age)
        assert_invalid_grant(renew, world, token, FRONT_END)


class TestRevoking:
    @pytest.fixture
    def issued(self, world):
        return connect(world)

    def revoke(self, world, token, application=APP):
        revoke_token(
            application,
            token,
            tokens=world.tokens,
            accounts=world.accounts,
            service_accounts=world.accounts.service_accounts,
            end_upstream=world.end_upstream,
            now=world.clock(),
        )

    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    def test_either_token_ends_the_whole_authorization(self, world, issued, kind):
        other_browser = connect(world)
        self.revoke(world, getattr(issued, kind))
        assert not any(lives(world, each.access_token) for each in (issued, other_browser))
        profile = world.profile_of(ANA)
        assert profile.disconnected is Disconnected.REVOKED
        assert profile.sealed_credential is None

    def test_so_does_the_sub(self, world, issued):
        revoke_sub(world, APP, issued.sub)
        assert not lives(world, issued.access_token)
        assert world.profile_of(ANA).sealed_credential is None

    def test_other_accounts_are_untouched(self, world, issued):
        other = connect(world, BEN)
        self.revoke(world, issued.refresh_token)
        assert lives(world, other.access_token)
        assert world.profile_of(BEN).connected

    def test_another_application_can_end_nothing(self, world, issued):
        self.revoke(world, issued.refresh_token, OTHER_APP)
        revoke_sub(world, OTHER_APP, issued.sub)
        assert lives(world, issued.access_token)
        assert world.profile_of(ANA).connected

    @pytest.mark.parametrize("value", ["unknown", "\0", "\ud800", "acc_0", "x" * 100_000], ids=repr)
    def test_the_unknown_is_revoked_already(self, world, value):
        self.revoke(world, value)
        revoke_sub(world, APP, value)

    def test_a_token_of_an_earlier_authorization_does_not_end_the_present_one(self, world, issued):
        self.revoke(world, issued.refresh_token)
        again = connect(world)
        self.revoke(world, issued.refresh_token)
        assert lives(world, again.access_token)

    def test_a_client_secret_is_no_token_to_revoke(self, world):
        world.tokens.save(hashed("secret"), TokenRecord(TokenKind.CLIENT_SECRET, "app"))
        self.revoke(world, "secret")
        assert who(world, "secret") == Caller("app")

    def test_an_interrupted_revocation_can_be_repeated(self, world, issued):
        """The credential goes first: were the grants gone already, the token could not be used to ask again."""

        class Interrupted(Exception):
            pass

        def interrupt(*_):
            raise Interrupted

        accounts = world.accounts
        revoke_grants, accounts.revoke_grants = accounts.revoke_grants, interrupt
        with pytest.raises(Interrupted):
            self.revoke(world, issued.refresh_token)
        accounts.revoke_grants = revoke_grants
        self.revoke(world, issued.refresh_token)
        assert not lives(world, issued.access_token)
        assert world.profile_of(ANA).sealed_credential is None

    def test_connecting_again_is_the_same_account_with_new_tokens(self, world, issued):
        self.revoke(world, issued.refresh_token)
        again = connect(world)
        assert again.sub == issued.sub
        assert lives(world, again.access_token)
        assert not lives(world, issued.access_token)
        assert world.profile_of(ANA).connected

    def test_a_public_application_revokes_by_token_alone(self, world):
        """An account's id is no secret, and a public application has no other to show."""
        issued = connect_front_end(world)
        with pytest.raises(TokenError) as refused:
            revoke_sub(world, FRONT_END, issued.sub)
        assert refused.value.code == "unauthorized_client"
        assert lives(world, issued.access_token)
        self.revoke(world, issued.refresh_token, FRONT_END)
        assert not lives(world, issued.access_token)


class TestServiceAccounts:
    """Their codes and tokens work as those of accounts do."""

    @pytest.fixture
    def code(self, world):
        world.accounts.service_accounts.connect(organization("ser_1", client_id="app"))
        code = AuthorizationCode("app", "ser_1", "", REDIRECT_URI, MANAGE_ACCOUNTS, None, world.clock() + 300)
        world.tokens.save_code(hashed("code"), code)
        return "code"

    def test_a_code_buys_tokens_of_the_organization(self, world, code):
        issued = exchange(world, code)
        assert (issued.sub, issued.scope, issued.profile) == ("ser_1", MANAGE_ACCOUNTS, None)
        caller = who(world, issued.access_token)
        assert caller.account is None
        assert caller.holder.sub == "ser_1"
        assert who(world, renew(world, issued.refresh_token).access_token).holder.sub == "ser_1"

    def test_a_code_that_comes_back_takes_what_it_bought(self, world, code):
        issued = exchange(world, code)
        assert_invalid_grant(exchange, world, code)
        assert not lives(world, issued.access_token)

    def test_they_permit_nothing_that_an_account_permits(self, world, code):
        caller = who(world, exchange(world, code).access_token)
        with pytest.raises(InsufficientScope):
            require(caller.scope, Permission.READ_FREE_BUSY)

    def test_revoking_disconnects_the_organization(self, world, code):
        issued = exchange(world, code)
        revoke_sub(world, OTHER_APP, "ser_1")
        assert lives(world, issued.access_token)
        revoke_sub(world, APP, "ser_1")
        assert not lives(world, issued.access_token)
        assert world.accounts.service_accounts.find("ser_1").disconnected is Disconnected.REVOKED

    def test_a_code_of_a_revoked_organization_buys_nothing(self, world, code):
        revoke_sub(world, APP, "ser_1")
        assert_invalid_grant(exchange, world, code)
