"""The official Node SDK, unmodified, does what applications do against the laptop stack; runs where Node is present."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from local.browser import visit
from tests.receiver import receiving

pytestmark = pytest.mark.stack

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=7)


def at(minutes: int) -> str:
    return (DAY + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def node_sdk(stack, run_node):
    """Connects somebody, has the SDK do a job for them and tells what it saw."""

    def does(job: str, email: str, busy: list[dict[str, str]], *, until: str, **more: Any) -> dict[str, Any]:
        redirect_uri = stack["redirect_uris"][0]
        httpx.put(f"{stack['microsoft']}/sim/users/{email}", json={"busy": busy}).raise_for_status()
        asked = {
            "response_type": "code",
            "client_id": stack["client_id"],
            "redirect_uri": redirect_uri,
            "scope": "free_busy_write",
            "provider_name": "ms_graph_free_busy",
        }
        link = f"{stack['url']}/oauth/authorize?{urlencode(asked)}"
        code = visit(link, until=redirect_uri, consent={"sim_user": email})["code"]
        given = {"redirect_uri": redirect_uri, "code": code, "email": email, "from": at(0), "to": until, **more}
        seen: dict[str, Any] = run_node(job, given)
        return seen

    return does


def test_the_node_sdk_does_the_main_job(node_sdk):
    # Ten minutes of every quarter of an hour on the first day, and the second day free: more than one page of rows.
    busy = [{"start": at(quarter * 10), "end": at(quarter * 10 + 5)} for quarter in range(144)]
    seen = node_sdk("mainJob", "node@contoso.example", busy, until=at(26 * 60))

    assert seen["tokens"]["linking_profile"]["provider_name"] == "ms_graph_free_busy"
    assert seen["refreshed"]["refresh_token"]
    profiles = seen["userinfo"]["cronofy.data"]["profiles"]
    assert [profile["provider_name"] for profile in profiles] == ["ms_graph_free_busy", "cronofy"]
    assert len(seen["profiles"]["profiles"]) == len(seen["calendars"]["calendars"]) == 2
    assert seen["total"] > 1
    assert [row["start"] for row in seen["rows"]] == [period["start"] for period in busy]
    slots = [slot["start"] for slot in seen["availability"]["available_slots"]]
    assert slots == [at(143 * 10 + 5), at(143 * 10 + 65)]
    assert seen["afterwards"] == 401


def test_the_node_sdk_writes_events_that_arrive_as_invitations(node_sdk):
    email = f"node-{time.monotonic_ns()}@contoso.example"
    seen = node_sdk("events", email, [], until=at(60))

    def shown(step, key):
        return [event[key] for event in seen[step]]

    assert [message["to"] for message in seen["messages"]] == [email] * 3
    invitation, update, cancellation = (message["raw"] for message in seen["messages"])
    assert [("method=REQUEST" in raw.replace('"', "")) for raw in (invitation, update)] == [True, True]
    assert "method=CANCEL" in cancellation.replace('"', "")
    assert shown("created", "start") == [at(0)]
    assert shown("created", "participation_status") == ["needs_action"]
    assert shown("answered", "participation_status") == ["accepted"]
    assert shown("updated", "summary") == ["Second interview"]
    assert shown("updated", "event_uid") == shown("created", "event_uid")
    assert shown("deleted", "deleted") == [True]
    assert [entry["status"] for entry in seen["batch"]["batch"]] == [202, 422, 202, 202]
    assert shown("batched", "event_id") == ["three"]
    assert shown("kept", "event_id") == ["four"]
    assert seen["left"] == []
    assert seen["refused"] == 403


def test_the_node_sdk_schedules(node_sdk):
    busy = [{"start": at(120), "end": at(180)}, {"start": at(60), "end": at(90), "status": "tentative"}]
    seen = node_sdk("scheduling", "node-plans@contoso.example", busy, until=at(240))

    explained = seen["explained"]
    assert [slot["start"] for slot in explained["available_slots"]] == [at(0), at(60), at(180)]
    (missing,) = explained["explanation"]["missing"]
    assert (missing["first_start"], missing["last_start"]) == (at(120), at(120))
    assert [member["causes"] for member in missing["groups"][0]["members"]] == [["busy"]]
    assert [source["complete"] for source in explained["sources"]] == [True]
    (found,) = seen["sequences"]
    assert [(step["sequence_id"], step["start"]) for step in found["sequence"]] == [
        ("first", at(0)),
        ("second", at(60)),
        ("third", at(180)),
    ]


def test_the_node_sdk_stores_when_somebody_may_be_booked(node_sdk):
    rule = {"tzid": "Europe/Paris", "weekly_periods": [{"day": "monday", "start_time": "09:30", "end_time": "17:00"}]}
    work, evenings = ({**rule, "availability_rule_id": name} for name in ("work_hours", "evenings"))
    periods = [
        {"available_period_id": f"p{hour}", "start": at(60 * hour), "end": at(60 * hour + 30)} for hour in range(101)
    ]
    email = f"node-{time.monotonic_ns()}@contoso.example"
    seen = node_sdk("managedAvailability", email, [], until=at(101 * 60), rule=rule, periods=periods)

    assert seen["written"] == seen["read"] == {"availability_rule": work}
    assert seen["listed"] == {"availability_rules": [evenings, work]}
    assert seen["missing"] == 404
    assert seen["total"] == 2
    assert [period["available_period_id"] for period in seen["periods"]] == [f"p{hour}" for hour in range(101)]
    local = seen["periods"][0]["start"]
    assert (datetime.fromisoformat(local["time"]), local["tzid"]) == (DAY, "Europe/Paris")
    times = [(period["start"], period["end"]) for period in seen["offered"]["available_periods"]]
    assert times == [(period["start"], period["end"]) for period in periods]
    assert seen["kept"]["available_periods"][0] == periods[1]
    assert seen["left"]["available_periods"] == []


def test_the_node_sdk_opens_lists_and_closes_channels(node_sdk):
    with receiving() as application:
        seen = node_sdk(
            "channels", "channels@contoso.example", [], until=at(60), callback_url=f"{application.url}/changes"
        )
    assert seen["opened"]["channel"]["filters"] == {"only_managed": True}
    assert seen["listed"]["channels"] == [seen["opened"]["channel"]]
    assert seen["left"]["channels"] == []
    (verification,) = application.received
    assert verification.notification == {"type": "verification"}
