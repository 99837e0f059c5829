"""The audit log: one record, in the functions' log, of each request that concerned an account.

A query over two hundred people is one record too, in which all of them are named: in one text, since CloudWatch Logs
looks into no more than 200 fields of a record.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freebusy.service.audit import Notes

ACTIONS = {
    "GET /oauth/callback/{provider}": "consent.given",
    "POST /oauth/token": "token.issued",
    "POST /oauth/token/revoke": "authorization.revoked",
    "GET /connections": "connections.seen",
    "GET /connections/{profile_id}/disconnect": "connections.seen",
    "POST /connections/{profile_id}/disconnect": "profile.disconnected",
    "GET /enterprise_connect/setup/{handle}": "organization.connected",
    "GET /enterprise_connect/callback/{provider}": "organization.connected",
    "POST /enterprise_connect/answers/{handle}": "access.answered",
    "GET /v1/account": "account.read",
    "GET /v1/userinfo": "account.read",
    "GET /v1/profiles": "account.read",
    "GET /v1/calendars": "account.read",
    "POST /v1/calendars": "account.refused",
    "POST /v1/permissions": "account.refused",
    "POST /v1/link_tokens": "link.issued",
    "POST /v1/profiles/{profile_id}/revoke": "profile.disconnected",
    "GET /v1/free_busy": "free_busy.read",
    "GET /v1/free_busy/pages/{token}": "free_busy.read",
    "GET /v1/free_busy.ics": "free_busy.read",
    "GET /v1/events": "events.read",
    "GET /v1/events/pages/{token}": "events.read",
    "POST /v1/calendars/{calendar_id}/events": "event.written",
    "DELETE /v1/calendars/{calendar_id}/events": "event.deleted",
    "DELETE /v1/events": "events.deleted",
    "POST /v1/batch": "events.written",
    "POST /v1/calendars/{calendar_id}/events/{event_uid}/participation_status": "event.refused",
    "POST /v1/availability": "availability.queried",
    "POST /v1/availability/explain": "availability.queried",
    "POST /v1/sequenced_availability": "availability.queried",
    "POST /v1/availability_rules": "rule.written",
    "GET /v1/availability_rules": "rules.read",
    "GET /v1/availability_rules/{availability_rule_id}": "rules.read",
    "DELETE /v1/availability_rules/{availability_rule_id}": "rule.deleted",
    "POST /v1/available_periods": "period.written",
    "GET /v1/available_periods": "periods.read",
    "GET /v1/available_periods/pages/{token}": "periods.read",
    "DELETE /v1/available_periods": "periods.deleted",
    "POST /v1/service_account_authorizations": "access.requested",
    "GET /v1/resources": "resources.read",
    "POST /v1/channels": "channel.opened",
    "GET /v1/channels": "channels.read",
    "DELETE /v1/channels/{channel_id}": "channel.closed",
}
"""What is done by each route that can concern an account."""

_UNKNOWN = "other"


def write_request(notes: Notes, event: Mapping[str, Any], status: int) -> None:
    """The route as the gateway has it, with names for what varies: the path itself may hold a token."""
    if notes.accounts:
        action = notes.action or ACTIONS.get(event.get("routeKey", ""), _UNKNOWN)
        write_record(record_of(notes, action, event["requestContext"].get("requestId", ""), status))


def record_of(notes: Notes, action: str, request_id: str, outcome: int | str) -> dict[str, Any]:
    """``outcome`` is the status of an answer, or what came of something that nobody waits for."""
    return {
        "action": action,
        "accounts": " ".join(notes.accounts),
        "by": notes.by,
        "client_id": notes.client_id,
        "grant_id": notes.grant_id,
        "request_id": request_id,
        "outcome": outcome,
    }


def write_record(record: Mapping[str, Any]) -> None:
    """Past the logger: what is filtered by level must not end the audit, and Lambda takes what has none for INFO.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    stdout().write(line_of(record) + "\n")


def stdout() -> TextIO:
    """As it is now, since tests and benchmarks put another one in its place."""
    return sys.stdout


def line_of(record: Mapping[str, Any]) -> str:
    line = {"level": "FATAL", "timestamp": _now(), "message": "audit", "audit": record}
    return json.dumps(line, separators=(",", ":"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
