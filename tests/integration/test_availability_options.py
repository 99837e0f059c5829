"""What single members, and whole queries, may ask for besides."""

import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import CredentialRevoked
from freebusy.domain.event import Details, Participation, Transparency, When
from freebusy.domain.free_busy import FreeBusyStatus
from freebusy.domain.identifiers import hashed
from freebusy.domain.managed_availability import AvailabilityRule, AvailablePeriod, WeeklyPeriod
from freebusy.domain.token import TokenKind, TokenRecord
from tests.asking import SECRET, ask, at, found, group, refused
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, busy, connected, managed

HOUR, DAY = 3600, 86_400
FRIDAY = 4
ALL_DAY = (at(0), at(10), ["ana"])


def ana(**options):
    return ("all", {"sub": "ana", **options})


@pytest.fixture
def book(wired):
    """Stores an event of somebody: in hours from now."""

    def booked(event_id, hours, *, sub="ana", tags=(), **changed):
        wired.accounts.expect_events(sub)
        when = When(int(NOW + hours[0] * HOUR), int(NOW + hours[1] * HOUR))
        event = managed(event_id, sub=sub, details=Details("Interview", when, tags=tags))
        assert wired.events.save(event._replace(**changed), over=None)

    return booked


# --- Which calendars, and what in them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar_ids", "free"),
    [
        pytest.param(None, [(at(0), at(1), ["ana"]), (at(5), at(10), ["ana"])], id="null: all of them"),
        pytest.param(["cal_goana"], [(at(0), at(1), ["ana"]), (at(4), at(10), ["ana"])], id="the provider's"),
        pytest.param(["cal_mana"], [(at(0), at(4), ["ana"]), (at(5), at(10), ["ana"])], id="the managed one"),
        pytest.param([], [ALL_DAY], id="none: no calendar is looked at"),
    ],
)
def test_calendar_ids_choose_among_the_calendars(people, calendars, book, calendar_ids, free):
    calendars.kept = {"ana@example.com": busy((1, 4))}
    book("e1", (4, 5))
    assert found(ask(ana(calendar_ids=calendar_ids))) == free


def test_only_managed_events_looks_at_no_other_calendar(people, calendars, book):
    calendars.kept = {"ana@example.com": busy((1, 4))}
    book("e1", (4, 5))
    answer = ask(ana(only_managed_events=True))
    assert found(answer) == [(at(0), at(4), ["ana"]), (at(5), at(10), ["ana"])]
    assert calendars.reads == []


def test_only_managed_events_of_who_has_none_is_always_free(people, calendars):
    calendars.trouble = {"ana@example.com": CredentialRevoked("gone")}
    answer = ask(ana(only_managed_events=True))
    assert found(answer) == [ALL_DAY]
    assert "unreadable_members" not in answer.json()


@pytest.mark.parametrize("status", FreeBusyStatus)
def test_ignore_tentative_ignores_what_is_tentative_and_nothing_else(people, calendars, status):
    calendars.kept = {"ana@example.com": busy((1, 10), status=status)}
    free = status in {FreeBusyStatus.TENTATIVE, FreeBusyStatus.FREE}
    assert (found(ask(ana(ignore_tentative=True))) == [ALL_DAY]) == free


def test_ignore_tentative_is_a_members_own_business(people, calendars):
    tentative = busy((0, 9), status=FreeBusyStatus.TENTATIVE)
    calendars.kept = {"ana@example.com": tentative, "ben@example.com": tentative}
    assert found(ask(ana(ignore_tentative=True), ("all", "ben"))) == [(at(9), at(10), ["ana", "ben"])]
    assert found(ask(ana(ignore_tentative=True), ana())) == [(at(9), at(10), ["ana"])]


def test_a_managed_event_counts_whatever_tentative_answer_it_got(people, book):
    book("e1", (1, 2))
    assert len(found(ask(ana(ignore_tentative=True)))) == 2


