"""The queue of accounts that are to be erased: everything that is stored about each of them is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.erasures import erase_accounts
from freebusy.entrypoints.observing import observed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return erase_accounts(event, erasure=wired.erasure, queue=wired.erasure_queue)
