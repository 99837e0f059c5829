"""When several meetings can follow each other; tests/oracle proves that the search finds what there is."""

import json

import pytest

from freebusy.domain.availability import MAX_RESULTS
from freebusy.domain.errors import ProviderUnavailable
from freebusy.domain.managed_availability import AvailablePeriod
from tests.asking import DAY, at, group, refused, send
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, busy, managed

HOUR = {"minutes": 60}


def step(sequence_id, *members, ordinal=None, **more):
    return {
        "sequence_id": sequence_id,
        **({} if ordinal is None else {"ordinal": ordinal}),
        "participants": [group("all", *members)],
        "required_duration": HOUR,
        "start_interval": HOUR,
        **more,
    }


def ask(*steps, **changed):
    return send("/v1/sequenced_availability", {"sequence": list(steps), "query_periods": [DAY], **changed})


def sequences(*steps, **changed):
    """Each as (sequence_id, hour) in the order of time."""
    answer = ask(*steps, **changed)
    assert answer.status == 200, answer.body
    hours = {at(quarter / 4): quarter / 4 for quarter in range(41)}
    return [
        [(placed["sequence_id"], hours[placed["start"]]) for placed in found["sequence"]]
        for found in answer.json()["sequences"]
    ]


def test_a_sequence_is_what_the_contract_says(people, calendars):
    calendars.kept = {"ana@example.com": busy((1, 10)), "ben@example.com": busy((0, 8))}
    answer = ask(step("a", "ana", ordinal=1), step("b", "ben", ordinal=2))
    assert answer.json() == {
        "sequences": [
            {
                "sequence": [
                    {"sequence_id": "a", "start": at(0), "end": at(1), "participants": [{"sub": "ana"}]},
                    {"sequence_id": "b", "start": at(8), "end": at(9), "participants": [{"sub": "ben"}]},
                ]
            }
        ]
    }


def test_there_is_one_sequence_for_each_start_of_the_first_step_as_early_as_it_goes(people, calendars):
    calendars.kept = {"ana@example.com": busy((3, 10)), "ben@example.com": busy((0, 2), (3, 5))}
    assert sequences(step("a", "ana"), step("b", "ben")) == [
        [("a", 0), ("b", 2)],
        [("a", 1), ("b", 2)],
        [("a", 2), ("b", 5)],
    ]


def test_the_same_person_may_be_in_several_steps(people, calendars):
    calendars.kept = {"ana@example.com": busy((1, 3), (5, 10))}
    assert sequences(step("a", "ana"), step("b", "ana"), step("c", "ana")) == [[("a", 0), ("b", 3), ("c", 4)]]


@pytest.mark.parametrize(
    ("ordinals", "order"),
    [
        pytest.param([1, 2, 3], "abc", id="as listed"),
        pytest.param([3, 1, 2], "bca", id="by their ordinals"),
        pytest.param([30, 10, 20], "bca", id="whatever the numbers are"),
        pytest.param([None, None, None], "abc", id="without ordinals as listed"),
        pytest.param([2, None, 1], "cab", id="without one after the step before"),
        pytest.param([None, 1, 2], "abc", id="or first"),
    ],
)
def test_steps_come_in_the_order_of_their_ordinals(people, ordinals, order):
    steps = [step(name, "ana", ordinal=ordinal) for name, ordinal in zip("abc", ordinals, strict=True)]
    first = sequences(*steps)[0]
    assert "".join(sequence_id for sequence_id, _ in first) == order


def test_steps_of_one_ordinal_come_in_any_order(people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 5)), "ben@example.com": busy((1, 10))}
    assert sequences(step("a", "ana", ordinal=1), step("b", "ben", ordinal=1), step("c", "cem", ordinal=2)) == [
        [("b", 0), ("a", 5), ("c", 6)]
    ]


def gap(minimum=None, maximum=None):
    sides = {"minimum": minimum, "maximum": maximum}
    return {name: {"minutes": minutes} for name, minutes in sides.items() if minutes is not None}


@pytest.mark.parametrize(
    ("after", "before", "then"),
    [
        pytest.param(gap(), gap(), 1, id="none"),
        pytest.param(gap(120), gap(), 3, id="the first step's"),
        pytest.param(gap(), gap(120), 3, id="the second step's"),
        pytest.param(gap(60), gap(120), 3, id="the longer of both, not both"),
        pytest.param({"minutes": 60}, gap(), 2, id="a plain buffer is a minimum"),
    ],
)
def test_the_shortest_gap_between_steps_is_kept(people, after, before, then):
    steps = step("a", "ana", buffer={"after": after}), step("b", "ben", buffer={"before": before})
    assert sequences(*steps, max_results=1) == [[("a", 0), ("b", then)]]


