"""What CloudFormation is given once SAM has transformed the template."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from local import emulator
from tests.template.deployment import LOGICAL_ID, RESOURCES, ROOT, actions, of_type

OF_AWS = {"service-role/AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
"""What SAM gives to every role. Both are about all logs and traces of the account."""


@pytest.fixture(scope="module")
def transformed() -> dict[str, Any]:
    resources: dict[str, Any] = asyncio.run(emulator.transform(ROOT / "template.yaml"))["Resources"]
    return resources


def kind(resources: dict[str, Any], name: str) -> dict[str, Any]:
    return {logical: each["Properties"] for logical, each in resources.items() if each["Type"] == name}


class TestWhatIsDeployedAnswersFromThenOn:
    """A published version would stay as it was. SAM publishes the next one by the text of a function's properties: it
    is the same whatever parameters are, and may change where the function does not, which Lambda then refuses.
    """

    def test_no_version_stands_between_gateway_and_function(self, transformed):
        assert not kind(transformed, "AWS::Lambda::Version")
        assert not kind(transformed, "AWS::Lambda::Alias")

    def test_the_gateway_calls_functions_themselves(self, transformed):
        (api,) = kind(transformed, "AWS::ApiGatewayV2::Api").values()
        called = {
            logical_id
            for logical_id in LOGICAL_ID.values()
            if f"functions/${{{logical_id}.Arn}}/invocations" in json.dumps(api["Body"])
        }
        assert called == {name for name in LOGICAL_ID.values() if "Events" in RESOURCES[name]["Properties"]}

    @pytest.mark.parametrize("layer", of_type("AWS::Serverless::LayerVersion"))
    def test_new_contents_of_a_layer_are_another_layer_for_every_function(self, transformed, layer, tmp_path):
        before = (ROOT / "template.yaml").read_text(encoding="utf-8")
        folder = RESOURCES[layer]["Properties"]["ContentUri"]
        changed = tmp_path / "template.yaml"
        changed.write_text(before.replace(f"ContentUri: {folder}", "ContentUri: layers/new/"), encoding="utf-8")
        after = asyncio.run(emulator.transform(changed))["Resources"]
        functions = kind(after, "AWS::Lambda::Function")
        assert set(functions) == set(LOGICAL_ID.values())
        for name, function in kind(transformed, "AWS::Lambda::Function").items():
            assert len([each for each in function["Layers"] if each not in functions[name]["Layers"]]) == 1


def test_the_api_is_made_although_sam_describes_a_server_without_an_address(transformed):
    """Where the API has a domain, SAM adds such a server, and API Gateway warns of it."""
    (api,) = kind(transformed, "AWS::ApiGatewayV2::Api").values()
    assert [server for server in api["Body"]["servers"] if "url" not in server]
    assert not api.get("FailOnWarnings")


class TestWhatNoFunctionGoesBeyond:
    STATEMENTS = RESOURCES["AtMost"]["Properties"]["PolicyDocument"]["Statement"]

    def test_holds_for_every_role(self, transformed):
        roles = kind(transformed, "AWS::IAM::Role")
        assert set(roles) == {f"{name}Role" for name in LOGICAL_ID.values()}
        for role in roles.values():
            assert role["PermissionsBoundary"] == {"Ref": "AtMost"}

    def test_is_needed_for_what_sam_gives_beside_our_policies(self, transformed):
        for role in kind(transformed, "AWS::IAM::Role").values():
            given = {arn.partition(":policy/")[2] for arn in role["ManagedPolicyArns"] if isinstance(arn, str)}
            assert given == OF_AWS

    def test_are_the_actions_that_functions_are_granted_by_name(self):
        own = self.STATEMENTS[0]
        assert own["Action"] == sorted({action for folder in LOGICAL_ID for action in actions(folder)})

    def test_beside_them_are_logs_of_this_stack_and_traces(self):
        """X-Ray knows no resources.
        https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
        """
        _, logs, traces = self.STATEMENTS
        assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert logs["Resource"] == {"Fn::GetAtt": ["FunctionLogs", "Arn"]}
        assert traces["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
