"""Organizations at Microsoft: admin consent, tokens of the application's own, and what they open."""

import socket
import time
from contextlib import ExitStack
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from local.simulators.concurrency import Concurrency
from local.simulators.entra import object_id, tenant_id
from local.simulators.server import Refusal, Response

DEFAULT_SCOPE = "https://graph.microsoft.com/.default"
ADMIN, ANA, BEN = "admin@example.com", "ana@example.com", "ben@example.com"
ROOM = "oak@example.com"
TENANT = tenant_id("example.com")
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
EVERY_USER = "b79fbf4d-3ef9-4689-8143-76b194e85509"


def consent(microsoft, tenant="organizations", **changed):
    query = {
        "client_id": microsoft.client["client_id"],
        "scope": DEFAULT_SCOPE,
        "redirect_uri": "http://127.0.0.1:9999/callback",
        "state": "state of ours",
        **changed,
    }
    path = f"/{tenant}/v2.0/adminconsent"
    return microsoft.get(path, params={name: value for name, value in query.items() if value is not None})


def sent_back(microsoft, tenant="organizations", **changed):
    answer = consent(microsoft, tenant, **changed)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query, strict_parsing=True))


def application_token(microsoft, tenant=TENANT, **changed):
    microsoft.token_path = f"/{tenant}/oauth2/v2.0/token"
    return microsoft.token(**{"grant_type": "client_credentials", "scope": DEFAULT_SCOPE, **changed})


def bearer(microsoft, tenant=TENANT):
    answer = application_token(microsoft, tenant)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def read(microsoft, headers, *schedules, through=ADMIN):
    question = {
        "schedules": list(schedules) or [through],
        "startTime": {"dateTime": "2026-12-01T00:00:00", "timeZone": "UTC"},
        "endTime": {"dateTime": "2026-12-02T00:00:00", "timeZone": "UTC"},
    }
    headers = {**headers, "Prefer": 'outlook.timezone="UTC"'}
    return microsoft.post(path_of(through), json=question, headers=headers)


def path_of(mailbox):
    return f"/v1.0/{'me' if mailbox == 'me' else f'users/{mailbox}'}/calendar/getSchedule"


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


def told(answer):
    """The schedules of an answer: the status of each item, or what is wrong."""
    assert answer.status_code == 200, answer.text
    return {
        each["scheduleId"]: each["error"]["responseCode"]
        if "error" in each
        else [item["status"] for item in each["scheduleItems"]]
        for each in answer.json()["value"]
    }


# Admin consent.


def test_an_administrator_consents_for_the_tenant(microsoft):
    microsoft.put_organization(users=[ANA])

    answer = sent_back(microsoft, sim_user=ADMIN)

    assert answer == {
        "admin_consent": "True",
        "tenant": TENANT,
        "scope": "https://graph.microsoft.com/Calendars.ReadBasic.All https://graph.microsoft.com/.default",
        "state": "state of ours",
    }
    assert microsoft.get("/sim/tenants/example.com").json()["delegated"] is True
    assert told(read(microsoft, bearer(microsoft), ANA)) == {ANA: []}


def test_the_screen_says_what_is_asked_for(microsoft):
    microsoft.put_organization()

    page = consent(microsoft)

    assert page.status_code == 200
    assert "calendars in all mailboxes" in page.text
    assert f'value="{ADMIN}"' in page.text


def test_consent_takes_its_time(microsoft):
    microsoft.put_organization(propagation_ms=600_000)

    sent_back(microsoft, sim_user=ADMIN)

    assert refusal(read(microsoft, bearer(microsoft))) == (403, "ErrorAccessDenied")


