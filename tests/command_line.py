"""The command ``freebusy``, in the process of the tests."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from freebusy.entrypoints.cli import main


@dataclass(frozen=True)
class CommandLine:
    """On the deployment that these options name; ``given`` is what is typed, or piped, into a command."""

    where: tuple[str, ...]

    @classmethod
    def on(cls, stack: dict[str, Any], folder: Path) -> CommandLine:
        """On a laptop stack, of which the command learns from a file in this folder."""
        file = folder / "stack.json"
        file.write_text(json.dumps(stack), encoding="utf-8")
        return cls((f"--local={file}",))

    def __call__(self, *arguments: str, given: str = "") -> Any:
        """A command that works; gives its answer."""
        status, answer, told = self._run(arguments, given)
        assert status == 0, told
        return json.loads(answer)

    def refused(self, *arguments: str, given: str = "") -> str:
        """A command that does not work; gives what it says beside the answer, of which there is none."""
        status, answer, told = self._run(arguments, given)
        assert (status, answer) == (2, "")
        return told

    def verified(self, sub: str) -> str:
        """Why it is not proven that this account is erased; empty when it is."""
        _, _, told = self._run(("accounts", "erase", sub, "--verify"), "")
        return told

    def _run(self, arguments: tuple[str, ...], given: str) -> tuple[int, str, str]:
        with (
            contextlib.redirect_stdout(io.StringIO()) as answer,
            contextlib.redirect_stderr(io.StringIO()) as told,
            patch("sys.stdin", io.StringIO(given)),
        ):
            status = main([*self.where, "--json", *arguments])
        return status, answer.getvalue(), told.getvalue()
