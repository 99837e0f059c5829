from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.vault import KEPT_SECONDS, KmsSecretVault, KmsVault
from freebusy.domain.account import ProviderCredential
from freebusy.domain.data_key import DataKey
from freebusy.domain.errors import StorageUnavailable
from freebusy.domain.identifiers import hashed
from freebusy.measures import Measure, taken
from tests.fakes.clock import NOW, FakeClock
from tests.tables import create_table

CREDENTIAL = ProviderCredential("ya29.access ⏰", "1//refresh", 1_800_003_600, "openid email")
FOR_ANA = {"client_id": "app", "profile_id": "pro_ana"}


class Cloud:
    """KMS and DynamoDB in memory, with a count of the calls to each operation."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.kms = self._client("kms")
        self.dynamodb = self._client("dynamodb")
        self.table = create_table(self.dynamodb, f"table-{uuid4().hex}")
        self.key_id = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.clock = FakeClock()
        self.calls.clear()

    def _client(self, service: str) -> Any:
        client = boto3.client(
            service,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-call", lambda model, **_: self.calls.update([model.name]))
        return client

    def sandbox(self) -> KmsVault:
        """A vault with nothing in memory yet."""
        return KmsVault(self.kms, self.dynamodb, self.table, key_id=self.key_id, clock=self.clock)

    def secrets(self) -> KmsSecretVault:
        """Of a function that signs, as new."""
        return KmsSecretVault(self.kms, self.dynamodb, self.table, key_id=self.key_id, clock=self.clock)


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def vault(cloud) -> KmsVault:
    return cloud.sandbox()


def test_what_was_sealed_opens_for_the_same_profile_in_any_sandbox(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    assert vault.unseal(sealed, **FOR_ANA) == CREDENTIAL
    assert cloud.sandbox().unseal(sealed, **FOR_ANA) == CREDENTIAL


def test_nothing_of_the_credential_can_be_read_from_what_is_stored(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    for part in ("ya29", "refresh", "openid"):
        assert part.encode() not in sealed
    stored = cloud.dynamodb.query(
        TableName=cloud.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "KEY#app"}},
    )["Items"]
    assert [set(item) for item in stored] == [{"pk", "sk", "application", "wrapped", "created_at"}]


def test_the_same_credential_never_seals_to_the_same_bytes(vault):
    assert len({vault.seal(CREDENTIAL, **FOR_ANA) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("client_id", "profile_id"),
    [
        pytest.param("app", "pro_ben", id="another profile"),
        pytest.param("other", "pro_ana", id="an application with keys of its own"),
        pytest.param("new", "pro_ana", id="an application without keys"),
    ],
)
def test_it_opens_for_nobody_else(cloud, vault, client_id, profile_id):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    vault.seal(CREDENTIAL, client_id="other", profile_id="pro_ana")
    for opening in (vault, cloud.sandbox()):
        with pytest.raises(ValueError, match="sealed"):
            opening.unseal(sealed, client_id=client_id, profile_id=profile_id)


def test_a_single_changed_bit_anywhere_is_noticed(vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(ValueError, match="sealed"):
            vault.unseal(changed, **FOR_ANA)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01\x00\x01", b"\x01\x00\x01" + bytes(12), b"\x02" + bytes(60)])
def test_what_was_never_sealed_does_not_open(vault, sealed):
    vault.seal(CREDENTIAL, **FOR_ANA)
    with pytest.raises(ValueError, match="sealed"):
        vault.unseal(sealed, **FOR_ANA)


def test_what_does_not_open_is_measured(vault):
    taken()
    vault.unseal(vault.seal(CREDENTIAL, **FOR_ANA), **FOR_ANA)
    assert taken() == {}
    with pytest.raises(ValueError, match="sealed"):
        vault.unseal(b"", **FOR_ANA)
    assert taken() == {(): {Measure.UNOPENED: [1]}}


def test_a_data_key_that_was_moved_to_another_application_does_not_open(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    item = cloud.dynamodb.get_item(TableName=cloud.table, Key={"pk": {"S": "KEY#app"}, "sk": {"S": "00001"}})["Item"]
    cloud.dynamodb.put_item(TableName=cloud.table, Item={**item, "pk": {"S": "KEY#other"}})
    with pytest.raises(ValueError, match="data key"):
        cloud.sandbox().unseal(sealed, client_id="other", profile_id="pro_ana")


def test_an_application_has_one_data_key_which_kms_is_asked_for_once(cloud, vault):
    for profile in range(5):
        context = {"client_id": "app", "profile_id": f"pro_{profile}"}
        vault.unseal(vault.seal(CREDENTIAL, **context), **context)
    vault.derive("app", "value")
    assert (cloud.calls["GenerateDataKey"], cloud.calls["Decrypt"]) == (1, 0)


def test_fifty_threads_that_need_the_key_at_once_ask_kms_once(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    fresh = cloud.sandbox()
    with ThreadPoolExecutor(50) as pool:
        opened = list(pool.map(lambda _: fresh.unseal(sealed, **FOR_ANA), range(50)))
    assert opened == [CREDENTIAL] * 50
    assert cloud.calls["Decrypt"] == 1


def test_unwrapped_keys_do_not_stay_in_memory(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    cloud.clock.advance(KEPT_SECONDS - 1)
    vault.unseal(sealed, **FOR_ANA)
    assert cloud.calls["Decrypt"] == 0
    cloud.clock.advance(1)
    vault.unseal(sealed, **FOR_ANA)
    assert cloud.calls["Decrypt"] == 1
    cloud.clock.advance(KEPT_SECONDS)
    vault.seal(CREDENTIAL, client_id="other", profile_id="pro_ana")
    assert {client_id for client_id, _ in vault._kept} == {"other"}


def test_sealing_and_opening_share_one_unwrapped_key(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    fresh = cloud.sandbox()
    fresh.unseal(sealed, **FOR_ANA)
    fresh.seal(CREDENTIAL, **FOR_ANA)
    fresh.derive("app", "value")
    assert cloud.calls["Decrypt"] == 1


class TestRotation:
    def test_a_new_key_seals_everywhere_at_once_while_older_ones_still_open(self, cloud, vault):
        """Also in sandboxes that have sealed with the older one before."""
        old = vault.seal(CREDENTIAL, **FOR_ANA)
        cloud.sandbox().add_key("app", after=1)
        new = vault.seal(replace(CREDENTIAL, access_token="new"), **FOR_ANA)
        assert (vault.key_of(old), vault.key_of(new)) == (1, 2)
        for opening in (vault, cloud.sandbox()):
            assert opening.unseal(old, **FOR_ANA) == CREDENTIAL
            assert opening.unseal(new, **FOR_ANA).access_token == "new"

    def test_what_was_sealed_under_a_forgotten_key_never_opens_again(self, cloud, vault):
        old = vault.seal(CREDENTIAL, **FOR_ANA)
        vault.add_key("app", after=1)
        vault.forget_keys("app", [1])
        with pytest.raises(ValueError, match="does not have"):
            cloud.sandbox().unseal(old, **FOR_ANA)
        assert vault.key_of(vault.seal(CREDENTIAL, **FOR_ANA)) == 2

    def test_keys_are_listed_with_the_moment_that_they_were_made_at(self, cloud, vault):
        assert vault.keys("app") == []
        vault.seal(CREDENTIAL, **FOR_ANA)
        cloud.clock.advance(60)
        vault.add_key("app", after=1)
        assert vault.keys("app") == [DataKey(1, NOW), DataKey(2, NOW + 60)]
        assert cloud.secrets().keys("app") == []

    def test_of_two_who_add_a_key_at_once_one_does(self, cloud, vault):
        vault.seal(CREDENTIAL, **FOR_ANA)
        for adding in (vault, cloud.sandbox()):
            adding.add_key("app", after=1)
        assert [key.key_id for key in vault.keys("app")] == [1, 2]

    def test_a_key_of_the_time_before_has_no_date(self, cloud, vault):
        vault.seal(CREDENTIAL, **FOR_ANA)
        key = {"pk": {"S": "KEY#app"}, "sk": {"S": "00001"}}
        cloud.dynamodb.update_item(TableName=cloud.table, Key=key, UpdateExpression="REMOVE created_at")
        assert vault.keys("app") == [DataKey(1, None)]

    def test_a_sandbox_whose_clock_went_back_does_not_keep_a_key_for_longer(self, cloud, vault):
        sealed = vault.seal(CREDENTIAL, **FOR_ANA)
        cloud.clock.advance(-1)
        vault.unseal(sealed, **FOR_ANA)
        assert cloud.calls["Decrypt"] == 1


class TestDeriving:
    def test_the_newest_key_derives_and_says_which_it_was(self, cloud, vault):
        derived, key_id = vault.derive("app", "value")
        assert (len(derived), key_id) == (32, 1)
        vault.add_key("app", after=1)
        newer, key_id = cloud.sandbox().derive("app", "value")
        assert newer != derived
        assert key_id == 2

    def test_what_was_derived_is_the_same_everywhere_as_long_as_its_key_is_there(self, cloud, vault):
        derived = vault.derive("app", "value")
        vault.add_key("app", after=1)
        assert cloud.sandbox().derive("app", "value", key_id=1) == derived
        vault.forget_keys("app", [1])
        with pytest.raises(ValueError, match="does not have"):
            cloud.sandbox().derive("app", "value", key_id=1)

    def test_it_differs_by_application_and_value(self, vault):
        assert len({vault.derive(client, value) for client in ("app", "other") for value in ("one", "two", "")}) == 6


def test_an_erased_application_takes_its_keys_along(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    DynamoApplications(cloud.dynamodb, cloud.table, pause=lambda _: None).erase("app")
    with pytest.raises(ValueError, match="sealed"):
        cloud.sandbox().unseal(sealed, **FOR_ANA)


def test_kms_being_away_is_not_the_callers_fault(cloud, vault):
    sealed = vault.seal(CREDENTIAL, **FOR_ANA)
    away = boto3.client(
        "kms",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(StorageUnavailable):
        KmsVault(away, cloud.dynamodb, cloud.table, key_id=cloud.key_id).unseal(sealed, **FOR_ANA)


def test_a_key_in_memory_is_not_shown(vault):
    vault.seal(CREDENTIAL, **FOR_ANA)
    (shown,) = {repr(key) for key in vault._kept.values()}
    assert "plaintext" not in shown


SECRET = "fbc_cs_secret"
OWN = {"client_id": "app", "secret_hash": hashed(SECRET)}


class TestClientSecrets:
    def test_a_secret_opens_in_any_sandbox_and_cannot_be_read_before(self, cloud):
        sealed = cloud.secrets().seal(SECRET, client_id="app")
        assert b"fbc" not in sealed
        assert cloud.secrets().unseal(sealed, **OWN) == SECRET

    @pytest.mark.parametrize(
        "instead",
        [
            pytest.param({"client_id": "other"}, id="another application"),
            pytest.param({"secret_hash": hashed("another secret")}, id="another secret"),
        ],
    )
    def test_it_opens_as_nothing_else(self, cloud, instead):
        vault = cloud.secrets()
        sealed = vault.seal(SECRET, client_id="app")
        vault.seal(SECRET, client_id="other")
        with pytest.raises(ValueError, match="sealed"):
            vault.unseal(sealed, **{**OWN, **instead})

    def test_a_data_key_is_of_use_for_its_own_purpose_alone(self, cloud, vault):
        """Whoever may open credentials can read the whole table, and even write to it."""
        sealed = cloud.secrets().seal(SECRET, client_id="app")
        with pytest.raises(ValueError, match="sealed"):
            vault.unseal(sealed, client_id="app", profile_id=hashed(SECRET))
        key = {"pk": {"S": "SECRET_KEY#app"}, "sk": {"S": "00001"}}
        item = cloud.dynamodb.get_item(TableName=cloud.table, Key=key)["Item"]
        cloud.dynamodb.put_item(TableName=cloud.table, Item={**item, "pk": {"S": "KEY#app"}})
        with pytest.raises(ValueError, match="data key"):
            vault.unseal(sealed, client_id="app", profile_id=hashed(SECRET))

    def test_even_under_one_data_key_a_secret_would_not_open_as_a_credential(self, cloud, vault):
        """What is authenticated names the purpose too."""
        secrets = cloud.secrets()
        sealed = secrets.seal(SECRET, client_id="app")
        vault._kept = secrets._kept
        with pytest.raises(ValueError, match="not sealed for"):
            vault.unseal(sealed, client_id="app", profile_id=hashed(SECRET))

    def test_an_erased_application_takes_these_keys_along_too(self, cloud):
        sealed = cloud.secrets().seal(SECRET, client_id="app")
        DynamoApplications(cloud.dynamodb, cloud.table, pause=lambda _: None).erase("app")
        with pytest.raises(ValueError, match="sealed"):
            cloud.secrets().unseal(sealed, **OWN)
