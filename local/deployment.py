"""Deploys template.yaml to the emulator, and reads back what was made: functions, routes, names of resources.

Nothing about functions is written here a second time. Environment, handler, timeout and memory are those
that CloudFormation resolved and gave to Lambda; routes are those that SAM gave to the HTTP API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from local import emulator
from local.event_sources import EventSource
from local.gateway import ANY, DEFAULT_ROUTE, Route
from local.lambda_host import Function

STACK = "freebusy-connect"
_TEMPLATES = "laptop-templates"

_EVENT_SOURCE = "AWS::Lambda::EventSourceMapping"
_OF_THE_MAILBOX = ("AWS::SES::EmailIdentity", "AWS::SES::ReceiptRuleSet", "AWS::SES::ReceiptRule")
_WITHOUT_METRICS = ("AWS::CloudWatch::Alarm",)

_INTEGRATED_FUNCTION = re.compile(r"\$\{(\w+)(\.Arn)?\}/invocations$")
_ANY_METHOD = "x-amazon-apigateway-any-method"
_METHODS = {"get", "head", "post", "put", "patch", "delete", "options", _ANY_METHOD}


class DeploymentFailed(Exception):
    """The emulator could not make the stack."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was deployed. ``layers`` are the folders that the template's layers put on the import path.

    ``sources`` are what invokes functions besides the API.
    """

    functions: list[Function]
    layers: list[Path]
    routes: list[Route]
    api_id: str
    sources: list[EventSource]

    def variable(self, name: str) -> str | None:
        """The value of an environment variable that the template gives to functions, where it has one."""
        return next((function.environment[name] for function in self.functions if name in function.environment), None)

    def queue_of(self, folder: str) -> str | None:
        """The ARN of the queue whose messages go to the function in this folder, where there is one."""
        names = {function.name for function in self.functions if function.code.name == folder}
        return next((source.arn for source in self.sources if source.function in names and not source.is_stream), None)


def deploy(
    template: Mapping[str, Any], endpoint: str, root: Path, parameters: Mapping[str, str] | None = None
) -> Deployment:
    """``template`` is the transformed one; code folders are relative to ``root``. Raises DeploymentFailed.

    Of ``parameters`` those are used that the template has.
    """
    physical = _create_stack(_for_the_emulator(template), parameters or {}, endpoint)
    _switch_on_expiry(template, physical, endpoint)
    functions = {
        logical: _function(physical[logical], root / resource["Properties"]["Code"]["S3Key"], endpoint)
        for logical, resource in _of_type(template, "AWS::Lambda::Function")
        if logical in physical
    }
    apis = list(_of_type(template, "AWS::ApiGatewayV2::Api"))
    routes = [
        Route(key, functions[logical].name)
        for _, api in apis
        for key, logical in _routes(api["Properties"]["Body"])
        if logical in functions
    ]
    return Deployment(
        functions=list(functions.values()),
        layers=[
            root / layer["Properties"]["Content"]["S3Key"]
            for _, layer in _of_type(template, "AWS::Lambda::LayerVersion")
        ],
        routes=routes,
        api_id=physical[apis[0][0]] if apis else "",
        sources=_sources(template, physical, endpoint),
    )


def _for_the_emulator(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without what the emulator must not do, or cannot.

    Event sources are carried by pumps of ours: the emulator would run the functions in its own Python. What SES is
    told is the mailbox's part, and nothing here makes metrics for alarms, of which the emulator knows the simplest
    alone; resources that do nothing stand in its place, so that references hold, and outputs
    that tell of it are left out.
    """
    resources = dict(template["Resources"])
    for logical, source in _of_type(template, _EVENT_SOURCE):
        resources[logical] = {**source, "Properties": {**source["Properties"], "Enabled": False}}
    replaced = [logical for kind in (*_OF_THE_MAILBOX, *_WITHOUT_METRICS) for logical, _ in _of_type(template, kind)]
    for logical in replaced:
        kept = {key: resources[logical][key] for key in ("Condition", "DependsOn") if key in resources[logical]}
        resources[logical] = {"Type": "AWS::CloudFormation::WaitConditionHandle", **kept}
    outputs = {
        name: output
        for name, output in template.get("Outputs", {}).items()
        if not any(logical in json.dumps(output["Value"]) for logical in replaced)
    }
    return {**template, "Resources": resources, "Outputs": outputs}


