"""Channels as they are asked for: ``POST /v1/channels``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, StrictStr

from freebusy.domain.managed_availability import MOST_CALENDARS
from freebusy.entrypoints.wire.validation import AS_OBJECT, Identifier, validated
from freebusy.service.channels import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping


class Filters(BaseModel):
    calendar_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_CALENDARS)] | None = None
    only_managed: bool | None = None


class Channel(BaseModel):
    callback_url: StrictStr
    filters: Annotated[Filters, AS_OBJECT] | None = None


def wanted_channel(body: Mapping[str, Any]) -> Wanted:
    """What is ``null`` counts as left out, as SDKs send it. Raises InvalidRequest."""
    asked = validated(Channel, body)
    filters = asked.filters or Filters()
    return Wanted(
        callback_url=asked.callback_url,
        calendar_ids=tuple(dict.fromkeys(filters.calendar_ids or ())),
        only_managed=bool(filters.only_managed),
    )
