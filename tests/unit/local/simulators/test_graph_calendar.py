"""Graph's getSchedule: what it refuses, and how it shows schedules."""

import pytest

from local.simulators.graph_calendar import LOCATION, SUBJECT

UTC = {"Prefer": 'outlook.timezone="UTC"'}
ANA = "ana@example.com"


def local(time, zone="UTC"):
    return {"dateTime": time, "timeZone": zone}


def asked(microsoft, token, *, path="me", prefer=UTC, **question):
    question = {
        "schedules": [ANA],
        "startTime": local("2026-12-01T00:00:00"),
        "endTime": local("2026-12-02T00:00:00"),
        **question,
    }
    return microsoft.post(
        f"/v1.0/{path}/calendar/getSchedule",
        json={name: value for name, value in question.items() if value is not None},
        headers={"Authorization": f"Bearer {token}", **prefer},
    )


def schedule(microsoft, *entries, prefer=UTC, **question):
    """The schedule of somebody with these entries: start, end and perhaps a status."""
    microsoft.put_person(ANA, busy=[dict(zip(("start", "end", "status"), each, strict=False)) for each in entries])
    answer = asked(microsoft, microsoft.connect(ANA)["access_token"], prefer=prefer, **question)
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["value"]
    return found


def shown(found):
    return [(each["start"]["dateTime"][:19], each["end"]["dateTime"][:19]) for each in found["scheduleItems"]]


def at(time):
    return f"2026-12-01T{time}:00Z"


@pytest.fixture
def token(microsoft):
    return microsoft.connect(ANA)["access_token"]


def test_the_answer_has_graphs_shape(microsoft):
    found = schedule(microsoft, (at("09:00"), at("10:30")), availabilityViewInterval=60)

    assert found == {
        "scheduleId": ANA,
        "availabilityView": "000000000220000000000000",
        "scheduleItems": [
            {
                "status": "busy",
                "isPrivate": False,
                "subject": SUBJECT,
                "location": LOCATION,
                "start": {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC"},
                "end": {"dateTime": "2026-12-01T10:30:00.0000000", "timeZone": "UTC"},
            }
        ],
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": "UTC"},
        },
    }


def test_names_of_keys_may_be_capitalised(microsoft, token):
    question = {
        "Schedules": [ANA],
        "StartTime": local("2026-12-01T00:00:00"),
        "EndTime": local("2026-12-02T00:00:00"),
    }

    answer = microsoft.post(
        "/v1.0/me/calendar/getSchedule", json=question, headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 200


def test_items_are_sorted_and_never_merged(microsoft):
    found = schedule(
        microsoft, (at("10:00"), at("12:00")), (at("09:00"), at("11:00"), "tentative"), (at("12:00"), at("13:00"))
    )

    assert [each["status"] for each in found["scheduleItems"]] == ["tentative", "busy", "busy"]
    assert [start[11:13] for start, _ in shown(found)] == ["09", "10", "12"]


@pytest.mark.parametrize("status", ["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"])
def test_every_status_is_shown(microsoft, status):
    found = schedule(microsoft, (at("09:00"), at("10:00"), status))

    assert [each["status"] for each in found["scheduleItems"]] == [status]


@pytest.mark.parametrize(
    ("statuses", "digit"),
    [
        (["free"], "0"),
        (["tentative"], "1"),
        (["busy"], "2"),
        (["oof"], "3"),
        (["workingElsewhere"], "4"),
        (["busy", "tentative"], "2"),
        (["oof", "busy"], "3"),
        (["workingElsewhere", "tentative"], "1"),
    ],
)
def test_the_view_shows_the_strongest_status(microsoft, statuses, digit):
    found = schedule(
        microsoft, *((at("00:10"), at("00:20"), status) for status in statuses), availabilityViewInterval=720
    )

    assert found["availabilityView"] == f"{digit}0"


@pytest.mark.parametrize(
    ("interval", "length"),
    [
        pytest.param(None, 48, id="half an hour by default"),
        pytest.param(5, 288, id="the shortest"),
        pytest.param(1440, 1, id="the longest"),
        pytest.param(1000, 2, id="the last one is cut short"),
    ],
)
def test_the_view_has_a_digit_for_each_interval(microsoft, interval, length):
    assert len(schedule(microsoft, availabilityViewInterval=interval)["availabilityView"]) == length


@pytest.mark.parametrize(
    ("start", "end", "is_shown"),
    [
        pytest.param("2026-11-30T23:00:00", "2026-12-01T00:00:00", False, id="ends as the window opens"),
        pytest.param("2026-12-02T00:00:00", "2026-12-02T01:00:00", False, id="starts as the window closes"),
        pytest.param("2026-11-30T23:00:00", "2026-12-01T00:00:01", True, id="reaches in for a second"),
        pytest.param("2026-11-01T00:00:00", "2026-12-31T00:00:00", True, id="covers the window"),
    ],
)
def test_items_that_overlap_the_window_are_shown_whole(microsoft, start, end, is_shown):
    found = schedule(microsoft, (f"{start}Z", f"{end}Z"))

    assert shown(found) == ([(start, end)] if is_shown else [])


def test_a_client_that_names_no_zone_gets_local_times(microsoft):
    found = schedule(microsoft, (at("09:00"), at("10:00")), prefer={})

    assert found["scheduleItems"][0]["start"] == local("2026-12-01T01:00:00.0000000", "Pacific Standard Time")


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        pytest.param(
            'outlook.timezone="Romance Standard Time"',
            local("2026-12-01T10:00:00.0000000", "Romance Standard Time"),
            id="a name of Windows",
        ),
        pytest.param(
            'odata.maxpagesize=5, outlook.timezone="Asia/Tokyo"',
            local("2026-12-01T18:00:00.0000000", "Asia/Tokyo"),
            id="a name of IANA among other wishes",
        ),
        pytest.param("outlook.timezone=UTC", local("2026-12-01T09:00:00.0000000"), id="without quotes"),
    ],
)
def test_times_are_shown_in_the_preferred_zone(microsoft, prefer, expected):
    found = schedule(microsoft, (at("09:00"), at("10:00")), prefer={"Prefer": prefer})

    assert found["scheduleItems"][0]["start"] == expected


