"""Whether an exchange with the service is one that its OpenAPI document describes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from freebusy.entrypoints.openapi.document import openapi

DOCUMENT = openapi("https://calendar.example.com")
_HERE = "urn:openapi"


def deviations(
    method: str, path: str, sent: str | None, status: int, headers: Mapping[str, str], body: str
) -> list[str]:
    """What the document does not say of it; nothing for an address that the gateway knows nothing of.

    What was sent counts only where the service took it, in JSON.
    """
    operation = _operation(method, path)
    if operation is None:
        return []
    found = [] if status >= 400 else list(_of_request(operation, sent))
    response = operation["responses"].get(str(status))
    if response is None:
        found.append(f"a {status} is not documented")
    else:
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        found += _of_answer(response, kind.partition(";")[0], body)
    return [f"{method} {path}: {each}" for each in found]


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Whole addresses go before those with variables."""
    paths = sorted(DOCUMENT["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))), path) for path in paths]


def path_parameters(path: str) -> dict[str, str]:
    """As the gateway reads them out of the address."""
    matches = (pattern.fullmatch(path) for pattern, _ in _patterns())
    return next((match.groupdict() for match in matches if match), {})


def route_of(path: str) -> str:
    """The address as the document has it, with names for what varies; one that it does not know stays as it is."""
    return next((route for pattern, route in _patterns() if pattern.fullmatch(path)), path)


def _operation(method: str, path: str) -> dict[str, Any] | None:
    operation: dict[str, Any] | None = DOCUMENT["paths"].get(route_of(path), {}).get(method.lower())
    return operation


def _of_request(operation: dict[str, Any], sent: str | None) -> list[str]:
    body = _json(sent or "")
    if not isinstance(body, dict) or not body:
        return []
    if "requestBody" not in operation:
        return []  # Official SDKs send bodies where none is asked for.
    return _wrong(operation["requestBody"]["content"]["application/json"]["schema"], body, "sent")


def _of_answer(response: dict[str, Any], kind: str, body: str) -> list[str]:
    content = response.get("content", {})
    if not content:
        return ["an answer without a body has one"] if body else []
    if not body and "application/json" in content:
        return []
    if kind not in content:
        return [f"{kind or 'nothing'} is not among {', '.join(content)}"]
    schema = content[kind].get("schema")
    return _wrong(schema, _json(body), "answered") if schema else []


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _wrong(schema: dict[str, Any], instance: Any, what: str) -> list[str]:
    return [f"{what} {error.json_path}: {error.message[:300]}" for error in validator(schema).iter_errors(instance)]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """References lead into the document."""
    return Draft202012Validator(_absolute(schema), registry=_registry())


@cache
def _registry() -> Registry[Any]:
    resource = Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
    return Registry().with_resource(_HERE, resource).crawl()


def _absolute(schema: Any) -> Any:
    match schema:
        case {"$ref": str(reference)}:
            return {"$ref": f"{_HERE}{reference}"}
        case dict():
            return {name: _absolute(value) for name, value in schema.items()}
        case list():
            return [_absolute(each) for each in schema]
    return schema