# --- Buffers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buffer", "free"),
    [
        pytest.param(None, [(at(0), at(1.5)), (at(3.5), at(10))], id="the query's"),
        pytest.param({}, [(at(0), at(1.5)), (at(3.5), at(10))], id="an empty one is none"),
        pytest.param(
            {"before": {}, "after": {"minimum": None}}, [(at(0), at(1.5)), (at(3.5), at(10))], id="so are these"
        ),
        pytest.param({"before": [], "after": {"minimum": {}}}, [(at(0), at(1.5)), (at(3.5), at(10))], id="and this"),
        pytest.param([], [(at(0), at(1.5)), (at(3.5), at(10))], id="PHP's empty object"),
        pytest.param({"before": {"minutes": 0}}, [(at(0), at(1.5)), (at(3), at(10))], id="no time before"),
        pytest.param(
            {"after": {"minimum": {"minutes": 45}}}, [(at(0), at(1.25)), (at(3.5), at(10))], id="longer after"
        ),
        pytest.param({"before": {"hours": 2}}, [(at(5), at(10))], id="longer than the query's"),
    ],
)
def test_a_members_buffer_stands_in_for_the_querys(people, calendars, buffer, free):
    calendars.kept = {"ana@example.com": busy((-1, -0.9), (2, 3))}
    half = {"minutes": 30}
    answer = ask(ana(buffer=buffer), buffer={"before": half, "after": half}, required_duration={"minutes": 30})
    assert [(start, end) for start, end, _ in found(answer)] == free


def test_calendars_are_read_as_far_as_the_longest_buffer_reaches(people, calendars):
    ask(ana(buffer={"before": {"hours": 3}}), ("all", "ben"), buffer={"after": {"minutes": 15}})
    assert set(calendars.windows) == {(NOW - 3 * HOUR, NOW + 10 * HOUR + 900)}


# --- Rules and available periods -----------------------------------------------------------------------------


@pytest.fixture
def hours(wired):
    """Stores a rule of Ana's for Fridays (the day of the query), in hours of UTC."""

    def kept(rule_id, opens, closes, *, calendar_ids=()):
        weekly = (WeeklyPeriod(FRIDAY, opens * 60, closes * 60),)
        rule = AvailabilityRule(rule_id, "Etc/UTC", weekly, calendar_ids)
        assert wired.managed_availability.save_rule("ana", rule, client_id=CLIENT_ID)

    return kept


@pytest.mark.parametrize(
    ("options", "free"),
    [
        pytest.param({}, [(at(0), at(10))], id="not asked for"),
        pytest.param({"availability_rule_ids": []}, [(at(0), at(10))], id="ids alone ask for nothing"),
        pytest.param({"managed_availability": True}, [(at(1), at(3)), (at(4), at(6)), (at(8), at(9))], id="everything"),
        pytest.param(
            {"managed_availability": True, "availability_rule_ids": None},
            [(at(1), at(3)), (at(4), at(6)), (at(8), at(9))],
            id="null: all rules",
        ),
        pytest.param(
            {"managed_availability": True, "availability_rule_ids": ["early"]},
            [(at(1), at(3)), (at(8), at(9))],
            id="one of the rules",
        ),
        pytest.param(
            {"managed_availability": True, "availability_rule_ids": []}, [(at(8), at(9))], id="available periods alone"
        ),
        pytest.param(
            {"managed_availability": True, "available_periods": [{"start": at(2), "end": at(5)}]},
            [(at(2), at(3)), (at(4), at(5))],
            id="and the query's own periods",
        ),
    ],
)
def test_rules_and_available_periods_bound_a_member(wired, people, hours, options, free):
    hours("early", 9, 11)
    hours("late", 12, 14)
    period = AvailablePeriod(NOW + 8 * HOUR, NOW + 9 * HOUR, "extra")
    assert wired.managed_availability.save_period("ana", period, client_id=CLIENT_ID)
    assert [(start, end) for start, end, _ in found(ask(ana(**options)))] == free


