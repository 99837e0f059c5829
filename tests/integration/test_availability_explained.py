"""Why a time is not offered, as callers are told; tests/oracle proves that the reasons are the right ones."""

import json
import re
from pathlib import Path

import pytest

from freebusy.domain import explanation
from freebusy.domain.availability import MAX_RESULTS
from freebusy.domain.errors import ProviderUnavailable
from freebusy.domain.free_busy import FreeBusyStatus
from freebusy.domain.managed_availability import AvailabilityRule, WeeklyPeriod
from tests.asking import at, found, group, query, refused, send
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, busy, connected, managed

DOCS = Path(__file__).parents[2] / "docs" / "availability.md"
HOURLY = {"response_format": "overlapping_slots", "start_interval": {"minutes": 60}}


def explain(*groups, **options):
    answer = send("/v1/availability", query(*groups, explain=True, **{**HOURLY, **options}))
    assert answer.status == 200, answer.body
    return answer.json()["explanation"]


def why(start, *groups, **options):
    answer = send("/v1/availability/explain", {**query(*groups, **{**HOURLY, **options}), "start": start})
    assert answer.status == 200, answer.body
    return answer.json()["explanation"]


def lacking(number, required, free, **causes):
    """One group, and its members with what keeps them."""
    members = [{"sub": sub, "causes": because} for sub, because in causes.items()]
    return {"group": number, "required": required, "free": free, "members": members}


def test_each_missing_start_says_which_group_lacks_whom_and_why(people, calendars):
    calendars.kept = {"ana@example.com": busy((1, 3)), "ben@example.com": busy((2, 4), (8, 10))}
    assert explain(("all", "ana", "ben"), (1, "cem", "ben")) == {
        "missing": [
            {"first_start": at(1), "last_start": at(1), "groups": [lacking(0, 2, 1, ana=["busy"])]},
            {"first_start": at(2), "last_start": at(2), "groups": [lacking(0, 2, 0, ana=["busy"], ben=["busy"])]},
            {"first_start": at(3), "last_start": at(3), "groups": [lacking(0, 2, 1, ben=["busy"])]},
            {"first_start": at(8), "last_start": at(9), "groups": [lacking(0, 2, 1, ben=["busy"])]},
        ]
    }


def test_every_cause_has_a_name(wired, people, calendars):
    wired.accounts.expect_events("ana")
    assert wired.events.save(managed("e1", (0, 1), sub="ana"), over=None)
    calendars.kept = {"ben@example.com": busy((0, 1)), "cem@example.com": busy((-1, 0))}
    members = [
        {"sub": "ana"},
        {"sub": "ben"},
        {"sub": "cem", "buffer": {"before": {"minutes": 5}}},
    ]
    limited = [
        {"sub": "ana", "calendar_ids": [], "available_periods": [{"start": at(1), "end": at(2)}]},
        {"sub": "ben", "calendar_ids": [], "managed_availability": True},
        {"sub": "ana", "calendar_ids": [], "availability_constraints": [{"limit": 1, "period": "day"}]},
    ]
    assert why(at(0), ("all", *members))["groups"] == [
        lacking(0, 3, 0, ana=["managed_event"], ben=["busy"], cem=["buffer"])
    ]
    assert why(at(0), ("all", *limited[:2]))["groups"] == [lacking(0, 2, 0, ana=["period"], ben=["rule"])]
    assert why(at(0), ("all", limited[2]))["groups"] == [lacking(0, 1, 0, ana=["constraint"])]
    calendars.trouble = {"ben@example.com": ProviderUnavailable("down")}
    assert why(at(0), ("all", "ben"))["groups"] == [lacking(0, 1, 0, ben=["unreadable_calendar"])]


def test_an_explanation_tells_no_more_than_free_busy_does(wired, people, calendars):
    """Neither what an event is about, nor which one it is, nor how long it lasts."""
    wired.accounts.expect_events("ana")
    event = managed("secret-event", (2, 9), sub="ana")
    assert wired.events.save(event, over=None)
    told = json.dumps([explain(("all", "ana")), why(at(2), ("all", "ana"))])
    assert not any(word in told for word in ("secret-event", event.uid, event.details.summary, event.organizer, "@"))
    assert at(9) not in json.dumps(why(at(2), ("all", "ana")))


