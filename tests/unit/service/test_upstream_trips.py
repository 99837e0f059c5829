"""People who connect by way of Cronofy, and how they move off it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.account import MOVED, Disconnected, Identity, ProviderName, Upstream
from freebusy.domain.errors import AuthorizationRefused, NotFound, OtherAccessMode
from freebusy.service.accounts import revoke_profile
from freebusy.service.linking import issue_link_token
from freebusy.service.tokens import revoke_account
from freebusy.service.trips import ProviderChoice, Reconnected
from tests.fakes.applications import FakeApplications
from tests.trips import ANA, ANA_AT_CRONOFY, APP, BEN, World, brought, callback_of

ANA_AT_GOOGLE = replace(ANA, email="Ana@Example.com")


@pytest.fixture
def world():
    return World(upstream=Upstream.CRONOFY)


def chosen(world, upstream):
    """The application has an upstream of its own."""
    world.applications = FakeApplications(APP._replace(upstream=upstream), tokens=world.tokens, accounts=world.accounts)


# --- Which upstream ----------------------------------------------------------------------------------


def test_the_deployment_says_through_whom_people_connect(world):
    assert world.depart().location.startswith("https://cronofy.test/")


@pytest.mark.parametrize(
    ("deployment", "application", "host"),
    [
        (Upstream.DIRECT, Upstream.CRONOFY, "cronofy.test"),
        (Upstream.CRONOFY, Upstream.DIRECT, "google_free_busy.test"),
        (Upstream.DIRECT, None, "google_free_busy.test"),
        (Upstream.CRONOFY, None, "cronofy.test"),
    ],
    ids=str,
)
def test_an_application_may_have_another_upstream_than_its_deployment(world, deployment, application, host):
    world.upstream = deployment
    chosen(world, application)
    assert world.depart().location.startswith(f"https://{host}/")


def test_cronofy_lets_people_choose_their_calendar_itself(world):
    departure = world.depart(provider_name=None)
    assert brought(departure.location)["kind"] == "None"
    assert brought(world.depart(provider_name="ms_graph_free_busy").location)["kind"] == "ms_graph_free_busy"


def test_cronofy_is_no_calendar_that_people_can_choose(world):
    world.upstream = Upstream.DIRECT
    choice = world.begin(provider_name=None)
    assert isinstance(choice, ProviderChoice)
    assert choice.providers == (ProviderName.GOOGLE, ProviderName.MICROSOFT)
    assert brought(world.begin(provider_name="cronofy").location)["error"] == "invalid_request"


def test_without_a_client_at_cronofy_nobody_is_sent_there(world):
    del world.providers[ProviderName.MANAGED]
    assert brought(world.begin().location)["error"] == "temporarily_unavailable"


# --- Connecting --------------------------------------------------------------------------------------


def test_whoever_comes_by_way_of_cronofy_has_the_profile_that_cronofy_names(world):
    issued = world.connect(ANA_AT_CRONOFY)
    assert issued.profile.provider is ProviderName.GOOGLE
    assert issued.profile.upstream is Upstream.CRONOFY
    assert issued.profile.asked_at is ProviderName.MANAGED


def test_the_same_person_comes_back_to_the_same_account(world):
    assert world.connect(ANA_AT_CRONOFY).sub == world.connect(ANA_AT_CRONOFY).sub


def test_nobody_is_matched_with_who_signs_in_at_google_by_their_address(world):
    first = world.connect(ANA_AT_CRONOFY)
    world.upstream = Upstream.DIRECT
    assert world.connect(ANA_AT_GOOGLE).sub != first.sub


def test_nor_by_a_subject_that_happens_to_be_the_same(world):
    first = world.connect(ANA_AT_CRONOFY)
    world.upstream = Upstream.DIRECT
    assert world.connect(replace(ANA, subject=ANA_AT_CRONOFY.subject)).sub != first.sub


def test_cronofys_callback_answers_for_nobody_else(world):
    departure = world.depart()
    with pytest.raises(AuthorizationRefused):
        world.arrive(departure, world.answer(departure, ANA_AT_CRONOFY), callback="google")


def test_another_access_than_free_busy_is_told_to_the_application(world):
    departure = world.depart()
    answer = world.answer(departure, ANA_AT_CRONOFY)
    world.cronofy.trouble = OtherAccessMode()
    told = brought(world.arrive(departure, answer, callback="cronofy").location)
    assert told["error"] == "access_denied"
    assert "free/busy" in told["error_description"]


def test_a_lapsed_profile_is_connected_again_at_cronofy(world):
    sub = world.connect(ANA_AT_CRONOFY).sub
    profile = world.profile_of(ANA_AT_CRONOFY)
    world.accounts.disconnect(sub, profile.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    departure = world.depart_again(sub, profile.profile_id)
    assert departure.location.startswith("https://cronofy.test/")
    assert brought(departure.location)["kind"] == "google_free_busy"
    assert isinstance(world.arrive(departure, world.answer(departure, ANA_AT_CRONOFY), callback="cronofy"), Reconnected)
    assert world.profile_of(ANA_AT_CRONOFY).connected


# --- Moving off --------------------------------------------------------------------------------------


@pytest.fixture
def moving(world):
    """Somebody whom the operator wants off Cronofy: their account's sub and profile."""
    sub = world.connect(ANA_AT_CRONOFY).sub
    profile = world.profile_of(ANA_AT_CRONOFY)
    assert world.accounts.mark_moving(sub, profile.profile_id, moving=True)
    return sub, profile