def _sources(template: Mapping[str, Any], physical: Mapping[str, str], endpoint: str) -> list[EventSource]:
    """The mappings that the template does not rule out, with what CloudFormation resolved in them."""
    functions = emulator.client("lambda", endpoint)
    return [
        EventSource.of(functions.get_event_source_mapping(UUID=physical[logical]))
        for logical, mapping in _of_type(template, _EVENT_SOURCE)
        if logical in physical and mapping["Properties"].get("Enabled", True)
    ]


def _create_stack(template: Mapping[str, Any], parameters: Mapping[str, str], endpoint: str) -> dict[str, str]:
    """Makes the stack; returns the physical id of each logical one."""
    cloudformation = emulator.client("cloudformation", endpoint)
    known = template.get("Parameters", {})
    try:
        cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=_uploaded(template, endpoint),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items() if name in known
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300}
        )
    except ClientError as error:
        raise DeploymentFailed(str(error)) from error
    except WaiterError as error:
        raise DeploymentFailed(_what_failed(cloudformation)) from error
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}


def _what_failed(cloudformation: Any) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}" for event in failed]
    return "; ".join(reasons) or "no resource says why"


def _uploaded(template: Mapping[str, Any], endpoint: str) -> str:
    """Where the template lies, as `sam deploy` does it: one of more than 51,200 bytes cannot be sent along."""
    s3 = emulator.client("s3", endpoint)
    s3.create_bucket(Bucket=_TEMPLATES)
    s3.put_object(Bucket=_TEMPLATES, Key=STACK, Body=json.dumps(template).encode())
    return f"{endpoint}/{_TEMPLATES}/{STACK}"


def _switch_on_expiry(template: Mapping[str, Any], physical: Mapping[str, str], endpoint: str) -> None:
    """The emulator's CloudFormation leaves out TimeToLiveSpecification; its DynamoDB knows it."""
    dynamodb = emulator.client("dynamodb", endpoint)
    for logical, table in _of_type(template, "AWS::DynamoDB::Table"):
        if expiry := table["Properties"].get("TimeToLiveSpecification"):
            dynamodb.update_time_to_live(TableName=physical[logical], TimeToLiveSpecification=expiry)


def _function(name: str, code: Path, endpoint: str) -> Function:
    configuration = emulator.client("lambda", endpoint).get_function_configuration(FunctionName=name)
    return Function(
        name=name,
        arn=configuration["FunctionArn"],
        code=code,
        handler=configuration["Handler"],
        timeout=float(configuration["Timeout"]),
        memory=int(configuration["MemorySize"]),
        environment={**_logging(configuration), **configuration.get("Environment", {}).get("Variables", {})},
    )


def _logging(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The variables by which the runtime learns of LoggingConfig."""
    logging = configuration.get("LoggingConfig", {})
    variables = {"AWS_LAMBDA_LOG_FORMAT": "LogFormat", "AWS_LAMBDA_LOG_LEVEL": "ApplicationLogLevel"}
    return {variable: logging[key] for variable, key in variables.items() if key in logging}


def _routes(api: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each route key with the logical id of its function, from the OpenAPI body that SAM writes.

    Also of functions that a condition of the template may have ruled out.
    """
    for path, operations in api["paths"].items():
        for method, conditional in _then(operations).items():
            if method not in _METHODS:
                continue
            operation = _then(conditional)
            uri = _then(operation["x-amazon-apigateway-integration"]["uri"])["Fn::Sub"]
            integrated = _INTEGRATED_FUNCTION.search(uri)
            if not integrated:
                raise DeploymentFailed(f"{method} {path} leads to something other than a function: {uri}")
            verb = ANY if method == _ANY_METHOD else method.upper()
            yield (DEFAULT_ROUTE if path == DEFAULT_ROUTE else f"{verb} {path}"), integrated[1]


def _then(value: Any) -> Any:
    """What a value is where its condition holds; SAM makes all of a route depend on its function's."""
    return value["Fn::If"][1] if "Fn::If" in value else value


def _of_type(template: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    for logical, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield logical, resource
