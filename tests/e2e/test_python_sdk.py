"""The official Python SDK, unmodified, drives the main job against the laptop stack."""

from __future__ import annotations

import httpx
import pycronofy
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from local.browser import visit
from tests.e2e.days import at

pytestmark = pytest.mark.stack

TAGS = {"private": [{"value": "interview"}]}


@pytest.mark.parametrize(
    ("provider", "provider_name"), [("google", "google_free_busy"), ("microsoft", "ms_graph_free_busy")]
)
def test_a_person_connects_and_is_read_and_disconnected(connect, provider, provider_name):
    client = connect(provider, f"kim@{provider}.example", [(9, 10), (13, 14.5)])

    client.refresh_authorization()
    userinfo = client.userinfo()
    free_busy_profile, managed_profile = userinfo["cronofy.data"]["profiles"]
    assert [free_busy_profile["provider_name"], managed_profile["provider_name"]] == [provider_name, "cronofy"]
    assert free_busy_profile["profile_connected"]
    assert free_busy_profile["profile_name"] == f"kim@{provider}.example"
    assert client.account()["account_id"] == userinfo["sub"]
    assert [profile["profile_id"] for profile in client.list_profiles()] == [
        free_busy_profile["profile_id"],
        managed_profile["profile_id"],
    ]
    calendars = client.list_calendars()
    assert [calendar["calendar_readonly"] for calendar in calendars] == [True, False]

    rows = client.read_free_busy(from_date=at(0), to_date=at(24)).all()
    assert [(row["start"], row["end"], row["free_busy_status"]) for row in rows] == [
        (at(9), at(10), "busy"),
        (at(13), at(14.5), "busy"),
    ]
    assert {row["calendar_id"] for row in rows} == {calendars[0]["calendar_id"]}
    assert client.read_events(from_date=at(0), to_date=at(24)).all() == []

    client.revoke_authorization()
    with pytest.raises(PyCronofyRequestError) as refused:
        client.account()
    assert refused.value.response.status_code == 401


def test_many_busy_periods_come_page_by_page(connect):
    quarters = [(hour / 2, hour / 2 + 0.25) for hour in range(24 * 2 * 6)]
    client = connect("google", "busy@google.example", quarters)

    pages = client.read_free_busy(from_date=at(0), to_date=at(24 * 8))

    assert pages.total > 1
    assert len(pages.current_page()) < len(quarters)
    assert [row["start"] for row in pages.all()] == [at(start) for start, _ in quarters]


def test_two_people_of_different_providers_share_slots(connect):
    ana = connect("google", "ana@google.example", [(8, 9.5), (11, 12)])
    ben = connect("microsoft", "ben@contoso.example", [(9, 10), (12, 13)])
    subs = [client.account()["account_id"] for client in (ana, ben)]

    slots = ana.availability(
        participants={"members": subs, "required": "all"},
        required_duration=60,
        available_periods=[{"start": at(8), "end": at(15)}],
        response_format="slots",
    )
    periods = ana.availability(
        participants=[{"members": [{"sub": sub} for sub in subs], "required": 1}],
        required_duration={"minutes": 60},
        available_periods=[{"start": at(8), "end": at(10)}],
    )
    tested = ana.availability(
        participants={"members": subs, "required": "all"},
        required_duration=60,
        query_slots=[{"start": at(10)}, {"start": at(11)}],
    )

    assert [(slot["start"], slot["end"]) for slot in slots] == [(at(10), at(11)), (at(13), at(14)), (at(14), at(15))]
    assert all(slot["participants"] == [{"sub": sub} for sub in subs] for slot in slots)
    assert [(period["start"], period["participants"]) for period in periods] == [(at(8), [{"sub": subs[1]}])]
    assert [slot["start"] for slot in tested] == [at(10)]


