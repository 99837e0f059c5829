from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from freebusy.adapters.kept_tokens import KNOWS_BETTER_SECONDS, MARGIN, MOST_KEPT, KeptTokens
from freebusy.domain.account import ProviderCredential
from freebusy.domain.errors import AccessTokenRejected, DelegationMissing, MailboxUnknown, ProviderUnavailable
from tests.fakes.clock import NOW
from tests.provider_harness import FakeTime


class Desk:
    """Hands out numbered tokens that live for an hour, and takes those that are not in ``refused``."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.kept = KeptTokens(self.time.timing)
        self.handed_out = 0
        self.refused: dict[str, Exception] = {}

    def ask(self) -> ProviderCredential:
        self.handed_out += 1
        return ProviderCredential(f"token {self.handed_out}", "", int(NOW + self.time.elapsed + 3600))

    def use(self, token: str) -> str:
        if token in self.refused:
            raise self.refused[token]
        return token

    def reading(self, key: object = "ana", *, deadline: float = 1e9) -> str:
        return self.kept.reading(key, self.ask, self.use, deadline=deadline)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_token_is_used_until_shortly_before_its_end(desk):
    assert desk.reading() == desk.reading() == "token 1"
    desk.time.elapsed = 3600 - MARGIN - 1
    assert desk.reading() == "token 1"
    desk.time.elapsed = 3600 - MARGIN
    assert desk.reading() == "token 2"


def test_everybody_has_a_token_of_their_own(desk):
    assert [desk.reading("ana"), desk.reading("ben"), desk.reading("ana")] == ["token 1", "token 2", "token 1"]


def test_what_was_used_longest_ago_is_forgotten_first(desk):
    desk.reading("ana")
    desk.reading("ben")
    desk.reading("ana")
    for number in range(MOST_KEPT - 1):
        desk.reading(number)
    assert desk.reading("ana") == "token 1"
    asked = desk.handed_out
    desk.reading("ben")
    assert desk.handed_out == asked + 1


def test_a_token_that_is_wanted_new_is_asked_for_and_then_kept(desk):
    desk.reading()
    assert desk.kept.new("ana", desk.ask).access_token == "token 2"
    assert desk.reading() == "token 2"


@pytest.mark.parametrize(
    ("error", "age"),
    [
        pytest.param(AccessTokenRejected("401"), 0, id="withdrawn"),
        pytest.param(DelegationMissing("403"), KNOWS_BETTER_SECONDS, id="issued before the administrator let us in"),
    ],
)
def test_a_kept_token_that_is_out_of_date_is_replaced(desk, error, age):
    desk.reading()
    desk.time.elapsed = age
    desk.refused["token 1"] = error
    assert desk.reading() == desk.reading() == "token 2"


@pytest.mark.parametrize(
    ("error", "age"),
    [
        pytest.param(DelegationMissing("403"), KNOWS_BETTER_SECONDS - 1, id="a young token knows what is allowed"),
        pytest.param(MailboxUnknown("404"), KNOWS_BETTER_SECONDS, id="another token would say the same"),
        pytest.param(ProviderUnavailable("503"), KNOWS_BETTER_SECONDS, id="it is not about the token"),
    ],
)
def test_what_is_not_the_tokens_fault_asks_for_no_other(desk, error, age):
    desk.reading()
    desk.time.elapsed = age
    desk.refused["token 1"] = error
    with pytest.raises(type(error)):
        desk.reading()
    assert desk.handed_out == 1


def test_a_new_token_that_is_refused_right_away_is_the_providers_trouble(desk):
    desk.refused = {f"token {number}": AccessTokenRejected("401") for number in (1, 2)}
    with pytest.raises(ProviderUnavailable):
        desk.reading()
    assert desk.handed_out == 1


def test_a_trouble_of_asking_is_told_to_whoever_waits_and_not_kept(desk, monkeypatch):
    somebody_waits, awaited = threading.Event(), desk.kept._awaited

    def seen_waiting(*under_way):
        somebody_waits.set()
        return awaited(*under_way)

    def refuse():
        assert somebody_waits.wait(timeout=30)
        raise DelegationMissing("no")

    monkeypatch.setattr(desk.kept, "_awaited", seen_waiting)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(desk.kept.reading, "ana", refuse, desk.use, deadline=1e9) for _ in range(2)]
    assert [type(each.exception()) for each in both] == [DelegationMissing] * 2
    assert desk.reading() == "token 1"


def test_nobody_waits_for_anothers_token_beyond_their_own_deadline(desk):
    asked, over = threading.Event(), threading.Event()

    def slowly():
        asked.set()
        over.wait(timeout=30)
        return desk.ask()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(desk.kept.reading, "ana", slowly, desk.use, deadline=1e9)
        asked.wait(timeout=30)
        with pytest.raises(ProviderUnavailable):
            desk.reading(deadline=0.05)
        over.set()
        assert first.result() == "token 1"
