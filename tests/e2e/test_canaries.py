"""No log repeats what somebody sent or was sent: not a function's, at any level, nor the gateway's.

This runs after all other tests, so that what they sent through the stack is looked for too. By itself it brings a word
to every place where callers, people, applications and providers can put one, and looks for that.
"""

from __future__ import annotations

import contextlib
import json
import re
from http import HTTPStatus
from typing import Any

import httpx
import pycronofy
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from local import emulator as aws
from local.browser import visit
from tests.canaries import CANARY, disguises, found, seen_in
from tests.e2e.administrators import connect_organization, describe
from tests.e2e.days import at
from tests.receiver import receiving
from tests.template.deployment import LOGICAL_ID
from tests.waiting import until

pytestmark = pytest.mark.stack

PROVIDERS = ["google", "microsoft"]
SECRET = f"{CANARY}-secret-that-nobody-has"
HEADERS = {
    "Authorization": f"Bearer {SECRET}",
    "Accept-Language": CANARY,
    "Content-Type": "application/json",
    "Cookie": f"__Host-{CANARY}={CANARY}; __Host-freebusy-connections={SECRET}; freebusy-connections={SECRET}",
    "Cronofy-HMAC-SHA256": CANARY,
    "Idempotency-Key": CANARY,
    "Origin": f"https://{CANARY}.example",
    "User-Agent": CANARY,
}
ODD_QUERY = f"{CANARY}={CANARY}&tzid={CANARY}&from={CANARY}&calendar_ids[]={CANARY}&state={CANARY}&code={CANARY}"
ODD_PATHS = [
    f"GET /v1/{CANARY}",
    f"GET /v1/free_busy/pages/{CANARY}",
    f"GET /v1/events/pages/{CANARY}",
    f"GET /v1/availability_rules/{CANARY}",
    f"POST /v1/calendars/{CANARY}/events",
    f"DELETE /v1/calendars/{CANARY}/events",
    f"POST /v1/profiles/{CANARY}/revoke",
    f"POST /v1/calendars/{CANARY}/events/{CANARY}/participation_status",
    "GET /v1/free_busy",
    "GET /v1/events",
    "GET /v1/account",
    "POST /v1/availability",
    "POST /v1/availability/explain",
    "POST /v1/sequenced_availability",
    "POST /v1/availability_rules",
    "POST /v1/available_periods",
    "POST /v1/batch",
    "POST /v1/service_account_authorizations",
    "GET /v1/channels",
    "POST /v1/channels",
    f"DELETE /v1/channels/{CANARY}",
    f"GET /connections?disconnected={CANARY}",
    f"GET /connections/sign_in/{CANARY}",
    f"GET /connections/{CANARY}/disconnect",
    f"POST /enterprise_connect/answers/{CANARY}",
    f"POST /upstream/cronofy/channels/{CANARY}",
    f"GET /oauth/callback/google?state=person.{CANARY}&code={CANARY}",
    "POST /oauth/token",
    "POST /oauth/token/revoke",
    f"GET /oauth/authorize?client_id={CANARY}&redirect_uri=https://{CANARY}.example",
    f"GET /oauth/callback/google?error={CANARY}",
    f"GET /oauth/callback/{CANARY}",
    f"GET /oauth/relink/{CANARY}/{CANARY}",
    f"GET /enterprise_connect/setup/{CANARY}?mailbox={CANARY}@{CANARY}.example",
    f"GET /enterprise_connect/callback/google?error={CANARY}",
    f"GET /docs/{CANARY}",
    f"OPTIONS /v1/{CANARY}",
]
ODD_BODIES = [
    pytest.param(CANARY, id="no JSON"),
    pytest.param(json.dumps({CANARY: CANARY}), id="a name nobody knows"),
    pytest.param(
        json.dumps(
            {
                "participants": [{"members": [{"sub": CANARY, CANARY: CANARY}], "required": CANARY}],
                "required_duration": {"minutes": CANARY},
                "query_periods": [{"start": CANARY, "end": {CANARY: CANARY}}],
                "sequence": [{"sequence_id": CANARY, "ordinal": CANARY}],
                "batch": [{"method": CANARY, "relative_url": f"/v1/{CANARY}", "data": CANARY}, CANARY],
                "event_id": CANARY,
                "summary": {CANARY: CANARY},
                "start": CANARY,
                "end": [CANARY],
                "tzid": CANARY,
                "attendees": {"invite": [{"email": f"{CANARY} at {CANARY}"}]},
                "weekly_periods": [{"day": CANARY, "start_time": CANARY}],
                "available_period_id": [CANARY],
                "availability_rule_id": {CANARY: CANARY},
                "service_account_authorizations": [{"email": CANARY, "callback_url": f"https://{CANARY}.invalid/"}],
                "email": CANARY,
                "callback_url": f"ftp://{CANARY}.invalid/{CANARY}",
                "grant_type": CANARY,
                "client_id": CANARY,
                "client_secret": SECRET,
                "code": SECRET,
                "refresh_token": SECRET,
            }
        ),
        id="wrong values of names that are known",
    ),
]


