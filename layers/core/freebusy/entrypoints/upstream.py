"""A batch of what is due at Cronofy is done there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from freebusy.domain.channel import NotificationType
from freebusy.domain.upstream_due import UpstreamDue
from freebusy.entrypoints.audit import record_of, write_record
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import deliver_in_groups
from freebusy.entrypoints.records import Message, UnreadableRecord
from freebusy.service.audit import begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.ports import UpstreamQueue
    from freebusy.service.upstream_channels import UpstreamWork


def carry_out_upstream(event: Mapping[str, Any], *, work: UpstreamWork, queue: UpstreamQueue) -> dict[str, Any]:
    def carry_out(message: Message) -> None:
        due = upstream_due(message)
        notes = begin()
        outcome = work.carry_out(due)
        if notes.accounts:
            write_record(record_of(notes, "answers.read", message.message_id, outcome))
        logger.info("done at Cronofy", message_id=message.message_id, account=due.sub, told=due.told, outcome=outcome)

    return deliver_in_groups(event, carry_out, queue, late="something at Cronofy has to wait")


def upstream_due(message: Message) -> UpstreamDue:
    """Raises UnreadableRecord."""
    try:
        due = UpstreamDue(**json.loads(message.body))
        due = replace(due, told=None if due.told is None else NotificationType(due.told))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord("nothing that is due at Cronofy") from error
    if not (isinstance(due.sub, str) and isinstance(due.profile_id, str)) or type(due.since) is not int:
        raise UnreadableRecord("nothing that is due at Cronofy")
    return due
