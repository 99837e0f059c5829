"""``make deploy SNAPSTART=on``: what CloudFormation is given then, from one deployment to the next."""

from __future__ import annotations

import asyncio
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from local import emulator
from local.snapstart import with_snapshots
from tests.template.deployment import ANSWERING, LOGICAL_ID, REACTING, RESOURCES, ROOT, TEMPLATE

Resources = dict[str, Any]

BUILT = json.dumps(TEMPLATE)
"""Without short tags, as ``sam build`` leaves it."""

PUBLISHING = ("AWS::Lambda::Version", "AWS::Lambda::Alias")


def transformed(template: Path) -> Resources:
    resources: Resources = asyncio.run(emulator.transform(template))["Resources"]
    return resources


@pytest.fixture(scope="module")
def off() -> Resources:
    return transformed(ROOT / "template.yaml")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Resources]:
    """Two deployments, between which nothing has changed."""
    folder = tmp_path_factory.mktemp("releases")
    for release in ("first", "second"):
        (folder / release).write_text(with_snapshots(BUILT, release), encoding="utf-8")
    return [transformed(folder / release) for release in ("first", "second")]


def published(resources: Resources, function: str) -> str:
    """The logical id of the version that the function's alias leads to."""
    version, attribute = resources[f"{function}Aliaslive"]["Properties"]["FunctionVersion"]["Fn::GetAtt"]
    assert attribute == "Version"
    return str(version)


def without_snapshots(resources: Resources) -> Resources:
    """The same without all that snapshots take."""
    kept = {name: each for name, each in deepcopy(resources).items() if each["Type"] not in PUBLISHING}
    for each in kept.values():
        if each["Type"] == "AWS::Lambda::Function" and each["Properties"].pop("SnapStart", None):
            del each["Properties"]["Environment"]["Variables"]["RELEASE"]
    direct = json.dumps(kept).replace("Aliaslive}/invocations", ".Arn}/invocations")
    return json.loads(re.sub(r'"Ref": "(\w+)Aliaslive"', r'"Ref": "\1"', direct))  # type: ignore[no-any-return]


@pytest.mark.parametrize("function", [LOGICAL_ID[folder] for folder in ANSWERING])
class TestAFunctionThatSomebodyWaitsFor:
    def test_starts_from_a_snapshot(self, releases, function):
        for resources in releases:
            assert resources[function]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}

    def test_is_published_by_every_deployment(self, releases, function):
        before, after = (published(resources, function) for resources in releases)
        assert before != after
        for version, resources in zip((before, after), releases, strict=True):
            assert resources[version]["Type"] == "AWS::Lambda::Version"
            assert resources[version]["Properties"]["FunctionName"] == {"Ref": function}

    def test_differs_from_its_last_version(self, releases, function):
        """Lambda would refuse to publish the next one, which ends the whole deployment."""
        before, after = (resources[function]["Properties"] for resources in releases)
        assert before != after

    def test_keeps_no_version_but_the_last(self, releases, function):
        for resources in releases:
            assert resources[published(resources, function)]["DeletionPolicy"] == "Delete"

    def test_has_version_and_alias_only_where_it_is_deployed_itself(self, releases, function):
        for resources in releases:
            for name in (published(resources, function), f"{function}Aliaslive"):
                assert resources[name].get("Condition") == RESOURCES[function].get("Condition")

    def test_is_called_by_its_alias_alone(self, releases, function):
        """Without it, requests would find whatever the function is while a deployment changes it."""
        for resources in releases:
            api = json.dumps(resources["HttpApi"]["Properties"]["Body"])
            assert f"functions/${{{function}Aliaslive}}/invocations" in api
            assert f"${{{function}.Arn}}" not in api
            permissions = [
                each["Properties"]["FunctionName"]
                for name, each in resources.items()
                if each["Type"] == "AWS::Lambda::Permission" and name.startswith(function)
            ]
            assert len(permissions) == len(RESOURCES[function]["Properties"]["Events"])
            assert all(name == {"Ref": f"{function}Aliaslive"} for name in permissions)


@pytest.mark.parametrize("function", [LOGICAL_ID[folder] for folder in REACTING])
def test_what_nobody_waits_for_stays_as_it_is(releases, off, function):
    for resources in releases:
        assert resources[function] == off[function]


def test_nothing_else_changes(releases, off):
    for resources in releases:
        assert without_snapshots(resources) == off


def test_what_snapshots_hold_is_in_the_sum_of_their_cost():
    default = TEMPLATE["Globals"]["Function"]["MemorySize"]
    functions = [RESOURCES[LOGICAL_ID[folder]] for folder in ANSWERING]
    memory = sum(each["Properties"].get("MemorySize", default) for each in functions if "Condition" not in each)
    assert f"{memory / 1024:.1f} GB × " in (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
