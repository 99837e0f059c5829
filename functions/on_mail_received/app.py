"""Mail that came in for one of our events, or did not reach somebody: counted where the application sees it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import dependencies
from freebusy.entrypoints.notifications import each_notification
from freebusy.entrypoints.observing import observed
from freebusy.service.replies import count_answer, note_delivery

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    wired = dependencies()
    return each_notification(
        event,
        received=partial(
            count_answer,
            mail_domain=wired.settings.mail_domain,
            mailbox=wired.inbound_mailbox,
            events=wired.events,
            now=wired.clock(),
        ),
        reported=partial(note_delivery, events=wired.events, now=wired.clock()),
    )
