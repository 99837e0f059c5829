"""A callback goes where its URL leads at that moment, if that is outside, and is signed with every live secret."""

from __future__ import annotations

import json

import pytest

from freebusy.domain.application import Application, ClientSecret
from freebusy.domain.callback import signature
from freebusy.domain.errors import CallbackFailed, CallbackGone, CallbackUnsigned
from freebusy.domain.identifiers import hashed
from freebusy.measures import Measure, taken
from freebusy.service.callbacks import Callbacks, refused_callbacks
from tests.access import HOOK, secret_of
from tests.fakes.callbacks import FakeCallbackSender, FakeHosts
from tests.fakes.clock import NOW
from tests.fakes.vaults import FakeSecretVault

MESSAGE = {"authorization": {"code": "c", "state": "où ⏰"}}


@pytest.fixture
def hosts() -> FakeHosts:
    return FakeHosts()


@pytest.fixture
def sender() -> FakeCallbackSender:
    return FakeCallbackSender()


@pytest.fixture
def callbacks(hosts, sender) -> Callbacks:
    return Callbacks(hosts, sender, FakeSecretVault())


def application(*secrets: ClientSecret) -> Application:
    return Application("client-1", "Scheduler", ("https://app.example/cb",), secrets=secrets or (secret_of(),))


class TestSigning:
    OLD = ClientSecret(hashed("old"), "hint", NOW)
    """Of the time before there were callbacks."""

    @pytest.mark.parametrize(
        ("secrets", "signing"),
        [
            pytest.param([secret_of(secret="one")], ["one"], id="the only one"),
            pytest.param([secret_of(secret="one"), secret_of(secret="two")], ["one", "two"], id="both that live"),
            pytest.param([OLD, secret_of(secret="two")], ["two"], id="not one that was never sealed"),
            pytest.param([secret_of("other", "one"), secret_of(secret="two")], ["two"], id="not one of somebody else"),
        ],
    )
    def test_every_secret_signs_that_can(self, callbacks, sender, secrets, signing):
        callbacks.deliver(application(*secrets), HOOK, MESSAGE)
        (callback,) = sender.sent
        assert callback.signature == signature(callback.body, signing)

    @pytest.mark.parametrize("secrets", [[OLD], [secret_of("other")]], ids=["never sealed", "does not open"])
    def test_nothing_is_sent_unsigned(self, callbacks, sender, secrets):
        with pytest.raises(CallbackUnsigned):
            callbacks.deliver(application(*secrets), HOOK, MESSAGE)
        assert sender.sent == []

    def test_an_application_without_secrets_is_sent_nothing(self, callbacks, sender):
        bare = Application("client-1", "Scheduler", ("https://app.example/cb",))
        with pytest.raises(CallbackUnsigned):
            callbacks.deliver(bare, HOOK, MESSAGE)
        assert sender.sent == []


def test_how_applications_take_their_callbacks_is_measured(callbacks, sender):
    taken()
    callbacks.deliver(application(), HOOK, MESSAGE)
    sender.troubles = [CallbackFailed("status 503")]
    with pytest.raises(CallbackFailed):
        callbacks.deliver(application(), HOOK, MESSAGE)
    sender.troubles = [CallbackGone("status 410")]
    with pytest.raises(CallbackGone):
        callbacks.deliver(application(), HOOK, MESSAGE)
    with pytest.raises(CallbackUnsigned):
        callbacks.deliver(application(TestSigning.OLD), HOOK, MESSAGE)
    measured = taken()
    assert {words: measures.get(Measure.CALLBACKS) for words, measures in measured.items()} == {
        (("Outcome", "delivered"),): [1],
        (("Outcome", "failed"),): [1],
        (("Outcome", "gone"),): [1],
        (("Outcome", "unsigned"),): [1],
        (): None,
    }
    assert measured[()][Measure.CALLBACK_TROUBLE] == [0, 1, 0, 1]


def test_the_body_is_json_in_utf_8(callbacks, sender):
    callbacks.deliver(application(), HOOK, MESSAGE)
    assert "où ⏰".encode() in sender.sent[0].body
    assert json.loads(sender.sent[0].body) == MESSAGE


class TestRebinding:
    """Whoever owns a name can say something else each time that they are asked."""

    @pytest.mark.parametrize(
        "addresses",
        [
            pytest.param(("127.0.0.1",), id="loopback"),
            pytest.param(("169.254.169.254",), id="metadata"),
            pytest.param(("10.0.0.1", "8.8.8.8"), id="one of several"),
            pytest.param(("::ffff:127.0.0.1",), id="mapped"),
            pytest.param(("64:ff9b::7f00:1",), id="translated"),
            pytest.param((), id="nowhere"),
        ],
    )
    def test_a_name_that_was_public_when_it_was_taken_is_not_called(self, callbacks, hosts, sender, addresses):
        assert refused_callbacks([HOOK], resolver=hosts, local=False) == {}
        hosts.at["app.example"] = addresses
        with pytest.raises(CallbackFailed):
            callbacks.deliver(application(), HOOK, MESSAGE)
        assert sender.sent == []

    def test_the_address_that_was_looked_at_is_the_one_that_is_called(self, callbacks, hosts, sender):
        hosts.at["app.example"] = ("1.1.1.1",)
        callbacks.deliver(application(), HOOK, MESSAGE)
        assert [callback.address for callback in sender.sent] == ["1.1.1.1"]
        assert hosts.asked == [["app.example"]]


def test_ipv4_goes_first_since_not_every_network_has_the_other(callbacks, hosts, sender):
    hosts.at["app.example"] = ("2606:4700::1111", "1.1.1.1", "2606:4700::1001")
    for _ in range(10):
        callbacks.deliver(application(), HOOK, MESSAGE)
    assert {callback.address for callback in sender.sent} == {"1.1.1.1"}
    hosts.at["app.example"] = ("2606:4700::1111",)
    callbacks.deliver(application(), HOOK, MESSAGE)
    assert sender.sent[-1].address == "2606:4700::1111"


def test_an_address_is_called_as_it_is(callbacks, hosts, sender):
    callbacks.deliver(application(), "https://[2606:4700::1111]/hook", MESSAGE)
    assert (sender.sent[0].url, sender.sent[0].address) == ("https://[2606:4700::1111]/hook", "2606:4700::1111")
    assert hosts.asked == []


class TestADevelopersMachine:
    LOCAL = "http://localhost:9999/hook"

    def test_may_be_called_where_that_is_set(self, hosts, sender):
        hosts.at["localhost"] = ("::1", "127.0.0.1")
        assert refused_callbacks([self.LOCAL], resolver=hosts, local=True) == {}
        Callbacks(hosts, sender, FakeSecretVault(), local=True).deliver(application(), self.LOCAL, MESSAGE)
        assert sender.sent[0].address == "127.0.0.1"

    def test_may_not_be_called_otherwise_even_if_it_was_accepted(self, callbacks, hosts, sender):
        hosts.at["localhost"] = ("127.0.0.1",)
        with pytest.raises(CallbackFailed):
            callbacks.deliver(application(), self.LOCAL, MESSAGE)
        assert sender.sent == []
