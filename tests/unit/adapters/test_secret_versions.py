from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from freebusy.adapters.secret_versions import SecretsManagerVersions


@pytest.fixture
def manager() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client(
            "secretsmanager", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )


@pytest.fixture
def versions(manager) -> SecretsManagerVersions:
    """Of a secret as the template makes it: empty."""
    return SecretsManagerVersions(manager, manager.create_secret(Name="google")["ARN"])


def test_a_secret_that_was_never_filled_in_is_empty(versions):
    assert (versions.current(), versions.previous(), versions.since()) == ("", "", (None, None))


def test_a_first_value_has_none_before_it(versions):
    versions.replace("one")
    assert (versions.current(), versions.previous()) == ("one", "")
    current, previous = versions.since()
    assert current is not None
    assert previous is None


def test_what_was_current_is_kept_as_the_previous_one(versions):
    for value in ("one", "two", "three"):
        versions.replace(value)
    assert (versions.current(), versions.previous()) == ("three", "two")
    assert None not in versions.since()


def test_going_back_changes_the_two_and_can_be_taken_back(versions):
    versions.replace("one")
    versions.replace("two")
    for expected in (("one", "two"), ("two", "one")):
        versions.go_back()
        assert (versions.current(), versions.previous()) == expected


def test_a_secret_that_is_not_there_is_not_called_empty(manager):
    with pytest.raises(ClientError):
        SecretsManagerVersions(manager, "no-such-secret").current()
