"""The queue of requests for access: each mailbox is looked at, and its application called back with what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.access_requests import answer_access_requests
from freebusy.entrypoints.observing import observed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return answer_access_requests(event, answers=wired.access_answers, queue=wired.access_queue)