def come_back(world, sub, profile, identity):
    departure = world.depart_again(sub, profile.profile_id)
    return world.arrive(departure, world.answer(departure, identity), callback=callback_of(identity))


def test_until_they_consent_again_nothing_changes(world, moving):
    sub, profile = moving
    current = world.accounts.find(sub).profile(profile.profile_id)
    assert current.connected
    assert current.asked_at is ProviderName.MANAGED


def test_their_next_consent_is_at_their_provider_and_moves_the_profile(world, moving):
    sub, before = moving
    assert isinstance(come_back(world, sub, before, ANA_AT_GOOGLE), Reconnected)
    account = world.accounts.find(sub)
    after = account.profile(before.profile_id)
    assert (after.calendar_id, after.provider) == (before.calendar_id, ProviderName.GOOGLE)
    assert after.identity == ANA_AT_GOOGLE
    assert after.asked_at is ProviderName.GOOGLE
    assert after.connected
    assert not after.moving
    assert [each.profile_id for each in account.profiles] == [before.profile_id, account.managed_profile.profile_id]


def test_what_they_had_at_cronofy_is_kept_for_the_events_that_are_there(world, moving):
    sub, before = moving
    come_back(world, sub, before, ANA_AT_GOOGLE)
    (kept,) = world.accounts.find(sub).moved
    assert kept.identity == ANA_AT_CRONOFY
    assert kept.sealed_credential == before.sealed_credential
    assert world.vault.unseal(kept.sealed_credential, client_id="app", profile_id=kept.sealed_for)


def test_from_then_on_they_are_known_by_who_they_are_at_their_provider(world, moving):
    sub, before = moving
    come_back(world, sub, before, ANA_AT_GOOGLE)
    world.upstream = Upstream.DIRECT
    assert world.connect(ANA_AT_GOOGLE).sub == sub


def test_a_consent_at_cronofy_after_the_move_still_finds_the_account(world, moving):
    sub, before = moving
    come_back(world, sub, before, ANA_AT_GOOGLE)
    issued = world.connect(ANA_AT_CRONOFY)
    assert (issued.sub, issued.profile.profile_id) == (sub, before.profile_id)
    assert issued.profile.asked_at is ProviderName.GOOGLE
    (moved,) = world.accounts.find(sub).moved
    held = world.vault.unseal(moved.sealed_credential, client_id="app", profile_id=moved.sealed_for)
    assert held.access_token == "access 2"


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(BEN, id="another mailbox"),
        pytest.param(Identity(ProviderName.GOOGLE, "eve", "ana@example.com.evil.example"), id="an address like it"),
        pytest.param(replace(ANA_AT_GOOGLE, subject="eve", proven=False), id="the address, as anybody may give it"),
    ],
)
def test_nobody_else_takes_the_profile_over(world, moving, identity):
    sub, before = moving
    with pytest.raises(AuthorizationRefused) as refused:
        come_back(world, sub, before, identity)
    assert refused.value.reason == "other_person"
    assert world.accounts.find(sub).profile(before.profile_id).identity == ANA_AT_CRONOFY


def test_without_the_operator_the_address_alone_moves_nobody(world):
    sub = world.connect(ANA_AT_CRONOFY).sub
    profile = world.profile_of(ANA_AT_CRONOFY)
    departure = world.depart_again(sub, profile.profile_id)
    with pytest.raises(AuthorizationRefused) as refused:
        world.arrive(departure, world.cronofy.agree(departure.location, ANA_AT_GOOGLE), callback="cronofy")
    assert refused.value.reason == "other_person"


