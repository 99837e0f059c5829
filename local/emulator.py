"""The stand-in for AWS: MiniStack, in a virtual environment of its own because it pins another botocore."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.processes import LOOPBACK, ChildFailed, Children, inherited_environment

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "laptop",
    "AWS_SECRET_ACCESS_KEY": "laptop",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}

_PYTHON = Path(__file__).parent.parent / ".local" / "venvs" / "emulator" / "bin" / "python"
_TRANSFORM = Path(__file__).with_name("transform.py")


async def start(children: Children, port: int) -> str:
    """Starts the emulator and returns its endpoint; ``children.all_listening`` waits for it. Raises ChildFailed."""
    await children.start(
        [python(), "-m", "ministack"],
        log="aws",
        port=port,
        environment={
            **inherited_environment(),
            **CREDENTIALS,
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "LOG_LEVEL": "WARNING",
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "MINISTACK_REGION": REGION,
        },
    )
    return f"http://{LOOPBACK}:{port}"


async def transform(template: Path) -> dict[str, Any]:
    """The template as CloudFormation sees it after the SAM transform. Raises ChildFailed."""
    process = await asyncio.create_subprocess_exec(
        python(),
        _TRANSFORM,
        template,
        REGION,
        env={**inherited_environment(), **CREDENTIALS},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, trouble = await process.communicate()
    if process.returncode:
        raise ChildFailed(f"the SAM transform of {template} failed:\n{trouble.decode()}")
    result: dict[str, Any] = json.loads(output)
    return result


def client(service: str, endpoint: str) -> Any:
    """A boto3 client that talks to the emulator, whatever the environment says about AWS."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 1}),
    )


def python() -> Path:
    """The interpreter of the emulator's environment. Raises ChildFailed when `make` has not built it yet."""
    if not _PYTHON.exists():
        raise ChildFailed(f"{_PYTHON} does not exist: start with `make run`, which builds it")
    return _PYTHON
