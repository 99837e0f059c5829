"""Google's freeBusy.query: what it refuses, and how it shows busy periods."""

from datetime import UTC, datetime, timedelta

import pytest

DAY = {"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00Z"}
MINE = [{"id": "primary"}]


def asked(google, token, **question):
    question = {**DAY, "items": MINE, **question}
    return google.post(
        "/calendar/v3/freeBusy",
        json={name: value for name, value in question.items() if value is not None},
        headers={"Authorization": f"Bearer {token}"},
    )


def busy(google, *entries, **question):
    """The busy periods of somebody with these entries: start, end and perhaps a status."""
    google.put_person(
        "ana@example.com", busy=[dict(zip(("start", "end", "status"), each, strict=False)) for each in entries]
    )
    answer = asked(google, google.connect("ana@example.com")["access_token"], **question)
    assert answer.status_code == 200, answer.text
    return [(period["start"], period["end"]) for period in answer.json()["calendars"]["primary"]["busy"]]


def at(time):
    return f"2026-12-01T{time}:00Z"


@pytest.fixture
def token(google):
    return google.connect("ana@example.com")["access_token"]


def test_the_answer_has_googles_shape(google, token):
    assert asked(google, token).json() == {
        "kind": "calendar#freeBusy",
        "timeMin": "2026-12-01T00:00:00.000Z",
        "timeMax": "2026-12-02T00:00:00.000Z",
        "calendars": {"primary": {"busy": []}},
    }


def test_the_owners_address_names_the_main_calendar(google, token):
    answer = asked(google, token, items=[{"id": "Ana@Example.com"}])

    assert answer.json()["calendars"] == {"Ana@Example.com": {"busy": []}}


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        pytest.param([("09", "10"), ("12", "13")], [("09", "10"), ("12", "13")], id="apart"),
        pytest.param([("12", "13"), ("09", "10")], [("09", "10"), ("12", "13")], id="in any order"),
        pytest.param([("09", "11"), ("10", "12")], [("09", "12")], id="double booked"),
        pytest.param([("09", "12"), ("10", "11")], [("09", "12")], id="one inside the other"),
        pytest.param([("09", "10"), ("10", "11")], [("09", "11")], id="back to back"),
    ],
)
def test_busy_periods_are_merged(google, entries, shown):
    found = busy(google, *((at(f"{start}:00"), at(f"{end}:00")) for start, end in entries))

    assert found == [(at(f"{start}:00"), at(f"{end}:00")) for start, end in shown]


@pytest.mark.parametrize(
    ("status", "is_shown"),
    [
        ("busy", True),
        ("tentative", True),
        ("oof", True),
        ("unknown", True),
        ("free", False),
        ("workingElsewhere", False),
    ],
)
def test_transparent_entries_are_not_shown(google, status, is_shown):
    assert bool(busy(google, (at("09:00"), at("10:00"), status))) is is_shown


@pytest.mark.parametrize(
    ("start", "end", "is_shown"),
    [
        pytest.param("2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z", False, id="ends as the window opens"),
        pytest.param("2026-12-02T00:00:00Z", "2026-12-02T01:00:00Z", False, id="starts as the window closes"),
        pytest.param("2026-11-30T23:00:00Z", "2026-12-01T00:00:01Z", True, id="reaches in for a second"),
        pytest.param("2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z", True, id="covers the window"),
    ],
)
def test_periods_that_overlap_the_window_are_shown_whole(google, start, end, is_shown):
    assert busy(google, (start, end)) == ([(start, end)] if is_shown else [])


def test_times_are_shown_in_the_zone_that_was_asked_for(google):
    found = busy(google, (at("09:00"), at("10:00")), timeZone="Europe/Paris")

    assert found == [("2026-12-01T10:00:00+01:00", "2026-12-01T11:00:00+01:00")]


def test_offsets_are_understood(google):
    found = busy(
        google, (at("09:00"), at("10:00")), timeMin="2026-12-01T10:59:00+01:00", timeMax="2026-12-01T12:00:00+01:00"
    )

    assert found == [(at("09:00"), at("10:00"))]


