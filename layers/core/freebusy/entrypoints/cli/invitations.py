"""``freebusy invitations``: mail that events bring about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.bootstrap import account_store, redelivery
from freebusy.entrypoints.cli.output import Answer, CommandRefused
from freebusy.entrypoints.cli.parsing import ACCOUNTS, Commands, add_command, add_group
from freebusy.service.due_invitations import deliver_again

if TYPE_CHECKING:
    import argparse

    from freebusy.entrypoints.cli.deployment import Deployment


def add_commands(commands: Commands) -> None:
    invitations = add_group(commands, "invitations", "mail that events bring about")
    add_command(invitations, "redeliver", _redeliver, "queue what accounts' attendees were never sent", ACCOUNTS)


def _redeliver(options: argparse.Namespace, deployment: Deployment) -> Answer:
    dynamodb, table_name = deployment.dynamodb
    events, log, queue = redelivery(
        dynamodb,
        deployment.client("sqs"),
        table_name=table_name,
        queue_url=deployment.output("InvitationQueueUrl"),
    )
    known = account_store(*deployment.dynamodb).find_many(options.accounts)
    if unknown := [sub for sub in options.accounts if sub not in known]:
        raise CommandRefused(f"there is no account {', '.join(unknown)}: nothing was queued")
    queued = sum(deliver_again(sub, events=events, log=log, queue=queue) for sub in options.accounts)
    return {"accounts": options.accounts, "queued": queued}
