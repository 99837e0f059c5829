"""Domain-wide delegation at Google: assertions, whom they impersonate, and what their tokens open."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

PREFIX = "https://www.googleapis.com/auth/"
FREE_BUSY_SCOPE = f"{PREFIX}calendar.freebusy"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ADMIN, ANA, BEN = "admin@example.com", "ana@example.com", "ben@example.com"
ROOM = "c_188oak@resource.calendar.google.com"
TEN = {"start": "2026-12-01T10:00:00Z", "end": "2026-12-01T11:00:00Z"}
NOT_FOUND = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}


@pytest.fixture
def account(google):
    return google.get("/sim/service_account").json()


@pytest.fixture
def key(account):
    return RSAKey.import_key(account["private_key"])


@pytest.fixture
def asserted(google, account, key):
    """The answer of the token endpoint; a claim that is None is left out."""

    def ask(*, key=key, header=None, **changed):
        now = int(time.time())
        claims = {
            "iss": account["client_email"],
            "aud": account["token_uri"],
            "scope": FREE_BUSY_SCOPE,
            "sub": ANA,
            "iat": now,
            "exp": now + 3600,
            **changed,
        }
        told = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": account["private_key_id"], **(header or {})}
        assertion = jwt.encode(header, told, key, algorithms=[header["alg"]])
        return google.post("/token", data={"grant_type": GRANT_TYPE, "assertion": assertion})

    return ask


@pytest.fixture
def asked(google, asserted):
    """The calendars of a free/busy answer, by the token of whom is impersonated."""

    def ask(*names, subject=ANA):
        answer = free_busy(google, asserted(sub=subject).json()["access_token"], *names)
        assert answer.status_code == 200, answer.text
        return answer.json()["calendars"]

    return ask


def free_busy(google, token, *names, **query):
    question = {
        "timeMin": "2026-12-01T00:00:00Z",
        "timeMax": "2026-12-02T00:00:00Z",
        "items": [{"id": name} for name in names],
    }
    headers = {"Authorization": f"Bearer {token}"}
    return google.post("/calendar/v3/freeBusy", json=question, headers=headers, params=query)


def refusal(answer):
    return answer.status_code, answer.json()["error"]


# The service account.


def test_the_key_file_is_googles(account, key):
    assert account["type"] == "service_account"
    assert account["client_id"].isdigit()
    assert len(account["client_id"]) == 21
    assert account["token_uri"] == "https://oauth2.googleapis.com/token"
    assert account["client_email"].endswith(f"@{account['project_id']}.iam.gserviceaccount.com")
    assert len(account["private_key_id"]) == 40
    assert account["private_key"].startswith("-----BEGIN")
    assert key.is_private


def test_the_key_file_is_the_same_each_time(google, account):
    assert google.get("/sim/service_account").json() == account


def test_a_second_key_signs_as_well_until_it_is_deleted(google, asserted, account):
    google.put_organization(delegated=True, users=[ANA])
    second = google.post("/sim/service_account/keys").json()
    assert {**second, "private_key": "", "private_key_id": ""} == {**account, "private_key": "", "private_key_id": ""}
    signing = {"key": RSAKey.import_key(second["private_key"]), "header": {"kid": second["private_key_id"]}}
    assert [asserted(**each).status_code for each in (signing, {})] == [200, 200]
    assert refusal(asserted(key=signing["key"])) == (400, "invalid_grant"), "its signature under the first key's id"
    assert google.delete(f"/sim/service_account/keys/{second['private_key_id']}").status_code == 204
    assert refusal(asserted(**signing)) == (400, "invalid_grant")
    assert asserted().status_code == 200


def test_microsoft_has_no_service_account(microsoft):
    assert microsoft.get("/sim/service_account").status_code == 404


# Assertions.


def test_an_assertion_buys_an_access_token_and_nothing_else(google, asserted):
    google.put_organization(delegated=True, users=[ANA])

    answer = asserted()

    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "expires_in", "token_type"}
    assert answer.json()["token_type"] == "Bearer"
    assert 0 < answer.json()["expires_in"] <= 3600
    assert answer.headers["cache-control"].startswith("no-")


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        pytest.param({"iss": "somebody@else.example"}, "invalid_grant", "account not found", id="another issuer"),
        pytest.param({"iss": None}, "invalid_grant", "account not found", id="no issuer"),
        pytest.param({"aud": "https://accounts.google.com"}, "invalid_grant", "audience", id="another audience"),
        pytest.param({"iat": None}, "invalid_grant", "iat and exp", id="no iat"),
        pytest.param({"exp": None}, "invalid_grant", "iat and exp", id="no exp"),
        pytest.param({"exp": "soon"}, "invalid_grant", "iat and exp", id="words for a time"),
        pytest.param({"exp": True}, "invalid_grant", "iat and exp", id="a truth for a time"),
        pytest.param({"scope": None}, "invalid_scope", "scope", id="no scope"),
        pytest.param({"scope": " "}, "invalid_scope", "scope", id="an empty scope"),
        pytest.param({"scope": [FREE_BUSY_SCOPE]}, "invalid_scope", "scope", id="a list of scopes"),
        pytest.param({"scope": "calendar.freebusy"}, "invalid_scope", "scope", id="a scope that does not exist"),
        pytest.param({"sub": "nobody@example.com"}, "invalid_grant", "Invalid email or User ID", id="nobody"),
        pytest.param({"sub": "eve@other.example"}, "invalid_grant", "Invalid email or User ID", id="a stranger"),
        pytest.param({"sub": "cleo@example.com"}, "invalid_grant", "Invalid email or User ID", id="suspended"),
        pytest.param({"sub": ROOM}, "invalid_grant", "Invalid email or User ID", id="a room"),
        pytest.param({"sub": ""}, "invalid_grant", "Invalid email or User ID", id="an empty address"),
        pytest.param({"sub": 1}, "invalid_grant", "Invalid email or User ID", id="a number"),
    ],
)
def test_google_checks_the_claims(google, asserted, changed, error, said):
    google.put_organization(
        delegated=True, users=[ANA], suspended=["cleo@example.com"], rooms=[{"email": ROOM, "name": "Oak"}]
    )
    google.put_person(ROOM, busy=[TEN])

    answer = asserted(**changed)

    assert refusal(answer) == (400, error)
    assert said in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("issued", "expires"),
    [
        pytest.param(-3601, -1, id="expired"),
        pytest.param(0, 3700, id="lives longer than an hour"),
        pytest.param(1800, 3600, id="issued in half an hour"),
        pytest.param(0, -60, id="ends before it starts"),
        pytest.param(-7200, 600, id="two hours old"),
    ],
)
def test_an_assertion_must_be_short_lived_and_of_now(google, asserted, issued, expires):
    google.put_organization(delegated=True, users=[ANA])
    now = int(time.time())

    answer = asserted(iat=now + issued, exp=now + expires)

    assert refusal(answer) == (400, "invalid_grant")
    assert "short-lived" in answer.json()["error_description"]


@pytest.mark.parametrize(
    "signing",
    [
        pytest.param({"key": RSAKey.generate_key(2048, private=True)}, id="another key"),
        pytest.param({"header": {"kid": "f" * 40}}, id="another key id"),
        pytest.param({"header": {"alg": "RS512"}}, id="another algorithm"),
        pytest.param({"key": OctKey.generate_key(256), "header": {"alg": "HS256"}}, id="a shared secret"),
    ],
)
def test_google_checks_the_signature(google, asserted, signing):
    google.put_organization(delegated=True, users=[ANA])

    answer = asserted(**signing)

    assert refusal(answer) == (400, "invalid_grant")
    assert "Signature" in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param({}, "invalid_request", id="no assertion"),
        pytest.param({"assertion": "a.b.c"}, "invalid_grant", id="no JWT"),
        pytest.param({"assertion": ["a", "b"]}, "invalid_request", id="two assertions"),
    ],
)
def test_google_wants_one_assertion(google, form, error):
    assert refusal(google.post("/token", data={"grant_type": GRANT_TYPE, **form})) == (400, error)


@pytest.mark.parametrize(
    ("described", "scope"),
    [
        pytest.param({"delegated": False}, FREE_BUSY_SCOPE, id="not delegated"),
        pytest.param({"delegated": True, "propagation_ms": 600_000}, FREE_BUSY_SCOPE, id="not yet propagated"),
        pytest.param(
            {"delegated": True, "scopes": [f"{PREFIX}calendar.readonly"]}, FREE_BUSY_SCOPE, id="a wider scope only"
        ),
        pytest.param(
            {"delegated": True},
            f"{FREE_BUSY_SCOPE} {PREFIX}admin.directory.resource.calendar.readonly",
            id="one scope too many",
        ),
    ],
)
def test_delegation_must_be_there_for_every_scope(google, asserted, described, scope):
    google.put_organization(users=[ANA], **described)

    answer = asserted(scope=scope)

    assert refusal(answer) == (401, "unauthorized_client")
    assert answer.json()["error_description"].startswith("Client is unauthorized to retrieve access tokens")


def test_somebody_whose_organization_never_heard_of_us_cannot_be_impersonated(google, asserted):
    google.put_person(ANA)

    assert refusal(asserted()) == (401, "unauthorized_client")


def test_whoever_is_of_the_domain_can_be_impersonated(google, asserted):
    google.put_organization(delegated=True)
    google.put_person(ANA)

    assert asserted().status_code == 200


def test_faults_of_the_token_operation_strike_assertions(google, asserted):
    google.put_organization(delegated=True, users=[ANA])
    google.fault(token={"status": 503, "times": 1})

    assert [asserted().status_code for _ in range(2)] == [503, 200]


# What is seen.


def test_one_token_reads_the_whole_organization(google, asked):
    google.put_organization(delegated=True, users=[ANA, BEN], rooms=[{"email": ROOM, "name": "Oak"}])
    for email in (ANA, BEN, ROOM):
        google.put_person(email, busy=[TEN])

    assert asked("primary", ANA, "Ben@Example.com", ROOM, ADMIN) == {
        "primary": {"busy": [TEN]},
        ANA: {"busy": [TEN]},
        "Ben@Example.com": {"busy": [TEN]},
        ROOM: {"busy": [TEN]},
        ADMIN: {"busy": []},
    }


def test_a_room_is_free_until_something_is_said_about_it(google, asked):
    google.put_organization(delegated=True, users=[ANA], rooms=[{"email": ROOM, "name": "Oak"}])

    assert asked(ROOM) == {ROOM: {"busy": []}}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nobody@example.com", id="nobody"),
        pytest.param("hidden@example.com", id="hidden"),
        pytest.param("cleo@example.com", id="suspended"),
        pytest.param("gone@example.com", id="without a calendar"),
        pytest.param("eve@other.example", id="of another organization"),
        pytest.param("elm@resource.calendar.google.com", id="a room of another organization"),
    ],
)
def test_a_calendar_that_is_not_seen_is_an_error_inside_a_200(google, asked, name):
    google.put_organization(delegated=True, users=[ANA], hidden=["hidden@example.com"], suspended=["cleo@example.com"])
    google.put_organization(
        "other.example",
        delegated=True,
        users=["eve@other.example"],
        rooms=[{"email": "elm@resource.calendar.google.com", "name": "Elm"}],
    )
    google.put_person("gone@example.com", exists=False)

    assert asked("primary", name) == {"primary": {"busy": []}, name: NOT_FOUND}


@pytest.mark.parametrize("name", ["primary", "hidden@example.com"])
def test_whoever_hides_their_calendar_sees_it_themselves(google, asked, name):
    google.put_organization(delegated=True, hidden=["hidden@example.com"])

    assert asked(name, subject="hidden@example.com") == {name: {"busy": []}}


def test_fifty_calendars_are_read_at_once_and_no_more(google, asked):
    names = [f"user{number}@example.com" for number in range(51)]
    google.put_organization(delegated=True, users=[ANA, *names])

    assert all(calendar == {"busy": []} for calendar in asked(*names[:50]).values())
    too_many = asked(*names)
    assert len(too_many) == 51
    assert {calendar["errors"][0]["reason"] for calendar in too_many.values()} == {"tooManyCalendarsRequested"}


def test_without_a_subject_nobodys_calendar_is_seen(google, asked):
    google.put_organization(delegated=True, users=[ANA])

    assert asked("primary", ANA, subject=None) == {"primary": NOT_FOUND, ANA: NOT_FOUND}


def test_ones_own_consent_still_opens_ones_own_calendar_only(google):
    google.put_organization(delegated=True, users=[ANA, BEN])
    token = google.connect(ANA)["access_token"]

    answer = free_busy(google, token, "primary", BEN).json()["calendars"]

    assert answer == {"primary": {"busy": []}, BEN: NOT_FOUND}


@pytest.mark.parametrize(("length", "status"), [(40, 200), (41, 400)])
def test_a_quota_user_has_forty_characters_at_most(google, asserted, length, status):
    google.put_organization(delegated=True, users=[ANA])

    answer = free_busy(google, asserted().json()["access_token"], "primary", quotaUser="a" * length)

    assert answer.status_code == status


# How it ends.


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"delegated": False}, id="withdrawn"),
        pytest.param({"delegated": True, "scopes": [f"{PREFIX}calendar.readonly"]}, id="withdrawn for this scope"),
        pytest.param({"delegated": True, "suspended": [ANA]}, id="suspended"),
    ],
)
def test_a_token_dies_with_what_it_comes_from(google, asserted, changed):
    google.put_organization(delegated=True, users=[ANA])
    token = asserted().json()["access_token"]
    assert free_busy(google, token, "primary").status_code == 200

    google.put_organization(users=[ANA], **changed)

    assert free_busy(google, token, "primary").status_code == 401


@pytest.mark.parametrize("path", ["/sim/domains/example.com", f"/sim/users/{ANA}"])
def test_a_token_dies_with_its_organization_and_with_its_subject(google, asserted, path):
    google.put_organization(delegated=True, users=[ANA])
    token = asserted().json()["access_token"]

    google.delete(path)

    assert free_busy(google, token, "primary").status_code == 401


def test_a_token_does_not_come_back_to_life(google, asserted):
    google.put_organization(delegated=True, users=[ANA])
    token = asserted().json()["access_token"]

    google.put_organization(delegated=False)
    google.put_organization(delegated=True, users=[ANA])

    assert free_busy(google, token, "primary").status_code == 401
    assert free_busy(google, asserted().json()["access_token"], "primary").status_code == 200


def test_a_token_outlives_a_change_of_something_else(google, asserted):
    google.put_organization(delegated=True, users=[ANA])
    token = asserted().json()["access_token"]

    google.put_organization(delegated=True, users=[ANA, BEN])

    assert free_busy(google, token, BEN).status_code == 200


def test_a_token_lives_as_long_as_its_subject_says(google, asserted):
    google.put_organization(delegated=True, users=[ANA])
    google.put_person(ANA, token_lifetime=0)

    answer = asserted().json()

    assert answer["expires_in"] == 0
    assert free_busy(google, answer["access_token"], "primary").status_code == 401


def test_a_persons_own_withdrawal_does_not_touch_delegation(google, asserted):
    google.put_organization(delegated=True, users=[ANA])
    token = asserted().json()["access_token"]

    google.post(f"/sim/users/{ANA}/revoke")

    assert free_busy(google, token, "primary").status_code == 200


# Rooms.

ROOMS_SCOPE = f"{PREFIX}admin.directory.resource.calendar.readonly"
ROOMS_PATH = "/admin/directory/v1/customer/my_customer/resources/calendars"


@pytest.fixture
def listed(google, asserted):
    """The answer of the directory, in the name of somebody, at an organization of three rooms."""
    google.put_organization(
        delegated=True,
        users=[ANA],
        scopes=[FREE_BUSY_SCOPE, ROOMS_SCOPE],
        rooms=[
            {"email": f"c_{name.lower()}@resource.calendar.google.com", "name": name} for name in ("Oak", "Elm", "Fir")
        ],
    )

    def ask(subject=ADMIN, scope=ROOMS_SCOPE, **query):
        token = asserted(sub=subject, scope=scope).json()["access_token"]
        return google.get(ROOMS_PATH, params=query, headers={"Authorization": f"Bearer {token}"})

    return ask


def test_the_administrator_lists_rooms(listed):
    answer = listed().json()

    assert answer["kind"] == "admin#directory#resources#calendars#calendarResourcesList"
    assert "nextPageToken" not in answer
    assert [room["resourceName"] for room in answer["items"]] == ["Oak", "Elm", "Fir"]
    [oak, *_] = answer["items"]
    assert oak["resourceEmail"] == "c_oak@resource.calendar.google.com"
    assert oak["resourceCategory"] == "CONFERENCE_ROOM"
    assert oak.keys() == {
        "kind",
        "resourceId",
        "resourceName",
        "generatedResourceName",
        "resourceEmail",
        "resourceCategory",
    }


def test_rooms_come_in_pages(listed):
    first = listed(maxResults=2).json()
    second = listed(maxResults=2, pageToken=first["nextPageToken"]).json()

    assert [room["resourceName"] for room in first["items"] + second["items"]] == ["Oak", "Elm", "Fir"]
    assert "nextPageToken" not in second


@pytest.mark.parametrize(
    "query", [{"maxResults": 0}, {"maxResults": 501}, {"maxResults": "many"}, {"pageToken": "4"}, {"pageToken": "!"}]
)
def test_a_page_that_cannot_be_is_refused(listed, query):
    assert listed(**query).status_code == 400


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        pytest.param({"subject": ANA}, "forbidden", id="somebody else"),
        pytest.param({"subject": None}, "forbidden", id="nobody"),
        pytest.param({"scope": FREE_BUSY_SCOPE}, "insufficientPermissions", id="without the scope"),
    ],
)
def test_nobody_else_lists_rooms(listed, who, reason):
    answer = listed(**who)

    assert answer.status_code == 403
    assert answer.json()["error"]["errors"][0]["reason"] == reason


# DNS.


def resolved(google, name="_freebusy-connect.example.com", kind="TXT"):
    answer = google.get("/resolve", params={"name": name, "type": kind})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_domains_txt_records_are_found(google):
    google.put_organization(txt=["first=1", "second=2"])

    answer = resolved(google)

    assert (answer["Status"], answer["AD"]) == (0, False)
    assert answer["Question"] == [{"name": "_freebusy-connect.example.com.", "type": 16}]
    assert answer["Answer"] == [
        {"name": "_freebusy-connect.example.com.", "type": 16, "TTL": 300, "data": text}
        for text in ("first=1", "second=2")
    ]


@pytest.mark.parametrize("name", ["_FreeBusy-Connect.Example.com", "_freebusy-connect.example.com."])
def test_a_name_is_the_same_in_capitals_and_with_a_final_dot(google, name):
    google.put_organization(txt=["first=1"])

    assert resolved(google, name)["Answer"]


def test_the_type_may_be_a_number(google):
    google.put_organization(txt=["first=1"])

    assert resolved(google, kind="16")["Answer"]


def test_a_name_without_a_record_of_the_type_is_no_error(google):
    google.put_organization(txt=["first=1"])

    answer = resolved(google, kind="A")

    assert answer["Status"] == 0
    assert "Answer" not in answer


@pytest.mark.parametrize(
    "name",
    ["_freebusy-connect.empty.example", "_freebusy-connect.nowhere.example", "example.com", "_other.example.com"],
)
def test_a_name_that_is_not_there_has_status_3(google, name):
    google.put_organization(txt=["first=1"])
    google.put_organization("empty.example")

    answer = resolved(google, name)

    assert answer["Status"] == 3
    assert "Answer" not in answer


@pytest.mark.parametrize("query", [{}, {"name": "example.com", "type": "ANYTHING"}])
def test_dns_refuses_what_is_no_question(google, query):
    assert google.get("/resolve", params=query).status_code == 400
