from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.errors import InvalidRequest, NotFound, RequestInProgress, StorageUnavailable
from freebusy.domain.idempotency import CARRYING_OUT, KEPT, Answered, KeyedRequest
from freebusy.service.idempotency import carry_out_once
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.kept_answers import FakeAnswers

REQUEST = KeyedRequest("app", "acc_1", "key", "POST", "/v1/batch", '{"batch": []}')


class Effects:
    """Counts; answers how many there have been."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Answered:
        self.count += 1
        return Answered(202, f"effect {self.count}")


class Forgetful(FakeAnswers):
    def finish(self, *_args, **_kwargs):
        raise StorageUnavailable("throttled")


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def effects():
    return Effects()


@pytest.fixture
def send(clock, effects):
    answers = FakeAnswers()

    def sent(request=REQUEST, carry_out=effects, answers=answers) -> Answered:
        return carry_out_once(request, carry_out, answers=answers, now=clock.now)

    return sent


def test_a_request_that_comes_again_gets_the_first_answer(send, effects, clock):
    assert send() == Answered(202, "effect 1")
    clock.advance(KEPT - 1)
    assert send() == Answered(202, "effect 1")
    assert effects.count == 1


def test_after_a_day_the_key_is_free(send, effects, clock):
    send()
    clock.advance(KEPT)
    assert send() == Answered(202, "effect 2")


@pytest.mark.parametrize("changed", [{"client_id": "other"}, {"sub": "acc_2"}, {"key": "another"}])
def test_keys_are_those_of_whoever_sent_them(send, changed):
    send()
    assert send(replace(REQUEST, **changed)) == Answered(202, "effect 2")


@pytest.mark.parametrize("changed", [{"body": "{}"}, {"path": "/v1/other"}, {"method": "DELETE"}])
def test_a_key_stands_for_one_request(send, effects, changed):
    send()
    with pytest.raises(InvalidRequest) as refused:
        send(replace(REQUEST, **changed))
    assert refused.value.errors["Idempotency-Key"][0].key == "errors.already_used"
    assert effects.count == 1


def test_a_request_that_is_being_carried_out_is_not_carried_out_again(send, effects):
    def meanwhile() -> Answered:
        with pytest.raises(RequestInProgress):
            send()
        return effects()

    assert send(carry_out=meanwhile) == Answered(202, "effect 1")


@pytest.mark.parametrize("trouble", [NotFound("gone"), StorageUnavailable("throttled"), ZeroDivisionError()])
def test_what_failed_may_be_sent_again_at_once(send, trouble):
    def fail() -> Answered:
        raise trouble

    with pytest.raises(type(trouble)):
        send(carry_out=fail)
    assert send(replace(REQUEST, body="corrected")) == Answered(202, "effect 1")


def test_what_was_done_is_answered_though_it_cannot_be_written_down(send, clock):
    answers = Forgetful()
    assert send(answers=answers) == Answered(202, "effect 1")
    with pytest.raises(RequestInProgress):
        send(answers=answers)
    clock.advance(CARRYING_OUT)
    assert send(answers=answers) == Answered(202, "effect 2")