@pytest.mark.parametrize(
    ("after", "before", "firsts"),
    [
        pytest.param(gap(), gap(), [0, 1, 2, 3, 4, 5, 6, 7], id="any"),
        pytest.param(gap(maximum=120), gap(), [5, 6, 7], id="the first step's"),
        pytest.param(gap(), gap(maximum=60), [6, 7], id="the second step's"),
        pytest.param(gap(maximum=120), gap(maximum=60), [6, 7], id="the shorter of both"),
        pytest.param(gap(maximum=0), gap(), [7], id="right after"),
        pytest.param(gap(60, 60), gap(), [6], id="exactly"),
        pytest.param(gap(120), gap(maximum=60), [], id="impossible"),
    ],
)
def test_the_longest_gap_between_steps_is_kept(people, calendars, after, before, firsts):
    """Ben is free in the eighth hour alone."""
    calendars.kept = {"ben@example.com": busy((0, 8), (9, 10))}
    steps = step("a", "ana", buffer={"after": after}), step("b", "ben", buffer={"before": before})
    assert [found[0][1] for found in sequences(*steps)] == firsts


def test_a_buffer_keeps_away_from_other_meetings_too(people, calendars):
    calendars.kept = {"ana@example.com": busy((3, 4))}
    assert [found[0][1] for found in sequences(step("a", "ana", buffer={"before": gap(60), "after": gap(60)}))] == [
        *(0, 1),
        *(5, 6, 7, 8, 9),
    ]


@pytest.mark.parametrize("name", ["query_periods", "available_periods"])
def test_a_step_may_have_periods_of_its_own_within_those_of_the_query(people, name):
    own = {name: [{"start": at(4), "end": at(7)}]}
    assert sequences(step("a", "ana"), step("b", "ben", **own), max_results=1) == [[("a", 0), ("b", 4)]]
    only = [step("a", "ana", **own), step("b", "ben", **own)]
    assert sequences(*only, query_periods=[]) == [[("a", 4), ("b", 5)], [("a", 5), ("b", 6)]]
    outside = {name: [{"start": at(20), "end": at(30)}]}
    assert sequences(step("a", "ana", **outside)) == []


def test_steps_start_on_their_grid_and_the_first_one_on_quarters(people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 0.1))}
    fifty = {"required_duration": {"minutes": 50}, "start_interval": None}
    answer = ask(step("a", "ana", **fifty), step("b", "ben", **fifty), step("c", "cem"), max_results=2).json()
    assert [[placed["start"][11:16] for placed in found["sequence"]] for found in answer["sequences"]] == [
        ["08:15", "09:05", "10:00"],
        ["08:30", "09:20", "11:00"],
    ]


def test_all_options_of_members_hold_in_steps(wired, people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 9))}
    period = AvailablePeriod(NOW + 2 * 3600, NOW + 3 * 3600, "extra")
    assert wired.managed_availability.save_period("ben", period, client_id=CLIENT_ID)
    steps = [
        step("a", {"sub": "ana", "only_managed_events": True}),
        step("b", {"sub": "ben", "managed_availability": True}),
        step("c", {"sub": "cem", "available_periods": [{"start": at(5), "end": at(6)}]}),
    ]
    assert sequences(*steps) == [[("a", 0), ("b", 2), ("c", 5)], [("a", 1), ("b", 2), ("c", 5)]]


def test_enough_of_a_group_will_do_and_all_who_are_free_are_named(people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 10))}
    asked = step("a", "ana", participants=[group(1, "ana", "ben", "cem")])
    answer = ask(asked, max_results=1).json()
    assert answer["sequences"][0]["sequence"][0]["participants"] == [{"sub": "ben"}, {"sub": "cem"}]


def test_each_calendar_is_read_once(people, calendars):
    ask(step("a", "ana"), step("b", "ana", "ben"), step("c", "ben"))
    assert sorted(calendars.reads) == ["ana@example.com", "ben@example.com"]


def test_unreadable_members_are_listed_or_fail_the_query(people, calendars):
    calendars.trouble = {"ben@example.com": ProviderUnavailable("down")}
    listed = [{"sub": "ben", "profile_id": "pro_goben", "reason": "provider_unavailable"}]
    steps = step("a", "ana"), step("b", "ben")
    assert ask(*steps).json() == {"sequences": [], "unreadable_members": listed}
    answer = ask(*steps, on_unreadable="fail")
    assert (answer.status, answer.json()["unreadable_members"]) == (503, listed)


def test_sources_and_turns_are_told_by_step(wired, people):
    wired.accounts.expect_events("ana")
    assert wired.events.save(managed("e1", (-2, -1), sub="ana"), over=None)
    asked = step("b", participants=[group("all", "cem"), group(1, "ana", "ben", round_robin=True)])
    answer = ask(step("a", "ana"), asked, include_sources=True, max_results=1).json()
    assert [source["sub"] for source in answer["sources"]] == ["ana", "cem", "ben"]
    turns = [{"sub": "ben", "events": 0}, {"sub": "ana", "events": 1}]
    assert answer["round_robin"] == [{"sequence_id": "b", "group": 1, "members": turns}]
    participants = answer["sequences"][0]["sequence"][1]["participants"]
    assert participants == [{"sub": "cem"}, {"sub": "ben"}, {"sub": "ana"}]


