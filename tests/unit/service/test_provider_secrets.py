from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from freebusy.adapters.secrets import registration_in
from freebusy.domain.errors import InvalidRequest, ProviderMisconfigured
from freebusy.service.provider_secrets import RETIRING, ProviderSecret, replace_secret, restore_secret

OLD = {"client_id": "id", "client_secret": "old", "data_center": "de"}
NEW = {**OLD, "client_secret": "new"}
KEY = {"type": "service_account", "client_id": "1077", "private_key_id": "1"}


class Versions:
    """Implements ``ports.SecretVersions`` for as long as a test lasts."""

    def __init__(self, *kept: Mapping[str, Any]) -> None:
        self._kept = [json.dumps(each) for each in kept]

    def current(self) -> str:
        return self._kept[-1] if self._kept else ""

    def previous(self) -> str:
        return self._kept[-2] if len(self._kept) > 1 else ""

    def replace(self, value: str) -> None:
        self._kept.append(value)

    def go_back(self) -> None:
        self._kept[-2:] = reversed(self._kept[-2:])

    def since(self) -> tuple[int | None, int | None]:
        return None, None


class World:
    def __init__(self, *kept: Mapping[str, Any], signs: bool = False) -> None:
        self.versions = Versions(*kept)
        self.tried: list[Mapping[str, Any]] = []
        self.secret = ProviderSecret(self.versions, self.understood, "a secret", self.try_out, signs)

    def understood(self, held: Mapping[str, Any]) -> object | None:
        return held.get("client_id") and (held.get("client_secret") or held.get("private_key_id"))

    def try_out(self, held: Mapping[str, Any]) -> None:
        self.tried.append(held)
        if "wrong" in held.values():
            raise ProviderMisconfigured("the token endpoint answered 401 with invalid_client")

    def replace(
        self, given: object, *, another_client: bool = False, untried: bool = False, forget_replaced: bool = False
    ) -> object:
        text = given if isinstance(given, str) else json.dumps(given)
        return replace_secret(
            text,
            secret=self.secret,
            another_client=another_client,
            untried=untried,
            forget_replaced=forget_replaced,
        )

    @property
    def held(self) -> tuple[Any, Any]:
        return tuple(json.loads(each or "null") for each in (self.versions.current(), self.versions.previous()))


def told(error: InvalidRequest) -> str:
    return error.errors["secret"][0].description


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(NEW, id="as it is kept"),
        pytest.param("new", id="the secret alone, for the same client"),
        pytest.param("\n new \n", id="as editors and consoles leave it"),
        pytest.param({"web": NEW}, id="as Google's console gives it to download"),
    ],
)
def test_a_new_secret_is_tried_out_and_used_and_the_old_one_is_kept(given):
    world = World(OLD)
    assert world.replace(given) == (OLD, NEW)
    assert world.tried == [NEW]
    assert world.held == (NEW, OLD)


def test_a_secret_that_was_never_filled_in_takes_what_is_whole():
    world = World()
    assert world.replace(NEW) == (None, NEW)
    assert world.held == (NEW, None)


def test_what_the_provider_does_not_take_is_not_used():
    world = World(OLD)
    with pytest.raises(ProviderMisconfigured):
        world.replace("wrong")
    assert world.held == (OLD, None)


def test_whoever_knows_better_need_not_ask_the_provider():
    world = World(OLD)
    world.replace("wrong", untried=True)
    assert world.tried == []
    assert world.held[0]["client_secret"] == "wrong"


@pytest.mark.parametrize(
    ("kept", "given"),
    [
        pytest.param([OLD], "", id="nothing"),
        pytest.param([OLD], '{"client_id":"id","client_secret":"hush"', id="JSON that was cut off"),
        pytest.param([OLD], "hush and more", id="several words"),
        pytest.param([OLD], "hush\udcff", id="what is no text"),
        pytest.param([OLD], ["hush"], id="a list"),
        pytest.param([OLD], {"client_secret": "hush"}, id="without its client_id"),
        pytest.param([OLD], {"web": "hush"}, id="a download of something else"),
        pytest.param([OLD], "[" * 100_000, id="nested without end"),
        pytest.param([], "hush", id="the secret alone, of a client that is not known yet"),
        pytest.param([KEY], "hush", id="a client secret in place of a key file"),
    ],
)
def test_what_functions_could_not_use_is_refused_and_never_quoted(kept, given):
    world = World(*kept)
    with pytest.raises(InvalidRequest) as refused:
        world.replace(given, untried=True)
    assert told(refused.value) == "this is not a secret"
    assert world.held[0] == (kept[0] if kept else None)


