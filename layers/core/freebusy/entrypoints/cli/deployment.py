"""The deployment that a command is for: where it is, what its stack says, and clients to talk to it."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

from freebusy.bootstrap import application_registry
from freebusy.entrypoints.cli.output import CommandRefused

if TYPE_CHECKING:
    import argparse

LAPTOP_STACK_NAME = "freebusy-connect"
LAPTOP_STACK_FILE = ".local/stack.json"
LAPTOP_REGION = "us-east-1"

_TIMES = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})


class Deployment:
    """``laptop`` is what the laptop stack tells of itself, and empty on AWS; ``dynamodb`` the client and the table's
    name. Everything here raises CommandRefused, and what boto3 raises.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.laptop = {} if options.local is None else _told_by(Path(options.local))
        self._session = (
            # The emulator takes any credentials but wants some.
            boto3.Session("laptop", "laptop", region_name=options.region or LAPTOP_REGION)
            if self.laptop
            else boto3.Session(region_name=options.region)
        )
        table_name = options.table or self.output("TableName")
        self.dynamodb = self.client("dynamodb"), table_name
        self.registry = application_registry(*self.dynamodb)

    def client(self, service: str) -> Any:
        make: Any = self._session.client
        try:
            return make(service, endpoint_url=self.laptop.get("aws"), config=_TIMES)
        except NoRegionError as error:
            raise CommandRefused("say in which AWS region it is: --region NAME, or AWS_DEFAULT_REGION") from error

    @property
    def key_id(self) -> str:
        """Of the key that seals credentials and client secrets."""
        return self._options.key or self.output("CredentialKeyId")

    @property
    def public_url(self) -> str:
        """Empty, so that addresses begin with their path, where only the table is known."""
        if self.laptop:
            return str(self.laptop["url"])
        return self.output("ApiUrl") if self._options.stack else ""

    def output(self, key: str) -> str:
        """An output of the stack."""
        if not (self._options.stack or self.laptop):
            instead = {"TableName": " --table NAME,", "CredentialKeyId": " --key KEY beside --table,"}.get(key, "")
            raise CommandRefused(f"say which deployment: --stack NAME,{instead} or --local for the laptop stack")
        outputs = self.described("Output")
        if key not in outputs:
            raise CommandRefused(f"the stack {self._name} has no output {key}: is it a deployment of this service?")
        return outputs[key]

    def described(self, kind: Literal["Output", "Parameter"]) -> dict[str, str]:
        """The outputs or the parameters of the stack."""
        return {each[f"{kind}Key"]: each.get(f"{kind}Value", "") for each in self._stack.get(f"{kind}s", [])}

    @property
    def created_at(self) -> int:
        """When the stack was made, in epoch seconds: it has no logs from before."""
        return int(self._stack["CreationTime"].timestamp())

    @cached_property
    def _stack(self) -> dict[str, Any]:
        (described,) = self.client("cloudformation").describe_stacks(StackName=self._name)["Stacks"]
        stack: dict[str, Any] = described
        return stack

    @property
    def _name(self) -> str:
        return self._options.stack or LAPTOP_STACK_NAME


def _told_by(file: Path) -> dict[str, Any]:
    try:
        stack: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        stack["aws"]
    except OSError as error:
        raise CommandRefused(
            f"the laptop stack is not running ({file} is not there): start it with make run"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandRefused(f"{file} is not the file of a laptop stack") from error
    return stack