def test_an_excluded_event_does_not_count(wired, people):
    wired.accounts.expect_events("ana")
    assert wired.events.save(managed("e1", (0, 9), sub="ana"), over=None)
    assert len(sequences(step("a", "ana"))) == 1
    assert len(sequences(step("a", "ana"), excluded_events=[{"event_id": "e1"}])) == 10


def test_ids_of_steps_may_be_numbers_and_events_are_passed_over(people):
    answer = ask(step(1234, "ana", event={"summary": "Interview", "event_id": "x"}), max_results=1).json()
    assert answer["sequences"][0]["sequence"][0]["sequence_id"] == "1234"


def test_the_callers_of_any_availability_query_may_ask(people):
    body = {"sequence": [step("a", "ana")], "query_periods": [DAY]}
    assert send("/v1/sequenced_availability", body, bearer="token of cem").status == 200
    assert send("/v1/sequenced_availability", body, bearer="token of dan").status == 422
    assert send("/v1/sequenced_availability", body, bearer=None).status == 401


@pytest.mark.parametrize(
    ("changed", "path", "key"),
    [
        pytest.param({"sequence": None}, "sequence", "required", id="no sequence"),
        pytest.param({"sequence": []}, "sequence", "required", id="an empty one"),
        pytest.param({"sequence": "a"}, "sequence", "invalid_format", id="no list"),
        pytest.param({"sequence": [step(str(n), "ana") for n in range(11)]}, "sequence", "too_many", id="eleven steps"),
        pytest.param(
            {"sequence": [step(str(n), "ana", ordinal=1) for n in range(6)]}, "sequence", "too_many", id="six at once"
        ),
        pytest.param(
            {"sequence": [step("a", "ana"), step("a", "ben")]}, "sequence", "must_be_unique", id="one id twice"
        ),
        pytest.param({"query_periods": []}, "sequence[0].query_periods", "required", id="no time at all"),
        pytest.param(
            {"query_periods": [{"start": at(0), "end": "2027-02-19T09:00:00Z"}]}, "query_periods", "too_long", id="long"
        ),
        pytest.param({"max_results": 513}, "max_results", "invalid_format", id="513 results"),
    ],
)
def test_what_is_wrong_with_a_sequence_is_said_by_path(people, changed, path, key):
    body = {"sequence": [step("a", "ana")], "query_periods": [DAY], **changed}
    assert refused(send("/v1/sequenced_availability", body)) == {path: {f"errors.{key}"}}


@pytest.mark.parametrize(
    ("changed", "path", "key"),
    [
        pytest.param({"sequence_id": None}, "sequence_id", "required", id="no id"),
        pytest.param({"sequence_id": True}, "sequence_id", "invalid_format", id="true is no id"),
        pytest.param({"ordinal": -1}, "ordinal", "invalid_format", id="a negative ordinal"),
        pytest.param({"participants": None}, "participants", "required", id="nobody"),
        pytest.param(
            {"participants": [group("all", "eve")]}, "participants[0].members[0].sub", "not_recognized", id="eve"
        ),
        pytest.param({"participants": [group(3, "ana")]}, "participants[0].required", "too_many", id="three of one"),
        pytest.param({"required_duration": None}, "required_duration", "required", id="no duration"),
        pytest.param({"start_interval": {"minutes": 0}}, "start_interval", "invalid_format", id="no interval"),
        pytest.param({"buffer": {"after": gap(60, 30)}}, "buffer.after.maximum", "invalid_format", id="max below min"),
        pytest.param(
            {"query_periods": [{"start": at(2), "end": at(1)}]}, "query_periods[0]", "invalid_time_pair", id="backwards"
        ),
    ],
)
def test_what_is_wrong_with_a_step_is_said_by_path(people, changed, path, key):
    assert refused(ask(step("a", "ana"), {**step("b", "ben"), **changed})) == {f"sequence[1].{path}": {f"errors.{key}"}}


def test_a_query_has_at_most_200_members_over_all_steps(people):
    steps = [step(name, *["ana"] * 101) for name in "ab"]
    assert refused(ask(*steps)) == {"sequence": {"errors.too_many"}}


def test_the_largest_answer_fits_into_what_lambda_may_return(crowd):
    """10 steps of 20 people each, with ids as long as they can be, escaped once more inside Lambda's own JSON."""
    minute = {"required_duration": {"minutes": 1}, "start_interval": {"minutes": 1}}
    steps = [step(f"{number}" * 128, *crowd[number * 20 : number * 20 + 20], **minute) for number in range(10)]
    answer = ask(*steps, include_sources=True)
    assert len(answer.json()["sequences"]) == MAX_RESULTS
    assert len(json.dumps(answer.body).encode()) < 6 * 1024 * 1024


def test_a_larger_one_is_refused(crowd):
    """Some characters take seven bytes in Lambda's own JSON, so that ids alone can fill it."""
    minute = {"required_duration": {"minutes": 1}, "start_interval": {"minutes": 1}}
    steps = [step(f"{number}" + "\x01" * 127, *crowd[number * 20 : number * 20 + 20], **minute) for number in range(10)]
    assert refused(ask(*steps)) == {"body": {"errors.too_long"}}
