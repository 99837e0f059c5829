import json

import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import CalendarUnreadable, CredentialRevoked, ProviderUnavailable
from freebusy.domain.event import Participation
from freebusy.domain.free_busy import FreeBusyStatus
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from tests.api import call
from tests.asking import DAY, SECRET, ask, at, found
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, busy, connected, managed


def test_everybody_free_at_once(people, calendars):
    calendars.kept = {"ana@example.com": busy((1, 3)), "ben@example.com": busy((2, 5))}
    assert found(ask(("all", "ana", "ben"))) == [
        (at(0), at(1), ["ana", "ben"]),
        (at(5), at(10), ["ana", "ben"]),
    ]


def test_everyone_free_is_named_not_just_enough(people, calendars):
    calendars.kept = {"cem@example.com": busy((0, 10))}
    slots = found(ask((1, "ana", "ben", "cem"), response_format="slots", max_results=1), "available_slots")
    assert slots == [(at(0), at(1), ["ana", "ben"])]


@pytest.mark.parametrize(
    ("status", "free"),
    [
        (FreeBusyStatus.BUSY, False),
        (FreeBusyStatus.TENTATIVE, False),
        (FreeBusyStatus.UNKNOWN, False),
        (FreeBusyStatus.FREE, True),
    ],
)
def test_only_what_is_known_to_be_free_is_free(people, calendars, status, free):
    calendars.kept = {"ana@example.com": busy((0, 10), status=status)}
    assert bool(found(ask(("all", "ana")))) is free


def test_buffers_are_kept_free_around_the_slot_and_read_beyond_the_window(people, calendars):
    calendars.kept = {"ana@example.com": busy((-1, 0), (2, 3))}
    answer = ask(("all", "ana"), buffer={"before": {"minutes": 30}, "after": {"minimum": {"minutes": 15}}})
    assert found(answer) == [(at(0.5), at(1.75), ["ana"]), (at(3.5), at(10), ["ana"])]
    assert calendars.windows[0] == (NOW - 1800, NOW + 36900)


def test_members_may_limit_their_own_time_and_calendars(sign_in, wired, calendars):
    wired.tokens.save(hashed(SECRET), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
    account = sign_in(connected("eve", providers=(ProviderName.GOOGLE, ProviderName.MICROSOFT)), "token of eve")
    calendars.kept = {"eve@example.com": busy((0, 10))}
    managed_only = {
        "sub": "eve",
        "calendar_ids": [account.managed_profile.calendar_id],
        "available_periods": [{"start": at(2), "end": at(4)}],
    }
    assert found(ask(("all", managed_only))) == [(at(2), at(4), ["eve"])]
    assert found(ask(("all", "eve"))) == []
    assert len(calendars.reads) == 2


def test_the_old_name_of_query_periods_and_an_empty_buffer_are_understood(people):
    answer = ask(("all", "ana"), query_periods=None, available_periods=[DAY], buffer={})
    assert found(answer) == [(at(0), at(10), ["ana"])]


def test_overlapping_slots_follow_the_interval(people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 8.2))}
    answer = ask(("all", "ana"), response_format="overlapping_slots", start_interval={"minutes": 20})
    assert [start for start, _, _ in found(answer, "available_slots")] == [at(8 + 1 / 3), at(8 + 2 / 3), at(9)]


