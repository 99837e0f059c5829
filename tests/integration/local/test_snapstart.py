"""One deployment after another, on the emulator: what requests reach is what was deployed last."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from local import emulator as aws
from local.snapstart import ALIAS, with_snapshots

pytestmark = pytest.mark.emulator

STACK = "released"
ANSWER = {"Type": "HttpApi", "Properties": {"Method": "GET", "Path": "/greeting"}}


def built(layer: str) -> str:
    """A template whose function says little itself: a parameter is in its environment, and its code in a layer."""
    function = {
        "Runtime": "python3.13",
        "Handler": "app.lambda_handler",
        "CodeUri": "function",
        "Layers": [{"Ref": "Layer"}],
        "Environment": {"Variables": {"GREETING": {"Ref": "Greeting"}}},
        "Events": {"Answer": ANSWER},
    }
    return json.dumps(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Parameters": {"Greeting": {"Type": "String"}},
            "Resources": {
                "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": layer}},
                "Function": {"Type": "AWS::Serverless::Function", "Properties": function},
            },
            "Outputs": {"Name": {"Value": {"Ref": "Function"}}},
        }
    )


class Deployments:
    """Of one stack, one after another."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._cloudformation = aws.client("cloudformation", endpoint)
        self._lambda = aws.client("lambda", endpoint)
        self._template = folder / "template.json"

    def make(self, template: str, greeting: str) -> None:
        self._template.write_text(template, encoding="utf-8")
        known = {stack["StackName"] for stack in self._cloudformation.describe_stacks()["Stacks"]}
        act, done = (
            ("update_stack", "stack_update_complete") if STACK in known else ("create_stack", "stack_create_complete")
        )
        getattr(self._cloudformation, act)(
            StackName=STACK,
            TemplateBody=json.dumps(asyncio.run(aws.transform(self._template))),
            Parameters=[{"ParameterKey": "Greeting", "ParameterValue": greeting}],
            Capabilities=["CAPABILITY_IAM"],
        )
        self._cloudformation.get_waiter(done).wait(StackName=STACK, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})

    def reached(self) -> dict[str, Any]:
        """The function as requests find it: parameter, layers and the number of the version."""
        found = self._lambda.get_function_configuration(FunctionName=self.name, Qualifier=ALIAS)
        return {
            "greeting": found["Environment"]["Variables"]["GREETING"],
            "layers": [layer["Arn"] for layer in found["Layers"]],
            "version": found["Version"],
        }

    def versions(self) -> list[str]:
        return [each["Version"] for each in self._lambda.list_versions_by_function(FunctionName=self.name)["Versions"]]

    def aliases(self) -> list[str]:
        return [each["Name"] for each in self._lambda.list_aliases(FunctionName=self.name)["Aliases"]]

    @property
    def name(self) -> str:
        (stack,) = self._cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        return str(stack["Outputs"][0]["OutputValue"])


def test_what_is_deployed_last_is_what_requests_reach(emulator, tmp_path):
    deployments = Deployments(emulator, tmp_path)

    deployments.make(built("layer"), "hello")
    assert (deployments.versions(), deployments.aliases()) == (["$LATEST"], [])

    deployments.make(with_snapshots(built("layer"), "first"), "hello")
    switched_on = deployments.reached()
    assert switched_on["greeting"] == "hello"

    deployments.make(with_snapshots(built("layer"), "second"), "good day")
    another_parameter = deployments.reached()
    assert another_parameter["greeting"] == "good day"
    assert another_parameter["layers"] == switched_on["layers"]

    deployments.make(with_snapshots(built("another-layer"), "third"), "good day")
    another_layer = deployments.reached()
    assert another_layer["layers"] != another_parameter["layers"]

    deployments.make(with_snapshots(built("another-layer"), "fourth"), "good day")
    nothing_else = deployments.reached()
    assert len({each["version"] for each in (switched_on, another_parameter, another_layer, nothing_else)}) == 4
    assert deployments.versions() == ["$LATEST", nothing_else["version"]]

    deployments.make(built("another-layer"), "good day")
    assert (deployments.versions(), deployments.aliases()) == (["$LATEST"], [])
