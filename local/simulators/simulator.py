"""One provider behind its control surface."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Protocol

from local.simulators.control import PREFIX, ControlSurface
from local.simulators.faults import Fault, Operation
from local.simulators.grants import Grants
from local.simulators.organizations import Organizations
from local.simulators.people import People
from local.simulators.server import Request, Response, Route, route_of


class Provider(Protocol):
    """What Google and Microsoft each are, apart from the control surface."""

    people: People
    grants: Grants
    organizations: Organizations[Any]
    routes: Sequence[Route]
    controls: Sequence[Route]
    """Of the control surface, beyond what every provider has."""

    def trouble(self, operation: Operation, status: int) -> Any:
        """The JSON that the provider sends with this status when something is wrong."""


class Simulator:
    """The application that the server serves."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._control = ControlSurface(provider.people, provider.grants, provider.organizations, provider.controls)

    async def __call__(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return self._control.answer(request)
        self._control.record(request)
        route, parts = route_of(request, self._provider.routes)
        with route.limit(request, parts):
            operation = route.operation(request) if route.operation else None
            fault = self._control.faults.next(operation) if operation else None
            if operation and fault:
                await asyncio.sleep(fault.delay_ms / 1000)
                if fault.status is not None:
                    return self._failing(fault, fault.status, operation)
            return route.answer(request, parts)

    def _failing(self, fault: Fault, status: int, operation: Operation) -> Response:
        body = self._provider.trouble(operation, status) if fault.body is None else fault.body
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"content-type": "application/json; charset=UTF-8"}
        headers |= {name.lower(): value for name, value in fault.headers.items()}
        return Response(status, text.encode(), headers)


def token_operation(request: Request) -> Operation:
    """Which fault may strike a call of the token endpoint."""
    return "refresh" if (request.form or {}).get("grant_type") == ["refresh_token"] else "token"
