"""JSON Schemas (draft 2020-12), spelled briefly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema: TypeAlias = dict[str, Any]


def text(about: str = "", **keywords: Any) -> Schema:
    return _described({"type": "string", **keywords}, about)


def whole(about: str = "", **keywords: Any) -> Schema:
    return _described({"type": "integer", **keywords}, about)


def truth(about: str = "") -> Schema:
    return _described({"type": "boolean"}, about)


def exactly(*values: Any, about: str = "") -> Schema:
    return _described({"enum": list(values)}, about)


def items(of: Schema, about: str = "", **keywords: Any) -> Schema:
    return _described({"type": "array", "items": of, **keywords}, about)


def either(*schemas: Schema, about: str = "") -> Schema:
    return _described({"anyOf": list(schemas)}, about)


def named(name: str) -> Schema:
    """One of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def answered(required: Mapping[str, Schema], sometimes: Mapping[str, Schema] | None = None, about: str = "") -> Schema:
    """An object of an answer, which has nothing but what is written here."""
    return {**_object(required, sometimes or {}, about), "additionalProperties": False}


def sent(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, about: str = "") -> Schema:
    """An object of a request. Optional fields may be ``null``, as SDKs send them; unknown ones are ignored."""
    left_out = {name: either(schema, {"type": "null"}) for name, schema in (optional or {}).items()}
    return _object(required, left_out, about)


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema], about: str) -> Schema:
    schema: Schema = {"type": "object", "properties": {**required, **optional}}
    if required:
        schema["required"] = list(required)
    return _described(schema, about)


def _described(schema: Schema, about: str) -> Schema:
    return {**schema, "description": about} if about else schema
