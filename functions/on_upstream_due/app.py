"""The queue of what is to be done at Cronofy: our channels there are settled, and what it told is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.observing import observed
from freebusy.entrypoints.upstream import carry_out_upstream

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return carry_out_upstream(event, work=wired.upstream_work, queue=wired.upstream_queue)
