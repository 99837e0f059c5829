"""Notifications of Cronofy: our channel stands there as long as there are channels here; what it tells is looked up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.account import MOVED, Disconnected, Profile, ProviderCredential, ProviderName
from freebusy.domain.channel import Channel, News, NotificationType
from freebusy.domain.errors import CredentialRevoked, NotFound, ProviderUnavailable, StorageUnavailable
from freebusy.domain.event import Participation, UpstreamAnswers
from freebusy.domain.identifiers import hashed
from freebusy.domain.upstream_due import UpstreamDue
from freebusy.service.audit import By, begin
from freebusy.service.calendar_reader import CalendarReader
from freebusy.service.upstream_channels import Outcome, UpstreamWork
from freebusy.service.upstream_notifications import UpstreamNotifications
from tests.fakes.accounts import FakeAccounts
from tests.fakes.channels import FakeChannels
from tests.fakes.clock import NOW
from tests.fakes.queues import FakeUpstreamQueue
from tests.fakes.upstream_channels import FakeUpstreamHandles
from tests.fakes.vaults import FakeVault
from tests.people import CLIENT_ID
from tests.unit.service.test_upstream_events import NINE, World, at_cronofy

CHANGE, DISCONNECTED = NotificationType.CHANGE, NotificationType.PROFILE_DISCONNECTED
SYNCED = NotificationType.PROFILE_INITIAL_SYNC_COMPLETED
SETTLE = UpstreamDue("acc_1", 1)


class FakeUpstreamChannels:
    """The addresses to which channels lead there."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.trouble: Exception | None = None

    def settle(self, credential: ProviderCredential, callback_url: str, *, wanted: bool, deadline: float) -> None:
        assert credential.access_token
        assert deadline
        if self.trouble:
            raise self.trouble
        (self.open.add if wanted else self.open.discard)(callback_url)