def test_who_has_stored_nothing_is_never_available_by_rules(people):
    assert found(ask(ana(managed_availability=True))) == []


@pytest.mark.parametrize(
    ("calendar_ids", "free"),
    [
        pytest.param(None, [(at(1), at(6))], id="those of the rule"),
        pytest.param(["cal_goana"], [(at(3), at(6))], id="the query's own come first"),
    ],
)
def test_a_rule_may_say_which_calendars_count(people, calendars, hours, calendar_ids, free):
    calendars.kept = {"ana@example.com": busy((1, 3))}
    hours("flexible", 9, 14, calendar_ids=("cal_mana",))
    answer = ask(ana(managed_availability=True, calendar_ids=calendar_ids))
    assert [(start, end) for start, end, _ in found(answer)] == free


# --- Constraints ---------------------------------------------------------------------------------------------

TWO_DAYS = [{"start": at(0), "end": at(34)}]
MIDNIGHT = 16
"""UTC, in hours from now, which is a Friday."""

FULL_TODAY, FULL_TOMORROW = (at(MIDNIGHT), at(34)), (at(0), at(MIDNIGHT))


def day(limit=1, **more):
    return {"limit": limit, "period": "day", **more}


@pytest.mark.parametrize(
    ("constraint", "events", "free"),
    [
        pytest.param(day(), {}, [(at(0), at(34))], id="no events"),
        pytest.param(day(2), {"a": (-5, -4)}, [(at(0), at(34))], id="one more is allowed"),
        pytest.param(day(), {"a": (-5, -4)}, [FULL_TODAY], id="a full day, though the event is over"),
        pytest.param(day(2), {"a": (-5, -4), "b": (-3, -2)}, [FULL_TODAY], id="two of two"),
        pytest.param(day(), {"a": (12, 20)}, [], id="an event across midnight is one of both days"),
        pytest.param(day(), {"a": (12, 16)}, [FULL_TODAY], id="one that ends at midnight is not"),
        pytest.param(day(), {"a": (38, 39)}, [(at(0), at(16))], id="an event after the query's time"),
        pytest.param(
            day(tzid="Asia/Kathmandu"), {"a": (-5, -4)}, [(at(10.25), at(34))], id="the day of another zone (+05:45)"
        ),
        pytest.param(day(period="week"), {"a": (-90, -89)}, [], id="the week began on Monday"),
        pytest.param(day(period="week"), {"a": (-110, -109)}, [(at(0), at(34))], id="an event of the week before"),
        pytest.param(day(period="week"), {"a": (60, 61)}, [], id="an event on Sunday is of this week"),
        pytest.param(day(period="week"), {"a": (64, 65)}, [(at(0), at(34))], id="one on Monday is not"),
    ],
)
def test_a_day_or_week_with_as_many_events_as_allowed_is_full(people, book, constraint, events, free):
    for event_id, period in events.items():
        book(event_id, period)
    answer = ask(ana(availability_constraints=[constraint], calendar_ids=["cal_goana"]), query_periods=TWO_DAYS)
    assert [(start, end) for start, end, _ in found(answer)] == free


TAGGED = {"private": [{"value": "interview"}]}
BOTH = {"private": [{"value": "interview"}, {"value": "panel"}]}


