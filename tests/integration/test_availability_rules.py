import pytest

from freebusy.domain.managed_availability import (
    MOST_CALENDARS,
    MOST_RULES,
    MOST_WEEKLY_PERIODS,
    AvailabilityRule,
    ManagedAvailability,
    WeeklyPeriod,
)
from tests.api import call
from tests.people import CLIENT_ID, connected

TOKEN = "access token of acc_1"
RULES = "/v1/availability_rules"
MORNING = {"day": "monday", "start_time": "09:30", "end_time": "12:30"}
WORK = {"availability_rule_id": "work_hours", "tzid": "Europe/Paris", "weekly_periods": [MORNING]}


@pytest.fixture(autouse=True)
def account(sign_in):
    return sign_in(connected(), TOKEN)


def send(method, path=RULES, body=None, bearer=TOKEN):
    return call("availability_rules", method, path, body=body, bearer=bearer)


def upsert(**changes):
    return send("POST", body=WORK | changes)


def listed():
    return send("GET", body={}).json()["availability_rules"]


def test_a_rule_is_answered_as_it_was_written(account):
    rule = {
        **WORK,
        "calendar_ids": ["cal_goacc_1", account.managed_profile.calendar_id],
        "weekly_periods": [
            MORNING,
            {"day": "monday", "start_time": "14:00", "end_time": "17:00"},
            {"day": "sunday", "start_time": "00:00", "end_time": "24:00"},
            {"day": "saturday", "start_time": "22:00", "end_time": "00:00"},
        ],
    }
    written = send("POST", body=rule)
    assert (written.status, written.json()) == (200, {"availability_rule": rule})
    assert send("GET", f"{RULES}/work_hours").json() == {"availability_rule": rule}
    assert listed() == [rule]


def test_a_rule_of_the_same_id_is_replaced_as_a_whole():
    upsert(calendar_ids=["cal_goacc_1"])
    upsert(tzid="Asia/Kathmandu")
    assert listed() == [WORK | {"tzid": "Asia/Kathmandu"}]


def test_rules_are_listed_by_id():
    assert listed() == []
    for name in ("work_hours", "evenings"):
        upsert(availability_rule_id=name)
    assert [rule["availability_rule_id"] for rule in listed()] == ["evenings", "work_hours"]


def test_a_deleted_rule_is_gone_and_deleting_it_again_is_no_error():
    upsert()
    for _ in range(2):
        deleted = send("DELETE", f"{RULES}/work_hours", {"availability_rule_id": "work_hours"})
        assert (deleted.status, deleted.body) == (202, "")
    assert send("GET", f"{RULES}/work_hours").status == 404
    assert listed() == []


@pytest.mark.parametrize("name", ["with space", "it's (2nd) floor!", "<a>:b@c,d;e=f+g$h&i*[j]^k|{l}~", "x" * 64])
def test_a_rule_can_be_read_and_deleted_by_its_address_whatever_its_id(name):
    """HTTP APIs deliver paths decoded."""
    written = upsert(availability_rule_id=name)
    assert written.status == 200
    assert send("GET", f"{RULES}/{name}").json() == written.json()
    assert send("DELETE", f"{RULES}/{name}").status == 202
    assert listed() == []


@pytest.mark.parametrize("name", ["Büro", "a/b", "a?b", "a%20b", "#1", 'a"b', "a\\b", "a`b", "a\nb"])
def test_an_id_that_would_not_survive_in_an_address_is_refused(name):
    refused = upsert(availability_rule_id=name)
    assert (refused.status, list(refused.json()["errors"])) == (422, ["availability_rule_id"])


def test_what_is_null_was_left_out():
    """The C# SDK writes a null for what its caller did not set."""
    assert upsert(calendar_ids=None).json() == {"availability_rule": WORK}


def test_a_rule_may_have_no_hours_at_all():
    assert upsert(weekly_periods=[]).json() == {"availability_rule": WORK | {"weekly_periods": []}}


