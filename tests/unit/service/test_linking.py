import pytest

from freebusy.domain.account import Disconnected
from freebusy.domain.authorization import LINK_TOKEN_LIFETIME
from freebusy.domain.errors import TokenError
from freebusy.domain.identifiers import hashed
from freebusy.service.linking import issue_link_token
from tests.trips import ANA, ANA_AT_WORK, BEN, World, brought

WORK = {"provider_name": "ms_graph_free_busy"}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def account(world):
    """Ana's, with one free/busy profile."""
    world.trip(ANA)
    return world.account_of(ANA)


@pytest.fixture
def link_token(world, account):
    return issue_link_token(account, tokens=world.tokens, now=world.clock())


def test_another_provider_joins_the_account_before_the_managed_profile(world, account, link_token):
    issued = world.connect(ANA_AT_WORK, link_token=link_token, **WORK)
    assert issued.sub == account.sub
    google, microsoft, managed = world.account_of(ANA).profiles
    assert (google.identity, microsoft.identity, managed.managed) == (ANA, ANA_AT_WORK, True)
    assert issued.profile == microsoft


def test_nobody_joins_before_the_application_redeems_the_code(world, account, link_token):
    """Only the application can tell a forged trip, by its state; until it has, the account does not change."""
    code = world.trip(BEN, link_token=link_token, state="forged")["code"]
    assert world.account_of(ANA) == account
    assert world.accounts.sub_of("app", BEN) is None
    assert world.connect(BEN).sub != account.sub, "and the person whom somebody tricked gets an account of their own"
    with pytest.raises(TokenError, match="already connected to another account"):
        world.redeem(code)


def test_an_exchange_that_was_interrupted_after_joining_can_be_tried_again(world, account, link_token):
    code = world.trip(BEN, link_token=link_token)["code"]
    joining = world.tokens.find_code(hashed(code), world.clock()).joining
    world.accounts.add_profile(account.sub, joining)
    assert world.redeem(code).profile.identity == BEN
    assert len(world.account_of(BEN).profiles) == 3


def test_an_account_that_is_erased_before_the_code_is_redeemed_gets_no_profile(world, link_token):
    code = world.trip(BEN, link_token=link_token)["code"]
    world.accounts.erase("app")
    with pytest.raises(TokenError, match="erased"):
        world.redeem(code)
    assert world.accounts.sub_of("app", BEN) is None


def test_a_second_account_at_the_same_provider_joins_too(world, account, link_token):
    world.connect(BEN, link_token=link_token)
    assert [profile.identity for profile in world.account_of(BEN).free_busy_profiles] == [ANA, BEN]
    assert world.account_of(BEN).sub == account.sub


def test_a_link_token_links_once(world, link_token):
    world.trip(ANA_AT_WORK, link_token=link_token, **WORK)
    refused = world.begin(link_token=link_token)
    assert brought(refused.location)["error"] == "invalid_request"


def test_of_two_trips_with_one_link_token_the_first_to_arrive_links(world, link_token):
    first, second = world.depart(link_token=link_token), world.depart(link_token=link_token, **WORK)
    assert "code" in brought(world.arrive(first, world.answer(first, BEN)).location)
    late = world.arrive(second, world.answer(second, ANA_AT_WORK), callback="microsoft")
    assert brought(late.location)["error"] == "invalid_request"
    assert world.accounts.sub_of("app", ANA_AT_WORK) is None


def test_looking_at_the_choice_of_providers_does_not_spend_it(world, account, link_token):
    world.begin(provider_name=None, link_token=link_token)
    world.connect(BEN, link_token=link_token)
    assert world.account_of(BEN).sub == account.sub


def test_a_refused_trip_does_not_spend_it(world, account, link_token):
    departure = world.depart(link_token=link_token)
    world.arrive(departure, world.refusal(departure, error="access_denied"))
    world.connect(BEN, link_token=link_token)
    assert world.account_of(BEN).sub == account.sub


def test_who_sets_out_in_time_may_take_the_time_that_consent_takes(world, account, link_token):
    world.clock.advance(LINK_TOKEN_LIFETIME - 1)
    departure = world.depart(link_token=link_token)
    world.clock.advance(60)
    world.redeem(brought(world.arrive(departure, world.answer(departure, BEN)).location)["code"])
    assert world.account_of(BEN).sub == account.sub


def test_it_expires(world, link_token):
    world.clock.advance(LINK_TOKEN_LIFETIME)
    assert brought(world.begin(link_token=link_token).location)["error"] == "invalid_request"


def test_linking_what_is_linked_already_connects_it_again(world, account, link_token):
    world.accounts.disconnect(account.sub, account.profiles[0].profile_id, because=Disconnected.REVOKED)
    code = world.code(ANA, link_token=link_token)
    assert (code.sub, code.profile_id) == (account.sub, account.profiles[0].profile_id)
    assert world.profile_of(ANA).connected
    assert len(world.account_of(ANA).profiles) == 2


def test_an_identity_of_another_account_stays_there_and_the_link_token_good(world, account, link_token):
    world.trip(BEN)
    told = world.trip(BEN, link_token=link_token)
    assert told["error"] == "access_denied"
    assert "already connected" in told["error_description"]
    assert world.account_of(BEN).sub != account.sub
    world.connect(ANA_AT_WORK, link_token=link_token, **WORK)
    assert world.account_of(ANA_AT_WORK).sub == account.sub


def test_an_account_that_is_erased_meanwhile_gets_no_profile(world, link_token):
    departure = world.depart(link_token=link_token)
    world.accounts.erase("app")
    told = brought(world.arrive(departure, world.answer(departure, BEN)).location)
    assert told["error"] == "temporarily_unavailable"
    assert world.accounts.sub_of("app", BEN) is None


def test_without_a_link_token_nothing_is_ever_linked(world, account):
    """Not even for the same browser, and whatever ``avoid_linking`` says."""
    for avoid_linking in ("false", "true"):
        assert world.code(ANA_AT_WORK, avoid_linking=avoid_linking, **WORK).sub != account.sub