def test_members_have_options_of_their_own(stack, connect):
    fay = connect("google", "fay@google.example", [(9, 10)])
    gus = connect("microsoft", "gus@contoso.example", [])
    subs = [client.account()["account_id"] for client in (fay, gus)]
    microsoft = httpx.put(
        f"{stack['microsoft']}/sim/users/gus@contoso.example",
        json={"busy": [{"start": at(11), "end": at(12), "status": "tentative"}]},
    )
    microsoft.raise_for_status()
    gus.delete_all_events()
    calendar_id = gus.list_calendars()[-1]["calendar_id"]
    event = {"event_id": "e1", "summary": "Interview", "start": at(16), "end": at(17), "tags": TAGS}
    gus.upsert_event(calendar_id, event)

    def starts(**options):
        slots = fay.availability(
            participants=[{"members": [{"sub": subs[0]}, {"sub": subs[1], **options}], "required": "all"}],
            required_duration=60,
            available_periods=[{"start": at(8), "end": at(18)}],
            response_format="slots",
            start_interval=60,
        )
        return [hour for hour in range(8, 18) if at(hour) in {slot["start"] for slot in slots}]

    plain = [8, 10, 12, 13, 14, 15, 17]
    assert starts() == plain
    assert starts(ignore_tentative=True) == [8, 10, 11, 12, 13, 14, 15, 17]
    assert starts(only_managed_events=True) == [8, 10, 11, 12, 13, 14, 15, 17]
    assert starts(available_periods=[{"start": at(10), "end": at(14)}]) == [10, 12, 13]
    assert starts(buffer={"before": {"minutes": 30}, "after": {"minimum": {"minutes": 30}}}) == [8, 13, 14]
    assert starts(availability_constraints=[{"limit": 1, "period": "day", "tags": TAGS}]) == []
    assert starts(availability_constraints=[{"limit": 2, "period": "week", "tags": TAGS}]) == plain
    gus.delete_event(calendar_id, "e1")


def test_several_meetings_follow_each_other(connect):
    hal = connect("google", "hal@google.example", [(9, 10), (11, 12)])
    ivy = connect("microsoft", "ivy@contoso.example", [(8, 11)])
    subs = [client.account()["account_id"] for client in (hal, ivy)]

    sequences = hal.sequenced_availability(
        sequence=[
            {
                "sequence_id": "interview",
                "ordinal": 1,
                "participants": {"members": [subs[0]]},
                "required_duration": 60,
                "start_interval": 60,
                "buffer": {"after": {"minimum": 0, "maximum": 60}},
            },
            {
                "sequence_id": "debrief",
                "ordinal": 2,
                "participants": [{"members": [{"sub": sub} for sub in subs], "required": "all"}],
                "required_duration": {"minutes": 30},
            },
        ],
        available_periods=[{"start": at(8), "end": at(14)}],
    )

    found = [[(step["sequence_id"], step["start"]) for step in each["sequence"]] for each in sequences]
    assert found == [
        [("interview", at(10)), ("debrief", at(12))],
        [("interview", at(12)), ("debrief", at(13))],
    ]
    assert sequences[0]["sequence"][1]["participants"] == [{"sub": sub} for sub in subs]


def test_the_same_person_connecting_twice_is_the_same_account(connect):
    first, second = (connect("google", "twice@google.example", []) for _ in range(2))
    assert first.account()["account_id"] == second.account()["account_id"]


def test_refusing_leads_back_to_the_application(stack):
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    redirect_uri = stack["redirect_uris"][0]
    link = client.user_auth_link(redirect_uri, scope="free_busy_write", state="x", provider_name="google_free_busy")
    brought = visit(link, until=redirect_uri, consent={"sim_deny": "access_denied"})
    assert (brought["error"], brought["state"]) == ("access_denied", "x")
    assert "code" not in brought


def test_leaving_the_calendar_unticked_is_a_refusal(stack):
    httpx.put(
        f"{stack['google']}/sim/users/unticked@google.example", json={"busy": [], "scopes_granted": ["openid", "email"]}
    ).raise_for_status()
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    redirect_uri = stack["redirect_uris"][0]
    link = client.user_auth_link(redirect_uri, scope="free_busy_write", provider_name="google_free_busy")
    brought = visit(link, until=redirect_uri, consent={"sim_user": "unticked@google.example"})
    assert brought["error"] == "access_denied"


def test_a_lost_grant_shows_and_reconnecting_mends_it(stack, connect):
    client = connect("google", "lost@google.example", [(9, 10)], token_lifetime=1)
    httpx.post(f"{stack['google']}/sim/users/lost@google.example/revoke").raise_for_status()

    rows = client.read_free_busy(from_date=at(0), to_date=at(24)).all()
    assert [row["free_busy_status"] for row in rows] == ["unknown"]
    profile = client.list_profiles()[0]
    assert not profile["profile_connected"]
    sub = client.account()["account_id"]
    answer = httpx.post(
        f"{stack['url']}/v1/availability",
        headers={"Authorization": f"Bearer {stack['client_secret']}"},
        json={
            "participants": [{"members": [{"sub": sub}]}],
            "required_duration": {"minutes": 30},
            "query_periods": [{"start": at(8), "end": at(12)}],
        },
    ).json()
    assert answer["available_periods"] == []
    assert [(member["sub"], member["reason"]) for member in answer["unreadable_members"]] == [
        (sub, "credential_revoked")
    ]

    again = connect("google", "lost@google.example", [(9, 10)])
    assert again.account()["account_id"] == sub
    assert again.list_profiles()[0]["profile_connected"]
    assert "profile_relink_url" not in again.list_profiles()[0]
    assert profile["profile_relink_url"].startswith(stack["url"])