@pytest.mark.parametrize(
    ("changes", "field", "key"),
    [
        pytest.param({"availability_rule_id": None}, "availability_rule_id", "errors.required", id="no id"),
        pytest.param({"availability_rule_id": ""}, "availability_rule_id", "errors.invalid_format", id="empty id"),
        pytest.param({"availability_rule_id": "x" * 65}, "availability_rule_id", "errors.invalid_format", id="long id"),
        pytest.param({"availability_rule_id": 7}, "availability_rule_id", "errors.invalid_format", id="a number"),
        pytest.param({"tzid": None}, "tzid", "errors.required", id="no zone"),
        pytest.param({"tzid": "Mars/Olympus"}, "tzid", "errors.tzid_unrecognized", id="no such zone"),
        pytest.param({"tzid": "../../etc/passwd"}, "tzid", "errors.tzid_unrecognized", id="a path"),
        pytest.param({"weekly_periods": None}, "weekly_periods", "errors.required", id="no hours"),
        pytest.param({"weekly_periods": "monday"}, "weekly_periods", "errors.invalid_format", id="no list"),
        pytest.param(
            {"weekly_periods": [MORNING] * (MOST_WEEKLY_PERIODS + 1)}, "weekly_periods", "errors.too_many", id="many"
        ),
        pytest.param({"calendar_ids": []}, "calendar_ids", "errors.required", id="no calendar"),
        pytest.param({"calendar_ids": ["cal_x"]}, "calendar_ids", "errors.invalid_calendar_ids", id="not its calendar"),
        pytest.param(
            {"calendar_ids": ["cal_x"] * (MOST_CALENDARS + 1)}, "calendar_ids", "errors.too_many", id="many calendars"
        ),
    ],
)
def test_what_cannot_be_a_rule_is_refused(changes, field, key):
    refused = upsert(**changes)
    assert refused.status == 422
    assert {name: [each["key"] for each in errors] for name, errors in refused.json()["errors"].items()} == {
        field: [key]
    }
    assert listed() == []


@pytest.mark.parametrize(
    ("changes", "field", "key"),
    [
        pytest.param({"day": "Monday"}, ".day", "errors.not_recognized", id="not the contract's name"),
        pytest.param({"day": None}, ".day", "errors.required", id="no day"),
        pytest.param({"start_time": "9:30"}, ".start_time", "errors.invalid_format", id="one digit"),
        pytest.param({"start_time": "24:00"}, ".start_time", "errors.invalid_time_pair", id="begins as the day ends"),
        pytest.param({"start_time": "09:60"}, ".start_time", "errors.invalid_format", id="60 minutes"),
        pytest.param({"end_time": "24:01"}, ".end_time", "errors.invalid_format", id="after midnight"),
        pytest.param({"end_time": "٠٩:٣٠"}, ".end_time", "errors.invalid_format", id="other digits"),
        pytest.param({"end_time": 17}, ".end_time", "errors.invalid_format", id="a number"),
        pytest.param({"end_time": "09:30"}, "", "errors.invalid_time_pair", id="no time"),
        pytest.param({"start_time": "24:00", "end_time": "00:00"}, "", "errors.invalid_time_pair", id="one midnight"),
        pytest.param({"start_time": "22:00", "end_time": "06:00"}, "", "errors.invalid_time_pair", id="overnight"),
    ],
)
def test_hours_that_are_none_are_refused_where_they_stand(changes, field, key):
    refused = upsert(weekly_periods=[MORNING, MORNING | changes])
    assert refused.status == 422
    place = "weekly_periods[1]" if key == "errors.invalid_time_pair" else f"weekly_periods[1]{field}"
    assert [(name, errors[0]["key"]) for name, errors in refused.json()["errors"].items()] == [(place, key)]


def test_one_rule_too_many_is_refused_until_another_one_is_gone(wired):
    hours = (WeeklyPeriod(0, 0, 60),)
    for number in range(MOST_RULES):
        rule = AvailabilityRule(f"rule-{number}", "Etc/UTC", hours)
        assert wired.managed_availability.save_rule("acc_1", rule, client_id=CLIENT_ID)
    refused = upsert()
    assert refused.json()["errors"]["availability_rule_id"][0]["key"] == "errors.too_many"
    assert upsert(availability_rule_id="rule-7").status == 200
    assert send("DELETE", f"{RULES}/rule-7").status == 202
    assert upsert().status == 200


def test_rules_are_their_accounts_alone(sign_in):
    sign_in(connected("acc_2"), "token of acc_2")
    upsert()
    assert send("GET", bearer="token of acc_2").json() == {"availability_rules": []}
    assert send("GET", f"{RULES}/work_hours", bearer="token of acc_2").status == 404
    assert send("DELETE", f"{RULES}/work_hours", bearer="token of acc_2").status == 202
    assert listed() == [WORK]


@pytest.mark.parametrize(("scope", "status"), [("free_busy", 200), ("read_free_busy", 200), ("read_account", 403)])
def test_whoever_may_read_free_busy_may_write_rules(sign_in, scope, status):
    sign_in(connected("acc_3", scope=scope), "token of acc_3")
    assert send("POST", body=WORK, bearer="token of acc_3").status == status
    assert send("GET", bearer="token of acc_3").status == status


@pytest.mark.parametrize(("method", "path"), [("POST", RULES), ("GET", RULES), ("DELETE", f"{RULES}/work_hours")])
def test_nobody_else_gets_in(method, path):
    assert send(method, path, WORK, bearer=None).status == 401
    assert send(method, path, WORK, bearer="guessed").status == 401


def test_rules_outlive_the_authorization(wired):
    upsert()
    wired.accounts.revoke_grants("acc_1")
    assert send("GET").status == 401
    assert wired.managed_availability.find("acc_1") == ManagedAvailability(
        (AvailabilityRule("work_hours", "Europe/Paris", (WeeklyPeriod(0, 570, 750),)),)
    )
