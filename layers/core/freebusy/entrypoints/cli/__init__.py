"""``freebusy``: registers the applications that may use a deployment, replaces its keys and secrets, erases people, and
brings back what was lost. For operators, from their own machine.

Talks to the deployment's table with the operator's own AWS credentials, or to the laptop stack with ``--local``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from freebusy.domain.errors import FreeBusyError
from freebusy.entrypoints.cli import applications, invitations, keys, people, providers, restoring
from freebusy.entrypoints.cli.deployment import LAPTOP_STACK_FILE, Deployment
from freebusy.entrypoints.cli.output import in_columns, in_one_line, say
from freebusy.entrypoints.cli.parsing import add_options, commands_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_REFUSED = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when it was done; 2, with one line on the standard error, when it was not."""
    given = sys.argv[1:] if arguments is None else arguments
    # A bare --local takes no value, or `freebusy --local applications list` would name a file "applications".
    options = _parser().parse_args([f"--local={LAPTOP_STACK_FILE}" if word == "--local" else word for word in given])
    try:
        answer = options.command(options, Deployment(options))
    except (FreeBusyError, BotoCoreError, ClientError) as error:
        say(f"freebusy: {in_one_line(error)}")
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(answer, indent=2, ensure_ascii=False) if options.json else in_columns(answer))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freebusy",
        description="Registers the applications of a Free/Busy Connect deployment, replaces its keys and secrets, and "
        "looks after its people.",
        epilog="Options may stand before or after the command. AWS credentials come from where AWS tools find them.",
    )
    add_options(parser, default=None)
    commands = commands_of(parser)
    for each in (applications, keys, providers, people, invitations, restoring):
        each.add_commands(commands)
    return parser
