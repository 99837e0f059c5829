"""What an application is told about a mailbox that it asked for, however often and whatever happens in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.access_request import LIFETIME, PATIENCE
from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CallbackFailed,
    CallbackUnsigned,
    DelegationMissing,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
    TokenError,
)
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES
from freebusy.service.access_answers import REFUSALS
from freebusy.service.tokens import revoke_account
from tests.access import ANA, BEN, HOOK, MICROSOFT, ROOM, World, wanted
from tests.people import organization


@pytest.fixture
def world() -> World:
    return World()


def with_room(world: World) -> list[str]:
    return world.ask(wanted(ROOM), scope=f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}")


class TestACode:
    @pytest.mark.parametrize("service_account", [organization(), MICROSOFT], ids=["google", "microsoft"])
    def test_is_sent_for_an_account_with_both_profiles(self, service_account):
        world = World(service_account)
        assert world.outcome() == "granted"
        account = world.account_of()
        free_busy, managed = account.profiles
        assert free_busy.provider is service_account.organization.provider
        assert (free_busy.service_account, free_busy.sealed_credential, free_busy.name) == ("ser_1", None, ANA)
        assert managed.provider is ProviderName.MANAGED
        (told,) = world.sent
        assert set(told) == {"code", "state"}
        assert told["state"] == "job-17"
        assert (world.sender.sent[0].url, world.sender.sent[0].address) == (HOOK, "8.8.8.8")

    def test_buys_tokens_with_the_exact_callback_url(self, world):
        world.outcome(wanted(scope="free_busy"))
        code = world.sent[0]["code"]
        with pytest.raises(TokenError):
            world.redeem(code, "https://app.example/hook")
        issued = world.redeem(code)
        assert (issued.sub, issued.scope) == (world.account_of().sub, "free_busy")
        assert issued.profile.name == ANA

    def test_without_a_state_comes_without_one(self, world):
        world.outcome(wanted(state=None))
        assert set(world.sent[0]) == {"code"}

    def test_comes_anew_for_the_same_account_when_it_is_asked_for_again(self, world):
        world.outcome()
        account = world.account_of()
        world.outcome(wanted("Ana@Example.COM"))
        first, second = (told["code"] for told in world.sent)
        assert first != second
        assert {world.redeem(code).sub for code in (first, second)} == {account.sub}

    @pytest.mark.parametrize("because", [Disconnected.CREDENTIAL_REVOKED, Disconnected.WITHDRAWN])
    def test_connects_a_disconnected_profile_again(self, world, because):
        world.outcome()
        account = world.account_of()
        world.accounts.disconnect(account.sub, account.profiles[0].profile_id, because=because)
        world.outcome()
        assert world.account_of().profiles[0].connected

    def test_connects_what_was_disconnected_on_purpose_once_the_application_redeems_it(self, world):
        world.outcome()
        account = world.account_of()
        world.accounts.disconnect(account.sub, account.profiles[0].profile_id, because=Disconnected.REVOKED)
        world.outcome()
        before, after = (told["code"] for told in world.sent)
        assert not world.account_of().profiles[0].connected
        with pytest.raises(TokenError, match="revoked"):
            world.redeem(before)
        assert world.redeem(after).profile.connected
        assert world.account_of().profiles[0].connected

    @pytest.mark.parametrize("before", [None, Disconnected.REVOKED], ids=["as it is", "to connect it again"])
    def test_buys_nothing_once_the_organization_was_revoked(self, world, before):
        world.outcome()
        account = world.account_of()
        if before:
            world.accounts.disconnect(account.sub, account.profiles[0].profile_id, because=before)
            world.outcome()
        world.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=world.clock())
        with pytest.raises(TokenError, match="revoked"):
            world.redeem(world.sent[-1]["code"])
        assert world.account_of().profiles[0].disconnected is before
        assert world.account_of().grants == {}

    def test_still_buys_tokens_where_the_organization_only_seems_withdrawn(self, world):
        world.outcome()
        world.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=world.clock())
        assert world.redeem(world.sent[0]["code"]).profile.connected

    def test_is_sent_again_where_somebody_disconnected_the_profile_in_that_moment(self, world, monkeypatch):
        world.outcome()
        account = world.account_of()
        profile_id = account.profiles[0].profile_id
        world.accounts.disconnect(account.sub, profile_id, because=Disconnected.WITHDRAWN)
        delegate = world.accounts.delegate

        def late(*args, **kwargs):
            world.accounts.disconnect(account.sub, profile_id, because=Disconnected.REVOKED)
            return delegate(*args, **kwargs)

        monkeypatch.setattr(world.accounts, "delegate", late)
        ids = world.ask()
        with pytest.raises(StorageUnavailable):
            world.answer(ids)
        assert world.answer(ids) == ["granted"]
        assert world.account_of().profiles[0].disconnected is Disconnected.REVOKED

    def test_that_comes_late_does_not_undo_a_revocation(self, world):
        """The application took the answer, though it did not say so, and revoked the person before the next try."""
        world.sender.troubles.append(CallbackFailed("status 503"))
        (request_id,) = world.ask()
        with pytest.raises(CallbackFailed):
            world.answers.answer(request_id)
        account = world.account_of()
        revoke_account(
            world.application,
            account.sub,
            accounts=world.accounts,
            service_accounts=world.service_accounts,
            end_upstream=lambda *_: None,  # the person is no one's at Cronofy
            now=world.clock(),
        )
        assert world.answer([request_id]) == ["granted"]
        assert not world.account_of().profiles[0].connected

    def test_of_a_room_is_sent_when_the_administrator_sees_it(self, world):
        assert world.answer(with_room(world)) == ["granted"]
        assert world.account_of(ROOM)
        assert (world.calendars.credentials, world.calendars.alone) == (["admin@example.com"], [])

    def test_is_sent_though_the_organization_seemed_withdrawn_when_it_can_be_read(self, world):
        world.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=world.clock())
        assert world.outcome() == "granted"


class TestARefusal:
    @pytest.mark.parametrize(
        ("trouble", "key"),
        [
            pytest.param(MailboxUnknown(ANA), "mailbox_unknown", id="no such mailbox"),
            pytest.param(MailboxWithoutCalendar(ANA), "mailbox_without_calendar", id="no calendar"),
            pytest.param(CalendarUnreadable(ANA), "calendar_unreadable", id="not shown"),
            pytest.param(DelegationMissing("example.com"), "delegation_missing", id="not let in"),
        ],
    )
    def test_says_what_the_provider_said(self, world, trouble, key):
        world.calendars.trouble[ANA] = trouble
        assert world.outcome() == key
        assert world.sent == [
            {"error": "access_denied", "error_key": key, "error_description": REFUSALS[key], "state": "job-17"}
        ]
        assert world.account_of() is None

    @pytest.mark.parametrize(
        "trouble", [ProviderUnavailable("503"), ProviderMisconfigured("key"), AccessTokenRejected("t")]
    )
    def test_waits_for_what_may_pass_and_then_says_so(self, world, trouble):
        world.calendars.trouble[ANA] = trouble
        ids = world.ask()
        world.clock.advance(2 * PATIENCE)  # of a long queue, for which nobody blames the provider
        for seconds in (0, PATIENCE - 1):
            world.clock.advance(seconds)
            with pytest.raises(type(trouble)):
                world.answer(ids)
        assert world.sent == []
        world.clock.advance(1)
        (key,) = world.answer(ids)
        assert key == (
            "provider_misconfigured" if isinstance(trouble, ProviderMisconfigured) else "provider_unavailable"
        )
        assert world.sent[0]["error"] == "temporarily_unavailable"

    @pytest.mark.parametrize("between", [None, MailboxUnknown(ANA)], ids=["a calendar", "a refusal"])
    def test_waits_anew_once_the_provider_has_answered_in_between(self, world, between):
        ids = world.ask()
        world.calendars.trouble[ANA] = ProviderUnavailable("503")
        with pytest.raises(ProviderUnavailable):
            world.answer(ids)
        world.clock.advance(PATIENCE - 1)
        world.calendars.trouble = {ANA: between} if between else {}
        world.sender.troubles = [CallbackFailed("status 503")]
        with pytest.raises(CallbackFailed):
            world.answer(ids)
        world.clock.advance(1)
        world.calendars.trouble[ANA] = ProviderUnavailable("503")
        with pytest.raises(ProviderUnavailable):
            world.answer(ids)

    def test_is_taken_back_when_the_provider_answers_before_the_application_does(self, world):
        world.calendars.trouble[ANA] = ProviderUnavailable("503")
        ids = world.ask()
        with pytest.raises(ProviderUnavailable):
            world.answer(ids)
        world.clock.advance(PATIENCE)
        world.sender.troubles = [CallbackFailed("status 503")]
        with pytest.raises(CallbackFailed):
            world.answer(ids)
        world.calendars.trouble.clear()
        assert world.answer(ids) == ["granted"]

    def test_is_sent_for_an_organization_that_was_revoked_and_nothing_is_read(self, world):
        ids = world.ask()
        world.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=world.clock())
        assert world.answer(ids) == ["service_account_disconnected"]
        assert world.calendars.alone == []

    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            pytest.param({"delegated_scope": "free_busy"}, "unable_to_grant_scope", id="with less"),
            pytest.param({"domains": ("other.example",)}, "outside_organization", id="without this domain"),
        ],
    )
    def test_is_sent_when_the_organization_was_connected_again_otherwise(self, world, changes, key):
        ids = world.ask()
        connected = world.service_account
        if domains := changes.pop("domains", None):
            connected = replace(connected, organization=connected.organization._replace(domains=domains))
        world.service_accounts.connect(replace(connected, **changes))
        assert world.answer(ids) == [key]
        assert world.calendars.alone == []

    def test_of_a_room_says_whose_fault_it_is(self, world):
        ids = with_room(world)
        world.calendars.hidden.add(ROOM)
        assert world.answer(ids) == ["calendar_unreadable"]
        ids = with_room(world)
        world.calendars.credential_trouble = MailboxUnknown("admin@example.com")
        assert world.answer(ids) == ["delegation_missing"]

    def test_where_no_organization_can_be_read_the_operator_is_named(self, world):
        ids = world.ask()
        bare = replace(world.answers, calendars={})
        with pytest.raises(ProviderMisconfigured):
            bare.answer(ids[0])
        world.clock.advance(PATIENCE)
        assert bare.answer(ids[0]) == "provider_misconfigured"

    def test_of_one_mailbox_leaves_the_organization_standing(self, world):
        """It may have let us into a few mailboxes, and this is none of them."""
        world.calendars.trouble[ANA] = DelegationMissing("example.com")
        assert world.outcome() == "delegation_missing"
        assert world.service_accounts.find("ser_1") == world.service_account
        assert world.outcome(wanted(BEN)) == "granted"

    def test_every_description_is_a_sentence_without_an_address(self):
        assert all(text.endswith(".") and "@" not in text for text in REFUSALS.values())


class TestDelivery:
    def test_is_tried_until_the_application_takes_it_and_then_forgotten(self, world):
        ids = world.ask()
        world.sender.troubles = [CallbackFailed("status 503"), CallbackFailed("ConnectTimeout")]
        for _ in range(2):
            with pytest.raises(CallbackFailed):
                world.answer(ids)
        assert world.answer(ids) == ["granted"]
        assert world.answer(ids) == ["forgotten"]
        assert len(world.sent) == 1

    def test_makes_a_new_code_each_time_and_no_second_account(self, world):
        """The application took the answer, and the function ended before it could forget the request."""
        (request_id,) = world.ask()
        request = world.requests.find(request_id, world.clock())
        for _ in range(3):
            world.requests.save([request])
            world.answer([request_id])
        codes = [told["code"] for told in world.sent]
        assert len(set(codes)) == 3
        assert len({world.redeem(code).sub for code in codes}) == 1

    def test_one_mailbox_does_not_wait_for_another(self, world):
        first, second = world.ask(wanted(ANA), wanted(BEN))
        world.calendars.trouble[ANA] = ProviderUnavailable("503")
        with pytest.raises(ProviderUnavailable):
            world.answer([first])
        assert world.answer([second]) == ["granted"]

    @pytest.mark.parametrize("request_id", ["req_unknown", ""])
    def test_of_what_nobody_asked_for_is_nothing(self, world, request_id):
        assert world.answer([request_id]) == ["forgotten"]

    def test_ends_with_the_application(self, world):
        ids = world.ask()
        world.applications._applications.clear()
        assert world.answer(ids) == ["forgotten"]

    def test_ends_after_a_week(self, world):
        ids = world.ask()
        world.clock.advance(LIFETIME)
        assert world.answer(ids) == ["forgotten"]
        assert world.sent == []

    def test_that_cannot_be_forgotten_is_repeated_rather_than_lost(self, world, monkeypatch):
        ids = world.ask()

        def away(_):
            raise StorageUnavailable("the table does not answer")

        monkeypatch.setattr(world.requests, "delete", away)
        with pytest.raises(StorageUnavailable):
            world.answer(ids)
        monkeypatch.undo()
        assert world.answer(ids) == ["granted"]

    def test_without_a_secret_that_signs_is_never_made(self, world):
        ids = world.ask()
        unsigned = tuple(replace(secret, sealed=None) for secret in world.application.secrets)
        world.applications._applications["client-1"] = world.application._replace(secrets=unsigned)
        with pytest.raises(CallbackUnsigned, match="client-1 can sign: rotate"):
            world.answer(ids)
        assert world.sender.sent == []
        world.applications._applications["client-1"] = world.application
        assert world.answer(ids) == ["granted"]