def test_without_being_asked_nothing_is_explained(people):
    for answer in (send("/v1/availability", query(("all", "ana"), explain=said)) for said in (None, False)):
        assert list(answer.json()) == ["available_periods"]


def test_a_query_that_finds_everything_has_nothing_to_explain(people):
    assert explain(("all", "ana")) == {"missing": []}


def test_where_the_answer_is_full_the_explanation_ends(people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 1), (8, 9))}
    explained = explain(("all", "ana"), max_results=2)
    assert [row["first_start"] for row in explained["missing"]] == [at(0)]
    assert explained["explained_until"] == at(2)


def test_a_long_explanation_ends_early_and_says_where(people, calendars):
    calendars.kept = {"ana@example.com": busy(*((minute / 60, (minute + 1) / 60) for minute in range(0, 600, 2)))}
    explained = explain(("all", "ana"), required_duration={"minutes": 1}, response_format="periods")
    assert len(explained["missing"]) == explanation.MOST_MISSING
    assert explained["explained_until"] == at(2 * explanation.MOST_MISSING / 60)


def test_query_slots_are_explained_one_by_one(people, calendars):
    calendars.kept = {"ana@example.com": busy((2, 3))}
    explained = explain(("all", "ana"), query_periods=None, query_slots=[{"start": at(hour)} for hour in (1, 1.5, 4)])
    assert [(row["first_start"], row["last_start"]) for row in explained["missing"]] == [(at(1.5), at(1.5))]


# --- One start ---------------------------------------------------------------------------------------------------


def test_a_start_that_is_offered_is_said_to_be_and_who_is_free(people, calendars):
    calendars.kept = {"ben@example.com": busy((0, 10))}
    assert why(at(3), (1, "ana", "ben")) == {
        "start": at(3),
        "end": at(4),
        "available": True,
        "causes": [],
        "participants": [{"sub": "ana"}],
        "groups": [],
    }


@pytest.mark.parametrize(
    ("start", "options", "causes"),
    [
        pytest.param(at(-1), {}, ["window"], id="before the query's time"),
        pytest.param(at(9.5), {}, ["window"], id="reaches beyond it"),
        pytest.param(at(3.5), {}, ["grid"], id="not on the hour"),
        pytest.param(at(5), {"max_results": 2}, ["max_results"], id="after the last result"),
        pytest.param(
            at(1),
            {"required_duration": {"minutes": 120}, "response_format": "slots"},
            ["earlier_slot"],
            id="overlapped",
        ),
    ],
)
def test_what_is_wrong_with_a_start_itself(people, start, options, causes):
    explained = why(start, ("all", "ana"), **options)
    assert (explained["available"], explained["causes"], explained["groups"]) == (False, causes, [])


def test_a_start_outside_of_the_querys_time_is_looked_up_as_well(people, calendars):
    calendars.kept = {"ana@example.com": busy((20, 21))}
    explained = why(at(20), ("all", "ana"))
    assert (explained["causes"], explained["groups"]) == (["window"], [lacking(0, 1, 0, ana=["busy"])])
    assert calendars.windows == [(NOW, NOW + 21 * 3600)]


def test_unreadable_members_and_sources_are_listed_as_in_any_answer(people, calendars):
    calendars.trouble = {"ana@example.com": ProviderUnavailable("down")}
    answer = send("/v1/availability/explain", {**query((1, "ana", "ben"), include_sources=True), "start": at(0)}).json()
    assert [member["reason"] for member in answer["unreadable_members"]] == ["provider_unavailable"]
    assert [source["complete"] for source in answer["sources"]] == [False, True]
    answer = send("/v1/availability/explain", {**query((1, "ana"), on_unreadable="fail"), "start": at(0)})
    assert answer.status == 503


