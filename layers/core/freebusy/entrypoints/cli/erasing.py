"""What commands that erase share: the record of who asked for it, and the proof that it was done."""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import audit_log, audit_log_in
from freebusy.domain.erasure import DONE, erased_in, finished_at
from freebusy.entrypoints.audit import line_of, record_of
from freebusy.entrypoints.cli.output import CommandRefused
from freebusy.entrypoints.cli.parsing import age
from freebusy.service.audit import By, Notes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from freebusy.entrypoints.cli.deployment import Deployment
    from freebusy.ports import AuditLog

_AS_LONG_AS_LOGS = "60d"


def add_erasing(parser: argparse.ArgumentParser, asking: str) -> None:
    parser.add_argument("--yes", action="store_true", help=asking)
    verify = "erase nothing, but fail when something is left, or when the log does not say that it was erased"
    parser.add_argument("--verify", action="store_true", help=verify)
    since = "how far back --verify looks into the log, as 36h or 60d (which is the default)"
    parser.add_argument("--since", type=age, default=age(_AS_LONG_AS_LOGS), metavar="TIME", help=since)


def proof_of_erasure(
    name: str, left: Mapping[str, int], options: argparse.Namespace, deployment: Deployment
) -> dict[str, Any]:
    """Of an account, an organization or an application. That there is nothing proves nothing about a mistyped id, so
    the log has to say that it was erased. Raises CommandRefused.
    """
    if left:
        raise CommandRefused(f"of {name} there is still: {', '.join(f'{n} {kind}' for kind, n in left.items())}")
    records = _records_of(name, options, deployment)
    if at := finished_at(name, records):
        return {"left": 0, "erased_at": at}
    if records:
        later = "ask again in two minutes, and after an interruption erase it again"
        raise CommandRefused(f"nothing is left of {name}, but the last look is still to come: {later}")
    raise CommandRefused(
        f"there is nothing of {name}, and the log does not say that it was erased: is that the id? "
        "(--since says how far back it looks)"
    )


def was_interrupted(name: str, options: argparse.Namespace, deployment: Deployment) -> bool:
    """Whether its erasure was begun, and never came to its last look."""
    records = _records_of(name, options, deployment)
    return bool(records) and finished_at(name, records) is None


def _records_of(name: str, options: argparse.Namespace, deployment: Deployment) -> list[Mapping[str, Any]]:
    now = int(time())
    records = audit_log_of(deployment).erasures(since=now - options.since, until=now)
    return [record for record in records if name in erased_in([record])]


def write_down(action: str, deployment: Deployment, *accounts: str, client_id: str = "", outcome: str = DONE) -> None:
    """That an operator did it."""
    notes = Notes(accounts=dict.fromkeys(accounts), client_id=client_id, by=By.OPERATOR)
    audit_log_of(deployment).add(line_of(record_of(notes, action, "", outcome)))


def audit_log_of(deployment: Deployment) -> AuditLog:
    if deployment.laptop:
        return audit_log_in(Path(deployment.laptop["logs"]))
    return audit_log(deployment.client("logs"), deployment.output("FunctionLogGroup"))
