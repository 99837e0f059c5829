"""Requests for access to the mailboxes of an organization: ``POST /v1/service_account_authorizations``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StrictStr
from pydantic_core import PydanticCustomError

from freebusy.domain.access_request import MOST_AT_ONCE
from freebusy.domain.errors import InvalidRequest
from freebusy.entrypoints.wire.event_fields import Email
from freebusy.entrypoints.wire.validation import validated
from freebusy.service.access_requests import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_STATE = 4096
BATCH = "service_account_authorizations"


def _state(value: str) -> str:
    """Whatever it is, it comes back as it is. JSON can spell lone surrogates, which UTF-8 cannot write."""
    if len(value) > LONGEST_STATE:
        raise PydanticCustomError("errors.too_long", f"must have at most {LONGEST_STATE} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("errors.invalid_format", "must be text") from error
    return value


State = Annotated[StrictStr, AfterValidator(_state)]


class Authorization(BaseModel):
    email: Email
    callback_url: StrictStr
    scope: StrictStr
    state: State | None = None


class Batch(BaseModel):
    """``state`` is that of entries without one of their own: the Python SDK sends it beside the batch."""

    service_account_authorizations: Annotated[list[Authorization], Field(min_length=1, max_length=MOST_AT_ONCE)]
    state: State | None = None


def wanted_access(body: Mapping[str, Any]) -> list[Wanted]:
    """One mailbox, or a batch of them. What is ``null`` counts as left out, as SDKs send it. Raises InvalidRequest."""
    given = {name for name, value in body.items() if value is not None}
    if BATCH not in given:
        return [_wanted(validated(Authorization, body))]
    if given & Authorization.model_fields.keys() - Batch.model_fields.keys():
        problem = f"either one mailbox, or {BATCH}: not both in one request"
        raise InvalidRequest.of(BATCH, "errors.not_supported", problem)
    batch = validated(Batch, body)
    return [
        _wanted(each, path=f"{BATCH}[{place}].", state=batch.state)
        for place, each in enumerate(batch.service_account_authorizations)
    ]


def _wanted(asked: Authorization, *, path: str = "", state: str | None = None) -> Wanted:
    own = asked.state if asked.state is not None else state
    return Wanted(asked.email, asked.callback_url, asked.scope, own, path)