def test_whoever_is_connected_directly_already_does_not_move_into_a_second_account(world, moving):
    sub, before = moving
    world.upstream = Upstream.DIRECT
    other = world.connect(ANA_AT_GOOGLE).sub
    with pytest.raises(AuthorizationRefused) as refused:
        come_back(world, sub, before, ANA_AT_GOOGLE)
    assert refused.value.reason == "connected_elsewhere"
    assert world.account_of(ANA_AT_GOOGLE).sub == other != sub


def test_a_lapsed_profile_moves_too(world, moving):
    sub, before = moving
    world.accounts.disconnect(sub, before.profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    come_back(world, sub, before, ANA_AT_GOOGLE)
    account = world.accounts.find(sub)
    assert account.profile(before.profile_id).connected
    assert not account.moved[0].connected


def test_a_provider_without_a_registration_is_told_to_the_person(world, moving):
    del world.providers[ProviderName.GOOGLE]
    with pytest.raises(AuthorizationRefused) as refused:
        world.depart_again(moving[0], moving[1].profile_id)
    assert refused.value.reason == "provider_misconfigured"


def link(world, sub, identity):
    """The application sends them off with a link token of their account."""
    account = world.accounts.find(sub)
    token = issue_link_token(account, tokens=world.tokens, now=world.clock())
    return world.connect(identity, link_token=token)


def test_a_link_token_of_the_account_moves_the_profile_with_the_same_mailbox(world):
    sub = world.connect(ANA_AT_CRONOFY).sub
    before = world.profile_of(ANA_AT_CRONOFY)
    world.upstream = Upstream.DIRECT
    issued = link(world, sub, ANA_AT_GOOGLE)
    assert (issued.sub, issued.profile.profile_id) == (sub, before.profile_id)
    account = world.accounts.find(sub)
    assert [each.identity for each in account.free_busy_profiles] == [ANA_AT_GOOGLE]
    assert [each.identity for each in account.moved] == [ANA_AT_CRONOFY]


def test_an_address_that_anybody_may_give_themselves_joins_beside_it_too(world):
    sub = world.connect(ANA_AT_CRONOFY).sub
    world.upstream = Upstream.DIRECT
    link(world, sub, replace(ANA_AT_GOOGLE, proven=False))
    account = world.accounts.find(sub)
    assert [each.identity for each in account.free_busy_profiles] == [ANA_AT_CRONOFY, ANA_AT_GOOGLE]
    assert account.moved == ()


def test_a_linked_calendar_of_another_mailbox_joins_beside_the_one_at_cronofy(world):
    sub = world.connect(ANA_AT_CRONOFY).sub
    world.upstream = Upstream.DIRECT
    link(world, sub, BEN)
    account = world.accounts.find(sub)
    assert [each.identity for each in account.free_busy_profiles] == [ANA_AT_CRONOFY, BEN]
    assert account.moved == ()


# --- Revoking ----------------------------------------------------------------------------------------


def revoke(world, sub):
    revoke_account(
        APP,
        sub,
        accounts=world.accounts,
        service_accounts=world.accounts.service_accounts,
        end_upstream=world.end_upstream,
        now=world.clock(),
    )


def test_revoking_the_authorization_ends_the_one_at_cronofy(world):
    sub = world.connect(ANA_AT_CRONOFY).sub
    profile = world.profile_of(ANA_AT_CRONOFY)
    revoke(world, sub)
    assert world.ended == [(sub, profile.profile_id)]
    assert world.profile_of(ANA_AT_CRONOFY).disconnected is Disconnected.REVOKED


def test_revoking_ends_nothing_at_cronofy_for_people_who_are_not_there(world):
    world.upstream = Upstream.DIRECT
    revoke(world, world.connect(ANA).sub)
    assert world.ended == []


@pytest.mark.parametrize("way", ["account", "profile"])
def test_what_is_left_at_cronofy_after_a_move_ends_with_the_rest(world, moving, way):
    sub, before = moving
    come_back(world, sub, before, ANA_AT_GOOGLE)
    account = world.accounts.find(sub)
    if way == "account":
        revoke(world, sub)
    else:
        revoke_profile(account, before.profile_id, accounts=world.accounts, end_upstream=world.end_upstream)
    assert world.ended == [(sub, f"{before.profile_id}{MOVED}")]
    assert not world.accounts.find(sub).moved[0].connected


def test_what_was_moved_cannot_be_disconnected_by_its_own_id(world, moving):
    sub, before = moving
    come_back(world, sub, before, ANA_AT_GOOGLE)
    with pytest.raises(NotFound):
        revoke_profile(
            world.accounts.find(sub),
            f"{before.profile_id}{MOVED}",
            accounts=world.accounts,
            end_upstream=world.end_upstream,
        )
