"""What operators read: answers in columns, progress, questions, and why something was refused."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from freebusy.domain.errors import FreeBusyError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer: TypeAlias = dict[str, Any] | list[dict[str, Any]]


class CommandRefused(FreeBusyError):
    """The command cannot be carried out as it was given; the message says why, in one line."""


def say(line: str) -> None:
    """Beside the answer, which may be read by a program."""
    print(line, file=sys.stderr)


def confirm(warning: str, name: str) -> None:
    """Raises CommandRefused."""
    say(f"{warning}. Type its name ({name}):")
    if sys.stdin.readline().strip() != name:
        raise CommandRefused("nothing was erased, since that is not its name (--yes erases without asking)")


def moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_columns(answer: Answer) -> str:
    if isinstance(answer, list):
        return "\n".join("  ".join(map(str, row.values())) for row in answer) or "nothing yet"
    width = max(map(len, answer)) + 2
    lines = [
        f"{name if first else '':{width}}{line}" for name, value in answer.items() for first, line in _lines(value)
    ]
    if "client_secret" in answer:
        lines.append("Keep the client_secret now: it cannot be shown again.")
    return "\n".join(lines)


def _lines(value: Any) -> Iterator[tuple[bool, str]]:
    """Each line of a value, and whether it is the first."""
    values = value if isinstance(value, list) else [value]
    for place, each in enumerate(values or ["-"]):
        match each:
            case None:
                text = "-"
            case bool():
                text = "yes" if each else "no"
            case dict():
                text = "  ".join(map(str, each.values()))
            case _:
                text = str(each)
        yield place == 0, text


def in_one_line(error: Exception) -> str:
    if isinstance(error, InvalidRequest):
        return "; ".join(entry.description for entries in error.errors.values() for entry in entries)
    return " ".join(str(error).split())
