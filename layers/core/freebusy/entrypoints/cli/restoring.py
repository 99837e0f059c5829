"""``freebusy restore``: copies what was lost out of a restored table."""

from __future__ import annotations

import argparse
from datetime import datetime
from time import sleep, time
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import erasure_queue, snapshot
from freebusy.domain.identifiers import is_sub
from freebusy.domain.restoring import Wanted
from freebusy.entrypoints.cli.applications import erase_application
from freebusy.entrypoints.cli.erasing import audit_log_of
from freebusy.entrypoints.cli.output import Answer, CommandRefused, moment, say
from freebusy.entrypoints.cli.parsing import Commands, add_command, application_id, holder_id
from freebusy.service.restoring import erased_since, restore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.domain.restoring import Restored
    from freebusy.entrypoints.cli.deployment import Deployment
    from freebusy.ports import AuditLog

_DAY = 86_400

_LOG_IS_LATE = 120
"""Seconds after which, as a rule, CloudWatch Logs Insights finds what was logged."""


def add_commands(commands: Commands) -> None:
    about = "copy back what was lost, from a table that was restored beside the one in use"
    parser = add_command(commands, "restore", _restore, about)
    parser.add_argument("--from-table", required=True, metavar="NAME", help="the restored table")
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--account", type=holder_id, metavar="ACCOUNT", help="what belongs to this account")
    whose.add_argument(
        "--application",
        type=application_id,
        metavar="CLIENT_ID",
        help="what belongs to this application and its accounts",
    )
    whose.add_argument("--everything", action="store_true", help="all of it, by a scan of the restored table")
    parser.add_argument("--dry-run", action="store_true", help="copy nothing, but count")
    overwrite = "also replace what is there and differs, as it may be newer: what was revoked since is valid again"
    parser.add_argument("--overwrite", action="store_true", help=overwrite)
    erased = "also bring back who was erased since then, and do not ask the log who was"
    parser.add_argument("--erased-too", action="store_true", help=erased)
    as_of = "the moment that it shows, as 2030-01-07T09:00:00Z, where the table does not say so itself"
    parser.add_argument("--as-of", type=_moment, metavar="TIME", help=as_of)


def _restore(options: argparse.Namespace, deployment: Deployment) -> Answer:
    dynamodb, table_name = deployment.dynamodb
    if options.from_table == table_name:
        raise CommandRefused(f"{table_name} is the table in use: --from-table names the restored one")
    restored_table = snapshot(dynamodb, options.from_table, table_name)
    taken_at = restored_table.taken_at() or options.as_of
    if taken_at is None:
        raise CommandRefused(f"{options.from_table} does not say which moment it shows: say it with --as-of")
    if taken_at > time():
        raise CommandRefused(f"{moment(taken_at)} is still to come: --as-of is the moment that the table shows")
    wanted = Wanted(taken_at, options.account or "", options.application or "", options.overwrite, options.dry_run)
    log = None if options.erased_too else _log_since(taken_at, deployment)
    erased = erased_since(taken_at, log=log, now=int(time())) if log else frozenset()
    restored = restore(wanted, snapshot=restored_table, erased=erased, now=int(time()))
    if not any((restored.copied, restored.there, restored.left_out)):
        named = options.account or options.application or "anybody"
        raise CommandRefused(f"{options.from_table} holds nothing of {named}")
    answer = {
        "as_of": moment(taken_at),
        "would_copy" if options.dry_run else "copied": _rows(restored.copied),
        "left_as_they_are": _rows(restored.there),
        "left_out": _rows(restored.left_out),
    }
    if log is None:
        return {**answer, "erased_since": "not looked up"}
    return {
        **answer,
        "erased_since": sorted(erased),
        "there_although_erased": sorted(restored.back),
        "erased_again": [] if options.dry_run else _erase_again(taken_at, erased, restored, log, deployment),
    }


def _erase_again(
    taken_at: int, erased: frozenset[str], restored: Restored, log: AuditLog, deployment: Deployment
) -> list[str]:
    """Who was erased a moment before, which the log may not have shown, or meanwhile, whether their account is there or
    not: events alone may be back.
    """
    if not deployment.laptop:
        say(f"waiting {_LOG_IS_LATE} seconds for what the log has not shown yet; interrupted, run this again")
        sleep(_LOG_IS_LATE)
    late = (erased_since(taken_at, log=log, now=int(time())) - erased) & restored.whose
    if subs := sorted(filter(is_sub, late)):
        erasure_queue(deployment.client("sqs"), deployment.output("ErasureQueueUrl")).put(subs)
    for client_id in late.difference(subs):
        erase_application(client_id, deployment)
    return sorted(late)


def _log_since(taken_at: int, deployment: Deployment) -> AuditLog:
    """Raises CommandRefused where the log does not reach back: who was erased would come back unseen."""
    days = deployment.described("Parameter").get("LogRetentionDays")
    reason = ""
    if days and taken_at < time() - int(days) * _DAY:
        reason = f"the log is kept for {days} days"
    elif taken_at < deployment.created_at:
        reason = "the log is as old as the stack, which was made later"
    if reason:
        raise CommandRefused(
            f"{reason}, so nobody knows who was erased since {moment(taken_at)}: --erased-too copies without asking it"
        )
    return audit_log_of(deployment)


def _rows(counted: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"kind": kind, "items": number} for kind, number in counted.items()]


def _moment(text: str) -> int:
    """Epoch seconds. Raises ArgumentTypeError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2030-01-07T09:00:00Z")
    return int(at.timestamp())
