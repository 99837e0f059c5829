"""Mailboxes of an organization at Cronofy: what is asked there, whose answers count, and what the application hears."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.access_request import LONGEST_DELAY, PATIENCE
from freebusy.domain.account import Disconnected, Identity, ProviderName, Upstream
from freebusy.domain.errors import (
    CallbackFailed,
    CredentialRevoked,
    DelegationMissing,
    MailboxUnknown,
    OtherAccessMode,
    ProviderMisconfigured,
    ProviderUnavailable,
    TokenError,
)
from freebusy.domain.identifiers import hashed
from freebusy.service.upstream_access import PAUSE, Answer
from tests.access import ANA, BEN, HOOK, World, wanted
from tests.fakes.clock import NOW
from tests.fakes.vaults import FakeVault
from tests.people import organization_at_cronofy

ANSWERS = "https://calendar.example.com/enterprise_connect/answers/"
NO = "mailbox_unknown"


class Cronofys(World):
    """A world whose organization is at Cronofy."""

    def __init__(self, **changes: int) -> None:
        super().__init__(organization_at_cronofy(**changes))

    @property
    def asked(self) -> tuple[str, str]:
        """Handle and state of what Cronofy was asked last."""
        _, url, state = self.cronofy.asked[-1]
        assert url.startswith(ANSWERS)
        return url.removeprefix(ANSWERS), state

    def request(self, *asked, **changes) -> str:
        """The id under which Cronofy has been asked."""
        (request_id,) = self.ask(*(asked or [wanted(**changes)]))
        assert self.answers.answer(request_id) == "awaited"
        return request_id

    def told(self, *, code: str | None = None, error_key: str = "", handle: str | None = None) -> str | None:
        """Cronofy answers what it was asked last: that it lets us in, unless said otherwise."""
        own, state = self.asked
        if code is None and not error_key:
            code = self.cronofy.let_in(self.cronofy.asked[-1][0])
        return self.upstream_answers.take(handle or own, Answer(state, code or "", error_key))

    def connected_account(self, mailbox: str = ANA):
        identity = Identity(ProviderName.GOOGLE, f"acc_{mailbox}", mailbox, upstream=Upstream.CRONOFY)
        sub = self.accounts.sub_of(self.application.client_id, identity)
        return self.accounts.find(sub) if sub else None


@pytest.fixture
def world() -> Cronofys:
    return Cronofys()


class TestAsking:
    def test_names_the_mailbox_and_an_address_of_ours_that_nobody_can_guess(self, world):
        world.request()
        world.request(email=BEN)
        (ana, first, _), (ben, second, _) = world.cronofy.asked
        assert (ana, ben) == (ANA, BEN)
        assert first != second
        assert len(first.removeprefix(ANSWERS)) == 32

    def test_keeps_neither_address_nor_the_applications_state_for_cronofy_to_see(self, world):
        world.request()
        handle, state = world.asked
        assert "job-17" not in handle + state
        assert handle not in repr(vars(world.requests))
        assert state != hashed(handle)

    def test_tells_the_application_nothing_yet(self, world):
        world.request()
        assert world.sent == []

    def test_is_tried_again_while_cronofy_is_down(self, world):
        (request_id,) = world.ask()
        world.cronofy.trouble = ProviderUnavailable("503")
        with pytest.raises(ProviderUnavailable):
            world.answers.answer(request_id)
        world.cronofy.trouble = None
        assert world.answer([request_id]) == ["awaited"]
        world.told()
        assert world.answer([request_id]) == ["granted"]

    def test_is_done_however_long_the_request_has_waited_for_us(self, world):
        (request_id,) = world.ask()
        world.clock.advance(2 * PATIENCE)
        assert world.answer([request_id]) == ["awaited"]
        assert world.queue.delays[-1] == LONGEST_DELAY
        world.told()
        assert world.answer([request_id]) == ["granted"]

    def test_is_given_up_half_an_hour_after_it_failed_first(self, world):
        (request_id,) = world.ask()
        world.cronofy.trouble = ProviderUnavailable("503")
        with pytest.raises(ProviderUnavailable):
            world.answers.answer(request_id)
        world.clock.advance(PATIENCE)
        assert world.answer([request_id]) == ["provider_unavailable"]
        assert world.sent[0]["error"] == "temporarily_unavailable"

    @pytest.mark.parametrize(
        ("trouble", "key"),
        [
            pytest.param(MailboxUnknown("422"), "mailbox_unknown", id="an address that Cronofy does not take"),
            pytest.param(DelegationMissing("403"), "delegation_missing", id="a service account that may not ask"),
        ],
    )
    def test_that_is_refused_is_told_at_once(self, world, trouble, key):
        world.cronofy.trouble = trouble
        assert world.outcome() == key
        assert world.sent[0]["error_key"] == key

    def test_needs_a_credential_that_works(self, world):
        world = Cronofys(expires_at=NOW)
        world.cronofy.trouble = CredentialRevoked("invalid_grant")
        assert world.outcome() == "service_account_disconnected"

    def test_is_not_done_for_an_organization_that_was_revoked(self, world):
        (request_id,) = world.ask()
        world.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=NOW)
        assert world.answer([request_id]) == ["service_account_disconnected"]
        assert world.cronofy.asked == []


class TestAnAnswer:
    def test_connects_the_mailbox_with_a_credential_of_its_own(self, world):
        request_id = world.request()
        assert world.told() == request_id
        assert world.queue.waiting[-1] == request_id
        account = world.connected_account()
        free_busy, managed = account.profiles
        assert (free_busy.upstream, free_busy.service_account, free_busy.name) == (Upstream.CRONOFY, "ser_1", ANA)
        credential = FakeVault().unseal(
            free_busy.sealed_credential, client_id=account.client_id, profile_id=free_busy.profile_id
        )
        assert credential.access_token == "token for code 1"
        assert managed.provider is ProviderName.MANAGED
        assert world.sent == []

    def test_reaches_the_application_as_a_code_of_ours(self, world):
        request_id = world.request()
        world.told()
        assert world.answer([request_id]) == ["granted"]
        (told,) = world.sent
        assert told["state"] == "job-17"
        issued = world.redeem(told["code"], HOOK)
        assert (issued.sub, issued.scope) == (world.connected_account().sub, "free_busy_write")
        assert world.answer([request_id]) == ["forgotten"]

    def test_is_told_until_the_application_has_taken_it_and_asked_of_cronofy_once(self, world):
        request_id = world.request()
        world.told()
        world.sender.troubles.append(CallbackFailed("status 503"))
        with pytest.raises(CallbackFailed):
            world.answers.answer(request_id)
        assert world.answer([request_id]) == ["granted"]
        assert len(world.cronofy.asked) == 1

    @pytest.mark.parametrize(
        ("said", "key"),
        [
            pytest.param("mailbox_unknown", "mailbox_unknown", id="a word that we have as well"),
            pytest.param("unable_to_grant_scope", "unable_to_grant_scope", id="the one that is documented"),
            pytest.param("no_such_word", "calendar_unreadable", id="any other"),
        ],
    )
    def test_that_is_an_error_reaches_the_application_in_our_words(self, world, said, key):
        request_id = world.request()
        assert world.told(error_key=said) == request_id
        assert world.answer([request_id]) == [key]
        (told,) = world.sent
        assert (told["error"], told["error_key"], told["state"]) == ("access_denied", key, "job-17")
        assert world.connected_account() is None

    def test_connects_the_same_account_again(self, world):
        world.request()
        world.told()
        first = world.connected_account()
        world.accounts.disconnect(first.sub, first.profiles[0].profile_id, because=Disconnected.CREDENTIAL_REVOKED)
        world.request()
        world.told()
        again = world.connected_account()
        assert again.sub == first.sub
        assert again.profiles[0].connected

    def test_connects_what_was_disconnected_on_purpose_once_the_application_redeems_it(self, world):
        request_id = world.request()
        world.told()
        world.answer([request_id])
        account = world.connected_account()
        profile_id = account.profiles[0].profile_id
        world.accounts.disconnect(account.sub, profile_id, because=Disconnected.REVOKED)
        request_id = world.request()
        world.told()
        world.answer([request_id])
        before, after = (told["code"] for told in world.sent)
        assert not world.connected_account().profiles[0].connected
        with pytest.raises(TokenError, match="revoked"):
            world.redeem(before)
        assert world.redeem(after).profile.connected
        profile = world.connected_account().profiles[0]
        assert profile.connected
        credential = FakeVault().unseal(profile.sealed_credential, client_id=account.client_id, profile_id=profile_id)
        assert credential.access_token == "token for code 2"

    def test_connects_nothing_that_was_disconnected_again_before_the_application_redeemed_it(self, world):
        """Without the credential that it brought, the profile would be shown as connected, and never be read."""
        for _ in range(2):
            request_id = world.request()
            world.told()
            world.answer([request_id])
            account = world.connected_account()
            world.accounts.disconnect(account.sub, account.profiles[0].profile_id, because=Disconnected.REVOKED)
        with pytest.raises(TokenError, match="no organization gives access"):
            world.redeem(world.sent[-1]["code"])
        assert not world.connected_account().profiles[0].connected

    @pytest.mark.parametrize("trouble", [ProviderUnavailable("503"), ProviderMisconfigured("invalid_client")])
    def test_whose_code_cannot_be_exchanged_now_is_asked_for_again(self, world, trouble):
        request_id = world.request()
        code = world.cronofy.let_in(ANA)
        world.cronofy.trouble = trouble
        assert world.told(code=code) == request_id
        assert (world.queue.waiting[-1], world.queue.delays[-1]) == (request_id, PAUSE)
        world.cronofy.trouble = None
        assert world.answer([request_id]) == ["awaited"]
        assert len(world.cronofy.asked) == 2
        world.told()
        assert world.answer([request_id]) == ["granted"]

    @pytest.mark.parametrize("trouble", [CredentialRevoked("invalid_grant"), OtherAccessMode("apple")])
    def test_whose_code_is_good_for_nothing_is_an_error(self, world, trouble):
        request_id = world.request()
        code = world.cronofy.let_in(ANA)
        world.cronofy.trouble = trouble
        world.told(code=code)
        assert world.answer([request_id]) == ["calendar_unreadable"]

    def test_connects_nothing_once_the_organization_was_revoked(self, world):
        request_id = world.request()
        code = world.cronofy.let_in(ANA)
        world.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=NOW)
        world.told(code=code)
        assert world.connected_account() is None
        assert world.answer([request_id]) == ["service_account_disconnected"]


class TestWhatIsNoAnswer:
    """It changes nothing, and the true answer still counts."""

    def counts(self, world: Cronofys, request_id: str) -> bool:
        world.told()
        return world.answer([request_id]) == ["granted"]

    @pytest.mark.parametrize("handle", ["", "guessed", "x" * 32, "ä", "\udc80"])
    def test_a_handle_that_was_never_given_out(self, world, handle):
        request_id = world.request()
        _, state = world.asked
        assert world.upstream_answers.take(handle, Answer(state, "code", "")) is None
        assert self.counts(world, request_id)

    def test_the_answer_to_another_request_at_this_ones_address(self, world):
        """Cronofy has signed it: it was meant for another application, or mailbox, of this deployment."""
        world.request(email=BEN)
        _, other_state = world.asked
        other_code = world.cronofy.let_in(BEN)
        request_id = world.request()
        handle, _ = world.asked
        assert world.upstream_answers.take(handle, Answer(other_state, other_code, "")) is None
        assert world.connected_account(BEN) is None
        assert self.counts(world, request_id)

    def test_the_same_answer_once_more(self, world):
        request_id = world.request()
        world.told()
        account = world.connected_account()
        assert world.told(code="the same code") is None
        assert world.told(error_key=NO) is None
        assert world.connected_account() == account
        assert world.answer([request_id]) == ["granted"]
        assert world.told(code="the same code") is None

    def test_a_second_answer_to_what_was_asked_twice(self, world):
        """A message that comes twice asks twice."""
        (request_id,) = world.ask()
        before = world.requests.find(request_id, NOW)
        world.answers.answer(request_id)
        first = world.asked
        world.requests.save([before])
        world.answers.answer(request_id)
        world.told()
        handle, state = first
        assert world.upstream_answers.take(handle, Answer(state, "code", "")) is None
        assert world.answer([request_id]) == ["granted"]

    def test_one_that_comes_too_late(self, world):
        request_id = world.request()
        code = world.cronofy.let_in(ANA)
        world.clock.advance(PATIENCE)
        assert world.told(code=code) is None
        assert world.answer([request_id]) == ["provider_unavailable"]
        assert world.connected_account() is None


class TestAnAnswerThatNeverComes:
    def test_is_waited_for_with_one_message_at_a_time(self, world):
        request_id = world.request()
        assert world.queue.delays[-1] == LONGEST_DELAY
        assert world.queue.waiting.count(request_id) == 2  # the first of which is being handled
        world.clock.advance(LONGEST_DELAY)
        assert world.answer([request_id]) == ["awaited"]
        assert world.queue.delays[-1] == PATIENCE - LONGEST_DELAY
        assert len(world.cronofy.asked) == 1

    def test_is_an_error_after_half_an_hour(self, world):
        request_id = world.request()
        world.clock.advance(PATIENCE)
        assert world.answer([request_id]) == ["provider_unavailable"]
        (told,) = world.sent
        assert (told["error"], told["state"]) == ("temporarily_unavailable", "job-17")
        assert world.answer([request_id]) == ["forgotten"]

    def test_is_no_reason_to_ask_for_ever(self, world):
        """Cronofy answers each time, and its codes can never be exchanged."""
        request_id = world.request()
        world.clock.advance(PATIENCE - 1)
        code = world.cronofy.let_in(ANA)
        world.cronofy.trouble = ProviderUnavailable("503")
        world.told(code=code)
        world.clock.advance(PAUSE)
        assert world.answer([request_id]) == ["provider_unavailable"]


def test_the_credential_of_the_service_account_is_renewed_beforehand(world):
    world = Cronofys(expires_at=NOW + 30)
    world.request()
    assert world.cronofy.refreshed == 1
    world.request(email=BEN)
    assert world.cronofy.refreshed == 1


def test_and_where_cronofy_rejects_it(world):
    world.cronofy.rejects = {"service token 0"}
    world.request()
    assert world.cronofy.refreshed == 1


def test_by_one_caller_at_a_time(world):
    world = Cronofys(expires_at=NOW)
    service_account = world.service_accounts.find("ser_1")
    assert world.service_accounts.lease_refresh("ser_1", version=service_account.version, now=NOW, seconds=30)
    (request_id,) = world.ask()
    with pytest.raises(ProviderUnavailable):
        world.answers.answer(request_id)
    world.clock.advance(30)
    assert world.answer([request_id]) == ["awaited"]


def test_a_credential_that_does_not_open_needs_the_administrator():
    world = Cronofys()
    world.service_accounts.put(replace(world.service_accounts.find("ser_1"), sealed_credential=b"somebody else's"))
    assert world.outcome() == "service_account_disconnected"
