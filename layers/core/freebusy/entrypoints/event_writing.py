"""Writing events for one caller, request by request or many in one batch, which writes available periods too.

Loaded by the routes that write: reading events needs no models.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from freebusy.domain.errors import FreeBusyError, InvalidRequest, NotFound
from freebusy.domain.scopes import Permission
from freebusy.entrypoints.http import refusal
from freebusy.entrypoints.observing import logger
from freebusy.entrypoints.wire.available_periods import available_period, period_deletion
from freebusy.entrypoints.wire.event_request import bulk_deletion, event_deletion, event_upsert
from freebusy.service.events import delete_all_events, delete_event, require_writable, upsert_event
from freebusy.service.managed_availability import delete_periods, save_period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.bootstrap import Dependencies
    from freebusy.domain.account import Account
    from freebusy.entrypoints.authentication import Person

MOST_ENTRIES = 50

_EVENTS = re.compile(r"/v1/calendars/([^/?#]+)/events/?(\?.*)?")
_PERIODS = re.compile(r"/v1/available_periods/?(\?.*)?")


class EventWriter:
    """What the caller may not do at all is refused before what they sent is looked at."""

    def __init__(self, caller: Person, wired: Dependencies) -> None:
        self._caller = caller
        self._wired = wired

    @property
    def account(self) -> Account:
        return self._caller.account

    def upsert(self, calendar_id: str, body: Mapping[str, Any]) -> None:
        account = self._caller.account
        self._caller.require(Permission.CREATE_EVENT)
        require_writable(account, calendar_id)
        upsert_event(
            account,
            calendar_id,
            event_upsert(body),
            accounts=self._wired.accounts,
            events=self._wired.events,
            now=self._wired.clock(),
        )
        self._caller = self._caller._replace(account=account._replace(has_events=True))

    def delete(self, calendar_id: str, body: Mapping[str, Any]) -> None:
        account = self._caller.account
        self._caller.require(Permission.DELETE_EVENT)
        require_writable(account, calendar_id)
        event_id = event_deletion(body)
        delete_event(account, calendar_id, event_id, events=self._wired.events, now=self._wired.clock())

    def delete_many(self, body: Mapping[str, Any], query: Mapping[str, list[str]]) -> None:
        self._caller.require(Permission.DELETE_EVENT)
        calendar_ids = bulk_deletion(body, query)
        delete_all_events(self._caller.account, calendar_ids, events=self._wired.events, now=self._wired.clock())

    def batch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Carries out the entries in their order; none stops those after it. Raises InvalidRequest for no batch."""
        entries = body.get("batch")
        if not isinstance(entries, list):
            raise InvalidRequest.of("batch", "errors.required", "batch must be a list")
        if len(entries) > MOST_ENTRIES:
            raise InvalidRequest.of("batch", "errors.too_many", f"a batch has at most {MOST_ENTRIES} entries")
        return {"batch": [self._outcome(entry) for entry in entries]}

    def _outcome(self, entry: object) -> dict[str, Any]:
        try:
            self._carry_out(entry)
        except FreeBusyError as error:
            answer = refusal(error)
            return {"status": answer.status_code, "data": json.loads(answer.body or "{}")}
        except Exception:  # noqa: BLE001 - whatever it is, the other entries have nothing to do with it
            logger.exception("unexpected error in a batch")
            return {"status": HTTPStatus.INTERNAL_SERVER_ERROR.value, "data": {"error": "server_error"}}
        return {"status": HTTPStatus.ACCEPTED.value}

    def _carry_out(self, entry: object) -> None:
        if not isinstance(entry, dict):
            raise InvalidRequest.of("batch", "errors.invalid_format", "an entry must be an object")
        method, data, url = str(entry.get("method")).upper(), entry.get("data") or {}, str(entry.get("relative_url"))
        events, periods = _EVENTS.fullmatch(url), _PERIODS.fullmatch(url)
        if not (events or periods) or method not in {"POST", "DELETE"}:
            raise NotFound("a batch can only create, change and delete events and available periods")
        if not isinstance(data, dict):
            raise InvalidRequest.of("data", "errors.invalid_format", "data must be an object")
        if events:
            write = self.upsert if method == "POST" else self.delete
            write(unquote(events[1]), data)
        else:
            self._write_period(method, data)

    def _write_period(self, method: str, data: Mapping[str, Any]) -> None:
        """As ``functions/available_periods`` does."""
        account, store = self._caller.account, self._wired.managed_availability
        self._caller.require(Permission.READ_FREE_BUSY)
        if method == "POST":
            save_period(account, available_period(data), store=store, now=self._wired.clock())
        else:
            delete_periods(account, period_deletion(data), store=store)
