"""Trouble with mail, on demand."""

from __future__ import annotations

import random
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from local.simulators.people import address_of

_OF_STATUS = {
    400: "MessageRejected",
    403: "AccessDeniedException",
    404: "NotFoundException",
    429: "TooManyRequestsException",
    503: "ServiceUnavailable",
}

Addresses = frozenset[Annotated[str, AfterValidator(address_of)]]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SendFault(_Model):
    """What strikes the next sends: without ``times`` all of them, with ``share`` (0 to 1) that many of them.

    ``error`` names SES's exception when the one that is usual for the status is not meant (400 may also be
    ``AccountSuspendedException``, ``SendingPausedException``, ``MailFromDomainNotVerifiedException``, ...).
    ``taken``: the mail is taken all the same, and only the answer is lost. ``delay_ms`` comes before the answer.
    """

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    times: Annotated[int, Field(ge=0)] | None = None
    error: str | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 1
    taken: bool = False
    delay_ms: Annotated[float, Field(ge=0, le=600_000)] = 0

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.status is None and not self.delay_ms:
            raise ValueError("a fault needs a status or a delay_ms")
        return self

    @property
    def code(self) -> str:
        return self.error or _OF_STATUS.get(self.status or 500, "InternalServiceErrorException")


class MailFaults(_Model):
    """``bounce`` are addresses where mail comes back for good, ``complain`` those that report it as spam."""

    send: SendFault | None = None
    bounce: Addresses = frozenset()
    complain: Addresses = frozenset()


class Faults:
    def __init__(self) -> None:
        self.current = MailFaults()
        self._dice = random.Random(0)  # noqa: S311 - chance that can be repeated

    def replace(self, faults: MailFaults) -> None:
        self.current = faults
        self._dice.seed(0)

    def next_send(self) -> SendFault | None:
        """The fault that strikes this send; ``times`` counts down."""
        fault = self.current.send
        if fault is None or fault.times == 0 or self._dice.random() >= fault.share:
            return None
        if fault.times is not None:
            counted = fault.model_copy(update={"times": fault.times - 1})
            self.current = self.current.model_copy(update={"send": counted})
        return fault
