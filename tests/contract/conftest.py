"""What contracts of several things share."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.npm import NODE_IS_MISSING, installed


def client(**options: Any) -> Any:
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # the emulators take anything
        **options,
    )


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    with mock_aws():
        yield client()


@pytest.fixture(scope="module")
def ministack(emulator: str) -> Any:
    return client(endpoint_url=emulator)


Reading = Callable[[str, list[bytes]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def read_with_ical_js() -> Reading:
    """Reads calendar objects with ical.js by a script of this folder, all in one go."""
    if NODE_IS_MISSING:
        pytest.skip("Node is not installed")
    node_modules = installed("ical.js@2.2.1")

    def reading(script: str, objects: list[bytes]) -> list[dict[str, Any]]:
        ran = subprocess.run(
            ["node", str(Path(__file__).with_name(script))],
            input=json.dumps([b64encode(each).decode() for each in objects]),
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(node_modules)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        found: list[dict[str, Any]] = json.loads(ran.stdout)
        return found

    return reading
