"""The OpenAPI document as pages that people can browse: an overview, and a page for each of its sections."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from freebusy.domain.errors import NotFound
from freebusy.entrypoints.openapi.document import answers_of, openapi
from freebusy.entrypoints.openapi.operations import ABOUT, ABOUT_KEY, KEY, OPERATIONS, Caller, Operation, Section
from freebusy.entrypoints.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aws_lambda_powertools.event_handler import Response

    from freebusy.entrypoints.openapi.shapes import Schema

_REFERENCE = re.compile(r"#/components/schemas/(\w+)")
_DEEPEST = 4


class Field(NamedTuple):
    """A line about a field, ``depth`` fields below the body."""

    name: str
    depth: int
    kind: str
    about: str
    required: bool


class _Told(NamedTuple):
    """An answer; of refusals, which are alike, only what they are about."""

    status: int
    about: str
    fields: Sequence[Field] = ()
    example: str = ""


def overview(event: Mapping[str, Any], public_url: str) -> Response[str]:
    sections = [
        (section, title, about, [operation for operation in OPERATIONS if operation.section is section])
        for section, (title, about) in ABOUT.items()
    ]
    return page(event, "docs.html", sections=sections, address=public_url)


def section_page(event: Mapping[str, Any], name: str) -> Response[str]:
    """Raises NotFound when there is no such section."""
    if name not in set(Section):
        raise NotFound("no such section")
    section = Section(name)
    title, about = ABOUT[section]
    shown: set[str] = set()
    return page(
        event,
        "docs_section.html",
        section=title,
        about=about,
        operations=[_described(operation, shown) for operation in OPERATIONS if operation.section is section],
    )


def _described(operation: Operation, shown: set[str]) -> dict[str, Any]:
    return {
        "operation": operation,
        "callers": [caller.value for caller in operation.callers if caller is not Caller.ANYBODY],
        "parameters": [
            *(Field(name, 0, "string", "", required=True) for name in re.findall(r"\{(\w+)\}", operation.path)),
            *(
                Field(name, 0, _kind(schema), schema.get("description", ""), required)
                for name, schema, required in operation.query
            ),
            *([Field(KEY, 0, "string", ABOUT_KEY, required=False)] if operation.once else ()),
        ],
        "body": list(_fields(operation.body, shown)) if operation.body else [],
        "body_example": _example(operation.body_example),
        "answers": [
            _Told(status, answer.about, list(_fields(answer.schema, shown)), _example(answer.example))
            if answer.schema and status < HTTPStatus.BAD_REQUEST
            else _Told(status, answer.about)
            for status, answer in answers_of(operation).items()
        ],
    }


def _example(example: Any) -> str:
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)


def _fields(schema: Schema, shown: set[str], depth: int = 0) -> Iterator[Field]:
    """The fields of an object, of what is in a list, and of every alternative, each followed by its own.

    A component that was ``shown`` on the page already is named, and not spelled out again.
    """
    if name := _component(schema):
        if name in shown:
            return
        shown.add(name)
    schema = _resolved(schema)
    for alternative in schema.get("anyOf", ()):
        yield from _fields(alternative, shown, depth)
    if "items" in schema:
        yield from _fields(schema["items"], shown, depth)
    for name, described in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        about = described.get("description") or _resolved(_given(described)).get("description", "")
        yield Field(name, depth, _kind(described), about, required)
        if depth < _DEEPEST:
            yield from _fields(described, shown, depth + 1)


def _kind(schema: Schema) -> str:
    """In a word or two: ``string``, ``list of Attendees``, ``busy | free``."""
    given = _given(schema)
    schema = _resolved(given)
    if "properties" in schema and (name := _component(given)):
        return name
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}s" if schema.get("items") else "list"
    return str(schema.get("type", "anything"))


def _given(schema: Schema) -> Schema:
    """Without the ``null`` that every optional field of a request may be."""
    alternatives = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return alternatives[0] if len(alternatives) == 1 else schema


def _component(schema: Schema) -> str | None:
    found = _REFERENCE.fullmatch(schema.get("$ref", ""))
    return found[1] if found else None


def _resolved(schema: Schema) -> Schema:
    name = _component(schema)
    if name is None:
        return schema
    component: Schema = openapi("")["components"]["schemas"][name]
    return component