@pytest.mark.parametrize("tenant", ["organizations", "example.com", TENANT])
@pytest.mark.parametrize("who", [{"sim_user": ADMIN}, {}])
def test_a_refusal_says_admin_consent_too(microsoft, tenant, who):
    microsoft.put_organization()

    answer = sent_back(microsoft, tenant, sim_deny="access_denied", **who)

    assert answer["admin_consent"] == "True"
    assert answer["error"] == "consent_required"
    assert answer["error_description"].startswith("AADSTS65004: ")
    assert answer["state"] == "state of ours"
    assert answer.get("tenant") == (TENANT if who or tenant != "organizations" else None)
    assert microsoft.get("/sim/tenants/example.com").json()["delegated"] is False


@pytest.mark.parametrize("email", [ANA, "eve@nowhere.example"])
def test_nobody_but_the_administrator_may_consent(microsoft, email):
    microsoft.put_organization(users=[ANA])

    answer = sent_back(microsoft, sim_user=email)

    assert (answer["admin_consent"], answer["error"]) == ("True", "access_denied")
    assert answer["error_description"].startswith("AADSTS90094: ")
    assert answer["tenant"] == tenant_id(email.partition("@")[2])
    assert microsoft.get("/sim/tenants/example.com").json()["delegated"] is False


def test_a_scope_that_is_not_the_default_one_is_told_to_the_client(microsoft):
    microsoft.put_organization()

    answer = sent_back(microsoft, scope="https://graph.microsoft.com/Calendars.ReadBasic", sim_user=ADMIN)

    assert (answer["admin_consent"], answer["error"]) == ("True", "invalid_scope")


@pytest.mark.parametrize(
    ("tenant", "changed", "said"),
    [
        pytest.param("common", {}, "AADSTS50059", id="no kind of tenant"),
        pytest.param("organizations", {"client_id": "somebody-else"}, "AADSTS700016", id="another client"),
        pytest.param("organizations", {"redirect_uri": None}, "AADSTS900971", id="no redirect URI"),
        pytest.param("organizations", {"state": ["a", "b"]}, "AADSTS9000411", id="a parameter twice"),
        pytest.param("organizations", {"sim_user": "nobody"}, "AADSTS50034", id="no address"),
        pytest.param("other.example", {}, "AADSTS50020", id="an administrator of another tenant"),
    ],
)
def test_other_mistakes_are_shown_to_the_person(microsoft, tenant, changed, said):
    microsoft.put_organization()

    answer = consent(microsoft, tenant, **{"sim_user": ADMIN, **changed})

    assert answer.status_code == 400
    assert said in answer.text


def test_consent_defeats_a_narrower_grant_in_exchange(microsoft):
    microsoft.put_organization(narrowed_to=[ANA], users=[ANA, BEN])

    sent_back(microsoft, sim_user=ADMIN)

    assert read(microsoft, bearer(microsoft), through=BEN).status_code == 200


# Tokens of the application's own.


@pytest.mark.parametrize("tenant", ["example.com", "Example.com", TENANT])
def test_the_application_gets_a_token_without_anybody(microsoft, tenant):
    microsoft.put_organization(delegated=True)

    answer = application_token(microsoft, tenant)

    assert answer.status_code == 200
    assert answer.json().keys() == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert 0 < answer.json()["expires_in"] <= 3600
    assert answer.headers["cache-control"].startswith("no-")


@pytest.mark.parametrize(
    ("tenant", "changed", "status", "error", "code"),
    [
        pytest.param("common", {}, 400, "invalid_request", 50059, id="no tenant"),
        pytest.param("organizations", {}, 400, "invalid_request", 50059, id="any tenant"),
        pytest.param("nowhere.example", {}, 400, "invalid_request", 90002, id="a domain that nobody knows"),
        pytest.param(tenant_id("nowhere.example"), {}, 400, "invalid_request", 90002, id="an id that nobody knows"),
        pytest.param(TENANT, {"scope": None}, 400, "invalid_request", 900144, id="no scope"),
        pytest.param(
            TENANT,
            {"scope": "https://graph.microsoft.com/Calendars.ReadBasic.All"},
            400,
            "invalid_scope",
            1002012,
            id="a scope by name",
        ),
        pytest.param(TENANT, {"client_secret": "guessed"}, 401, "invalid_client", 7000215, id="another secret"),
        pytest.param(TENANT, {"client_id": "other"}, 400, "unauthorized_client", 700016, id="another client"),
    ],
)
def test_microsoft_checks_client_credentials(microsoft, tenant, changed, status, error, code):
    microsoft.put_organization(delegated=True)

    answer = application_token(microsoft, tenant, **changed)

    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])