@pytest.fixture
def person(stack, connect) -> pycronofy.Client:
    """Somebody whose token is refreshed each time."""
    return connect("google", f"{CANARY}@google.example", [(9, 10)], token_lifetime=1)


def client_of(stack: dict[str, Any], **changed: Any) -> pycronofy.Client:
    return pycronofy.Client(**{"client_id": stack["client_id"], "client_secret": stack["client_secret"], **changed})


def authorize(stack: dict[str, Any], provider_name: str, **consent: str) -> dict[str, str]:
    back = stack["redirect_uris"][0]
    link = client_of(stack).user_auth_link(back, scope="free_busy_write", state=CANARY, provider_name=provider_name)
    return visit(link, until=back, consent=consent)


def send_oddly(stack: dict[str, Any], bearer: str, body: str) -> None:
    with httpx.Client(base_url=stack["url"], timeout=30) as caller:
        for odd in ODD_PATHS:
            method, path = odd.split(" ")
            for headers in (HEADERS, {**HEADERS, "Authorization": f"Bearer {bearer}"}):
                for sent in (path, f"{path}{'&' if '?' in path else '?'}{ODD_QUERY}"):
                    caller.request(method, sent, headers=headers, content=body if method == "POST" else None)
        form = {"grant_type": CANARY, "client_id": CANARY, "client_secret": SECRET, "code": SECRET, CANARY: CANARY}
        caller.post("/oauth/token", data=form)
        caller.post("/oauth/token", data={**form, "client_id": stack["client_id"], "grant_type": "refresh_token"})


def refuse_and_fail(stack: dict[str, Any]) -> None:
    """At the consent screen, and at the providers' calls behind it, which answer with the word."""
    for provider, name in (("google", "google_free_busy"), ("microsoft", "ms_graph_free_busy")):
        for error in ("access_denied", CANARY):
            assert "error" in authorize(stack, name, sim_deny=error)
        for status in (400, 401, 500):
            said = {"error": CANARY, "error_description": CANARY, "id_token": CANARY, "error_codes": [CANARY]}
            with fault(stack, provider, "token", status, said):
                assert "error" in authorize(stack, name, sim_user=f"{CANARY}@{provider}.example")


@contextlib.contextmanager
def fault(stack: dict[str, Any], provider: str, operation: str, status: int, body: Any):
    httpx.put(f"{stack[provider]}/sim/faults", json={operation: {"status": status, "body": body}}).raise_for_status()
    try:
        yield
    finally:
        httpx.delete(f"{stack[provider]}/sim/faults").raise_for_status()


def read_in_trouble(stack: dict[str, Any], person: pycronofy.Client, provider: str) -> None:
    said = {"error": {"code": CANARY, "message": CANARY, "errors": [{"reason": CANARY, "message": CANARY}]}}
    for operation, status, body in (
        ("busy", 200, CANARY),
        ("busy", 200, {"calendars": {"primary": {"busy": [{"start": CANARY, "end": CANARY}]}}, "value": [CANARY]}),
        ("busy", 403, said),
        ("busy", 404, said),
        ("busy", 500, CANARY),
        ("refresh", 400, {"error": CANARY, "error_description": CANARY}),
        ("refresh", 401, {"error": "invalid_client", "error_description": CANARY}),
        ("refresh", 503, CANARY),
        ("refresh", 400, {"error": "invalid_grant", "error_description": CANARY}),
    ):
        with fault(stack, provider, operation, status, body):
            person.read_free_busy(from_date=at(0), to_date=at(24)).all()


