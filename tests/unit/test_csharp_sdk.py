"""The parsers of tests.csharp_sdk refuse what the SDK's own would."""

from __future__ import annotations

import pytest

from tests.csharp_sdk import (
    AVAILABLE_PERIODS,
    CALENDARS,
    EVENTS,
    FREE_BUSY,
    LOCALIZED_EVENTS,
    LOCALIZED_FREE_BUSY,
    PROFILES,
    SEQUENCES,
    TOKENS,
    CannotParse,
)

PAGES = {"current": 1, "total": 1}
ROW = {
    "calendar_id": "cal_1",
    "start": "2030-01-07T09:00:00Z",
    "end": "2030-01-07T10:00:00Z",
    "free_busy_status": "busy",
}
LOCAL = {"time": "2030-01-07T10:00:00+01:00", "tzid": "Europe/Paris"}
TOKEN = {
    "token_type": "bearer",
    "access_token": "a",
    "refresh_token": "r",
    "expires_in": 3600,
    "scope": "free_busy_write",
    "account_id": "acc_1",
    "sub": "acc_1",
    "linking_profile": {
        "provider_name": "google_free_busy",
        "provider_service": "google_free_busy",
        "profile_id": "pro_1",
        "profile_name": "kim@example.com",
    },
}


EVENT = {
    "calendar_id": "cal_1",
    "event_uid": "evt_5f00aa11",
    "event_id": "booking-7",
    "summary": "Interview",
    "description": "",
    "start": "2030-01-07T13:00:00Z",
    "end": "2030-01-07T13:30:00Z",
    "deleted": False,
    "created": "2030-01-01T08:00:00Z",
    "updated": "2030-01-01T08:00:00Z",
    "location": {"description": "Room 4"},
    "participation_status": "needs_action",
    "attendees": [{"email": "guest@example.com", "display_name": "Guest", "status": "needs_action"}],
    "organizer": {"email": "kim@example.com", "display_name": "Kim Lee"},
    "transparency": "opaque",
    "status": "confirmed",
    "categories": [],
    "recurring": False,
    "event_private": False,
    "options": {"delete": True, "update": True, "change_participation_status": False},
}


def events(**changed):
    return {"pages": PAGES, "events": [{**EVENT, **changed}]}


def free_busy(**changed):
    return {"pages": PAGES, "free_busy": [{**ROW, **changed}]}


def test_the_contracts_own_examples_are_read():
    TOKENS(TOKEN, "tokens")
    FREE_BUSY(free_busy(), "free_busy")
    FREE_BUSY(free_busy(start=LOCAL, end="2030-01-08"), "free_busy")
    LOCALIZED_FREE_BUSY(free_busy(start=LOCAL, end=LOCAL), "free_busy")
    EVENTS(events(), "events")
    LOCALIZED_EVENTS(events(start=LOCAL, end=LOCAL), "events")


@pytest.mark.parametrize(
    ("reader", "answer", "at"),
    [
        pytest.param(TOKENS, {**TOKEN, "expires_in": "3600"}, "expires_in", id="a number as text"),
        pytest.param(TOKENS, {**TOKEN, "expires_in": True}, "expires_in", id="a boolean is no number"),
        pytest.param(TOKENS, {**TOKEN, "refresh_token": ""}, "refresh_token", id="an empty refresh token"),
        pytest.param(FREE_BUSY, free_busy(start="2030-01-07T09:00:00.000Z"), "start", id="fractions of a second"),
        pytest.param(
            FREE_BUSY, free_busy(start="2030-01-07T09:00:00+00:00"), "start", id="an offset outside an object"
        ),
        pytest.param(FREE_BUSY, free_busy(end=None), "end", id="no time"),
        pytest.param(FREE_BUSY, free_busy(end={**LOCAL, "tzid": ""}), "end.tzid", id="an empty zone"),
        pytest.param(FREE_BUSY, free_busy(end={**LOCAL, "time": "2030-01-07T10:00:00+0100"}), "end", id="no colon"),
        pytest.param(FREE_BUSY, free_busy(deleted=None), "deleted", id="a boolean that is null"),
        pytest.param(FREE_BUSY, free_busy(whatever=None), "whatever", id="any null"),
        pytest.param(FREE_BUSY, {"pages": {"current": 1}, "free_busy": []}, "pages", id="no total"),
        pytest.param(LOCALIZED_FREE_BUSY, free_busy(), "start", id="not localized"),
        pytest.param(PROFILES, {"profiles": None}, "profiles", id="null for a list"),
        pytest.param(CALENDARS, {"calendars": [{}]}, "calendars[0]", id="a calendar without anything"),
        pytest.param(EVENTS, events(created=None), "created", id="a time of creation that is null"),
        pytest.param(EVENTS, events(updated=LOCAL), "updated", id="only start and end are localized"),
        pytest.param(EVENTS, events(recurring="no"), "recurring", id="a boolean as text"),
        pytest.param(EVENTS, events(status="deleted"), "status", id="a status that nobody knows"),
        pytest.param(
            EVENTS, events(attendees=[{"email": "guest@example.com", "status": "yes"}]), "status", id="an odd answer"
        ),
        pytest.param(LOCALIZED_EVENTS, events(), "start", id="an event that is not localized"),
        pytest.param(
            AVAILABLE_PERIODS,
            {"available_periods": [{"start": "2030-01-07", "end": "2030-01-08", "participants": []}]},
            "start",
            id="dates are no timestamps",
        ),
        pytest.param(
            SEQUENCES,
            {"sequences": [{"sequence": [{"start": "2030-01-07T09:00:00Z", "end": "2030-01-07T10:00:00Z"}]}]},
            "sequence[0]",
            id="a step without an id",
        ),
    ],
)
def test_what_would_throw_is_refused_with_its_place(reader, answer, at):
    with pytest.raises(CannotParse, match=rf"{at.replace('[', '.').replace(']', '.')}: "):
        reader(answer, "answer")
