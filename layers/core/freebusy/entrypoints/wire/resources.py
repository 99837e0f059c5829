"""Rooms and equipment of an organization as ``GET /v1/resources`` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freebusy.domain.service_account import Resource


def resources_json(resources: Iterable[Resource]) -> dict[str, Any]:
    return {"resources": [{"email": resource.email, "name": resource.name} for resource in resources]}