def test_a_tenant_that_never_met_the_application_does_not_know_it(microsoft):
    microsoft.put_organization(users=[ANA])

    answer = application_token(microsoft)

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [700016])


def test_a_token_is_issued_though_nothing_was_granted(microsoft):
    microsoft.put_organization(users=[ANA])
    microsoft.connect(ANA)

    assert refusal(read(microsoft, bearer(microsoft))) == (403, "ErrorAccessDenied")


def test_a_token_does_not_learn_of_later_consent(microsoft):
    microsoft.put_organization(users=[ANA])
    microsoft.connect(ANA)
    early = bearer(microsoft)

    sent_back(microsoft, sim_user=ADMIN)

    assert refusal(read(microsoft, early)) == (403, "ErrorAccessDenied")
    assert read(microsoft, bearer(microsoft)).status_code == 200


@pytest.mark.parametrize("withdraw", ["replace", "forget"])
def test_withdrawn_consent_closes_every_mailbox_at_once(microsoft, withdraw):
    microsoft.put_organization(delegated=True)
    headers = bearer(microsoft)
    assert read(microsoft, headers).status_code == 200

    if withdraw == "replace":
        microsoft.put_organization()
    else:
        microsoft.delete("/sim/tenants/example.com")

    assert refusal(read(microsoft, headers)) == (403, "ErrorAccessDenied")


def test_faults_of_the_token_operation_strike_client_credentials(microsoft):
    microsoft.put_organization(delegated=True)
    microsoft.fault(token={"status": 503, "times": 1})

    assert [application_token(microsoft).status_code for _ in range(2)] == [503, 200]


# Schedules.


def test_one_call_reads_colleagues_and_rooms(microsoft):
    microsoft.put_organization(delegated=True, users=[ANA, BEN], rooms=[{"email": ROOM, "name": "Oak"}])
    for email, status in [(ANA, "oof"), (BEN, "tentative"), (ROOM, "busy")]:
        entry = {"start": "2026-12-01T10:00:00Z", "end": "2026-12-01T11:00:00Z", "status": status}
        microsoft.put_person(email, busy=[entry])

    answer = read(microsoft, bearer(microsoft), ADMIN, ANA, BEN, ROOM)

    assert told(answer) == {ADMIN: [], ANA: ["oof"], BEN: ["tentative"], ROOM: ["busy"]}


@pytest.mark.parametrize(
    "through",
    [
        pytest.param(ANA, id="a person by address"),
        pytest.param("Ana@Example.com", id="in capitals"),
        pytest.param(object_id(ANA), id="by id"),
        pytest.param(ROOM, id="a room"),
    ],
)
def test_any_mailbox_of_the_tenant_will_do(microsoft, through):
    microsoft.put_organization(delegated=True, users=[ANA], rooms=[{"email": ROOM, "name": "Oak"}])

    assert told(read(microsoft, bearer(microsoft), ADMIN, through=through)) == {ADMIN: []}


