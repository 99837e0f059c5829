"""What requests and answers look like. Everything here is made up, and tests compare it with the schemas."""

from __future__ import annotations

from typing import Any

_SUB, _CALENDAR = "acc_5f0c1de2a4b34a7f9c1d", "cal_Ab3dX9_kQ2"
_START, _END = "2030-01-07T09:00:00Z", "2030-01-07T10:00:00Z"

INVALID: dict[str, Any] = {"errors": {"tzid": [{"key": "errors.required", "description": "tzid must be specified"}]}}

TOKEN_REQUEST: dict[str, Any] = {
    "client_id": "Pm7r…",
    "client_secret": "fbs_…",
    "grant_type": "authorization_code",
    "code": "Kx0c…",
    "redirect_uri": "https://app.example.com/callback",
}
REVOCATION: dict[str, Any] = {"client_id": "Pm7r…", "client_secret": "fbs_…", "token": "rt_…"}
TOKENS: dict[str, Any] = {
    "token_type": "bearer",
    "access_token": "at_…",
    "expires_in": 10800,
    "refresh_token": "rt_…",
    "scope": "free_busy_write",
    "account_id": _SUB,
    "sub": _SUB,
    "linking_profile": {
        "provider_name": "google_free_busy",
        "provider_service": "google_free_busy",
        "profile_id": "pro_Ab3d",
        "profile_name": "ana@example.com",
    },
}
ACCOUNT: dict[str, Any] = {
    "account": {
        "account_id": _SUB,
        "email": "ana@example.com",
        "name": "Ana",
        "scope": "free_busy_write",
        "default_tzid": "Etc/UTC",
    }
}
PROFILES: dict[str, Any] = {
    "profiles": [
        {
            "provider_name": "google_free_busy",
            "provider_service": "google_free_busy",
            "profile_id": "pro_Ab3d",
            "profile_name": "ana@example.com",
            "profile_connected": True,
        }
    ]
}
FREE_BUSY: dict[str, Any] = {
    "pages": {"current": 1, "total": 1},
    "free_busy": [{"calendar_id": _CALENDAR, "start": _START, "end": _END, "free_busy_status": "busy"}],
}
AVAILABILITY_QUERY: dict[str, Any] = {
    "participants": [{"members": [{"sub": _SUB}, {"sub": "acc_9b2e77c05d114e2ab0f3"}], "required": "all"}],
    "required_duration": {"minutes": 30},
    "query_periods": [{"start": "2030-01-07T08:00:00Z", "end": "2030-01-07T17:00:00Z"}],
    "response_format": "slots",
}
AVAILABILITY: dict[str, Any] = {
    "available_slots": [
        {
            "start": "2030-01-07T10:00:00Z",
            "end": "2030-01-07T10:30:00Z",
            "participants": [{"sub": _SUB}, {"sub": "acc_9b2e77c05d114e2ab0f3"}],
        }
    ]
}
EXPLANATION: dict[str, Any] = {
    "explanation": {
        "start": _START,
        "end": "2030-01-07T09:30:00Z",
        "available": False,
        "causes": [],
        "participants": [{"sub": "acc_9b2e77c05d114e2ab0f3"}],
        "groups": [{"group": 0, "required": 2, "free": 1, "members": [{"sub": _SUB, "causes": ["busy"]}]}],
    }
}
SEQUENCE_QUERY: dict[str, Any] = {
    "sequence": [
        {
            "sequence_id": name,
            "participants": [{"members": [{"sub": sub}], "required": "all"}],
            "required_duration": {"minutes": 30},
        }
        for name, sub in (("first", _SUB), ("second", "acc_9b2e77c05d114e2ab0f3"))
    ],
    "query_periods": [{"start": "2030-01-07T08:00:00Z", "end": "2030-01-07T17:00:00Z"}],
}
SEQUENCES: dict[str, Any] = {
    "sequences": [
        {
            "sequence": [
                {
                    "sequence_id": "first",
                    "start": "2030-01-07T10:00:00Z",
                    "end": "2030-01-07T10:30:00Z",
                    "participants": [{"sub": _SUB}],
                },
                {
                    "sequence_id": "second",
                    "start": "2030-01-07T10:30:00Z",
                    "end": "2030-01-07T11:00:00Z",
                    "participants": [{"sub": "acc_9b2e77c05d114e2ab0f3"}],
                },
            ]
        }
    ]
}
RULE: dict[str, Any] = {
    "availability_rule_id": "work",
    "tzid": "Europe/Berlin",
    "weekly_periods": [{"day": "monday", "start_time": "09:00", "end_time": "17:30"}],
}
AVAILABLE_PERIOD: dict[str, Any] = {"available_period_id": "monday", "start": _START, "end": _END}
EVENT_UPSERT: dict[str, Any] = {
    "event_id": "meeting-7",
    "summary": "Planning",
    "start": _START,
    "end": _END,
    "tzid": "Europe/Berlin",
    "attendees": {"invite": [{"email": "ben@work.example", "display_name": "Ben"}]},
}
BATCH: dict[str, Any] = {
    "batch": [{"method": "POST", "relative_url": f"/v1/calendars/{_CALENDAR}/events", "data": EVENT_UPSERT}]
}
EVENTS: dict[str, Any] = {
    "pages": {"current": 1, "total": 1},
    "events": [
        {
            "calendar_id": _CALENDAR,
            "event_uid": "evt_6d0f",
            "event_id": "meeting-7",
            "start": _START,
            "end": _END,
            "deleted": False,
            "created": "2030-01-02T12:00:00Z",
            "updated": "2030-01-02T12:00:00Z",
            "summary": "Planning",
            "description": "",
            "transparency": "opaque",
            "extended_transparency": "opaque",
            "categories": [],
            "event_private": False,
            "participation_status": "needs_action",
            "attendees": [{"email": "ana@example.com", "status": "needs_action"}],
            "organizer": {"email": "Zk3q@invites.example.com"},
            "status": "confirmed",
            "recurring": False,
            "options": {"delete": True, "update": True, "change_participation_status": False},
        }
    ],
}
CHANNEL_REQUEST: dict[str, Any] = {
    "callback_url": "https://app.example.com/changes",
    "filters": {"only_managed": True},
}
CHANNEL: dict[str, Any] = {"channel_id": "chn_5f00aa11bb22cc33dd44ee55", **CHANNEL_REQUEST}
NOTIFICATION: dict[str, Any] = {
    "notification": {"type": "change", "changes_since": _START},
    "channel": {**CHANNEL, "filters": {}},
}
ACCESS_REQUEST: dict[str, Any] = {
    "email": "eve@example.com",
    "callback_url": "https://app.example.com/access",
    "scope": "free_busy_write",
    "state": "eve",
}
UPSTREAM_ANSWER: dict[str, Any] = {
    "authorization": {"code": "xGv3kQm8rT1bYw6nPz4dLs9cHf2jUe7a", "state": "n2hZq0tXv8K5mJr1"}
}
RESOURCES: dict[str, Any] = {"resources": [{"email": "room-7@example.com", "name": "Room 7"}]}
