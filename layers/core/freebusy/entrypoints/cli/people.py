"""``freebusy accounts`` and ``freebusy organizations``: who has connected, and what is stored about them."""

from __future__ import annotations

from collections import Counter
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import (
    access_request_store,
    account_store,
    belongings,
    erasure_queue,
    service_account_store,
)
from freebusy.domain.erasure import REQUESTED
from freebusy.entrypoints.cli.erasing import add_erasing, audit_log_of, proof_of_erasure, write_down
from freebusy.entrypoints.cli.moving import add_undo, moved
from freebusy.entrypoints.cli.output import Answer, CommandRefused, confirm, moment
from freebusy.entrypoints.cli.parsing import (
    ACCOUNTS,
    CLIENT_ID,
    Commands,
    account_id,
    add_command,
    add_group,
    age,
    holder_id,
    organization_id,
)
from freebusy.service.applications import find_application
from freebusy.service.erasure import people_among, people_of
from freebusy.service.export import export_account

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from freebusy.entrypoints.cli.deployment import Deployment
    from freebusy.ports import Belongings

_LONGEST_ERASURE = 900.0
_BETWEEN_LOOKS = 2.0
"""Seconds. An erasure goes on by itself, however long somebody waits for it."""

_NOT_ASKING = "do not ask first"

_ACCOUNT = {"dest": "account", "metavar": "ACCOUNT", "type": account_id, "help": "its sub, acc_..."}
_HOLDER = {"dest": "account", "metavar": "ACCOUNT", "type": holder_id, "help": "its sub, or an organization's"}
_ORGANIZATION = {"dest": "organization", "metavar": "ORGANIZATION", "type": organization_id, "help": "its sub, ser_..."}


def add_commands(commands: Commands) -> None:
    accounts = add_group(commands, "accounts", "people who have connected")
    move = "take people off Cronofy, each at their next consent, and show where they consent"
    add_undo(add_command(accounts, "move", _move, move, ACCOUNTS))
    audit = add_command(accounts, "audit", _audit, "who did what about somebody, as the log has it", _HOLDER)
    since = "how far back, as 90m, 36h or 7d (which is the default)"
    audit.add_argument("--since", type=age, default=age("7d"), metavar="TIME", help=since)
    export = add_command(accounts, "export", _export, "print everything that is stored about somebody", _HOLDER)
    export.set_defaults(json=True)
    erase = "erase everything that is stored about somebody"
    add_erasing(add_command(accounts, "erase", _erase_account, erase, _ACCOUNT), _NOT_ASKING)

    organizations = add_group(commands, "organizations", "organizations that their administrators have connected")
    add_command(organizations, "list", _list_organizations, "those of one application", CLIENT_ID)
    add_command(organizations, "show", _show_organization, "all about one, with its accounts", _ORGANIZATION)
    erase = "erase it, with the account of every mailbox that it alone gives access to"
    add_erasing(add_command(organizations, "erase", _erase_organization, erase, _ORGANIZATION), _NOT_ASKING)


# --- Accounts --------------------------------------------------------------------------------------


def _move(options: argparse.Namespace, deployment: Deployment) -> Answer:
    return moved(options.accounts, deployment, undo=options.undo)


def _audit(options: argparse.Namespace, deployment: Deployment) -> Answer:
    now = int(time())
    return [*map(dict, audit_log_of(deployment).about(options.account, since=now - options.since, until=now))]


def _export(options: argparse.Namespace, deployment: Deployment) -> Answer:
    """Recorded before it is shown: who cannot write that down does not see anything."""
    exported = export_account(
        options.account,
        accounts=account_store(*deployment.dynamodb),
        belongings=belongings(*deployment.dynamodb),
        requests=access_request_store(*deployment.dynamodb),
        now=int(time()),
    )
    write_down("account.exported", deployment, options.account)
    return exported


def _erase_account(options: argparse.Namespace, deployment: Deployment) -> Answer:
    return {"account": options.account, **_erase(options, deployment, options.account)}


# --- Organizations ---------------------------------------------------------------------------------


def _list_organizations(options: argparse.Namespace, deployment: Deployment) -> Answer:
    application = find_application(options.client_id, registry=deployment.registry)
    subs = deployment.registry.service_accounts_of(application.client_id)
    found = service_account_store(*deployment.dynamodb).find_many(subs)
    return [
        {"organization": sub, "name": each.organization.key, "connected": "connected" if each.connected else "-"}
        for sub, each in sorted(found.items())
    ]


def _show_organization(options: argparse.Namespace, deployment: Deployment) -> Answer:
    found = service_account_store(*deployment.dynamodb).find(options.organization)
    if found is None:
        raise CommandRefused(f"there is no organization {options.organization}")
    return {
        "organization": found.sub,
        "client_id": found.client_id,
        "provider": found.organization.provider,
        "name": found.organization.key,
        "domains": list(found.organization.domains),
        "administrator": found.administrator.email,
        "delegated_scope": found.delegated_scope,
        "disconnected": found.disconnected,
        "accounts": [*people_of(found, accounts=account_store(*deployment.dynamodb))],
        "created_at": moment(found.created_at),
    }


def _erase_organization(options: argparse.Namespace, deployment: Deployment) -> Answer:
    """Its accounts are found as long as it is there itself, and it goes last."""
    sub = options.organization
    found = service_account_store(*deployment.dynamodb).find(sub)
    accounts = account_store(*deployment.dynamodb)
    with_it = people_among([*people_of(found, accounts=accounts)], found, accounts=accounts).erased if found else []
    return {"organization": sub, **_erase(options, deployment, sub, *with_it)}


# --- Erasing either --------------------------------------------------------------------------------


def _erase(options: argparse.Namespace, deployment: Deployment, sub: str, *with_it: str) -> dict[str, Any]:
    """Queues ``sub`` and waits until nothing is left of it, nor of those that are erased ``with_it``."""
    stored = belongings(*deployment.dynamodb)
    there = _count(stored, sub, *with_it)
    if options.verify:
        return proof_of_erasure(sub, there, options, deployment)
    if not there:
        raise CommandRefused(f"nothing is stored about {sub}")
    if not options.yes:
        confirm(f"This erases everything about {sub} and {len(with_it)} more, for good; no meeting is cancelled", sub)
    write_down(REQUESTED, deployment, sub)
    late = f"{sub} is not erased yet; it goes on by itself: look with --verify, and at the log"
    erase_by_queue([sub], deployment, left=lambda: any(map(stored.count, (sub, *with_it))), late=late)
    return {"erased": [{"kind": kind, "items": number} for kind, number in there.items()]}


def erase_by_queue(subs: Sequence[str], deployment: Deployment, *, left: Callable[[], bool], late: str) -> None:
    """Waits until there is nothing ``left``; raises CommandRefused, which says it is ``late``."""
    erasure_queue(deployment.client("sqs"), deployment.output("ErasureQueueUrl")).put(subs)
    given_up = monotonic() + _LONGEST_ERASURE
    while left():
        if monotonic() > given_up:
            raise CommandRefused(late)
        sleep(_BETWEEN_LOOKS)


def _count(stored: Belongings, *subs: str) -> dict[str, int]:
    together: Counter[str] = Counter()
    for sub in subs:
        together.update(stored.count(sub))
    return dict(sorted(together.items()))