@pytest.mark.parametrize("name", ["ben@example.com", "nobody@example.com", "", "addressbook#contacts"])
def test_other_calendars_are_an_error_inside_a_200(google, token, name):
    google.put_person("ben@example.com")

    answer = asked(google, token, items=[*MINE, {"id": name}])

    assert answer.status_code == 200
    assert answer.json()["calendars"][name] == {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
    assert answer.json()["calendars"]["primary"] == {"busy": []}


def test_a_person_without_a_calendar_is_an_error_inside_a_200(google):
    google.put_person("ana@example.com", exists=False)

    answer = asked(google, google.connect("ana@example.com")["access_token"])

    assert answer.json()["calendars"]["primary"]["errors"] == [{"domain": "global", "reason": "notFound"}]


def test_too_many_calendars_are_an_error_of_each(google, token):
    answer = asked(google, token, items=[{"id": f"{number}@example.com"} for number in range(50)] + MINE)

    calendars = answer.json()["calendars"]
    assert answer.status_code == 200
    assert len(calendars) == 51
    assert {each["errors"][0]["reason"] for each in calendars.values()} == {"tooManyCalendarsRequested"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"timeMin": None}, "required", id="no start"),
        pytest.param({"timeMax": None}, "required", id="no end"),
        pytest.param({"timeMin": "2026-12-01T00:00:00"}, "badRequest", id="no offset"),
        pytest.param({"timeMin": "2026-12-01"}, "badRequest", id="a date"),
        pytest.param({"timeMin": "2026-02-31T00:00:00Z"}, "badRequest", id="a day that does not exist"),
        pytest.param({"timeMin": 1764547200}, "badRequest", id="a number"),
        pytest.param({"timeMax": DAY["timeMin"]}, "timeRangeEmpty", id="an empty window"),
        pytest.param({"timeMax": "2026-11-30T00:00:00Z"}, "timeRangeEmpty", id="a backward window"),
        pytest.param({"timeZone": "Mars/Olympus"}, "invalid", id="an unknown zone"),
        pytest.param({"items": "primary"}, "parseError", id="items that are no list"),
        pytest.param({"calendarExpansionMax": 51}, "invalidParameter", id="more calendars than there may be"),
        pytest.param({"groupExpansionMax": 101}, "invalidParameter", id="larger groups than there may be"),
    ],
)
def test_bad_questions_are_refused_in_googles_words(google, token, changed, reason):
    answer = asked(google, token, **changed)

    body = answer.json()["error"]
    assert (answer.status_code, body["code"], body["errors"][0]["reason"]) == (400, 400, reason)
    assert body["message"] == body["errors"][0]["message"]


def test_a_window_may_be_ninety_days_long_and_no_longer(google, token):
    start = datetime(2026, 12, 1, tzinfo=UTC)
    last = start + timedelta(days=90)

    assert asked(google, token, timeMax=last.isoformat()).status_code == 200
    refused = asked(google, token, timeMax=(last + timedelta(seconds=1)).isoformat())
    assert (refused.status_code, refused.json()["error"]["errors"][0]["reason"]) == (400, "timeRangeTooLong")


@pytest.mark.parametrize("content", ["{", "[]", '"primary"', ""])
def test_what_is_no_json_object_is_refused(google, token, content):
    answer = google.post(
        "/calendar/v3/freeBusy",
        content=content,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "parseError")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param({}, "required", id="no token"),
        pytest.param({"Authorization": "Basic YTpi"}, "required", id="another scheme"),
        pytest.param({"Authorization": "Bearer ya29.guessed"}, "authError", id="an unknown token"),
    ],
)
def test_without_a_good_token_google_answers_401(google, headers, reason):
    answer = google.post("/calendar/v3/freeBusy", json={**DAY, "items": MINE}, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert answer.json()["error"]["errors"][0]["reason"] == reason
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_an_expired_token_is_no_good(google):
    google.put_person("ana@example.com", token_lifetime=0)

    answer = asked(google, google.connect("ana@example.com")["access_token"])

    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (401, "authError")


def test_a_token_of_withdrawn_consent_is_no_good(google, token):
    google.post("/sim/users/ana@example.com/revoke")

    assert asked(google, token).status_code == 401


def test_without_the_calendar_scope_google_answers_403(google):
    google.put_person("ana@example.com", scopes_granted=["openid", "email"])

    answer = asked(google, google.connect("ana@example.com")["access_token"])

    assert answer.status_code == 403
    assert answer.json()["error"]["errors"][0]["reason"] == "insufficientPermissions"