def test_the_preferred_zone_is_confirmed(microsoft, token):
    assert asked(microsoft, token).headers["preference-applied"] == 'outlook.timezone="UTC"'
    assert "preference-applied" not in asked(microsoft, token, prefer={}).headers


@pytest.mark.parametrize(
    "moment",
    [
        local("2026-12-01T12:00:00.0000000", "UTC"),
        local("2026-12-01T04:00:00", "Pacific Standard Time"),
        local("2026-12-01T13:00", "Europe/Paris"),
        local("2026-12-01T12:00:00Z", "Europe/Paris"),
    ],
    ids=["UTC", "a name of Windows", "a name of IANA", "an offset of its own"],
)
def test_times_of_the_window_are_read_in_their_zone(microsoft, moment):
    found = schedule(microsoft, (at("11:00"), at("12:00")), (at("12:00"), at("13:00")), startTime=moment)

    assert shown(found) == [("2026-12-01T12:00:00", "2026-12-01T13:00:00")]


def test_working_hours_name_the_persons_zone(microsoft):
    microsoft.put_person(ANA, zone="Europe/Paris")

    [found] = asked(microsoft, microsoft.connect(ANA)["access_token"]).json()["value"]

    assert found["workingHours"]["timeZone"] == {"name": "Romance Standard Time"}


def test_a_colleague_is_shown_without_words(microsoft, token):
    microsoft.put_person("ben@example.com", busy=[{"start": at("09:00"), "end": at("10:00")}])

    [found] = asked(microsoft, token, schedules=["Ben@Example.com"]).json()["value"]

    assert found["scheduleId"] == "Ben@Example.com"
    assert [each.keys() for each in found["scheduleItems"]] == [{"status", "start", "end"}]


@pytest.mark.parametrize("name", ["nobody@example.com", "eve@example.org", "gone@example.com", "not an address"])
def test_a_mailbox_that_is_not_found_is_an_error_inside_a_200(microsoft, token, name):
    microsoft.put_person("eve@example.org")
    microsoft.put_person("gone@example.com", exists=False)

    answer = asked(microsoft, token, schedules=[name, ANA])

    lost, found = answer.json()["value"]
    assert answer.status_code == 200
    assert lost["error"]["responseCode"] == "ErrorMailRecipientNotFound"
    assert lost["error"]["message"]
    assert lost["scheduleItems"] is None
    assert "error" not in found


