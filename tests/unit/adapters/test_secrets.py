from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from freebusy.adapters.secrets import (
    FRESH_SECONDS,
    KEPT_SECONDS,
    ProviderRegistration,
    ProviderSecrets,
    ServiceAccountKey,
)
from freebusy.domain.errors import ProviderMisconfigured, ProviderUnavailable
from freebusy.measures import Measure, taken
from tests.fakes.clock import FakeClock
from tests.fakes.secrets_manager import FakeSecretsManager


def secret(client_id: Any = "id", **changes: Any) -> str:
    return json.dumps({"client_id": client_id, "client_secret": "secret", **changes})


def key_file(**changes: Any) -> str:
    """As the Cloud console gives it to download, with two of its members that nobody reads."""
    file = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "key-1",
        "private_key": "PEM",
        "client_email": "freebusy@project.iam.gserviceaccount.com",
        "client_id": "1077",
        "token_uri": "https://elsewhere.example/token",
    }
    return json.dumps({**file, **changes})


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "GetSecretValue")


def test_a_registration_is_read_from_the_secret():
    manager = FakeSecretsManager(secret())
    registration = ProviderSecrets(manager).registration("google")
    assert manager.reads == []
    assert registration() == ProviderRegistration("id", "secret")
    assert manager.reads == ["google"]


def test_how_old_a_secret_is_is_measured_with_each_read():
    taken()
    manager = FakeSecretsManager(secret())
    manager.created = datetime.now(UTC) - timedelta(days=200, hours=1)
    registration = ProviderSecrets(manager).registration("google")
    registration()
    registration()
    assert taken() == {(): {Measure.KEY_AGE: [200]}}


def test_a_registration_is_kept_for_a_while():
    manager, clock = FakeSecretsManager(secret()), FakeClock()
    registration = ProviderSecrets(manager, clock=clock).registration("google")
    registration()
    manager.value = secret(client_secret="rotated")
    clock.advance(KEPT_SECONDS - 1)
    assert registration().client_secret == "secret"
    clock.advance(1)
    assert registration().client_secret == "rotated"


def test_a_fresh_registration_is_read_again_but_not_by_every_thread():
    manager, clock = FakeSecretsManager(secret()), FakeClock()
    registration = ProviderSecrets(manager, clock=clock).registration("google")
    registration()
    manager.value = secret(client_secret="rotated")
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda _: registration(fresh=True), range(50)))
    assert {value.client_secret for value in values} == {"rotated"}, "however young the one is that was refused"
    assert len(manager.reads) == 2
    clock.advance(FRESH_SECONDS)
    registration(fresh=True)
    assert len(manager.reads) == 3


def test_a_registration_is_read_once_however_many_ask_for_it():
    """One sandbox may meet a provider in several ways: people, their organizations, and whoever signs in."""
    manager = FakeSecretsManager(secret())
    secrets = ProviderSecrets(manager)
    assert secrets.registration("google")() == secrets.registration("google")()
    assert manager.reads == ["google"]


def test_each_secret_is_kept_on_its_own():
    manager = FakeSecretsManager(secret())
    secrets = ProviderSecrets(manager)
    google, microsoft = secrets.registration("google"), secrets.registration("microsoft")
    google()
    manager.value = secret("other")
    assert microsoft().client_id == "other"
    assert google().client_id == "id"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("secret", id="not JSON"),
        pytest.param('["id", "secret"]', id="not an object"),
        pytest.param('{"client_id": "id"}', id="no client secret"),
        pytest.param(secret("", client_secret=""), id="never filled in"),
        pytest.param(secret(client_secret=None), id="null"),
        pytest.param(secret(client_id=7), id="not text"),
        pytest.param(b"binary", id="binary"),
        pytest.param(refused("ResourceNotFoundException"), id="missing"),
        pytest.param(refused("AccessDeniedException"), id="forbidden"),
        pytest.param(refused("DecryptionFailure"), id="its key is gone"),
    ],
)
def test_a_secret_that_holds_no_registration_is_the_operators_business(value):
    with pytest.raises(ProviderMisconfigured) as caught:
        ProviderSecrets(FakeSecretsManager(value)).registration("google")()
    assert "google" in str(caught.value)


@pytest.mark.parametrize(
    ("retiring", "live"),
    [
        pytest.param(None, ("secret",), id="none named"),
        pytest.param(["old", "older"], ("secret", "old", "older"), id="while a secret is rotated"),
        pytest.param(["old", "", 7, None], ("secret", "old"), id="what is no secret"),
        pytest.param("old", ("secret",), id="no list"),
    ],
)
def test_secrets_that_are_being_retired_are_live_too(retiring, live):
    value = secret(data_center="de", retiring_client_secrets=retiring)
    registration = ProviderSecrets(FakeSecretsManager(value)).registration("cronofy")()
    assert registration.live_secrets == live
    assert "old" not in repr(registration)


def test_a_service_account_is_read_from_its_key_file():
    key = ProviderSecrets(FakeSecretsManager(key_file())).service_account_key("google")()
    assert key == ServiceAccountKey("freebusy@project.iam.gserviceaccount.com", "1077", "key-1", "PEM")
    assert "PEM" not in repr(key)


def test_a_new_key_file_is_read_when_the_old_one_is_refused():
    manager, clock = FakeSecretsManager(key_file()), FakeClock()
    key = ProviderSecrets(manager, clock=clock).service_account_key("google")
    key()
    manager.value = key_file(private_key_id="key-2")
    clock.advance(FRESH_SECONDS)
    assert key().key_id == "key-1"
    assert key(fresh=True).key_id == "key-2"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="never filled in"),
        pytest.param(secret(), id="an OAuth client"),
        pytest.param(key_file(type="authorized_user"), id="a person's key"),
        pytest.param(key_file(type="external_account"), id="workload identity federation"),
        *(
            pytest.param(key_file(**{name: empty}), id=f"{name} {empty!r}")
            for name in ("client_email", "client_id", "private_key_id", "private_key")
            for empty in ("", None)
        ),
        pytest.param(key_file(client_id=1077), id="a number"),
    ],
)
def test_a_secret_that_holds_no_key_file_is_the_operators_business(value):
    with pytest.raises(ProviderMisconfigured) as caught:
        ProviderSecrets(FakeSecretsManager(value)).service_account_key("google")()
    assert "google" in str(caught.value)
    assert "PEM" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        refused("ThrottlingException"),
        refused("InternalServiceError"),
        EndpointConnectionError(endpoint_url="https://secretsmanager.example"),
    ],
)
def test_trouble_that_passes_is_not_called_a_misconfiguration(error):
    manager = FakeSecretsManager(error)
    registration = ProviderSecrets(manager).registration("google")
    with pytest.raises(ProviderUnavailable):
        registration()
    manager.value = secret()
    assert registration().client_id == "id"


def test_neither_the_value_nor_an_error_shows_the_secret():
    assert "hush" not in repr(ProviderRegistration("id", "hush"))
    with pytest.raises(ProviderMisconfigured) as caught:
        ProviderSecrets(FakeSecretsManager('{"client_secret": "hush"')).registration("google")()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "hush" not in str(caught.value)
