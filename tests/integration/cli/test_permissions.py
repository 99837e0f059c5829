"""What an operator has to be permitted for each command: docs/operate.md says it, and what they call is compared."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.belongings import DynamoBelongings
from freebusy.adapters.dynamodb.events import DynamoEvents
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.domain.account import Upstream
from freebusy.domain.identifiers import new_service_account_id
from freebusy.entrypoints import cli
from freebusy.entrypoints.cli.deployment import Deployment as NamedDeployment
from freebusy.service.connecting import connect_mailbox
from local.emulator import CREDENTIALS
from local.recorder.recorded_calls import permissions_for
from tests.fakes.clock import NOW
from tests.integration.cli.deployment import CALLBACK
from tests.invitations import an_event
from tests.people import organization
from tests.pictures import png
from tests.tables import create_table

pytestmark = pytest.mark.emulator

GUIDE = Path(__file__).parents[3] / "docs" / "operate.md"

OF_ALL = {"cloudformation:DescribeStacks"}

Needs = dict[str, set[str]]


def documented() -> Needs:
    """By command, as the table of "What the operator may" has it."""
    section = GUIDE.read_text(encoding="utf-8").split("### What the operator may\n", 1)[1].split("\n#", 1)[0]
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|$", section, re.MULTILINE)
    return {
        command: set(re.findall(r"`([a-z]+:[\w/]+)`", needs))
        for commands, needs in rows
        for command in re.findall(r"`([^`]+)`", commands)
    }


def commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    below = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser.prog.removeprefix("freebusy ")
    for choices in below:
        for each in choices.values():
            yield from commands(each)


@pytest.fixture
def needed(deployment, monkeypatch) -> Callable[..., set[str]]:
    """Runs a command as if against AWS, and however it ends; gives the permissions that its calls need.

    An index of the table, and another table than the one in use, stand behind a stroke.
    """
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": deployment.endpoint}.items():
        monkeypatch.setenv(name, value)
    for module in ("applications", "keys", "people", "restoring"):
        monkeypatch.setattr(f"freebusy.entrypoints.cli.{module}.sleep", lambda _: None)
    monkeypatch.setattr("freebusy.entrypoints.cli.people.monotonic", count(0, 1000).__next__)
    made, noted = NamedDeployment.client, set[str]()

    def note(params: Any, model: Any, **_: Any) -> None:
        for action, resource in permissions_for(model.service_model.signing_name, model.name, params):
            table, _, index = resource.partition("/index/")
            elsewhere = "restored" if action.startswith("dynamodb:") and table != deployment.table else index
            noted.add(f"{action}/{elsewhere}" if elsewhere else action)

    def watched(self: NamedDeployment, service: str) -> Any:
        client = made(self, service)
        client.meta.events.register("before-parameter-build", note)
        return client

    monkeypatch.setattr(NamedDeployment, "client", watched)

    def run(*arguments: str) -> set[str]:
        noted.clear()
        cli.main(["--stack", deployment.stack, *arguments])
        return noted - OF_ALL

    return run


def test_each_command_needs_just_what_the_guide_says(deployment, created, needed, tmp_path):
    """In this order: what is erased has been used before."""
    app, secret, dynamodb = created["client_id"], created["secrets"][0]["hint"], deployment.dynamodb
    direct, moving = deployment.connected(app), deployment.connected(app, upstream=Upstream.CRONOFY)
    giver = organization(new_service_account_id(), client_id=app)
    DynamoServiceAccounts(dynamodb, deployment.table).connect(giver)
    eve = connect_mailbox(giver, "eve@example.com", accounts=deployment.accounts, now=NOW).sub
    event = an_event()._replace(sub=direct, client_id=app)
    DynamoEvents(dynamodb, deployment.table).save(event, over=None)
    restored = create_table(dynamodb, f"restored-{uuid4().hex}")
    for item in deployment.items():
        dynamodb.put_item(TableName=restored, Item=item)
    logo, first, second = tmp_path / "logo.png", tmp_path / "first.json", tmp_path / "second.json"
    logo.write_bytes(png())
    for file in (first, second):
        file.write_text(json.dumps({"client_id": "id", "client_secret": file.stem}), encoding="utf-8")
    origin, now = "https://app.example", datetime.now(UTC).isoformat()
    used: Needs = {}
    for command, *runs in (
        ("applications create", ("Another", "--redirect-uri", CALLBACK)),
        ("applications list", ()),
        ("applications show", (app,)),
        ("applications rename", (app, "Renamed")),
        ("applications upstream", (app, "direct")),
        ("applications limit", (app, "5")),
        ("applications redirect-uris add", (app, f"{CALLBACK}/2")),
        ("applications redirect-uris remove", (app, f"{CALLBACK}/2")),
        ("applications origins add", (app, origin)),
        ("applications origins remove", (app, origin)),
        ("applications home-page set", (app, origin)),
        ("applications home-page remove", (app,)),
        ("applications logo set", (app, str(logo))),
        ("applications logo remove", (app,)),
        ("applications secrets rotate", (app,)),
        ("applications secrets revoke", (app, secret)),
        ("applications move", (app,)),
        ("keys list", ()),
        ("keys rotate", ("--application", app)),
        ("providers list", ()),
        (
            "providers rotate",
            ("google", "--untried", "--another-client", "--file", str(first)),
            ("google", "--untried", "--another-client", "--file", str(second)),
            ("google", "--untried", "--back"),
        ),
        ("accounts move", (moving,)),
        ("accounts audit", (direct,)),
        ("accounts export", (direct,), (eve,), (giver.sub,)),
        ("invitations redeliver", (direct,)),
        ("accounts erase", (direct, "--yes"), (new_id(direct), "--verify")),
        ("organizations list", (app,)),
        ("organizations show", (giver.sub,)),
        ("organizations erase", (giver.sub, "--yes"), (new_id(giver.sub), "--verify")),
        (
            "restore",
            ("--from-table", restored, "--account", direct),
            ("--from-table", restored, "--as-of", now, "--application", app),
            ("--from-table", restored, "--as-of", now, "--everything"),
        ),
    ):
        used[command] = {each for arguments in runs for each in needed(*command.split(), *arguments)}
    delete = ("applications", "delete", app)
    used["applications delete"] = needed(*delete, "--yes")
    DynamoBelongings(dynamodb, deployment.table).erase(moving, deadline=inf)  # what it waited for
    used["applications delete"] |= needed(*delete, "--yes") | needed(*delete, "--verify")
    used["restore"] |= used["applications delete"]  # of those alone whose erasure was not known yet
    used["applications secrets rotate"].add("kms:GenerateDataKey")  # where it is the first one that is kept sealed
    said = documented()
    assert set(used) == set(said) == set(commands(cli._parser()))
    assert {command: used[command] ^ said[command] for command in used if used[command] != said[command]} == {}


def new_id(sub: str) -> str:
    """One of the same kind, of which there is nothing."""
    return f"{sub[:4]}{'0' * 24}"
