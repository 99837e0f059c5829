"""How request bodies become models, and pydantic's errors the contract's 422 entries.

Only functions that read large bodies load this: pydantic costs a tenth of a second at a cold start.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictStr, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from freebusy.domain.errors import FieldError, InvalidRequest
from freebusy.entrypoints.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

EARLIEST, LATEST = 0, parse_time("2200-01-01T00:00:00Z")
"""No calendar reaches further, and there is room for durations and buffers on either side."""

MAX_ERRORS = 100
"""A refusal lists no more: complaining about everything in a large request would be larger than it."""

_OWN_ID = re.compile(r"[ -~]{1,64}")


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("must_be_integer", "must be a whole number")
    return value


def _time(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("invalid_format", "must be a time such as 2030-01-07T09:00:00Z")
    try:
        moment = parse_time(value)
    except ValueError as error:
        raise PydanticCustomError("invalid_format", "must be a time with an offset or Z") from error
    if not EARLIEST <= moment < LATEST:
        raise PydanticCustomError("invalid_format", "must be between 1970 and 2200")
    return moment


def _own_id(value: str) -> str:
    if not _OWN_ID.fullmatch(value):
        raise PydanticCustomError("errors.invalid_format", "must be of 1 to 64 printable characters of ASCII")
    return value


Minutes = Annotated[int, BeforeValidator(_not_a_boolean)]
Time = Annotated[int, BeforeValidator(_time)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]

AS_OBJECT = BeforeValidator(lambda value: {} if value == [] else value)
"""PHP spells an empty object ``[]``."""

OwnId = Annotated[StrictStr, AfterValidator(_own_id)]
"""What an application calls a rule or a period of its own."""

_Model = TypeVar("_Model", bound=BaseModel)

_KEY_OF = {
    "missing": "errors.required",
    "bool_parsing": "errors.must_be_boolean",
    "bool_type": "errors.must_be_boolean",
    "invalid_time_pair": "errors.invalid_time_pair",
    "too_short": "errors.required",
    "too_long": "errors.too_many",
}


def validated(model: type[_Model], body: Mapping[str, Any], *, under: str = "") -> _Model:
    """The body, or the part of it at the path ``under``, as a model. Raises InvalidRequest with the contract's keys."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors: dict[str, list[FieldError]] = {}
        for entry in islice(error.errors(include_url=False, include_context=False), MAX_ERRORS):
            absent = entry["input"] is None
            key = "errors.required" if absent else _key(entry["type"])
            errors.setdefault(_path(entry["loc"], under), []).append(FieldError(key, entry["msg"]))
        raise InvalidRequest(errors) from error


def _key(kind: str) -> str:
    """Our own errors may name their key themselves."""
    return kind if kind.startswith("errors.") else _KEY_OF.get(kind, "errors.invalid_format")


def _path(location: tuple[int | str, ...], path: str) -> str:
    """``("participants", 0, "members")`` → ``participants[0].members``; names of union branches are left out."""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.isidentifier() and step not in {"int", "str", "bool"}:
            path += f".{step}" if path else step
    return path