class Upstream(World):
    """Somebody of Cronofy's whose application has so many channels here."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.there, self.handles, self.queue_there = FakeUpstreamChannels(), FakeUpstreamHandles(), FakeUpstreamQueue()
        self.be(at_cronofy()._replace(channels=channels))

    def be(self, account) -> None:
        self.accounts = FakeAccounts(account)
        self.channels = FakeChannels(self.accounts)
        for number in range(account.channels):
            self.channels.create(Channel(f"chn_{number}", "acc_1", CLIENT_ID, "https://app.example/hook"))
        reader = CalendarReader(
            accounts=self.accounts,
            events=self.events,
            vault=FakeVault(),
            providers={ProviderName.MANAGED: self.cronofy},
            clock=self.clock,
            organizations=lambda: pytest.fail("nobody is read through an organization"),
        )
        self.work = UpstreamWork(
            accounts=self.accounts,
            channels=self.channels,
            handles=self.handles,
            upstream=self.there,
            reader=reader,
            answers=replace(self.answers, reader=reader),
            clock=self.clock,
            public_url="https://calendar.example.com",
        )

    def tell(self, told: NotificationType, profile: Profile | None = None, since: int = NOW - 30) -> Outcome:
        return self.work.carry_out(UpstreamDue("acc_1", 2, told, (profile or self.profile).sealed_for, since))

    @property
    def pending(self) -> dict[NotificationType, int]:
        (channel,) = self.channels.of("acc_1")
        return dict(channel.pending)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


class TestOurChannel:
    def test_is_opened_with_a_handle_that_nobody_can_guess(self, upstream):
        assert upstream.work.carry_out(SETTLE) is Outcome.SETTLED
        (url,) = upstream.there.open
        address, _, handle = url.rpartition("/")
        assert address == "https://calendar.example.com/upstream/cronofy/channels"
        assert len(handle) == 32
        assert upstream.handles.kept == {hashed(handle): ("acc_1", upstream.profile.profile_id)}

    def test_is_one_however_often_it_is_opened(self, upstream):
        for _ in range(2):
            upstream.work.carry_out(SETTLE)
        assert len(upstream.there.open) == len(upstream.handles.kept) == 1

    def test_is_nobodys_business_once_cronofy_is_not_offered_any_more(self, upstream):
        """Whoever moved off keeps what they had there, and their applications go on opening channels here."""
        upstream.work = replace(upstream.work, is_offered=False, reader=replace(upstream.work.reader, providers={}))
        assert upstream.work.carry_out(SETTLE) is Outcome.NOBODY
        assert upstream.tell(CHANGE) is Outcome.NOBODY
        assert upstream.handles.kept == {}

    def test_fits_where_cronofy_takes_128_characters(self, upstream):
        upstream.work = replace(upstream.work, public_url="https://a1b2c3d4e5.execute-api.ap-southeast-2.amazonaws.com")
        upstream.work.carry_out(SETTLE)
        (url,) = upstream.there.open
        assert len(url) <= 128

    def test_is_closed_with_the_last_one_here(self, upstream):
        upstream.work.carry_out(SETTLE)
        upstream.be(at_cronofy())
        upstream.work.carry_out(SETTLE)
        assert upstream.there.open == set()
        assert upstream.handles.kept == {}

    @pytest.mark.parametrize("why", [Disconnected.REVOKED, Disconnected.CREDENTIAL_REVOKED])
    def test_of_a_profile_that_was_disconnected_is_not_known_any_more(self, upstream, why):
        upstream.work.carry_out(SETTLE)
        upstream.accounts.disconnect("acc_1", upstream.profile.profile_id, because=why)
        upstream.work.carry_out(SETTLE)
        assert upstream.handles.kept == {}

    def test_stays_with_a_profile_that_moved_off(self, upstream):
        upstream.work.carry_out(SETTLE)
        profile, managed = upstream.account.profiles
        direct = replace(profile, identity=replace(profile.identity, upstream="direct"))
        moved = replace(profile, profile_id=f"{profile.profile_id}{MOVED}")
        upstream.be(upstream.account._replace(profiles=(direct, managed), moved=(moved,)))
        upstream.work.carry_out(SETTLE)
        assert len(upstream.there.open) == len(upstream.handles.kept) == 1

    def test_is_tried_again_while_cronofy_does_not_answer(self, upstream):
        upstream.there.trouble = ProviderUnavailable("503")
        with pytest.raises(ProviderUnavailable):
            upstream.work.carry_out(SETTLE)

    def test_shows_that_the_credential_is_dead(self, upstream):
        upstream.cronofy.refresh_trouble = CredentialRevoked("dead")
        profile, managed = upstream.account.profiles
        upstream.be(upstream.account._replace(profiles=(replace(profile, credential_expires_at=0), managed)))
        upstream.cronofy.rejects = {f"token 0 of {upstream.account.sub}"}
        upstream.clock.advance(7200)
        assert upstream.work.carry_out(SETTLE) is Outcome.SETTLED
        assert upstream.profile.disconnected is Disconnected.CREDENTIAL_REVOKED

    def test_is_nobodys_without_an_account(self, upstream):
        assert upstream.work.carry_out(UpstreamDue("acc_2", 1)) is Outcome.NOBODY


class TestWhatItTells:
    def test_answers_are_taken_in_and_the_change_is_passed_on(self, upstream):
        upstream.upsert()
        told = UpstreamAnswers(upstream.event.uid, NINE.start, NINE.end, Participation.ACCEPTED, {})
        upstream.upstream.told = [told]
        assert upstream.tell(CHANGE) is Outcome.PASSED_ON
        assert upstream.event.person.participation is Participation.ACCEPTED
        assert upstream.pending == {CHANGE: NOW - 30}

    def test_what_is_read_for_that_is_audited_and_nothing_else_is(self, upstream):
        notes = begin()
        upstream.work.carry_out(SETTLE)
        upstream.tell(DISCONNECTED)
        assert not notes.accounts
        upstream.tell(CHANGE)
        assert (list(notes.accounts), notes.client_id, notes.by) == (["acc_1"], CLIENT_ID, By.SERVICE)

    def test_who_wants_managed_events_alone_hears_of_those(self, upstream):
        """That is told by the write of the answer."""
        upstream.channels.close("acc_1", "chn_0")
        only = Channel("chn_1", "acc_1", CLIENT_ID, "https://app.example/hook", only_managed=True)
        upstream.channels.create(only)
        upstream.tell(CHANGE)
        assert upstream.pending == {}

    def test_of_one_profile_is_passed_on_whatever_another_one_is_up_to(self, upstream):
        upstream.upsert()
        first, managed = upstream.account.profiles
        identity = replace(first.identity, subject="acc_of_another")
        second = replace(first, profile_id="pro_2", calendar_id="cal_2", identity=identity)
        upstream.be(upstream.account._replace(profiles=(first, second, managed)))
        upstream.upstream.troubles = [CredentialRevoked("that of the first is dead")]
        upstream.tell(CHANGE, second)
        assert upstream.pending == {CHANGE: NOW - 30}

    def test_answers_that_cannot_be_read_are_tried_again(self, upstream):
        upstream.upsert()
        upstream.upstream.troubles = [ProviderUnavailable("503")]
        with pytest.raises(ProviderUnavailable):
            upstream.tell(CHANGE)
        assert upstream.pending == {}

    def test_an_event_that_is_changed_meanwhile_is_read_again(self, upstream, monkeypatch):
        upstream.upsert()
        told = UpstreamAnswers(upstream.event.uid, NINE.start, NINE.end, Participation.ACCEPTED, {})
        upstream.upstream.told = [told]
        monkeypatch.setattr(upstream.events, "save", lambda *_, **__: False)
        with pytest.raises(StorageUnavailable):
            upstream.tell(CHANGE)

    def test_a_lost_connection_is_tried_and_then_written(self, upstream):
        upstream.cronofy.refresh_trouble = CredentialRevoked("lost")
        assert upstream.tell(DISCONNECTED) is Outcome.PASSED_ON
        assert upstream.profile.disconnected is Disconnected.CREDENTIAL_REVOKED

    def test_a_connection_that_works_is_not_given_up(self, upstream):
        upstream.tell(DISCONNECTED)
        assert upstream.profile.connected
        assert upstream.cronofy.refreshes == 1

    def test_the_first_sync_is_passed_on(self, upstream):
        upstream.tell(SYNCED)
        assert upstream.pending == {SYNCED: NOW - 30}

    def test_of_a_profile_that_moved_off_answers_count_and_its_calendar_does_not(self, upstream):
        profile, managed = upstream.account.profiles
        moved = replace(profile, profile_id=f"{profile.profile_id}{MOVED}")
        direct = replace(profile, identity=replace(profile.identity, upstream="direct"))
        upstream.be(upstream.account._replace(profiles=(direct, managed), moved=(moved,)))
        upstream.tell(CHANGE, moved)
        assert upstream.pending == {}

    @pytest.mark.parametrize("gone", [Disconnected.REVOKED, Disconnected.CREDENTIAL_REVOKED])
    def test_about_a_profile_that_was_disconnected_here_is_nobodys(self, upstream, gone):
        upstream.accounts.disconnect("acc_1", upstream.profile.profile_id, because=gone)
        upstream.tell(CHANGE)
        assert upstream.pending == {}


def test_only_what_concerns_applications_is_queued():
    handles, queue = FakeUpstreamHandles(), FakeUpstreamQueue()
    handles.save(hashed("handle"), client_id=CLIENT_ID, sub="acc_1", profile_id="pro_1")
    notifications = UpstreamNotifications(lambda *_: False, handles, queue)
    for number, told in enumerate([*NotificationType, None]):
        notifications.take("handle", told, 7, number=number)
    assert {due.told for due in queue.waiting} == {CHANGE, DISCONNECTED, SYNCED}
    assert {(due.sub, due.profile_id, due.since) for due in queue.waiting} == {("acc_1", "pro_1", 7)}
    with pytest.raises(NotFound):
        notifications.take("another", CHANGE, 7, number=9)


def test_news_of_the_persons_own_calendar_are_not_of_managed_events():
    assert not Channel("c", "s", "i", "u", only_managed=True).wants(News("s", CHANGE, 0, "cal", managed=False))
