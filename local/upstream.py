"""Cronofy as the upstream of a laptop stack: the real one, or a second stack of this very service in its place."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PARAMETER = {"CronofyUpstream": "default"}


class NoUpstream(Exception):
    """The environment names an upstream that is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """``registration`` is our client there; ``stack`` is the file of the stack that stands in for Cronofy, if any."""

    registration: Mapping[str, str]
    origin: str | None = None
    stack: Path | None = None

    def let_us_in(self, callbacks: Sequence[str]) -> None:
        """Registers our callbacks where people are sent to. At Cronofy itself that is done by hand."""
        if self.stack is None:
            return
        from freebusy.entrypoints.cli import main

        client_id = self.registration["client_id"]
        with contextlib.redirect_stdout(io.StringIO()):
            refused = main([f"--local={self.stack}", "applications", "redirect-uris", "add", client_id, *callbacks])
        if refused:
            raise NoUpstream(f"the stack of {self.stack} does not take our callbacks")


def chosen(environment: Mapping[str, str] = os.environ) -> Upstream | None:
    """``UPSTREAM_STACK_FILE`` names a stack that runs; ``CRONOFY_CLIENT_ID`` and what belongs to it, the real Cronofy.

    Raises NoUpstream.
    """
    if file := environment.get("UPSTREAM_STACK_FILE"):
        return _standing_in(Path(file).resolve())
    names = {key: f"CRONOFY_{key}".upper() for key in ("client_id", "client_secret", "data_center")}
    registration = {key: environment[name] for key, name in names.items() if environment.get(name)}
    if registration and len(registration) < len(names):
        raise NoUpstream(f"set {', '.join(names.values())}, or none of them")
    return Upstream(registration) if registration else None


def _standing_in(file: Path) -> Upstream:
    try:
        stack = json.loads(file.read_text(encoding="utf-8"))
        client = {name: stack[name] for name in ("client_id", "client_secret")}
        return Upstream({**client, "data_center": "us"}, stack["url"], file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoUpstream(
            f"no stack runs that {file} tells of: start it first, with PORT_BASE and STACK_FILE"
        ) from error
