"""Sample events, handed to the real handlers: what comes of each, and which permissions that takes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from botocore.client import BaseClient

from local.recorder.recorded_calls import Permission, permissions_for
from tests.template.deployment import ANSWERING, LOGICAL_ID, ROOT
from tests.template.sample_deployment import deployment_for

FRONT_END_ORIGIN = "https://front.example.com"


class Outcome(NamedTuple):
    function: str
    answer: dict[str, Any]
    needed: set[Permission]

    @property
    def actions(self) -> set[str]:
        return {action for action, _ in self.needed}


def samples_of(function: str) -> list[str]:
    """The names of the function's sample events."""
    names = sorted(path.stem for path in (ROOT / "events").glob("*.json"))
    return [name for name in names if function_of(name) == function]


def function_of(sample: str) -> str:
    return max((folder for folder in LOGICAL_ID if sample.startswith(folder)), key=len)


def event_of(sample: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{sample}.json").read_text(encoding="utf-8"))
    return event


@cache
def outcome(name: str, *, origin: str | None = None) -> Outcome:
    """Of one sample event, in a deployment of its own and a sandbox that has just started."""
    function, event = function_of(name), event_of(name)
    if origin:
        event["headers"]["origin"] = origin
    context = SimpleNamespace(
        aws_request_id="request",
        function_name=function,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:eu-central-1:123456789012:function:{function}",
        get_remaining_time_in_millis=lambda: 28_000,
    )
    handler = importlib.import_module(f"functions.{function}.app").lambda_handler
    with deployment_for(name), _recorded_permissions() as needed:
        return Outcome(function, handler(event, context), needed)


def in_a_front_end(function: str) -> Outcome:
    """What comes of the function's first sample event when a front end's page has sent it."""
    return outcome(samples_of(function)[0], origin=FRONT_END_ORIGIN)


def needed_by(function: str) -> set[Permission]:
    """By all its sample events together."""
    outcomes = [outcome(name) for name in samples_of(function)]
    if function in ANSWERING:
        outcomes.append(in_a_front_end(function))
    return set().union(*(each.needed for each in outcomes))


@contextmanager
def _recorded_permissions() -> Iterator[set[Permission]]:
    """Fills up with what calls to AWS need."""
    needed: set[Permission] = set()
    call = BaseClient._make_api_call

    def recorded(client: Any, operation: str, parameters: Any) -> Any:
        needed.update(permissions_for(client.meta.service_model.signing_name, operation, parameters))
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", recorded)
        yield needed