@pytest.mark.parametrize(
    ("through", "code"),
    [
        pytest.param("nobody@example.com", "ErrorInvalidUser", id="nobody"),
        pytest.param("eve@other.example", "ErrorInvalidUser", id="of another tenant"),
        pytest.param("cleo@example.com", "ErrorInvalidUser", id="suspended"),
        pytest.param(object_id("nobody@example.com"), "ErrorInvalidUser", id="an id that nobody has"),
        pytest.param("gone@example.com", "MailboxNotEnabledForRESTAPI", id="without a mailbox"),
    ],
)
def test_the_mailbox_must_exist(microsoft, through, code):
    microsoft.put_organization(delegated=True, suspended=["cleo@example.com"])
    microsoft.put_organization("other.example", delegated=True, users=["eve@other.example"])
    microsoft.put_person("gone@example.com", exists=False)

    assert refusal(read(microsoft, bearer(microsoft), ADMIN, through=through)) == (404, code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("nobody@example.com", "ErrorMailRecipientNotFound", id="nobody"),
        pytest.param("eve@other.example", "ErrorMailRecipientNotFound", id="of another tenant"),
        pytest.param("cleo@example.com", "ErrorMailRecipientNotFound", id="suspended"),
        pytest.param("gone@example.com", "ErrorMailRecipientNotFound", id="without a mailbox"),
        pytest.param("hidden@example.com", "ErrorNoFreeBusyAccess", id="hidden"),
    ],
)
def test_a_schedule_that_is_not_seen_is_an_error_inside_a_200(microsoft, name, code):
    microsoft.put_organization(delegated=True, suspended=["cleo@example.com"], hidden=["hidden@example.com"])
    microsoft.put_organization("other.example", delegated=True, users=["eve@other.example"])
    microsoft.put_person("gone@example.com", exists=False)

    assert told(read(microsoft, bearer(microsoft), ADMIN, name)) == {ADMIN: [], name: code}


def test_whoever_hides_their_schedule_is_read_through_their_own_mailbox(microsoft):
    microsoft.put_organization(delegated=True, hidden=[ANA])

    assert told(read(microsoft, bearer(microsoft), through=ANA)) == {ANA: []}


def test_a_hidden_schedule_is_hidden_from_colleagues_own_consent_too(microsoft):
    microsoft.put_organization(hidden=[ANA], users=[BEN])
    headers = {"Authorization": f"Bearer {microsoft.connect(BEN)['access_token']}"}

    assert told(read(microsoft, headers, BEN, ANA, through="me")) == {BEN: [], ANA: "ErrorNoFreeBusyAccess"}


def test_more_than_twenty_schedules_are_refused(microsoft):
    microsoft.put_organization(delegated=True)

    answer = read(microsoft, bearer(microsoft), *(f"user{number}@example.com" for number in range(21)))

    assert refusal(answer) == (400, "ErrorMailboxDataArrayTooBig")


def test_nobody_is_me_for_an_application(microsoft):
    microsoft.put_organization(delegated=True)

    assert refusal(read(microsoft, bearer(microsoft), through="me")) == (400, "BadRequest")


def test_a_grant_in_exchange_opens_its_mailboxes_only(microsoft):
    microsoft.put_organization(narrowed_to=[ANA], users=[ANA, BEN])
    headers = bearer(microsoft)

    assert told(read(microsoft, headers, ANA, BEN, through=ANA)) == {ANA: [], BEN: []}
    refused = read(microsoft, headers, through=BEN)
    assert refusal(refused) == (403, "ErrorAccessDenied")
    assert refused.json()["error"]["message"] == "Access to OData is disabled."


# Concurrency.


def wait_at(microsoft, headers, path):
    """A call that is sent, and not answered yet."""
    at = microsoft.base_url
    waiting = socket.create_connection((at.host, at.port))
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    waiting.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\n{told}Content-Length: 0\r\n\r\n".encode())
    return waiting


@pytest.mark.parametrize("through", ["me", ANA])
def test_a_mailbox_takes_four_calls_at_once(microsoft, through):
    microsoft.put_organization(delegated=True, users=[ANA, BEN])
    [headers, others] = (
        [bearer(microsoft)] * 2
        if through == ANA
        else [{"Authorization": f"Bearer {microsoft.connect(email)['access_token']}"} for email in (ANA, BEN)]
    )
    microsoft.fault(busy={"delay_ms": 60_000})
    microsoft.delete("/sim/requests")

    with ExitStack() as stack:
        for mailbox in (path_of(through), *map(path_of, (ANA, ANA.upper(), object_id(ANA)))):
            stack.enter_context(wait_at(microsoft, headers, mailbox))
        while len(microsoft.get("/sim/requests").json()) < 4:
            time.sleep(0.01)
        microsoft.delete("/sim/faults")

        refused = read(microsoft, headers, ANA, through=through)
        assert refusal(refused) == (429, "ApplicationThrottled")
        assert int(refused.headers["retry-after"]) > 0
        assert read(microsoft, others, BEN, through=BEN).status_code == 200