def test_answer_and_explanation_agree_about_every_start(people, calendars):
    """Over the wire, once; tests/oracle does it ten thousand times."""
    calendars.kept = {"ana@example.com": busy((1, 2.25), (5, 6)), "ben@example.com": busy((2, 3), (5.5, 8))}
    asked = query(("all", "ana", "ben"), response_format="overlapping_slots", explain=True)
    answer = send("/v1/availability", asked)
    offered = {start for start, _, _ in found(answer, "available_slots")}
    missing = {
        at(quarter / 4)
        for row in answer.json()["explanation"]["missing"]
        for quarter in range(40)
        if row["first_start"] <= at(quarter / 4) <= row["last_start"]
    }
    every = {at(quarter / 4) for quarter in range(37)}
    assert offered | missing == every
    assert not offered & missing
    for start in sorted(every):
        explained = send("/v1/availability/explain", {**asked, "start": start}).json()["explanation"]
        assert explained["available"] == (start in offered)


@pytest.mark.parametrize(
    ("changed", "path", "key"),
    [
        pytest.param({"start": None}, "start", "required", id="no start"),
        pytest.param({"start": "2027-01-15"}, "start", "invalid_format", id="a date"),
        pytest.param({"start": "2027-02-19T18:00:00Z"}, "start", "too_long", id="more than 35 days away"),
        pytest.param({"participants": []}, "participants", "required", id="whatever any query needs"),
    ],
)
def test_what_is_wrong_with_a_question_is_said_by_path(people, changed, path, key):
    body = {**query(("all", "ana")), "start": at(0), **changed}
    assert refused(send("/v1/availability/explain", body)) == {path: {f"errors.{key}"}}


def test_nobody_else_may_ask(people):
    body = {**query(("all", "ana")), "start": at(0)}
    assert send("/v1/availability/explain", body, bearer=None).status == 401
    assert send("/v1/availability/explain", body, bearer="token of dan").status == 422


def test_the_largest_explanation_fits_into_what_lambda_may_return(crowd):
    """With the largest answer before it, and each id as long as ours are, escaped once more in Lambda's own JSON."""
    # More and more of them can be booked, so that each minute has a row of its own.
    members = [
        {**member, "available_periods": [{"start": at(number / 60), "end": at(12)}]}
        for number, member in enumerate(crowd)
    ]
    minute = {"minutes": 1}
    asked = query(
        group(150, *members, round_robin=True),
        response_format="overlapping_slots",
        start_interval=minute,
        required_duration=minute,
        query_periods=[{"start": at(0), "end": at(12)}],
        explain=True,
        include_sources=True,
    )
    answer = send("/v1/availability", asked)
    assert len(found(answer, "available_slots")) == MAX_RESULTS
    rows = answer.json()["explanation"]["missing"]
    named = sum(len(group["members"]) for row in rows for group in row["groups"])
    assert explanation.MOST_NAMED - len(crowd) < named <= explanation.MOST_NAMED
    assert len(json.dumps(answer.body).encode()) < 6 * 1024 * 1024


def test_the_example_of_the_docs_is_answered_as_they_say(wired, sign_in, people, calendars):
    """What the picture shows: hours of 15 January, on which the clock stands at eight."""
    blocks = re.findall(r"```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    asked, answered = map(json.loads, blocks)
    for name in ("ana", "ben", "cem"):
        sign_in(connected(f"acc_{name}"), f"another token of {name}")
    calendars.kept = {
        "acc_ana@example.com": busy((1, 2)),
        "acc_ben@example.com": busy((1, 3.5)),
        "acc_cem@example.com": [*busy((2.5, 3.5), status=FreeBusyStatus.TENTATIVE), *busy((4, 5.5))],
    }
    wired.accounts.expect_events("acc_ana")
    assert wired.events.save(managed("e1", (4.5, 5), sub="acc_ana"), over=None)
    friday = AvailabilityRule("hours", "Etc/UTC", (WeeklyPeriod(4, 8 * 60, 13 * 60),))
    assert wired.managed_availability.save_rule("acc_ben", friday, client_id=CLIENT_ID)
    assert send("/v1/availability", asked).json() == answered
