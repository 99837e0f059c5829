"""The template as its tests read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cfnlint.decode import decode

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