def test_a_call_that_ended_makes_room_for_the_next():
    concurrency = Concurrency(1, Response(429))

    with concurrency.counted("a"), pytest.raises(Refusal), concurrency.counted("a"):
        pass
    with pytest.raises(ZeroDivisionError), concurrency.counted("a"):
        raise ZeroDivisionError
    with concurrency.counted("a"), concurrency.counted("b"):
        pass


# Rooms.


@pytest.fixture
def listed(microsoft):
    """The answer of Graph about the three rooms of a tenant."""

    def ask(**described):
        rooms = [{"email": f"{name.lower()}@example.com", "name": name} for name in ("Oak", "Elm", "Fir")]
        microsoft.put_organization(**{"delegated": True, "places": True, "rooms": rooms, **described})
        headers = bearer(microsoft)
        return lambda **query: microsoft.get("/v1.0/places/microsoft.graph.room", params=query, headers=headers)

    return ask


def test_an_application_lists_rooms(listed):
    answer = listed()().json()

    assert answer["value"] == [
        {
            "id": object_id(f"{name.lower()}@example.com"),
            "displayName": name,
            "emailAddress": f"{name.lower()}@example.com",
        }
        for name in ("Oak", "Elm", "Fir")
    ]
    assert "@odata.nextLink" not in answer


def test_rooms_come_in_pages_linked_at_graphs_own_address(listed):
    ask = listed()

    link = urlsplit(ask(**{"$top": 2}).json()["@odata.nextLink"])
    last = ask(**dict(parse_qsl(link.query))).json()

    assert (link.scheme, link.netloc, link.path) == (
        "https",
        "graph.microsoft.com",
        "/v1.0/places/microsoft.graph.room",
    )
    assert [room["displayName"] for room in last["value"]] == ["Fir"]
    assert "@odata.nextLink" not in last


@pytest.mark.parametrize("query", [{"$top": 0}, {"$top": "many"}, {"$skip": -1}])
def test_a_page_that_cannot_be_is_refused(listed, query):
    assert listed()(**query).status_code == 400


def test_rooms_take_a_permission_of_their_own(listed):
    assert refusal(listed(places=False)()) == (403, "Authorization_RequestDenied")


def test_nobodys_own_consent_lists_rooms(microsoft):
    microsoft.put_organization(places=True, users=[ANA])
    headers = {"Authorization": f"Bearer {microsoft.connect(ANA)['access_token']}"}

    answer = microsoft.get("/v1.0/places/microsoft.graph.room", headers=headers)

    assert refusal(answer) == (403, "Authorization_RequestDenied")


# Who is an administrator.


def wids(microsoft, email):
    keys = KeySet.import_key_set(microsoft.get("/organizations/discovery/v2.0/keys").json())
    return jwt.decode(microsoft.connect(email)["id_token"], keys, algorithms=["RS256"]).claims.get("wids")


def test_an_id_token_tells_who_administers_the_tenant(microsoft):
    microsoft.put_organization(users=[ANA])

    assert GLOBAL_ADMINISTRATOR in wids(microsoft, ADMIN)
    assert wids(microsoft, ANA) == [EVERY_USER]
    assert wids(microsoft, "eve@nowhere.example") == [EVERY_USER]


def test_an_id_token_tells_nothing_when_the_claim_is_not_configured(microsoft):
    microsoft.put_organization(wids=False)

    assert wids(microsoft, ADMIN) is None