def write_and_answer(stack: dict[str, Any], person: pycronofy.Client) -> None:
    calendar_id = person.list_calendars()[1]["calendar_id"]
    guest, nobody = f"guest-{CANARY}@mail.example", f"nobody-{CANARY}@mail.example"
    httpx.put(f"{stack['mailbox']}/sim/faults", json={"send": {"status": 429, "times": 1}, "bounce": [nobody]})
    invited = [{"email": guest, "display_name": f"Gast {CANARY}"}, {"email": nobody}]
    event = {
        "event_id": "event",
        "summary": f"Titel {CANARY}",
        "description": f"Text {CANARY}",
        "location": {"description": f"Ort {CANARY}"},
        "url": f"https://{CANARY}.example/",
        "start": at(11),
        "end": at(12),
        "attendees": {"invite": invited},
        "tags": {"private": [{"value": CANARY}]},
    }
    person.upsert_event(calendar_id, event)
    (invitation, *_) = mail_to(stack, guest)
    for answer in (
        {"partstat": "DECLINED", "comment": f"Kommentar {CANARY}"},
        {"partstat": "TENTATIVE", "counter": {"start": at(13), "end": at(14)}, "client": "outlook"},
        {"partstat": "ACCEPTED", "spoofed": True, "comment": CANARY},
    ):
        httpx.post(f"{stack['mailbox']}/messages/{invitation['id']}/reply", json=answer).raise_for_status()
    person.delete_event(calendar_id, "event")
    assert len(mail_to(stack, guest, 2)) == 2
    httpx.delete(f"{stack['mailbox']}/sim/faults")


def be_notified(person: pycronofy.Client) -> None:
    """By a server that fails at first, at an address with a secret in it; and by one that is not there."""
    with receiving() as application:
        application.refusals = 1
        channel = person.create_notification_channel(f"{application.url}/{CANARY}?token={CANARY}")
        application.wait_for(1)
        person.create_notification_channel(f"http://127.0.0.1:1/{CANARY}?token={CANARY}")
        person.list_notification_channels()
        person.close_notification_channel(channel["channel_id"])


def send_again(stack: dict[str, Any], person: pycronofy.Client) -> None:
    headers = {"Authorization": f"Bearer {person.auth.access_token}", "Idempotency-Key": f"key-{CANARY}"}
    calendar_id = person.list_calendars()[1]["calendar_id"]
    event = {"event_id": "event", "summary": f"Titel {CANARY}", "start": at(11), "end": CANARY}
    entry = {"method": "POST", "relative_url": f"/v1/calendars/{calendar_id}/events", "data": event}
    for entries in ([entry], [entry], []):
        httpx.post(f"{stack['url']}/v1/batch", json={"batch": entries}, headers=headers, timeout=30)


def look_at_connections(stack: dict[str, Any], email: str) -> None:
    """And disconnect what is connected."""
    with httpx.Client(base_url=stack["url"], timeout=30) as browser:
        answer = browser.get("/connections/sign_in/google")
        while answer.next_request is not None:
            address = answer.next_request.url
            at_provider = str(address).startswith(stack["google"])
            answer = browser.get(address.copy_merge_params({"sim_user": email}) if at_provider else address)
        (own, *_) = re.findall(r"/connections/pro_\w+/disconnect", browser.get("/connections").text)
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', browser.get(own).text))
        headers = {"Origin": stack["url"], "Sec-Fetch-Site": "same-origin"}
        for data, status in (({"form_token": SECRET}, HTTPStatus.FORBIDDEN), (form, HTTPStatus.SEE_OTHER)):
            assert browser.post(own, data=data, headers=headers).status_code == status
        browser.post("/connections/sign_out", data=form, headers=headers)


def mail_to(stack: dict[str, Any], email: str, count: int = 1) -> list[dict[str, Any]]:
    return until(
        lambda: httpx.get(f"{stack['mailbox']}/messages", params={"to": email}).json(),
        lambda messages: len(messages) >= count,
    )


