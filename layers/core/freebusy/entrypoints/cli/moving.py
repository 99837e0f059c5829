"""What ``accounts move`` and ``applications move`` share: people who leave Cronofy, each at their next consent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.bootstrap import account_store
from freebusy.service.authorization import relink_url
from freebusy.service.moving import mark_moving

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from freebusy.entrypoints.cli.deployment import Deployment
    from freebusy.entrypoints.cli.output import Answer


def add_undo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--undo", action="store_true", help="leave at Cronofy who has not consented again yet")


def moved(subs: Sequence[str], deployment: Deployment, *, undo: bool) -> Answer:
    """With the address at which each person consents, for the application to send them to."""
    marked = mark_moving(subs, moving=not undo, accounts=account_store(*deployment.dynamodb))
    public_url = deployment.public_url
    moving = [{"account": sub, "relink_url": relink_url(public_url, sub, profile_id)} for sub, profile_id in marked]
    return {"stay" if undo else "moving": moving}
