"""A channel is told what is pending, once as a rule and at least once; a server that has failed for a day is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.account import Account
from freebusy.domain.application import Application
from freebusy.domain.channel import PATIENCE, Channel, ChannelDue, News, NotificationType
from freebusy.domain.errors import CallbackFailed, CallbackGone, CallbackUnsigned
from freebusy.service.announcing import announce
from freebusy.service.callbacks import Callbacks
from freebusy.service.notifications import REST_SECONDS, Notifier, Outcome
from tests.access import secret_of
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.callbacks import FakeCallbackSender, FakeHosts
from tests.fakes.channels import FakeChannels
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.vaults import FakeSecretVault
from tests.people import CLIENT_ID, connected

DUE = ChannelDue("acc_1", "chn_1", 1)
CHANGE, DISCONNECTED = NotificationType.CHANGE, NotificationType.PROFILE_DISCONNECTED


class Telling:
    """One application with one account and one channel, which is due."""

    def __init__(self) -> None:
        self.accounts = FakeAccounts(connected("acc_1"))
        self.channels = FakeChannels(self.accounts)
        self.sender = FakeCallbackSender()
        self.hosts = FakeHosts()
        self.clock = FakeClock()
        self.seconds = 100.0
        self.application = Application(CLIENT_ID, "Scheduler", ("https://app.example/cb",), secrets=(secret_of(),))
        self.notifier = self.process()
        self.open("chn_1", "https://app.example/hook")
        self.channels.told(self.channel)

    def process(self, *applications: Application) -> Notifier:
        return Notifier(
            channels=self.channels,
            accounts=self.accounts,
            applications=FakeApplications(*(applications or (self.application,))),
            callbacks=Callbacks(self.hosts, self.sender, FakeSecretVault()),
            clock=self.clock,
            timer=lambda: self.seconds,
        )

    @property
    def channel(self) -> Channel:
        channel = self.channels.find("acc_1", "chn_1")
        assert channel
        return channel

    def open(self, channel_id: str, url: str) -> None:
        assert self.channels.create(Channel(channel_id, "acc_1", CLIENT_ID, url))

    def note(self, kind: NotificationType = CHANGE, since: int = NOW) -> None:
        announce(News("acc_1", kind, since), channels=self.channels)

    def told(self) -> list[dict[str, str]]:
        return [callback.json()["notification"] for callback in self.sender.sent]


@pytest.fixture
def telling() -> Telling:
    return Telling()


def test_it_is_told_as_the_contract_has_it(telling):
    telling.note()
    assert telling.notifier.deliver(DUE) is Outcome.TOLD
    (callback,) = telling.sender.sent
    assert callback.url == "https://app.example/hook"
    assert (
        callback.json()
        == {
            "notification": {"type": "change", "changes_since": "2027-01-15T08:00:00Z"},
            "channel": {"channel_id": "chn_1", "callback_url": "https://app.example/hook", "filters": {}},
        }
        or NOW
    )


def test_several_changes_are_one_and_what_was_told_is_not_told_again(telling):
    for since in (NOW + 9, NOW, NOW + 5):
        telling.note(since=since)
    assert telling.notifier.deliver(DUE) is Outcome.TOLD
    assert telling.notifier.deliver(DUE) is Outcome.UP_TO_DATE
    assert len(telling.told()) == 1


def test_profiles_come_before_changes(telling):
    telling.note()
    telling.note(DISCONNECTED)
    telling.notifier.deliver(DUE)
    assert [told["type"] for told in telling.told()] == ["profile_disconnected", "change"]
    assert "changes_since" not in telling.told()[0]


def test_what_comes_while_it_is_told_is_told_after_it(telling):
    telling.note()
    post = telling.sender.post

    def meanwhile(*arguments, **more):
        post(*arguments, **more)
        telling.sender.post = post
        telling.note(since=NOW + 60)

    telling.sender.post = meanwhile
    telling.notifier.deliver(DUE)
    assert telling.channel.pending
    assert telling.notifier.deliver(DUE) is Outcome.TOLD
    assert len(telling.told()) == 2


class TestAServerThatFails:
    def fail(self, telling: Telling, trouble: Exception | None = None) -> Outcome:
        telling.sender.troubles = [trouble or CallbackFailed("status 500")]
        return telling.notifier.deliver(DUE)

    def test_is_tried_again_for_a_day_and_then_left(self, telling):
        telling.note()
        for later in (0, 3600, PATIENCE - 1):
            telling.clock.now = NOW + later
            with pytest.raises(CallbackFailed):
                self.fail(telling)
        telling.clock.now = NOW + PATIENCE
        assert self.fail(telling) is Outcome.CLOSED
        assert telling.channels.of("acc_1") == []

    def test_has_another_day_once_it_answered(self, telling):
        telling.note()
        with pytest.raises(CallbackFailed):
            self.fail(telling)
        assert telling.notifier.deliver(DUE) is Outcome.TOLD
        telling.clock.now = NOW + PATIENCE
        telling.note()
        with pytest.raises(CallbackFailed):
            self.fail(telling)
        assert telling.channel.pending

    def test_that_says_it_is_gone_is_believed(self, telling):
        telling.note()
        assert self.fail(telling, CallbackGone("status 410")) is Outcome.CLOSED
        assert telling.channels.of("acc_1") == []

    def test_hears_all_of_it_again_when_one_of_several_failed(self, telling):
        telling.note(DISCONNECTED)
        telling.note()
        post = telling.sender.post

        def only_the_first(*arguments, **more):
            post(*arguments, **more)
            telling.sender.troubles = [CallbackFailed("status 503")]

        telling.sender.post = only_the_first
        with pytest.raises(CallbackFailed):
            telling.notifier.deliver(DUE)
        assert set(telling.channel.pending) == {CHANGE, DISCONNECTED}

    @pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.7",), ("8.8.8.8", "169.254.169.254"), ()])
    def test_or_leads_inside_by_now_is_sent_nothing(self, telling, addresses):
        telling.hosts.at["app.example"] = addresses
        telling.note()
        with pytest.raises(CallbackFailed):
            telling.notifier.deliver(DUE)
        assert telling.sender.sent == []
        assert telling.channel.failing_since == NOW

    def test_slowly_rests_for_all_channels_of_its_application_that_lead_there(self, telling):
        telling.open("chn_2", "https://app.example/other")
        telling.open("chn_3", "https://elsewhere.example/hook")
        telling.note()

        def slow(*_, **__):
            telling.seconds += 5
            raise CallbackFailed("ReadTimeout")

        post, telling.sender.post = telling.sender.post, slow
        with pytest.raises(CallbackFailed):
            telling.notifier.deliver(DUE)
        telling.sender.post = post
        with pytest.raises(CallbackFailed):
            telling.notifier.deliver(ChannelDue("acc_1", "chn_2", 1))
        assert telling.notifier.deliver(ChannelDue("acc_1", "chn_3", 1)) is Outcome.TOLD
        telling.seconds += REST_SECONDS
        assert telling.notifier.deliver(ChannelDue("acc_1", "chn_2", 1)) is Outcome.TOLD


def test_a_server_that_is_slow_to_answer_takes_one_turn_after_another(telling):
    for kind in NotificationType:
        telling.note(kind)
    post = telling.sender.post

    def slow(*arguments, **more):
        telling.seconds += 6
        post(*arguments, **more)

    telling.sender.post = slow
    with pytest.raises(CallbackFailed):
        telling.notifier.deliver(DUE)
    assert len(telling.told()) == 3


def test_trouble_of_our_own_is_not_the_servers(telling):
    """Without a secret that signs, somebody has to rotate it: the channel waits."""
    telling.note()
    unsigned = telling.process(telling.application._replace(secrets=()))
    with pytest.raises(CallbackUnsigned):
        unsigned.deliver(DUE)
    assert telling.channel.failing_since is None


@pytest.mark.parametrize("gone", ["account", "grants", "application", "channel"])
def test_where_nobody_is_left_to_tell_nothing_is_told(telling, gone):
    telling.note()
    account: Account = connected("acc_1")
    match gone:
        case "account":
            telling.notifier = replace(telling.notifier, accounts=FakeAccounts())
        case "grants":
            telling.notifier = replace(telling.notifier, accounts=FakeAccounts(account._replace(grants={})))
        case "application":
            telling.notifier = telling.process(telling.application._replace(client_id="other"))
        case "channel":
            telling.channels.close("acc_1", "chn_1")
    assert telling.notifier.deliver(DUE) is Outcome.CLOSED
    assert telling.sender.sent == []
    assert telling.channels.of("acc_1") == []
