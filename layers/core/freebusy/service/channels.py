"""Channels that an application opens and closes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from freebusy.domain.channel import LONGEST_CALLBACK_URL, MOST_CHANNELS, Channel, NotificationType
from freebusy.domain.errors import InsufficientScope, InvalidRequest, NotFound, RefusedBecause
from freebusy.domain.identifiers import new_channel_id
from freebusy.service.callbacks import refused_callbacks

if TYPE_CHECKING:
    from freebusy.domain.account import Account
    from freebusy.ports import ApplicationStore, ChannelStore, HostResolver


@dataclass(frozen=True, slots=True)
class Wanted:
    callback_url: str = field(repr=False)
    calendar_ids: tuple[str, ...] = ()
    only_managed: bool = False


def open_channel(  # noqa: PLR0913 - who wants what, and the ports
    wanted: Wanted,
    *,
    account: Account,
    applications: ApplicationStore,
    channels: ChannelStore,
    resolver: HostResolver,
    local: bool,
    now: int,
) -> Channel:
    """A new channel, whose ``verification`` is on its way. Raises InvalidRequest, InsufficientScope or NotFound."""
    application = applications.find(account.client_id)
    if application is None or application.public:
        raise InsufficientScope("notifications are signed with a client secret, and a public application has none")
    _check(wanted, account, resolver, local=local)
    channel = Channel(
        channel_id=new_channel_id(),
        sub=account.sub,
        client_id=account.client_id,
        callback_url=wanted.callback_url,
        calendar_ids=wanted.calendar_ids,
        only_managed=wanted.only_managed,
        pending={NotificationType.VERIFICATION: now},
    )
    if not channels.create(channel):
        problem = f"an account has at most {MOST_CHANNELS} channels: close those that are not needed"
        raise InvalidRequest.of("callback_url", "errors.too_many", problem)
    return channel


def close_channel(account: Account, channel_id: str, *, channels: ChannelStore) -> None:
    """Nothing more is sent to it. Raises NotFound for a channel that this account does not have, or not any more."""
    if not channels.close(account.sub, channel_id):
        raise NotFound("no such channel")


def shown(channel: Channel) -> dict[str, Any]:
    """As the application sees it. Filters are an object, always, and name only what they narrow."""
    filters: dict[str, Any] = {}
    if channel.calendar_ids:
        filters["calendar_ids"] = list(channel.calendar_ids)
    if channel.only_managed:
        filters["only_managed"] = True
    return {"channel_id": channel.channel_id, "callback_url": channel.callback_url, "filters": filters}


def _check(wanted: Wanted, account: Account, resolver: HostResolver, *, local: bool) -> None:
    refused = RefusedBecause()
    url = wanted.callback_url
    if len(url) > LONGEST_CALLBACK_URL:
        refused.add("callback_url", "errors.too_long", f"must have at most {LONGEST_CALLBACK_URL} characters")
    elif trouble := refused_callbacks([url], resolver=resolver, local=local).get(url):
        refused.add("callback_url", *trouble)
    if not set(wanted.calendar_ids) <= {profile.calendar_id for profile in account.profiles}:
        problem = "calendar_ids must be calendars of this account"
        refused.add("filters.calendar_ids", "errors.invalid_calendar_ids", problem)
    refused.raise_if_any()