@pytest.mark.parametrize(
    ("tags", "asked", "full"),
    [
        pytest.param((), None, True, id="any event"),
        pytest.param(("interview",), None, True, id="any event, tags or not"),
        pytest.param((), TAGGED, False, id="without the tag"),
        pytest.param(("panel",), TAGGED, False, id="with another"),
        pytest.param(("panel", "interview"), TAGGED, True, id="with it and another"),
        pytest.param(("interview",), BOTH, False, id="with one of two"),
        pytest.param(("panel", "interview"), BOTH, True, id="with both"),
        pytest.param((), {"private": []}, True, id="no tags are named"),
        pytest.param((), [], True, id="PHP's empty object"),
    ],
)
def test_a_constraint_may_count_events_with_all_of_some_tags(people, book, tags, asked, full):
    book("e1", (-5, -4), tags=tags)
    assert (found(ask(ana(availability_constraints=[day(tags=asked)]))) == []) == full


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        pytest.param({}, True, id="from the moment it is stored"),
        pytest.param({"deleted": True}, False, id="deleted"),
        pytest.param({"transparent": True}, False, id="transparent"),
        pytest.param({"participation": Participation.DECLINED}, False, id="declined"),
        pytest.param({"participation": Participation.TENTATIVE}, True, id="tentative"),
    ],
)
def test_events_count_that_make_somebody_busy(wired, people, book, changed, counts):
    event = managed("e1", (-5, -4), sub="ana")
    details = (
        event.details._replace(transparency=Transparency.TRANSPARENT) if "transparent" in changed else event.details
    )
    person = event.person._replace(participation=changed.get("participation", event.person.participation))
    book("e1", (-5, -4), details=details, attendees=(person,), deleted="deleted" in changed)
    assert (found(ask(ana(availability_constraints=[day()]))) == []) == counts


def test_every_occurrence_of_a_series_counts(wired, people, book):
    from freebusy.domain.event import RecurrenceRule

    event = managed("e1", (-5, -4), sub="ana")
    book("e1", (-5, -4), details=event.details._replace(recurrence=(RecurrenceRule("daily", count=3),)))
    constraint = day(3, period="week")
    assert found(ask(ana(availability_constraints=[constraint], only_managed_events=True))) == []


def test_an_excluded_event_does_not_count(people, book):
    book("e1", (-5, -4))
    answer = ask(ana(availability_constraints=[day()]), excluded_events=[{"event_id": "e1"}])
    assert found(answer) == [ALL_DAY]


def test_several_constraints_hold_together(people, book):
    book("e1", (-5, -4))
    constraints = [day(2), day(1, tags=TAGGED), day(1, period="week")]
    assert found(ask(ana(availability_constraints=constraints))) == []
    assert found(ask(ana(availability_constraints=constraints[:2]))) == [ALL_DAY]


def test_a_constraint_is_its_members_alone(people, book):
    book("e1", (-5, -4))
    member = {"sub": "ana", "availability_constraints": [day()]}
    assert found(ask((1, member, "ben"))) == [(at(0), at(10), ["ben"])]


# --- Data that can be trusted -----------------------------------------------------------------------------------


@pytest.fixture
def broken(people, calendars):
    calendars.trouble = {"ben@example.com": CredentialRevoked("gone")}


def test_by_default_an_unreadable_member_is_unavailable(broken):
    answer = ask((1, "ana", "ben"), on_unreadable="unavailable")
    assert found(answer) == [ALL_DAY]
    assert answer.json() == ask((1, "ana", "ben")).json()


def test_or_the_query_fails_and_says_for_whom(broken):
    answer = ask((1, "ana", "ben"), on_unreadable="fail")
    assert answer.status == 503
    assert answer.json() == {
        "error": "members_unreadable",
        "unreadable_members": [{"sub": "ben", "profile_id": "pro_goben", "reason": "credential_revoked"}],
    }


def test_a_query_about_readable_calendars_does_not_fail(broken):
    assert found(ask(("all", "ana"), on_unreadable="fail")) == [ALL_DAY]


def test_sources_say_how_old_and_how_complete_the_data_is(broken, book):
    book("e1", (1, 2))
    answer = ask((1, "ana", "ben"), include_sources=True)
    now = "2027-01-15T08:00:00Z"
    google = {"provider_name": "google_free_busy"}
    assert answer.json()["sources"] == [
        {
            "sub": "ana",
            "as_of": now,
            "complete": True,
            "calendars": [
                {"calendar_id": "cal_goana", **google, "as_of": now},
                {"calendar_id": "cal_mana", "provider_name": "cronofy", "as_of": now},
            ],
        },
        {
            "sub": "ben",
            "as_of": now,
            "complete": False,
            "calendars": [{"calendar_id": "cal_goben", **google, "reason": "credential_revoked"}],
        },
    ]


