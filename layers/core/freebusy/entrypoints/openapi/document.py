"""The document itself, put together from operations and components."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from freebusy.entrypoints.openapi.components import AVAILABILITY, CHANNELS, ERRORS, EVENTS, IDENTITY, TIMES
from freebusy.entrypoints.openapi.operations import (
    ABOUT,
    ABOUT_KEY,
    ALWAYS,
    FORM,
    JSON,
    KEY,
    OPERATIONS,
    REFUSALS,
    Answer,
    Caller,
    Operation,
    Section,
)
from freebusy.entrypoints.openapi.shapes import sent, text

VERSION = "1.0"

_TOO_MANY = 429
_OF_BODIES = (413, 415)

_TOKEN = {"type": "http", "scheme": "bearer"}
_SCHEMES = {
    Caller.PERSON: {**_TOKEN, "description": "The access token of an account."},
    Caller.APPLICATION: {**_TOKEN, "description": "A client secret of the application."},
    Caller.ORGANIZATION: {**_TOKEN, "description": "The access token of a service account."},
}
_OF_A_LIMIT = {
    "RateLimit-Policy": 'Where there is a limit: requests, and seconds, as "application";q=500;w=60.',
    "RateLimit": 'What is left of it, and for how many seconds, as "application";r=417;t=23.',
}
_RETRY_AFTER = {"Retry-After": "Seconds to wait."}
_KEY = {"name": KEY, "in": "header", "required": False, "schema": text(ABOUT_KEY)}
_HEADERS = {name: {"description": about, "schema": text()} for name, about in {**_OF_A_LIMIT, **_RETRY_AFTER}.items()}
_ACCESS = {
    "AccessRequest": sent(
        {"email": text("The mailbox."), "callback_url": text("https, of a public host."), "scope": text()},
        {"state": text("Comes back as it was.")},
    )
}


@cache
def openapi(public_url: str) -> dict[str, Any]:
    """The document for a deployment at this address."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Free/Busy Connect",
            "version": VERSION,
            "description": "People connect calendars for free/busy only, and applications ask when they are free.",
        },
        "servers": [{"url": public_url}],
        "tags": [
            {"name": section.value, "description": f"{title}. {about}"} for section, (title, about) in ABOUT.items()
        ],
        "paths": paths,
        "components": {
            "schemas": {**ERRORS, **IDENTITY, **TIMES, **EVENTS, **AVAILABILITY, **CHANNELS, **_ACCESS},
            "headers": _HEADERS,
            "securitySchemes": {caller.value: scheme for caller, scheme in _SCHEMES.items()},
        },
    }


def answers_of(operation: Operation) -> dict[int, Answer]:
    """By status, those included that every operation has which answers in JSON."""
    common = () if 500 in operation.answers else ALWAYS  # noqa: PLR2004 - pages fail as pages
    limits = (_TOO_MANY,) if operation.limited else ()
    bodies = _OF_BODIES if operation.body and operation.section is not Section.TOKENS else ()  # those answer 400
    refusals = {status: REFUSALS[status] for status in (*operation.refusals, *bodies, *limits, *common)}
    return dict(sorted({**refusals, **operation.answers}.items()))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [operation.section.value],
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "security": [{caller.value: []} for caller in operation.callers if caller is not Caller.ANYBODY],
        "responses": {
            str(status): {**_answer(answer), **_headers(operation, status)}
            for status, answer in answers_of(operation).items()
        },
    }
    if operation.about:
        described["description"] = operation.about
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.body:
        media = {"schema": operation.body, "example": operation.body_example}
        kinds = (JSON, FORM) if operation.forms else (JSON,)
        described["requestBody"] = {"content": dict.fromkeys(kinds, media)}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": text()}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    in_query = [
        {"name": name, "in": "query", "required": required, "schema": schema}
        for name, schema, required in operation.query
    ]
    return [*in_path, *in_query, *([_KEY] if operation.once else ())]


def _headers(operation: Operation, status: int) -> dict[str, Any]:
    """What is told of the application's limit, with whatever answer there is once it is known whose request it was."""
    names = [*(_OF_A_LIMIT if operation.limited else ()), *(_RETRY_AFTER if status == _TOO_MANY else ())]
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}} if names else {}


def _answer(answer: Answer) -> dict[str, Any]:
    if answer.kind is None:
        return {"description": answer.about}
    media: dict[str, Any] = {} if answer.schema is None else {"schema": answer.schema}
    if answer.example is not None:
        media["example"] = answer.example
    return {"description": answer.about, "content": {answer.kind: media}}
