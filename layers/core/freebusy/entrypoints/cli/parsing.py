"""What the parts of the command line are made of: groups, commands, and the options that every command takes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from freebusy.entrypoints.cli.deployment import LAPTOP_STACK_FILE, Deployment
from freebusy.entrypoints.cli.output import Answer

Command: TypeAlias = Callable[[argparse.Namespace, Deployment], Answer]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - has no public name

_UNITS = {"m": 60, "h": 3600, "d": 86400}
_LONGEST_LOG = 731 * 86400
"""Seconds, the most that the template's LogRetentionDays can be."""


def account_id(text: str) -> str:
    """Exactly, so that nothing is ever said about somebody whose id was mistyped. Raises ArgumentTypeError."""
    if text.startswith("ser_"):
        raise argparse.ArgumentTypeError(f"{text} is an organization: see freebusy organizations")
    return _id(text, "acc_")


def organization_id(text: str) -> str:
    return _id(text, "ser_")


def holder_id(text: str) -> str:
    """Of either."""
    return _id(text, "acc_", "ser_")


def _id(text: str, *prefixes: str) -> str:
    if not re.fullmatch(f"({'|'.join(prefixes)})[0-9a-f]{{24}}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not {' or '.join(prefixes)} with 24 digits of 0-9 and a-f")
    return text


def application_id(text: str) -> str:
    """Not an empty word, as of a variable that is not set, which must not stand for all."""
    if not text:
        raise argparse.ArgumentTypeError("no client id is given")
    return text


def age(text: str) -> int:
    """Seconds, of ``90m``, ``36h`` or ``7d``. Raises ArgumentTypeError, as the others here."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is not like 90m, 36h or 7d")
    if (seconds := int(number) * _UNITS[unit]) > _LONGEST_LOG:
        raise argparse.ArgumentTypeError(f"{text} is longer than any log is kept: 731d at most")
    return seconds


CLIENT_ID: dict[str, Any] = {"dest": "client_id", "metavar": "CLIENT_ID", "type": application_id}
ACCOUNTS: dict[str, Any] = {
    "dest": "accounts",
    "metavar": "ACCOUNT",
    "nargs": "+",
    "type": account_id,
    "help": "sub of an account, as the log names it",
}


def commands_of(parser: argparse.ArgumentParser) -> Commands:
    return parser.add_subparsers(title="commands", required=True, metavar="COMMAND")


def add_group(commands: Commands, name: str, about: str) -> Commands:
    return commands_of(commands.add_parser(name, help=about, description=about))


def add_command(
    commands: Commands, name: str, command: Command, about: str, *arguments: dict[str, Any]
) -> argparse.ArgumentParser:
    """``arguments`` are positional, each as ``add_argument`` takes it."""
    parser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(command=command)
    for argument in arguments:
        parser.add_argument(**argument)
    add_options(parser, default=argparse.SUPPRESS)
    return parser


def add_options(parser: argparse.ArgumentParser, *, default: Any) -> None:
    """What is not given after the command must not undo what was given before it, hence SUPPRESS there."""
    options = parser.add_argument_group("which deployment")
    options.add_argument(
        "--stack", metavar="NAME", default=default, help="its CloudFormation stack, which names the table"
    )
    options.add_argument("--table", metavar="NAME", default=default, help="its table, where the stack cannot be read")
    options.add_argument(
        "--key", metavar="KEY", default=default, help="its KMS key, beside --table, for commands that make a secret"
    )
    options.add_argument("--region", metavar="REGION", default=default, help="its AWS region")
    options.add_argument(
        "--local",
        nargs="?",
        metavar="=FILE",
        default=default,
        help=f"the laptop stack, as {LAPTOP_STACK_FILE} or another file says where it is",
    )
    parser.add_argument("--json", action="store_const", const=True, default=default, help="answer in JSON")