def ask_an_organization(stack: dict[str, Any], provider: str) -> None:
    domain = f"{CANARY}-{provider}.example"
    describe(stack, provider, domain, delegated=True)
    brought = connect_organization(stack, provider, f"ada@{domain}")
    office = client_of(stack)
    office.get_authorization_from_code(brought["code"], redirect_uri=stack["redirect_uris"][0])
    with receiving() as application:
        application.refusals = 1
        hook = f"{application.url}/{CANARY}?{CANARY}={CANARY}"
        asked = 0
        for mailbox in (f"eve@{domain}", f"nobody@{domain}", f"{CANARY}@elsewhere.example"):
            with contextlib.suppress(PyCronofyRequestError):  # Of a domain that is known not to be its own.
                office.authorize_with_service_account(mailbox, "free_busy_write", hook, state=CANARY)
                asked += 1
        granted = next(each.authorization for each in application.wait_for(asked) if "code" in each.authorization)
        colleague = client_of(stack)
        colleague.get_authorization_from_code(granted["code"], redirect_uri=hook)
    colleague.read_free_busy(from_date=at(0), to_date=at(24)).all()
    describe(stack, provider, domain, delegated=False)
    colleague.read_free_busy(from_date=at(0), to_date=at(24)).all()


def use_what_is_no_use(stack: dict[str, Any], person: pycronofy.Client) -> None:
    """Codes and tokens that are used up, and secrets of nobody."""
    code = authorize(stack, "google_free_busy", sim_user=f"{CANARY}@google.example")["code"]
    back = stack["redirect_uris"][0]
    client_of(stack).get_authorization_from_code(code, redirect_uri=back)
    for client in (client_of(stack), client_of(stack, client_secret=SECRET)):
        with pytest.raises(PyCronofyRequestError):
            client.get_authorization_from_code(code, redirect_uri=back)
    person.revoke_authorization()


def secrets_of(stack: dict[str, Any]) -> set[str]:
    """Those that an operator puts in, and the application's own."""
    manager = aws.client("secretsmanager", stack["aws"])
    held = [
        json.loads(manager.get_secret_value(SecretId=secret["ARN"])["SecretString"])
        for secret in manager.list_secrets()["SecretList"]
    ]
    pem = [line for each in held for line in each.get("private_key", "").splitlines() if "-" not in line]
    return {stack["client_secret"], *(each["client_secret"] for each in held if "client_secret" in each), *pem}


@pytest.fixture
def everything_was_said(stack, connect, person):
    refuse_and_fail(stack)
    for body in (body.values[0] for body in ODD_BODIES):
        send_oddly(stack, person.auth.access_token, body)
    write_and_answer(stack, person)
    be_notified(person)
    send_again(stack, person)
    for provider in PROVIDERS:
        ask_an_organization(stack, provider)
        reader = connect(provider, f"reader-{CANARY}@{provider}.example", [(9, 10)], token_lifetime=1)
        read_in_trouble(stack, reader, provider)
    use_what_is_no_use(stack, person)
    connect("google", f"looker-{CANARY}@google.example", [])
    look_at_connections(stack, f"looker-{CANARY}@google.example")


@pytest.mark.usefixtures("everything_was_said")
def test_no_log_repeats_what_somebody_sent_or_was_sent(stack, exchanges, stack_logs):
    said = [json.loads(line) for line in exchanges.read_text(encoding="utf-8").splitlines()]
    said += [each for provider in PROVIDERS for each in httpx.get(f"{stack[provider]}/sim/requests").json()]
    secrets = {word for exchange in said for word in seen_in(exchange)} | secrets_of(stack) | disguises(CANARY)
    files = [file for file in stack_logs.rglob("*.log") if file.stem in {*LOGICAL_ID, "gateway"}]
    logs = {file.relative_to(stack_logs): file.read_text(encoding="utf-8") for file in files}
    assert len(secrets) > 100
    assert {file.stem for file in files} >= {
        *("free_busy", "oauth_callback", "on_invitation_due", "on_channel_due", "connections", "gateway"),
    }
    for line in ('"level":"DEBUG"', '"ProviderFailures":', '"Invitations":'):
        assert any(line in log for log in logs.values())
    leaking = {str(file): found(secrets, log) for file, log in logs.items()}
    assert {name: lines for name, lines in leaking.items() if lines} == {}