def test_sources_name_only_calendars_that_count(people):
    answer = ask(ana(calendar_ids=[]), include_sources=True).json()
    assert [source["calendars"] for source in answer["sources"]] == [[]]


def test_a_member_who_is_listed_twice_has_sources_once(wired, sign_in, calendars):
    wired.tokens.save(hashed(SECRET), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
    sign_in(connected("eve", providers=(ProviderName.GOOGLE, ProviderName.MICROSOFT)), "token of eve")
    twice = [("all", {"sub": "eve", "calendar_ids": [calendar_id]}) for calendar_id in ("cal_goeve", "cal_mseve")]
    (source,) = ask(*twice, include_sources=True).json()["sources"]
    assert [calendar["calendar_id"] for calendar in source["calendars"]] == ["cal_goeve", "cal_mseve"]


# --- Round robin ---------------------------------------------------------------------------------------------


def first_slot(*groups, **options):
    answer = ask(*groups, response_format="slots", max_results=1, **options)
    return found(answer, "available_slots")[0][2], answer.json()["round_robin"]


def test_who_has_the_fewest_events_is_named_first(people, book):
    book("a1", (-30, -29), sub="ana")
    book("a2", (-50, -49), sub="ana")
    book("b1", (-20, -19), sub="ben")
    named, turns = first_slot(group(1, "ana", "ben", "cem", round_robin=True))
    assert named == ["cem", "ben", "ana"]
    assert turns == [
        {
            "group": 0,
            "members": [{"sub": "cem", "events": 0}, {"sub": "ben", "events": 1}, {"sub": "ana", "events": 2}],
        }
    ]


def test_of_equals_it_is_whose_last_event_is_longest_ago(people, book):
    book("a1", (-20, -19), sub="ana")
    book("b1", (-30, -29), sub="ben")
    assert first_slot(group(1, "ana", "ben", round_robin=True))[0] == ["ben", "ana"]


def test_and_then_who_is_listed_first(people):
    assert first_slot(group(1, "cem", "ana", "ben", round_robin=True))[0] == ["cem", "ana", "ben"]


def test_whoever_is_busy_has_no_turn(people, calendars):
    calendars.kept = {"ana@example.com": busy((0, 10))}
    named, _ = first_slot(group(1, "ana", "ben", round_robin=True))
    assert named == ["ben"]


@pytest.mark.parametrize(
    ("round_robin", "events"),
    [
        pytest.param(True, 2, id="30 days back"),
        pytest.param({}, 2, id="the same, said otherwise"),
        pytest.param({"days": 1}, 1, id="one day back"),
        pytest.param({"days": 0}, 0, id="only the query's time"),
        pytest.param({"days": 90}, 3, id="90 days back"),
        pytest.param({"tags": TAGGED}, 1, id="events with a tag"),
    ],
)
def test_events_count_from_some_days_before_the_query(people, book, round_robin, events):
    book("a1", (-20, -19), tags=("interview",))
    book("a2", (-24 * 20, -24 * 20 + 1))
    book("a3", (-24 * 40, -24 * 40 + 1))
    _, turns = first_slot(group(1, "ana", "ben", round_robin=round_robin))
    assert {each["sub"]: each["events"] for each in turns[0]["members"]} == {"ana": events, "ben": 0}


def test_other_groups_keep_their_order_and_have_no_turns(people, book):
    book("a1", (-20, -19))
    named, turns = first_slot(group(1, "ana", "ben"), group(1, "cem", "ben", round_robin=True))
    assert named == ["ana", "ben", "cem"]
    assert [each["group"] for each in turns] == [1]


@pytest.mark.parametrize("said", [False, None])
def test_without_round_robin_nobody_counts(people, said):
    assert "round_robin" not in ask(group(1, "ana", "ben", round_robin=said)).json()


# --- What is refused ------------------------------------------------------------------------------------------

MEMBER = "participants[0].members[0]"


@pytest.mark.parametrize(
    ("constraint", "path", "key"),
    [
        pytest.param({"period": "day"}, ".limit", "required", id="no limit"),
        pytest.param(day(0), ".limit", "invalid_format", id="a limit of none"),
        pytest.param({**day(), "limit": True}, ".limit", "invalid_format", id="true is no number"),
        pytest.param(day(period="month"), ".period", "invalid_format", id="months"),
        pytest.param(day(tzid="Mars/Base"), ".tzid", "tzid_unrecognized", id="no such zone"),
        pytest.param(day(tags={"private": [{}]}), ".tags.private[0].value", "required", id="a tag without a value"),
        pytest.param(7, "", "invalid_format", id="no constraint at all"),
    ],
)
def test_what_is_wrong_with_a_constraint_is_said_by_path(people, constraint, path, key):
    answer = ask(ana(availability_constraints=[day(), constraint]))
    assert refused(answer) == {f"{MEMBER}.availability_constraints[1]{path}": {f"errors.{key}"}}


@pytest.mark.parametrize(
    ("options", "path", "key"),
    [
        pytest.param({"availability_constraints": [day()] * 11}, "", "too_many", id="11 constraints"),
        pytest.param({"availability_constraints": day()}, "", "invalid_format", id="no list of constraints"),
        pytest.param({"availability_rule_ids": ["x"] * 51}, "", "too_many", id="51 rules"),
        pytest.param({"availability_rule_ids": [7]}, "[0]", "invalid_format", id="rules are known by text"),
        pytest.param({"managed_availability": "perhaps"}, "", "must_be_boolean", id="perhaps"),
        pytest.param({"only_managed_events": 7}, "", "must_be_boolean", id="seven"),
        pytest.param({"ignore_tentative": []}, "", "must_be_boolean", id="a list"),
        pytest.param({"buffer": {"before": {"minutes": -1}}}, ".before.minutes", "invalid_format", id="negative"),
        pytest.param(
            {"buffer": {"after": {"minimum": {"hours": 25}}}}, ".after.minimum.hours", "invalid_format", id="long"
        ),
        pytest.param({"buffer": 15}, "", "invalid_format", id="a bare number"),
    ],
)
def test_what_is_wrong_with_a_member_is_said_by_path(people, options, path, key):
    (name,) = options
    assert refused(ask(ana(**options))) == {f"{MEMBER}.{name}{path}": {f"errors.{key}"}}


@pytest.mark.parametrize(
    ("options", "path", "key"),
    [
        pytest.param({"on_unreadable": "shrug"}, "on_unreadable", "invalid_format", id="no such way"),
        pytest.param({"include_sources": "some"}, "include_sources", "must_be_boolean", id="some of them"),
        pytest.param({"explain": "please"}, "explain", "must_be_boolean", id="please"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_by_its_name(people, options, path, key):
    assert refused(ask(ana(), **options)) == {path: {f"errors.{key}"}}


@pytest.mark.parametrize(
    ("said", "path"),
    [
        pytest.param({"days": 91}, ".days", id="too many days"),
        pytest.param({"tags": {"private": "x"}}, ".tags.private", id="tags that are no list"),
        pytest.param("yes", "", id="neither true nor an object"),
    ],
)
def test_what_is_wrong_with_a_round_robin_is_said_by_path(people, said, path):
    assert [*refused(ask(group(1, "ana", round_robin=said)))] == [f"participants[0].round_robin{path}"]


def test_an_unknown_rule_adds_nothing(people, hours):
    hours("early", 9, 11)
    assert found(ask(ana(managed_availability=True, availability_rule_ids=["other"]))) == []