@pytest.mark.parametrize(
    ("response_format", "keys"),
    [
        pytest.param(None, ["available_slots", "available_periods"], id="the Python SDK reads the periods' key then"),
        pytest.param("periods", ["available_slots", "available_periods"], id="the same, said aloud"),
        pytest.param("slots", ["available_slots"], id="slots"),
    ],
)
def test_query_slots_tests_just_these_starts(people, calendars, response_format, keys):
    calendars.kept = {"ana@example.com": busy((2, 3))}
    starts = [{"start": at(1)}, {"start": at(1.5)}, {"start": at(3)}]
    answer = ask(("all", "ana"), query_periods=None, query_slots=starts, response_format=response_format)
    assert list(answer.json()) == keys
    for key in keys:
        assert found(answer, key) == [(at(1), at(2), ["ana"]), (at(3), at(4), ["ana"])]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (ProviderUnavailable("down"), "provider_unavailable"),
        (CredentialRevoked("gone"), "credential_revoked"),
        (CalendarUnreadable("no mailbox"), "calendar_unreadable"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_never_free_and_is_named(people, calendars, trouble, reason):
    calendars.trouble = {"ben@example.com": trouble}
    assert found(ask(("all", "ana", "ben"))) == []
    answer = ask((1, "ana", "ben"))
    assert found(answer) == [(at(0), at(10), ["ana"])]
    assert answer.json()["unreadable_members"] == [{"sub": "ben", "profile_id": "pro_goben", "reason": reason}]


def test_an_answer_about_readable_calendars_has_no_extra_keys(people):
    assert list(ask(("all", "ana")).json()) == ["available_periods"]


def test_each_calendar_is_read_once_however_often_its_person_is_named(people, calendars):
    assert found(ask(("all", "ana", "ben"), (1, "ben", "cem"), (1, "ana")))[0][2] == ["ana", "ben", "cem"]
    assert sorted(calendars.reads) == ["ana@example.com", "ben@example.com", "cem@example.com"]


def test_an_access_token_may_ask_about_others_of_its_application(people):
    assert found(ask(("all", "ana", "ben"), bearer="token of cem"))


@pytest.mark.parametrize(("bearer", "status"), [(None, 401), ("nonsense", 401)])
def test_strangers_are_refused(people, bearer, status):
    assert ask(("all", "ana"), bearer=bearer).status == status


@pytest.mark.parametrize(
    ("changed", "field", "key"),
    [
        pytest.param({"participants": None}, "participants", "errors.required", id="no groups"),
        pytest.param({"participants": []}, "participants", "errors.required", id="empty list of groups"),
        pytest.param({"participants": "ana"}, "participants", "errors.invalid_format", id="not a list"),
        pytest.param(
            {"participants": [{"members": []}]}, "participants[0].members", "errors.required", id="empty group"
        ),
        pytest.param(
            {"participants": [{"members": [{}]}]}, "participants[0].members[0].sub", "errors.required", id="no sub"
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": 7}]}]},
            "participants[0].members[0].sub",
            "errors.invalid_format",
            id="sub of the wrong type",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "acc_unknown"}]}]},
            "participants[0].members[0].sub",
            "errors.not_recognized",
            id="unknown sub",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana"}, {"sub": "dan"}]}]},
            "participants[0].members[1].sub",
            "errors.not_recognized",
            id="a sub of another application",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana", "calendar_ids": ["cal_goben"]}]}]},
            "participants[0].members[0].calendar_ids",
            "errors.invalid_calendar_ids",
            id="somebody else's calendar",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana"}], "required": 2}]},
            "participants[0].required",
            "errors.too_many",
            id="more required than there are",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana"}], "required": 0}]},
            "participants[0].required",
            "errors.invalid_format",
            id="none required",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana"}], "required": "some"}]},
            "participants[0].required",
            "errors.invalid_format",
            id="required is neither all nor a number",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana"}] * 101}, {"members": [{"sub": "ben"}] * 100}]},
            "participants",
            "errors.too_many",
            id="201 members",
        ),
        pytest.param(
            {"participants": [{"members": [{"sub": "ana"}] * 100_000}]},
            "participants[0].members",
            "errors.too_many",
            id="far too many members",
        ),
        pytest.param({"required_duration": None}, "required_duration", "errors.required", id="no duration"),
        pytest.param(
            {"required_duration": {"minutes": 0}}, "required_duration", "errors.invalid_format", id="no time at all"
        ),
        pytest.param(
            {"required_duration": {"minutes": True}},
            "required_duration.minutes",
            "errors.invalid_format",
            id="true is no number of minutes",
        ),
        pytest.param(
            {"required_duration": {"minutes": 10**30}},
            "required_duration.minutes",
            "errors.invalid_format",
            id="longer than the universe",
        ),
        pytest.param({"query_periods": None}, "query_periods", "errors.required", id="neither periods nor slots"),
        pytest.param(
            {"query_slots": [{"start": at(0)}]}, "query_periods", "errors.required", id="both periods and slots"
        ),
        pytest.param(
            {"query_periods": [{"start": at(2), "end": at(1)}]},
            "query_periods[0]",
            "errors.invalid_time_pair",
            id="ends before it starts",
        ),
        pytest.param(
            {"query_periods": [{"start": "2027-01-15T08:00:00", "end": at(1)}]},
            "query_periods[0].start",
            "errors.invalid_format",
            id="time without zone",
        ),
        pytest.param(
            {"query_periods": [{"start": at(0), "end": "2027-02-19T09:00:00Z"}]},
            "query_periods",
            "errors.too_long",
            id="more than 35 days",
        ),
        pytest.param(
            {"query_periods": [{"start": at(0), "end": "9999-12-31T23:59:59Z"}]},
            "query_periods[0].end",
            "errors.invalid_format",
            id="the end of time",
        ),
        pytest.param({"query_periods": [DAY] * 51}, "query_periods", "errors.too_many", id="51 periods"),
        pytest.param({"max_results": 513}, "max_results", "errors.invalid_format", id="513 results"),
        pytest.param({"max_results": 0}, "max_results", "errors.invalid_format", id="no results"),
        pytest.param({"response_format": "html"}, "response_format", "errors.invalid_format", id="unknown format"),
        pytest.param(
            {"start_interval": {"minutes": 0}}, "start_interval", "errors.invalid_format", id="no interval at all"
        ),
        pytest.param(
            {"buffer": {"before": {"minutes": -5}}}, "buffer.before.minutes", "errors.invalid_format", id="negative"
        ),
        pytest.param(
            {"excluded_events": [{}]}, "excluded_events[0]", "errors.required", id="an excluded event without a name"
        ),
    ],
)
def test_what_is_wrong_with_a_query_is_said_by_path(people, changed, field, key):
    answer = ask(("all", "ana"), **changed)
    assert answer.status == 422, answer.body
    errors = answer.json()["errors"]
    assert list(errors) == [field]
    assert key in {error["key"] for error in errors[field]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("{", 422, id="broken JSON"),
        pytest.param("[1]", 422, id="a list"),
        pytest.param('"text"', 422, id="a string"),
        pytest.param("[]", 422, id="PHP's empty object"),
        pytest.param("", 422, id="nothing"),
        pytest.param("[" * 100_000, 422, id="nested beyond reason"),
        pytest.param('{"participants": NaN}', 422, id="not a number"),
    ],
)
def test_a_body_that_is_no_query_is_refused(people, body, status):
    assert call("availability", "POST", "/v1/availability", body=body, bearer=SECRET).status == status