def test_a_thousand_items_are_shown_and_no_more(microsoft):
    entries = [
        (f"2026-12-01T{n // 60:02}:{n % 60:02}:00Z", f"2026-12-01T{n // 60:02}:{n % 60:02}:30Z") for n in range(1001)
    ]

    crowded = schedule(microsoft, *entries)
    full = schedule(microsoft, *entries[:1000])

    assert crowded["error"]["responseCode"] == "5006"
    assert crowded["scheduleItems"] is None
    assert len(full["scheduleItems"]) == 1000


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param({"schedules": None}, "ErrorInvalidParameter", id="no schedules"),
        pytest.param({"schedules": []}, "ErrorInvalidParameter", id="an empty list"),
        pytest.param({"schedules": [ANA] * 21}, "ErrorMailboxDataArrayTooBig", id="more than twenty"),
        pytest.param({"startTime": None}, "ErrorInvalidParameter", id="no start"),
        pytest.param({"startTime": "2026-12-01T00:00:00"}, "ErrorInvalidParameter", id="a bare time"),
        pytest.param({"startTime": local("2026-12-01")}, "ErrorInvalidParameter", id="a date"),
        pytest.param({"startTime": local("2026-02-31T00:00:00")}, "ErrorInvalidParameter", id="no such day"),
        pytest.param(
            {"startTime": local("2026-12-01T00:00:00", "Mars/Olympus")},
            "TimeZoneNotSupportedException",
            id="an unknown zone",
        ),
        pytest.param({"endTime": local("2026-12-01T00:00:00")}, "ErrorInvalidTimeInterval", id="an empty window"),
        pytest.param({"endTime": local("2027-02-01T00:00:00")}, "ErrorTimeIntervalTooBig", id="62 days"),
        pytest.param({"availabilityViewInterval": 4}, "ErrorInvalidMergedFreeBusyInterval", id="too fine"),
        pytest.param({"availabilityViewInterval": 1441}, "ErrorInvalidMergedFreeBusyInterval", id="too coarse"),
        pytest.param(
            {"endTime": local("2026-12-01T00:29:59")},
            "ErrorInvalidMergedFreeBusyInterval",
            id="a window shorter than the interval",
        ),
        pytest.param(
            {"prefer": {"Prefer": 'outlook.timezone="Mars/Olympus"'}},
            "TimeZoneNotSupportedException",
            id="an unknown zone is preferred",
        ),
    ],
)
def test_bad_questions_are_refused_in_graphs_words(microsoft, token, changed, code):
    answer = asked(microsoft, token, **changed)

    body = answer.json()["error"]
    assert (answer.status_code, body["code"]) == (400, code)
    assert body["message"]
    assert body["innerError"].keys() == {"date", "request-id", "client-request-id"}


def test_a_window_just_under_62_days_is_answered(microsoft, token):
    assert asked(microsoft, token, endTime=local("2027-01-31T23:59:59")).status_code == 200


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_what_is_no_json_object_is_refused(microsoft, token, content):
    answer = microsoft.post(
        "/v1.0/me/calendar/getSchedule",
        content=content,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_one_may_read_through_ones_own_mailbox_only(microsoft, token):
    assert asked(microsoft, token, path=f"users/{ANA}").status_code == 200
    assert asked(microsoft, token, path="users/ben@example.com").json()["error"]["code"] == "ErrorAccessDenied"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no token"),
        pytest.param({"Authorization": "Bearer guessed"}, id="an unknown token"),
    ],
)
def test_without_a_good_token_graph_answers_401(microsoft, headers):
    answer = microsoft.post("/v1.0/me/calendar/getSchedule", json={}, headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_an_expired_token_is_no_good(microsoft):
    microsoft.put_person(ANA, token_lifetime=0)

    answer = asked(microsoft, microsoft.connect(ANA)["access_token"])

    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]["message"]


def test_a_token_of_withdrawn_consent_is_no_good(microsoft, token):
    microsoft.post(f"/sim/users/{ANA}/revoke")

    assert asked(microsoft, token).status_code == 401


def test_without_a_calendar_scope_graph_answers_403(microsoft):
    microsoft.put_person(ANA, scopes_granted=["openid"])

    answer = asked(microsoft, microsoft.connect(ANA)["access_token"])

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ErrorAccessDenied")
