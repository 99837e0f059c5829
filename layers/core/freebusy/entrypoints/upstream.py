"""A batch of what is due at Cronofy is done there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freebusy.entrypoints.audit import record_of, write_record
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.queued import deliver_in_groups
from freebusy.entrypoints.records import Message, upstream_due
from freebusy.ports import UpstreamQueue
from freebusy.service.audit import begin
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