def test_the_one_that_is_used_already_would_push_out_the_one_before():
    world = World(OLD, NEW)
    with pytest.raises(InvalidRequest) as refused:
        world.replace("new")
    assert "used already" in told(refused.value)
    assert world.held == (NEW, OLD)


@pytest.mark.parametrize("kept", [OLD, KEY], ids=["registration", "service account"])
def test_another_client_ends_all_consents_and_has_to_be_meant(kept):
    world = World(kept)
    with pytest.raises(InvalidRequest) as refused:
        world.replace({**kept, "client_id": "another"})
    assert "--another-client" in told(refused.value)
    world.replace({**kept, "client_id": "another"}, another_client=True)
    assert world.held[0]["client_id"] == "another"


class TestWhatTheProviderSigns:
    """With the replaced secret alone it may have signed what comes after that."""

    @pytest.mark.parametrize("given", ["new", NEW], ids=["the secret alone", "as it is kept"])
    @pytest.mark.parametrize("older", [{}, {RETIRING: ["older"]}], ids=["the first time", "and no older one"])
    def test_is_believed_of_the_one_before(self, given, older):
        world = World({**OLD, **older}, signs=True)
        world.replace(given)
        assert world.held[0] == {**NEW, RETIRING: ["old"]}

    def test_is_as_functions_read_it(self):
        world = World(OLD, signs=True)
        world.replace("new")
        assert registration_in(world.held[0]).live_secrets == ("new", "old")

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            pytest.param({**NEW, RETIRING: ["old", "older"]}, {}, id="by the operator, who names those"),
            pytest.param({**NEW, RETIRING: []}, {}, id="by the operator, who names none"),
            pytest.param("new", {"forget_replaced": True}, id="of nothing but the new one, as when the old one leaked"),
        ],
    )
    def test_is_decided(self, given, told):
        world = World(OLD, signs=True)
        world.replace(given, **told)
        named = given[RETIRING] if isinstance(given, dict) else []
        assert world.held[0].get(RETIRING, []) == named

    def test_is_forgotten_when_the_operator_says_so_later(self):
        world = World({**NEW, RETIRING: ["old"]}, signs=True)
        with pytest.raises(InvalidRequest):
            world.replace("new")
        world.replace("new", forget_replaced=True)
        assert world.held[0] == NEW

    def test_is_not_believed_of_another_client(self):
        world = World(OLD, signs=True)
        world.replace({**NEW, "client_id": "another"}, another_client=True)
        assert RETIRING not in world.held[0]

    def test_is_nothing_to_keep_where_it_signs_nothing_or_where_there_was_none(self):
        for world in (World(OLD), World(signs=True)):
            world.replace(NEW)
            assert world.held[0] == NEW


class TestBack:
    def test_the_one_before_is_tried_out_and_used_again(self):
        world = World(OLD, NEW)
        assert restore_secret(secret=world.secret, untried=False) == (NEW, OLD)
        assert world.tried == [OLD]
        assert world.held == (OLD, NEW)

    def test_one_that_the_provider_does_not_take_any_more_is_not_used(self):
        world = World({**OLD, "client_secret": "wrong"}, NEW)
        with pytest.raises(ProviderMisconfigured):
            restore_secret(secret=world.secret, untried=False)
        assert world.held[0] == NEW
        restore_secret(secret=world.secret, untried=True)
        assert world.held[1] == NEW

    def test_without_one_before_there_is_no_way_back(self):
        with pytest.raises(InvalidRequest) as refused:
            restore_secret(secret=World(OLD).secret, untried=True)
        assert "none before" in told(refused.value)
