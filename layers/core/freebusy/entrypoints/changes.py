"""The table's stream: a batch of writes becomes invitations and channels that are due, and news for other channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freebusy.domain.channel import ChannelDue, News
from freebusy.domain.upstream_due import UpstreamDue
from freebusy.entrypoints.observing import logger, tell_trouble, trouble
from freebusy.entrypoints.records import UnreadableRecord, batch_failures
from freebusy.entrypoints.stream import AccountChange, EventChange, change_of, name_of, sequence_number
from freebusy.service.announcing import announce
from freebusy.service.due_invitations import due_after
from freebusy.service.news import account_news, event_news, is_due_upstream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freebusy.domain.event import InvitationDue
    from freebusy.ports import ChannelQueue, ChannelStore, DeadLetters, InvitationQueue, UpstreamQueue


@dataclass(eq=False, repr=False)
class Followers:
    """Where what was written goes on to."""

    invitations: InvitationQueue
    due_channels: ChannelQueue
    due_upstream: UpstreamQueue
    channels: ChannelStore
    dead_letters: DeadLetters


def follow_changes(event: Mapping[str, Any], followers: Followers, *, now: int) -> dict[str, Any]:
    """A record that nobody can read goes to the dead letters at once: reported, it would hold up its whole shard.

    When a queue does not answer, the batch fails as a whole: what was queued before is recognised as queued. When
    something cannot be noted, the batch fails from there on: what was noted before is not noted again.
    """
    records: Sequence[Mapping[str, Any]] = event["Records"]
    invitations: list[InvitationDue] = []
    due: list[ChannelDue] = []
    upstream: list[UpstreamDue] = []
    news: list[tuple[int, News]] = []
    done = noted = 0
    try:
        for place, record in enumerate(records):
            match _change(record, followers.dead_letters):
                case EventChange(before, after):
                    invitations += due_after(before, after)
                    news += [(place, each) for each in event_news(before, after)]
                case AccountChange(before, after):
                    news += [(place, each) for each in account_news(before, after, now=now)]
                    if is_due_upstream(before, after):
                        upstream.append(UpstreamDue(after.sub, int(sequence_number(record))))
                case ChannelDue() as channel:
                    due.append(channel)
        followers.invitations.put(invitations)
        followers.due_channels.put(due)
        followers.due_upstream.put(upstream)
        for place, each in news:
            done = place  # all records before it are done with
            noted += announce(each, channels=followers.channels)
    except Exception as error:  # noqa: BLE001 - whatever it is, no change may be passed over
        for record in records[done:]:
            tell_trouble("a change is not queued yet", error, change=name_of(record))
        return batch_failures([sequence_number(records[done])])
    logger.info("queued", records=len(records), due=len(invitations), channels=len(due), noted=noted)
    return batch_failures([])


def _change(record: Mapping[str, Any], dead_letters: DeadLetters) -> EventChange | AccountChange | ChannelDue | None:
    try:
        return change_of(record)
    except UnreadableRecord as error:
        logger.error("a record of the stream cannot be read", change=name_of(record), trouble=trouble(error))
        dead_letters.put({"condition": "UnreadableRecord", **name_of(record)})
        return None
