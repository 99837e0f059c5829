"""Trouble on demand: the next calls of a kind fail, or are slow."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Operation = Literal["busy", "token", "refresh"]
"""The free/busy call, the exchange of a code, and the refresh of an access token."""


class Fault(BaseModel):
    """Without a ``status`` the call is answered normally after ``delay_ms``; without ``times`` it stays until cleared.

    ``body`` goes out as it is when it is a string, as JSON otherwise; without one the provider's own words do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    delay_ms: Annotated[float, Field(ge=0, le=600_000)] = 0
    times: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.status is None and not self.delay_ms:
            raise ValueError("a fault needs a status or a delay_ms")
        return self


_FAULTS: TypeAdapter[dict[Operation, Fault]] = TypeAdapter(dict[Operation, Fault])


class Faults:
    def __init__(self) -> None:
        self._of: dict[Operation, Fault] = {}

    def replace(self, faults: Any) -> None:
        """Raises pydantic's ``ValidationError``, and changes nothing, when these are no faults."""
        self._of = _FAULTS.validate_python(faults)

    def clear(self) -> None:
        self._of = {}

    def next(self, operation: Operation) -> Fault | None:
        """The fault that strikes this call; ``times`` counts down."""
        fault = self._of.get(operation)
        if fault is None or fault.times is None:
            return fault
        if fault.times == 0:
            return None
        self._of[operation] = fault.model_copy(update={"times": fault.times - 1})
        return fault

    def as_json(self) -> dict[str, Any]:
        return {name: fault.model_dump(exclude_defaults=True) for name, fault in self._of.items()}