@pytest.mark.parametrize(
    "participants",
    [
        pytest.param([{"members": [{}] * 200}] * 200, id="of 40,000 people"),
        pytest.param(
            [{"members": [{"calendar_ids": [7] * 100, "available_periods": [{"start": 7, "end": 7}] * 50}] * 200}],
            id="in every value",
        ),
    ],
)
def test_a_refusal_does_not_grow_with_what_is_wrong(people, participants):
    answer = ask(participants=participants)
    assert answer.status == 422, answer.body
    assert sum(map(len, answer.json()["errors"].values())) <= 100


def test_the_largest_answer_fits_into_what_lambda_may_return(crowd):
    """512 slots of 200 people, escaped once more inside Lambda's own JSON."""
    answer = ask(
        ("all", *crowd),
        response_format="overlapping_slots",
        start_interval={"minutes": 1},
        required_duration={"minutes": 1},
    )
    assert len(answer.json()["available_slots"]) == 512
    assert len(json.dumps(answer.body).encode()) < 6 * 1024 * 1024


@pytest.fixture
def booked(wired, people):
    """Ana has a managed event from the first to the second hour."""
    wired.accounts.expect_events("ana")
    event = managed(sub="ana")
    assert wired.events.save(event, over=None)
    return event


def answered(wired, event, participation):
    stored = wired.events.find(event.sub, event.event_id)
    person = stored.person._replace(participation=participation)
    assert wired.events.save(stored._replace(attendees=(person,)), over=stored.version)


def test_a_managed_event_counts_from_the_moment_it_is_stored_until_it_is_declined(wired, booked):
    assert found(ask(("all", "ana"))) == [(at(0), at(1), ["ana"]), (at(2), at(10), ["ana"])]
    answered(wired, booked, Participation.DECLINED)
    assert found(ask(("all", "ana"))) == [(at(0), at(10), ["ana"])]


def test_an_accepted_copy_in_the_persons_calendar_does_not_count_twice(booked, calendars):
    calendars.kept = {"ana@example.com": busy((1, 2))}
    assert found(ask(("all", "ana"))) == [(at(0), at(1), ["ana"]), (at(2), at(10), ["ana"])]


def test_calendar_ids_can_leave_managed_events_out(booked):
    only = {"sub": "ana", "calendar_ids": ["cal_goana"]}
    assert found(ask(("all", only))) == [(at(0), at(10), ["ana"])]


@pytest.mark.parametrize("name", [{"event_id": "e1"}, {"event_uid": "evt_e1"}])
def test_an_excluded_event_does_not_count_nor_does_its_copy(wired, booked, calendars, name):
    answered(wired, booked, Participation.ACCEPTED)
    calendars.kept = {"ana@example.com": busy((1, 2), (4, 5))}
    assert found(ask(("all", "ana"), excluded_events=[name])) == [(at(0), at(4), ["ana"]), (at(5), at(10), ["ana"])]


def test_only_the_copy_of_an_excluded_event_is_left_out(booked, calendars):
    """Nobody answered yet, so a busy period at that very time is somebody else's meeting."""
    calendars.kept = {"ana@example.com": busy((1, 2))}
    excluded = [{"event_id": "e1"}]
    assert found(ask(("all", "ana"), excluded_events=excluded)) == [(at(0), at(1), ["ana"]), (at(2), at(10), ["ana"])]
    calendars.kept = {"ana@example.com": busy((1, 2), status=FreeBusyStatus.TENTATIVE)}
    assert found(ask(("all", "ana"), excluded_events=excluded)) == [(at(0), at(10), ["ana"])]
