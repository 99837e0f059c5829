"""The template as its tests read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cfnlint.decode import decode

from local.recorder.recorded_calls import Permission

ROOT = Path(__file__).parents[2]


def _template() -> dict[str, Any]:
    template, problems = decode(str(ROOT / "template.yaml"))
    assert not problems, problems
    return template


class Route(NamedTuple):
    """``function`` is the name of its folder."""

    method: str
    path: str
    function: str

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


TEMPLATE = _template()
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
LOGICAL_ID = {
    folder.name: folder.name.title().replace("_", "") + "Function"
    for folder in sorted((ROOT / "functions").iterdir())
    if folder.is_dir() and folder.name != "__pycache__"
}
"""Folder to logical id, as the naming rule has it; a test compares it with the template."""

REACTING = [folder for folder in LOGICAL_ID if folder.startswith("on_")]
"""The functions that react to something that happened; all others answer requests."""

ANSWERING = [folder for folder in LOGICAL_ID if folder not in REACTING]


def of_type(kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in RESOURCES.items() if resource["Type"] == kind}


def routes() -> Iterator[Route]:
    for resource in of_type("AWS::Serverless::Function").values():
        for event in resource["Properties"].get("Events", {}).values():
            properties = event["Properties"]
            yield Route(properties["Method"], properties["Path"], Path(resource["Properties"]["CodeUri"]).name)


def sources(function: str) -> list[dict[str, Any]]:
    """What brings records to a function that reacts."""
    mappings = [mapping["Properties"] for mapping in of_type("AWS::Lambda::EventSourceMapping").values()]
    return [mapping for mapping in mappings if mapping["FunctionName"] == {"Ref": LOGICAL_ID[function]}]


def statements(function: str) -> list[dict[str, Any]]:
    """What the function may do at most: its own statements and those of the policies that it shares."""
    found: list[dict[str, Any]] = []
    for attached in RESOURCES[LOGICAL_ID[function]]["Properties"].get("Policies", []):
        policy = attached["Fn::If"][1] if "Fn::If" in attached else attached
        document = RESOURCES[policy["Ref"]]["Properties"]["PolicyDocument"] if "Ref" in policy else policy
        found += document["Statement"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(function: str) -> set[str]:
    return {action for statement in statements(function) for action in as_list(statement["Action"])}


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at: ``MetricName`` and ``Dimensions`` of each, whether or not they are added up."""
    properties = alarm["Properties"]
    if "Metrics" not in properties:
        return [properties]
    queries = [each["Fn::If"][1] if "Fn::If" in each else each for each in properties["Metrics"]]
    return [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query]


OWN_METRICS = {"Fn::Sub": "FreeBusyConnect/${AWS::StackName}"}
"""The namespace of what functions measure themselves."""


def own(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at of what functions measure themselves."""
    return [metric for metric in metrics(alarm) if metric["Namespace"] == OWN_METRICS]


def watched(alarm: dict[str, Any]) -> set[str]:
    """The logical ids of what an alarm is about; there are none where functions measure themselves."""
    looked_at = [metric for metric in metrics(alarm) if metric["Namespace"] != OWN_METRICS]
    values = [dimension["Value"] for metric in looked_at for dimension in metric["Dimensions"]]
    return {value.get("Ref") or value["Fn::GetAtt"][0] for value in values if not isinstance(value, str)}


def holds(condition: str) -> bool:
    """Whether a condition of the template holds where the operator chose nothing."""
    return _is_true({"Condition": condition})


def _is_true(expression: Any) -> bool:
    ((function, value),) = expression.items()
    match function:
        case "Condition":
            return _is_true(TEMPLATE["Conditions"][value])
        case "Fn::Equals":
            return len({str(_chosen(each)) for each in value}) == 1
        case "Fn::Not":
            return not _is_true(value[0])
    return {"Fn::And": all, "Fn::Or": any}[function](map(_is_true, value))


def _chosen(value: Any) -> Any:
    return TEMPLATE["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value


# --- Permissions, by action and resource ------------------------------------------------------------------------------

POLLING = {
    *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
}
"""What a function may do and never does itself: Lambda does it in the function's name, to bring it records."""

_TOLD_BY_A_PARAMETER = {"MAIL_DOMAIN": "MailIdentity"}
"""Variables that hold a parameter's value, with the resource that has it for a name."""


def granted(function: str) -> set[Permission]:
    """What its policies allow, in the words of the recorder: resources by the variables that tell the function of them.

    A resource that no variable tells of goes by its logical id.
    """
    told = _variables(function)
    return {
        (action, told.get(name, name) + part)
        for statement in statements(function)
        for action in as_list(statement["Action"])
        for name, part in resources_of(statement["Resource"])
    }


def _variables(function: str) -> dict[str, str]:
    """Logical id of a resource to the environment variable that holds its name."""
    own = RESOURCES[LOGICAL_ID[function]]["Properties"].get("Environment", {}).get("Variables", {})
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"] | own
    told = {variable: _TOLD_BY_A_PARAMETER.get(variable) or _referred(value) for variable, value in variables.items()}
    return {name: variable for variable, name in told.items() if name}


def _referred(value: Any) -> str | None:
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::If": [_, {"Ref": str(name)}, _]}:
            return name
    return None


def resources_of(resource: Any) -> Iterator[tuple[str, str]]:
    """Logical id, and which part of it, of all that the ``Resource`` of a statement names.

    Raises ValueError for what is not a resource of this stack.
    """
    match resource:
        case list():
            for each in resource:
                yield from resources_of(each)
        case {"Fn::If": [_, yes, no]}:
            yield from resources_of(yes)
            yield from resources_of(no)
        case {"Ref": "AWS::NoValue"}:
            return
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            yield name, ""
        case {"Fn::GetAtt": [str(name), "StreamArn"]}:
            yield name, "/stream"
        case {"Fn::Sub": str(text)} if found := _SUBSTITUTED.fullmatch(text):
            yield found["named"] or found["own"], (found["part"] or "").removesuffix("/*")
        case _:
            raise ValueError(f"not a resource of this stack: {resource}")


_SUBSTITUTED = re.compile(
    r"\$\{(?P<own>\w+)\.Arn\}(?P<part>/index/\w+|/\*)"
    r"|arn:\$\{AWS::Partition\}:ses:\$\{AWS::Region\}:\$\{AWS::AccountId\}:(identity|configuration-set)/\$\{(?P<named>\w+)\}"
)
"""A part of a resource (an index of the table, the objects of a bucket), or a resource of SES, which gives no ARN."""
