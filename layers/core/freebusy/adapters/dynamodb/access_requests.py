"""Requests for access to mailboxes: one item each, which expires.

While Cronofy is asked, an item under the hash of a handle says which request its answer is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.short_lived import item_of, key_of, live, taken
from freebusy.adapters.dynamodb.table import Item, Table, Value, may_be_ours, number, text
from freebusy.domain.access_request import AccessRequest, Granted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_KIND, _ANSWER = "ACCESS", "ACCESS_ANSWER"
_OPEN = "attribute_exists(pk) AND attribute_not_exists(#granted) AND attribute_not_exists(#refused)"
"""The condition for a request that Cronofy has not answered."""


class DynamoAccessRequests:
    """Implements ``ports.AccessRequestStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def save(self, requests: Sequence[AccessRequest]) -> None:
        self._table.transact([self._table.putting(_item(request)) for request in requests])

    def find(self, request_id: str, now: int) -> AccessRequest | None:
        item = live(self._table, _KIND, request_id, now) if may_be_ours(request_id) else None
        return None if item is None else _request(item)

    def mark_failing(self, request_id: str, since: int | None) -> None:
        change, values = "REMOVE #failing_since", {}
        if since is not None:
            change, values = "SET #failing_since = if_not_exists(#failing_since, :since)", {"since": since}
        condition = "attribute_exists(pk)"
        self._table.write(self._table.updating(key_of(_KIND, request_id), change, condition=condition, values=values))

    def delete(self, request_id: str) -> None:
        self._table.write(self._table.deleting(key_of(_KIND, request_id)))

    def waiting(self, client_id: str, service_account: str) -> Iterator[AccessRequest]:
        """Those that were answered are gone, so there are few of an application."""
        requests = map(_request, self._table.get_many(self._table.keys_of(client_id, f"{_KIND}#")))
        return (request for request in requests if request.service_account == service_account)

    def expect_answer(self, handle_hash: str, request: AccessRequest, *, until: int) -> None:
        """It goes with the organization that is asked through, which the request would not be found by."""
        whose: dict[str, Value] = {"sub": request.service_account, "request": request.request_id}
        item = item_of(_ANSWER, handle_hash, request.client_id, **whose, expires_at=until)
        self._table.write(self._table.putting(item))

    def take_answer(self, handle_hash: str, now: int) -> str | None:
        item = taken(self._table, _ANSWER, handle_hash, now=now)
        return None if item is None else text(item, "request")

    def mark_asked(self, request_id: str, asked_at: int) -> None:
        self._change(request_id, "SET #asked_at = :asked_at", {"asked_at": asked_at})

    def settle(self, request_id: str, *, granted: Granted | None = None, refused: str | None = None) -> None:
        if granted:
            self._change(request_id, "SET #granted = :granted", {"granted": granted._asdict()})
        else:
            self._change(request_id, "SET #refused = :refused", {"refused": refused})

    def _change(self, request_id: str, change: str, values: dict[str, Value]) -> None:
        self._table.write(self._table.updating(key_of(_KIND, request_id), change, condition=_OPEN, values=values))


def _item(request: AccessRequest) -> Item:
    return item_of(
        _KIND,
        request.request_id,
        request.client_id,
        service_account=request.service_account,
        email=request.email,
        callback_url=request.callback_url,
        scope=request.scope,
        state=request.state,
        requested_at=request.requested_at,
        failing_since=request.failing_since,
        public_url=request.public_url,
        expires_at=request.expires_at,
    )


def _request(item: Item) -> AccessRequest:
    return AccessRequest(
        request_id=item["pk"]["S"].removeprefix(f"{_KIND}#"),
        client_id=item["application"]["S"],
        service_account=item["service_account"]["S"],
        email=item["email"]["S"],
        callback_url=item["callback_url"]["S"],
        scope=item["scope"]["S"],
        state=text(item, "state"),
        requested_at=int(item["requested_at"]["N"]),
        failing_since=number(item, "failing_since"),
        public_url=text(item, "public_url") or "",
        asked_at=number(item, "asked_at"),
        granted=_granted(item["granted"]["M"]) if "granted" in item else None,
        refused=text(item, "refused"),
    )


def _granted(values: Item) -> Granted:
    return Granted(values["sub"]["S"], values["profile_id"]["S"], values["reconnecting"]["BOOL"])
